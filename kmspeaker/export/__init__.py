"""Animations as files for other programs; the last step of the flow.

``save_animation`` picks the format by the name's ending. Every file says which weights spoke, with
which seed and steps, on whose head and by which version of the program:

========  ==========================================  ==================================
ending    holds                                       says where it came from in
========  ==========================================  ==================================
``.npz``  vertices, faces and ARKit weights           keys of their own
``.glb``  textured head, 52 morph targets, animation  ``asset.extras``
``.csv``  Live Link Face columns                      ``<name>.csv.json`` beside it
``.mp4``  the rendered head with its sound            the container's comment
========  ==========================================  ==================================

A Live Link Face CSV has no comments, and its importers refuse or misread a further column, so its
provenance lies beside it. glTF has no sound, so ``<name>.wav`` lies beside the ``.glb``.
"""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kmspeaker.animation import FaceAnimation
from kmspeaker.errors import InputError
from kmspeaker.export.provenance import provenance
from kmspeaker.face import FaceModel
from kmspeaker.performance import Progress

__all__ = ["FORMATS", "check_writable", "provenance", "save_animation"]

FORMATS = (".npz", ".glb", ".csv", ".mp4")
"""The endings ``save_animation`` knows."""


def save_animation(
    animation: FaceAnimation, face: FaceModel, path: Path, *, progress: Progress | None = None
) -> tuple[Path, ...]:
    """Write the animation in the format that ``path`` ends in.

    Nothing half-written is ever seen under the final names: each file is written under another
    name in the same folder and renamed when it is complete.

    Args:
        animation: What to write.
        face: The rig that plays it.
        path: Ends in one of ``FORMATS``.
        progress: Told the fraction done.

    Returns:
        The files written: ``path`` first, then what lies beside it.

    Raises:
        InputError: The ending is unknown, the folder cannot be written, or the disk is full.
    """
    path = Path(path)
    check_writable(path)
    report = progress or _ignore
    report(0.0)
    written = _WRITERS[path.suffix.lower()](animation, face, path, report)
    report(1.0)
    return written


def check_writable(path: Path) -> None:
    """Refuse a name that ``save_animation`` could not write, before any work is done for it.

    Raises:
        InputError: The ending is unknown, or no file can be made in the folder.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            f"Got the output name {path.name!r}; it must end in {', '.join(FORMATS[:-1])} "
            f"or {FORMATS[-1]}."
        )
    try:
        if path.is_dir():
            raise InputError(f"Got the folder {path} as output; name a file in it.")
        if not path.parent.is_dir():
            raise InputError(f"There is no folder {path.parent} for {path.name}; make it first.")
        probe = _unfinished(path)
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise InputError(_cannot_write(path, error)) from error


def _save_npz(
    animation: FaceAnimation, face: FaceModel, path: Path, progress: Progress
) -> tuple[Path, ...]:
    from kmspeaker.export.npz import write_npz

    with _replacing(path) as unfinished:
        write_npz(animation, face, unfinished, progress=progress)
    return (path,)


def _save_glb(
    animation: FaceAnimation, face: FaceModel, path: Path, progress: Progress
) -> tuple[Path, ...]:
    from kmspeaker.audio import write_wav
    from kmspeaker.export.glb import write_glb

    beside = path.with_suffix(".wav")
    with ExitStack() as stack:
        unfinished_sound = stack.enter_context(_replacing(beside))
        unfinished = stack.enter_context(_replacing(path))
        write_glb(animation, face, unfinished)
        progress(0.9)
        write_wav(unfinished_sound, animation.sound)
    return (path, beside)


def _save_csv(
    animation: FaceAnimation, face: FaceModel, path: Path, progress: Progress
) -> tuple[Path, ...]:
    from kmspeaker.live_link import write_live_link

    del face, progress
    beside = path.with_name(f"{path.name}.json")
    with ExitStack() as stack:
        unfinished_facts = stack.enter_context(_replacing(beside))
        unfinished = stack.enter_context(_replacing(path))
        write_live_link(unfinished, animation.weights, animation.fps, head=animation.head)
        facts = {**provenance(animation), "fps": animation.fps, "frames": len(animation)}
        unfinished_facts.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return (path, beside)


def _save_mp4(
    animation: FaceAnimation, face: FaceModel, path: Path, progress: Progress
) -> tuple[Path, ...]:
    from kmspeaker.export.mp4 import write_mp4

    with _replacing(path) as unfinished:
        write_mp4(animation, face, unfinished, progress=progress)
    return (path,)


_WRITERS: dict[str, Callable[[FaceAnimation, FaceModel, Path, Progress], tuple[Path, ...]]] = {
    ".npz": _save_npz,
    ".glb": _save_glb,
    ".csv": _save_csv,
    ".mp4": _save_mp4,
}


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A name to write to that takes the place of ``path`` once the block has ended well."""
    unfinished = _unfinished(path)
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise InputError(_cannot_write(path, error)) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")


def _cannot_write(path: Path, error: OSError) -> str:
    return f"Cannot write {path}: {error.strerror or error}; choose another folder or make room."


def _ignore(fraction: float) -> None:
    del fraction
