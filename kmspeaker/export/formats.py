"""The formats one by one: which files each writes, whole, and what people call it."""

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.export.provenance import credited_provenance
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.files import replacing
from kmspeaker.progress import Progress

Write = Callable[[FaceAnimation, FaceModel, Path, Progress], tuple[Path, ...]]
"""Writes an animation under a name; returns the files, that one first."""


@dataclass(frozen=True)
class Format:
    """A kind of file an animation can be saved as."""

    words: str
    """What it is for, short enough for a button."""
    write: Write


def _write_npz(
    animation: FaceAnimation, face: FaceModel, path: Path, progress: Progress
) -> tuple[Path, ...]:
    from kmspeaker.export.npz import write_npz

    with replacing(path) as unfinished:
        write_npz(animation, face, unfinished, progress=progress)
    return (path,)


def _write_glb(
    animation: FaceAnimation, face: FaceModel, path: Path, progress: Progress
) -> tuple[Path, ...]:
    from kmspeaker.export.glb import write_glb
    from kmspeaker.media.audio import write_wav

    beside = path.with_suffix(".wav")
    with ExitStack() as stack:
        unfinished_sound = stack.enter_context(replacing(beside))
        unfinished = stack.enter_context(replacing(path))
        write_glb(animation, face, unfinished)
        progress(0.9)
        write_wav(unfinished_sound, animation.sound)
    return (path, beside)


def _write_usd(
    animation: FaceAnimation, face: FaceModel, path: Path, progress: Progress
) -> tuple[Path, ...]:
    from kmspeaker.export.usd import write_usd
    from kmspeaker.media.audio import write_wav

    hair, skin = face.hair(animation.identity), face.texture(animation.identity)
    sound, texture = path.with_suffix(".wav"), path.with_suffix(skin.suffix)
    hair_texture = path.with_name(f"{path.stem}.hair.png")
    beside = [sound, texture] + ([] if hair is None else [hair_texture])
    with ExitStack() as stack:
        unfinished, *others = (stack.enter_context(replacing(each)) for each in (path, *beside))
        write_usd(
            animation,
            face,
            unfinished,
            texture=texture.name,
            hair_texture=hair_texture.name,
            sound=sound.name,
        )
        progress(0.9)
        write_wav(others[0], animation.sound)
        shutil.copyfile(skin, others[1])
        if hair is not None:
            hair.texture().save(others[2], format="PNG")
    return (path, texture, sound, *beside[2:])


def _write_csv(
    animation: FaceAnimation, face: FaceModel, path: Path, progress: Progress
) -> tuple[Path, ...]:
    from kmspeaker.reference.live_link import write_live_link

    del progress
    beside = path.with_name(f"{path.name}.json")
    with ExitStack() as stack:
        unfinished_facts = stack.enter_context(replacing(beside))
        unfinished = stack.enter_context(replacing(path))
        write_live_link(unfinished, animation.weights, animation.fps, head=animation.head)
        facts = {
            **credited_provenance(animation, face),
            "fps": animation.fps,
            "frames": len(animation),
        }
        unfinished_facts.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return (path, beside)


def _write_mp4(
    animation: FaceAnimation, face: FaceModel, path: Path, progress: Progress
) -> tuple[Path, ...]:
    from kmspeaker.export.mp4 import write_mp4

    with replacing(path) as unfinished:
        write_mp4(animation, face, unfinished, progress=progress)
    return (path,)


SINGLE: Mapping[str, Format] = MappingProxyType(
    {
        ".mp4": Format("MP4 with sound", _write_mp4),
        ".glb": Format("GLB for Blender, engines", _write_glb),
        ".usda": Format("USD for Blender, Maya, usdview", _write_usd),
        ".csv": Format("CSV for Live Link Face", _write_csv),
        ".npz": Format("NPZ for numpy", _write_npz),
    }
)
"""By ending, each format of its own."""
