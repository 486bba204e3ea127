"""What the page keeps of a visitor's takes and references: files in the visitor's folder."""

import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.errors import InputError
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.container import open_media
from kmspeaker.media.video_copy import COPY_BYTES, browser_suffix, write_browser_copy
from kmspeaker.progress import Progress
from kmspeaker.reference.load import Reference, kind_of
from kmspeaker.web.packing import reference_arrays, take_arrays
from kmspeaker.web.session import Session, SessionReference, SessionTake
from kmspeaker.web.sound import write_opus


def write_takes(
    session: Session,
    animations: Sequence[FaceAnimation],
    reference: SessionReference | None,
    details: Sequence[str],
    labels: Sequence[str] | None = None,
) -> list[SessionTake]:
    """Put takes of one speech in the visitor's folder and catalogue.

    Args:
        session: The visitor's.
        animations: The takes.
        reference: Whom they follow.
        details: How each was made, in a few words.
        labels: Who spoke each, where several systems did; told apart by a number where need be.
    """
    sound = session.file("speech", ".webm")
    write_opus(sound, animations[0].sound)
    takes = []
    for place, (animation, detail) in enumerate(zip(animations, details, strict=True)):
        motion = session.file("take", ".bin")
        motion.write_bytes(take_arrays(animation))
        number = session.number("take")
        label = f"Take {number}" if labels is None else _untaken(session, labels[place])
        take = SessionTake(f"take-{number}", label, detail, animation, motion, sound, reference)
        session.keep(take)
        takes.append(take)
    return takes


def _untaken(session: Session, label: str) -> str:
    """The label, with a number where another take has it."""
    with session.lock:
        taken = {take.label for take in session.takes.values()}
    numbered = (f"{label} ({number})" for number in count(2))
    return next(each for each in chain([label], numbered) if each not in taken)


def write_reference(
    session: Session,
    reference: Reference,
    source: Path,
    seconds: float,
    face: FaceModel,
    progress: Progress | None = None,
) -> SessionReference:
    """Put a reference in the visitor's folder and catalogue.

    Args:
        session: The visitor's.
        reference: What was read.
        source: Its file; of a video that browsers do not show, a small copy is made that they do.
        seconds: How long it took to read.
        face: The rig.
        progress: Told how much of the copy is made.
    """
    video = _browser_video(session, reference, source, progress)
    motion = session.file("reference", ".bin")
    motion.write_bytes(reference_arrays(reference.performance, reference.track, face))
    track, heard = None, False
    if reference.track is not None:
        heard = has_sound(source)
        track = session.file("track", ".npz")
        reference.track.save(track)
    number = session.number("reference")
    entry = SessionReference(
        key="reference" if number == 1 else f"reference-{number}",
        label="Reference" if number == 1 else f"Reference {number}",
        source=source,
        performance=reference.performance,
        face_track=reference.track,
        track=track,
        motion=motion,
        video=video,
        read_seconds=seconds,
        notes=reference.notes,
        heard=heard,
    )
    session.keep(entry)
    return entry


def write_fit(
    session: Session,
    reference: SessionReference,
    fit: Reference,
    neutral_at: float | None,
    face: FaceModel,
) -> SessionReference:
    """Put another fit of a reference in its place; beside it where a take follows it."""
    assert fit.track is not None
    motion, track = session.file("reference", ".bin"), session.file("track", ".npz")
    motion.write_bytes(reference_arrays(fit.performance, fit.track, face))
    fit.track.save(track)
    entry = replace(
        reference,
        performance=fit.performance,
        face_track=fit.track,
        track=track,
        motion=motion,
        neutral_at=neutral_at,
    )
    with session.lock:
        if any(take.reference is reference for take in session.takes.values()):
            number = session.number("reference")
            entry = replace(entry, key=f"reference-{number}", label=f"Reference {number}")
        session.keep(entry)
    return entry


def _browser_video(
    session: Session, reference: Reference, source: Path, progress: Progress | None
) -> Path | None:
    """The video as browsers show it, in the visitor's folder; None where there is no picture."""
    if reference.track is None or kind_of(source) != "video":
        return None
    suffix = browser_suffix(source)
    video = session.file("reference", suffix or ".mp4")
    if suffix is not None:
        shutil.copyfile(source, video)
    else:
        seconds = float(reference.track.times[-1])
        session.reserve(round(seconds * COPY_BYTES))
        # It was read to its end already; its sound may be longer.
        write_browser_copy(source, video, progress=progress, max_seconds=2 * seconds + 60)
    return video


def has_sound(source: Path) -> bool:
    """Whether a video has a sound track; a saved track has none."""
    with suppress(InputError), open_media(source, "video") as container:
        return bool(container.streams.audio)
    return False


def file_name(take: FaceAnimation) -> str:
    """A download's name: it says how to make the take again."""
    if not take.generated:
        return f"km-speaker_{take.use}_{take.identity}"
    model = re.sub(r"[^A-Za-z0-9.@_]+", "-", take.model)
    return f"km-speaker_{take.use}_{take.identity}_seed{take.seed}_{model}"
