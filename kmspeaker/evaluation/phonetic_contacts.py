"""What lips must do on known phones: close, meet the teeth, open, and rest in silence.

The speech is real and held out, its phones are known by forced alignment. Every threshold and
target is ours; the paper measures none of this. Silence is measured twice, since the program stills
resting lips (``animation.silence``) after the network: with that filter, and without it.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
from jaxtyping import Float, Float64
from tqdm import tqdm

from kmspeaker.animation.silence import settle_lips
from kmspeaker.corpus.lips.visemes import (
    BILABIALS,
    LABIODENTALS,
    OPEN_VOWELS,
    SILENCE,
    Phone,
    spans,
)
from kmspeaker.errors import InputError
from kmspeaker.evaluation.bootstrap import bootstrap, ratio
from kmspeaker.evaluation.context import ACTED, NOISE, EvaluationContext, evenly
from kmspeaker.evaluation.report import Finding, Part, Target
from kmspeaker.face.landmarks import LIP_RING
from kmspeaker.face.lip_contact import CLOSED, MET
from kmspeaker.face.rig import FaceModel, Weights

CLIPS = 80
OPEN = 3.0
"""mm above the neutral's lip opening that an open vowel must reach."""
AROUND = 0.04
"""Seconds around a phone in which its contact counts, since phone times are not exact."""
LONG_SILENCE, SETTLING = 0.3, 0.12
"""Seconds: shortest silence that must rest, and what of each end still belongs to speech."""


@dataclass(frozen=True)
class Counts:
    """Contacts and lip speeds of one motion; sums over motions give shares of all phones."""

    bilabials: int = 0
    closed: int = 0
    labiodentals: int = 0
    met: int = 0
    vowels: int = 0
    shut: int = 0
    """Open vowels under ``OPEN``: lips that never open would close perfectly."""
    resting: float = 0.0
    """Sum of lip speed over the ``resting_frames`` of long silences, mm/s."""
    resting_frames: int = 0
    moving: float = 0.0
    """Sum of lip speed over the ``moving_frames`` outside silences, mm/s."""
    moving_frames: int = 0


def measure(context: EvaluationContext, clips: int = CLIPS) -> Part:
    """The model on real held-out speech, and the corpus's rule-made motion of the same speech.

    Raises:
        InputError: The corpus has no such test clip with phones.
    """
    real = [
        clip
        for clip in context.corpus.split("test")
        if clip.phones and clip.source not in (ACTED, NOISE)
    ]
    if not real:
        raise InputError(
            f"Got no real test clip with phones in {context.corpus.folder}; build a larger corpus."
        )
    face, fps = context.pipeline.face, context.fps
    model: list[Counts] = []
    unfiltered: list[Counts] = []
    rules: list[Counts] = []
    clips_used = evenly(real, clips)
    for clip in tqdm(clips_used, desc="phonetic contacts"):
        motion = context.read(clip)
        weights = context.animate(motion.features, context.neutral, settle=False)
        unfiltered.append(count(face, weights, clip.phones, fps))
        model.append(count(face, settle_lips(weights, face, fps), clip.phones, fps))
        rules.append(count(face, motion.weights, clip.phones, fps))
    sources = ", ".join(sorted({clip.source for clip in clips_used}))
    return Part(
        title="lips close, meet the teeth, open and rest",
        rule_made=False,
        on=f"{len(clips_used)} test clips of real speech ({sources}), a neutral style of "
        "the corpus",
        findings=(
            *findings(model, "", judged=True),
            speed_finding(unfiltered, "without the silence filter: "),
            *findings(rules, "the corpus's rule-made motion: ", judged=False),
        ),
        notes=(
            "The program stills lips that rest after the network has moved them (the silence "
            "filter); the row without it is the network's alone. Both count silences of at least "
            f"{LONG_SILENCE:g} s.",
        ),
    )


def count(face: FaceModel, weights: Weights, phones: Sequence[Phone], fps: float) -> Counts:
    """Contacts and speeds of one motion whose phones are known."""
    opening = weights @ face.lip_opening
    teeth = face.teeth_gap(weights, face.identities[0])
    closed, met, shut = (
        [
            bool(extreme(near) < limit)
            for start, end in spans(phones, names)
            if len(near := curve[_frames(start - AROUND, end + AROUND, fps, len(curve))])
        ]
        for curve, names, extreme, limit in (
            (opening, BILABIALS, np.min, CLOSED),
            (teeth, LABIODENTALS, np.min, MET),
            (opening, OPEN_VOWELS, np.max, OPEN),
        )
    )
    speed = _lip_speed(face, weights, fps)
    still = np.zeros(len(speed), bool)
    quiet = np.zeros(len(speed), bool)
    for start, end in spans(phones, {SILENCE}):
        quiet[_frames(start, end, fps, len(speed))] = True
        if end - start > LONG_SILENCE:
            still[_frames(start + SETTLING, end - SETTLING, fps, len(speed))] = True
    return Counts(
        bilabials=len(closed),
        closed=sum(closed),
        labiodentals=len(met),
        met=sum(met),
        vowels=len(shut),
        shut=sum(shut),
        resting=float(speed[still].sum()),
        resting_frames=int(still.sum()),
        moving=float(speed[~quiet].sum()),
        moving_frames=int((~quiet).sum()),
    )


def findings(counts: Sequence[Counts], prefix: str, *, judged: bool) -> tuple[Finding, ...]:
    """Shares of all phones of a kind and the speed in silences, their intervals over clips."""
    column = _columns(counts)
    shares = tuple(
        Finding(
            f"{prefix}{figure}",
            ratio(column[part], column[of]),
            "%",
            f"clips, {int(column[of].sum())} {phones}",
            target if judged else None,
        )
        for figure, part, of, phones, target in (
            ("p b m closed", "closed", "bilabials", "p b m", Target(least=0.92)),
            ("f v met", "met", "labiodentals", "f v", Target(least=0.80)),
            ("open vowels under 3 mm", "shut", "vowels", "vowels", Target(most=0.04)),
        )
    )
    return (*shares, speed_finding(counts, prefix, Target(most=0.10) if judged else None))


def speed_finding(counts: Sequence[Counts], prefix: str, target: Target | None = None) -> Finding:
    """Mean lip speed in long silences over that in speech, its interval over clips."""
    column = _columns(counts)
    speeds = np.stack(
        [column[name] for name in ("resting", "resting_frames", "moving", "moving_frames")], axis=1
    )
    return Finding(
        f"{prefix}lip speed in long silences over that in speech",
        bootstrap(speeds, _speed_ratio),
        "%",
        f"clips, {int(column['resting_frames'].sum())} frames",
        target,
    )


def _columns(counts: Sequence[Counts]) -> dict[str, Float64[np.ndarray, " clips"]]:
    rows = np.array([astuple(one) for one in counts], np.float64)
    return {field.name: rows[:, k] for k, field in enumerate(fields(Counts))}


def _frames(start: float, end: float, fps: float, frames: int) -> slice:
    first = max(0, int(np.ceil(start * fps)))
    return slice(first, max(first, min(frames, int(np.floor(end * fps)) + 1)))


def _lip_speed(face: FaceModel, weights: Weights, fps: float) -> Float[np.ndarray, " frames"]:
    places = np.tensordot(weights, face.landmark_deltas()[:, LIP_RING], axes=1)
    return np.linalg.norm(np.gradient(places, axis=0), axis=2).mean(1) * fps


def _speed_ratio(samples: np.ndarray) -> np.ndarray:
    resting, resting_frames, moving, moving_frames = np.moveaxis(samples.sum(axis=-2), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (resting / resting_frames) / (moving / moving_frames)
