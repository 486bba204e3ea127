"""What the stage gets: every head it may show, as files with an address."""

from collections.abc import Iterable
from typing import Any

from kmspeaker.web.session import Session, SessionReference, SessionTake

MOST_SHOWN = 12
"""Heads beside each other on the stage."""


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
    # A reference of style may end before the speech does, and starts again; a dubbed one ends.
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
            "detail": reference.detail,
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
            "neutral": _neutral(current),
        },
    }


def _neutral(reference: SessionReference) -> str | None:
    """What was said to be neutral, in words; None where it is found in the clip."""
    if reference.face_track is None or reference.face_track.neutral is None:
        return None
    if reference.neutral_at is None:
        return "The track says what is neutral."
    return f"Neutral: the face at {reference.neutral_at:.2f} s."


def _following(takes: list[SessionTake], reference: SessionReference) -> list[SessionTake]:
    """The takes made after this reference; none if it is newer than all takes."""
    return [take for take in takes if take.reference is reference]
