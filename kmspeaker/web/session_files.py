"""What the page keeps of a visitor's takes and references: files in the visitor's folder."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.face.rig import FaceModel
from kmspeaker.reference.load import Reference
from kmspeaker.web.packing import reference_arrays, take_arrays
from kmspeaker.web.sessions import KnownReference, KnownTake, Session
from kmspeaker.web.sound import write_opus

_BROWSER_VIDEO = {".mp4", ".m4v", ".mov", ".webm", ".mkv", ".ogv"}


def write_takes(
    session: Session,
    animations: Sequence[FaceAnimation],
    reference: KnownReference | None,
    details: Sequence[str],
) -> list[KnownTake]:
    """Put takes of one speech in the visitor's folder and catalogue."""
    sound = session.file("speech", ".webm")
    write_opus(sound, animations[0].sound)
    known = []
    for animation, detail in zip(animations, details, strict=True):
        motion = session.file("take", ".bin")
        motion.write_bytes(take_arrays(animation))
        number = session.number("take")
        take = KnownTake(
            f"take-{number}", f"Take {number}", detail, animation, motion, sound, reference
        )
        session.keep(take)
        known.append(take)
    return known


def write_reference(
    session: Session, reference: Reference, source: Path, seconds: float, face: FaceModel
) -> KnownReference:
    """Put a reference in the visitor's folder and catalogue, and make it the current one."""
    motion = session.file("reference", ".bin")
    motion.write_bytes(reference_arrays(reference.performance, reference.track, face))
    video, track = None, None
    if reference.track is not None:
        track = session.file("track", ".npz")
        reference.track.save(track)
        suffix = source.suffix.lower()
        if suffix in _BROWSER_VIDEO:
            video = session.file("reference", suffix)
            shutil.copyfile(source, video)
    number = session.number("reference")
    known = KnownReference(
        key="reference" if number == 1 else f"reference-{number}",
        label="Reference" if number == 1 else f"Reference {number}",
        source=source,
        performance=reference.performance,
        face_track=reference.track,
        track=track,
        motion=motion,
        video=video,
        seconds_taken=seconds,
    )
    session.keep(known)
    return known


def file_name(take: FaceAnimation) -> str:
    """A download's name: it says how to make the take again."""
    model = re.sub(r"[^A-Za-z0-9.@_]+", "-", take.model)
    return f"km-speaker_{take.use}_{take.identity}_seed{take.seed}_{model}"
