"""The visitor's takes and references as the stage reads them: files with an address, and texts."""

import html
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.face.rig import FaceModel
from kmspeaker.reference.load import Reference
from kmspeaker.web.packing import reference_arrays, take_arrays
from kmspeaker.web.sessions import KnownReference, KnownTake, Session
from kmspeaker.web.sound import write_opus

MOST_SHOWN = 4
"""Heads beside each other on the stage."""
_BROWSER_VIDEO = {".mp4", ".m4v", ".mov", ".webm", ".mkv", ".ogv"}


def stage_value(session: Session, identity: str, shown: Iterable[str] = ()) -> dict[str, Any]:
    """What the stage gets: every head it may show, and which of them it shows at first.

    Args:
        session: The visitor's.
        identity: Who wears the takes.
        shown: Keys of takes and references; the newest take where there are none.
    """
    with session.lock:
        takes, references = list(session.takes.values()), list(session.references.values())
        current = session.current
    newest = takes[-1:] if current is None or not takes else _following(takes, current)[-1:]
    keys = [key for key in shown if key in {*session.takes, *session.references}]
    keys = keys or [take.key for take in newest]
    if not keys and current is not None:
        keys = [current.key]
    first = next((take for take in takes if take.key in keys), None)
    # Whose style is taken may end before the speech does, and starts again; a dub ends.
    repeats = first is not None and first.animation.use == "stylize"
    heads: list[dict[str, Any]] = [
        {
            "key": take.key,
            "label": take.label,
            "detail": take.detail,
            "identity": identity,
            "motion": str(take.motion),
            "sound": str(take.sound),
        }
        for take in takes
    ]
    heads += [
        {
            "key": reference.key,
            "label": reference.label,
            "detail": "tracked",
            "identity": identity,
            "motion": str(reference.motion),
            "repeats": repeats,
        }
        for reference in references
    ]
    return {
        "identity": identity,
        "identities": session.identities,
        "heads": heads,
        "shown": keys[:MOST_SHOWN],
        "sound": str(first.sound) if first else None,
        "reference": current
        and {
            "key": current.key,
            "data": str(current.motion),
            "video": str(current.video) if current.video else None,
            "repeats": repeats,
        },
    }


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


def take_facts(takes: Sequence[FaceAnimation], reference_seconds: float) -> str:
    """Which weights spoke, and how long each stage took, as HTML."""
    first = takes[0]
    stages = {"reference": reference_seconds, **first.stage_seconds}
    total = sum(first.stage_seconds.values())
    parts = "".join(
        f"<li><span>{html.escape(stage)}</span><b>{seconds:.2f} s</b></li>"
        for stage, seconds in stages.items()
    )
    models = " and ".join(html.escape(name) for name in dict.fromkeys(t.model for t in takes))
    seeds = ", ".join(str(seed) for seed in dict.fromkeys(take.seed for take in takes))
    together = "" if len(takes) == 1 else f" {len(takes)} takes together."
    speed = f"{first.seconds / total:.1f} times faster than real time" if total > 0 else ""
    return (
        f"<div class='km-facts'><p>Spoken by <b>{models}</b>, seed {seeds}, "
        f"{first.steps} steps. {first.seconds:.1f} s of speech in {total:.1f} s"
        f"{', ' + speed if speed else ''}.{together}</p><ul>{parts}</ul></div>"
    )


def reference_facts(reference: KnownReference) -> str:
    """How long it is and how well the face was seen, as HTML."""
    performance = reference.performance
    seen = float(performance.present.mean())
    bridged = float(performance.bridged.sum()) / performance.fps
    text = f"{performance.seconds:.1f} s of performance, face seen in {seen:.0%}"
    if bridged >= 0.1:
        text += f" ({bridged:.1f} s of it bridged)"
    return f"<p class='km-facts'>{text}. Read in {reference.seconds_taken:.1f} s.</p>"


def file_name(take: FaceAnimation) -> str:
    """A download's name: it says how to make the take again."""
    model = re.sub(r"[^A-Za-z0-9.@_]+", "-", take.model)
    return f"km-speaker_{take.use}_{take.identity}_seed{take.seed}_{model}"


def _following(takes: list[KnownTake], reference: KnownReference) -> list[KnownTake]:
    """The takes made after this reference; none if it is newer than all takes."""
    return [take for take in takes if take.reference is reference]
