"""Animations as files for other programs; the last step of the flow.

``save_animation`` picks the format by the name's ending. Every file says which weights spoke, with
which seed and steps, on whose head and by which version of the program:

=========  ==========================================  ==================================
ending     holds                                       says where it came from in
=========  ==========================================  ==================================
``.npz``   vertices, faces and ARKit weights           keys of their own
``.glb``   textured head, 52 morph targets, animation  ``asset.extras``
``.csv``   Live Link Face columns                      ``<name>.csv.json`` beside it
``.mp4``   the rendered head with its sound            the container's comment
``.usda``  textured head, 52 blend shapes, animation   ``customLayerData``
``.zip``   all of these                                ``manifest.json`` in it
=========  ==========================================  ==================================

A Live Link Face CSV has no comments, and its importers refuse or misread a further column, so its
provenance lies beside it. glTF has no sound, so ``<name>.wav`` lies beside the ``.glb``; USD names
its sound and its pictures, ``<name>.wav``, ``.jpg`` and ``.hair.png`` beside the ``.usda``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.errors import InputError
from kmspeaker.export.arkit_glb import write_on_head
from kmspeaker.export.formats import SINGLE, Format
from kmspeaker.export.provenance import provenance
from kmspeaker.face.rig import FaceModel
from kmspeaker.heads.arkit_glb import ArkitHead
from kmspeaker.heads.sliders import OWN
from kmspeaker.media.files import check_place, replacing
from kmspeaker.progress import Progress

__all__ = [
    "FORMATS",
    "Format",
    "check_drawable",
    "check_writable",
    "provenance",
    "save_animation",
    "save_comparison",
    "save_on_head",
]


def _write_zip(
    animation: FaceAnimation, face: FaceModel, path: Path, progress: Progress
) -> tuple[Path, ...]:
    from kmspeaker.export.archive import write_zip

    with replacing(path) as unfinished:
        write_zip(animation, face, unfinished, name=path.stem, formats=SINGLE, progress=progress)
    return (path,)


FORMATS: Mapping[str, Format] = MappingProxyType(
    {".zip": Format("ZIP of everything", _write_zip), **SINGLE}
)
"""The endings ``save_animation`` knows, with a few words on each."""
_DRAWN = frozenset((".mp4", ".zip"))
"""Endings of files that hold pictures of the head."""


def save_animation(
    animation: FaceAnimation, face: FaceModel, path: Path, *, progress: Progress | None = None
) -> tuple[Path, ...]:
    """Write the animation in the format that ``path`` ends in.

    Nothing half-written is ever seen under the final names: each file is written under another
    name in the same folder and renamed when it is complete. An exception that ``progress`` raises
    stops the work and leaves nothing behind.

    Args:
        animation: What to write.
        face: The rig that plays it.
        path: Ends in one of ``FORMATS``.
        progress: Told the fraction done.

    Returns:
        The files written: ``path`` first, then what lies beside it.

    Raises:
        InputError: The ending is unknown, the folder cannot be written, the disk is full, or
            there is no OpenGL library for pictures.
    """
    path = Path(path)
    check_writable(path)
    report = progress or _ignore
    report(0.0)
    written = FORMATS[path.suffix.lower()].write(animation, face, path, report)
    report(1.0)
    return written


def save_comparison(
    animations: Sequence[FaceAnimation],
    labels: Sequence[str],
    face: FaceModel,
    path: Path,
    *,
    width: int = 1920,
    height: int = 1080,
    fps: float | None = None,
    nameless: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write one to twelve heads beside each other as a video, up to 1080p at 60 pictures a second.

    See ``mp4.write_comparison`` for the arguments.

    Raises:
        InputError: As ``save_animation``; or there are too many heads, pixels or pictures.
    """
    from kmspeaker.export.mp4 import write_comparison

    path = Path(path)
    if path.suffix.lower() != ".mp4":
        raise InputError(f"Got the output name {path.name!r}; a comparison must end in .mp4.")
    check_place(path)
    report = progress or _ignore
    report(0.0)
    with replacing(path) as unfinished:
        write_comparison(
            animations,
            labels,
            face,
            unfinished,
            width=width,
            height=height,
            fps=fps,
            nameless=nameless,
            progress=report,
        )
    return path


def save_on_head(
    animation: FaceAnimation,
    head: FaceModel | ArkitHead,
    path: Path,
    *,
    name: str = OWN,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Write an animation on a user's own head, as ``heads.load.load_head`` read it.

    Args:
        animation: What to write.
        head: The rig with one more identity, or a GLB with ARKit's targets.
        path: Ends in one of ``FORMATS``; on an ``ArkitHead`` in ``.glb``.
        name: Of the identity, where it is one.
        progress: As for ``save_animation``.

    Returns:
        The files written, as ``save_animation``.

    Raises:
        InputError: The file cannot be written in that format.
    """
    if isinstance(head, FaceModel):
        return save_animation(replace(animation, identity=name), head, path, progress=progress)
    if path.suffix.lower() != ".glb":
        raise InputError(f"Got the output name {path.name!r}; a head of your own is saved as .glb.")
    return (write_on_head(animation, head, path),)


def check_writable(path: Path) -> None:
    """Refuse a name that ``save_animation`` could not write, before any work is done for it.

    Raises:
        InputError: The ending is unknown, no file can be made in the folder, or there is no
            OpenGL library for pictures.
    """
    if path.suffix.lower() not in FORMATS:
        *most, last = FORMATS
        raise InputError(
            f"Got the output name {path.name!r}; it must end in {', '.join(most)} or {last}."
        )
    check_place(path)
    check_drawable(path.suffix.lower())


def check_drawable(ending: str) -> None:
    """Refuse an ending of ``FORMATS`` whose files hold pictures where none can be drawn.

    Raises:
        InputError: There is no OpenGL library.
    """
    if ending in _DRAWN:
        from kmspeaker.export.render import check_opengl

        check_opengl()


def _ignore(fraction: float) -> None:
    del fraction
