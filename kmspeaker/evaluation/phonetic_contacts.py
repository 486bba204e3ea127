"""What lips must do on known phones: close, meet the teeth, open, and rest in silence."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

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
from kmspeaker.evaluation.context import ACTED, NOISE, Subject, evenly
from kmspeaker.evaluation.report import Finding, Part, Target
from kmspeaker.face.landmarks import LIP_RING
from kmspeaker.face.lip_contact import CLOSED, MET
from kmspeaker.face.rig import FaceModel, Weights

CLIPS = 80
OPEN = 3.0
"""mm above the neutral's gap that an open vowel must reach."""
AROUND = 0.04
"""Seconds around a phone in which its contact counts: phone times are good to about 20 ms."""
LONG_SILENCE, SETTLING = 0.3, 0.12
"""Seconds: silences that must rest, and what of their ends is still speech."""


@dataclass(frozen=True)
class Counts:
    """What one motion does on its phones; sums over motions are shares of all phones."""

    bilabials: int = 0
    closed: int = 0
    labiodentals: int = 0
    met: int = 0
    vowels: int = 0
    shut: int = 0
    """Open vowels under 3 mm: lips that never open would close perfectly."""
    resting: float = 0.0
    """Sum of lip speed over ``resting_frames``, those of long silences, mm/s."""
    resting_frames: int = 0
    moving: float = 0.0
    moving_frames: int = 0


def measure(subject: Subject, clips: int = CLIPS) -> Part:
    """The model on real held-out speech, and the corpus's own motion there.

    Raises:
        InputError: The corpus has no such test clip with phones.
    """
    real = [
        clip
        for clip in subject.corpus.split("test")
        if clip.phones and clip.source not in (ACTED, NOISE)
    ]
    if not real:
        raise InputError(
            f"Got no real test clip with phones in {subject.corpus.folder}; build a larger corpus."
        )
    face, fps = subject.pipeline.face, subject.fps
    made: list[Counts] = []
    own: list[Counts] = []
    chosen = evenly(real, clips)
    for clip in tqdm(chosen, desc="closures"):
        motion = subject.read(clip)
        said = subject.say(motion.features, subject.neutral)
        made.append(count(face, said, clip.phones, fps))
        own.append(count(face, motion.weights, clip.phones, fps))
    sources = ", ".join(sorted({clip.source for clip in chosen}))
    return Part(
        title="lips close, meet the teeth, open and rest",
        on=f"{len(chosen)} test clips of real speech ({sources}), a neutral style",
        findings=(*findings(made, "", judged=True), *findings(own, "the corpus: ", judged=False)),
    )


def count(face: FaceModel, weights: Weights, phones: Sequence[Phone], fps: float) -> Counts:
    """Contacts and speeds of one motion whose phones are known."""
    gap = weights @ face.lip_opening
    teeth = face.teeth_gap(weights, face.identities[0])
    closed, met, shut = (
        [
            bool(worth(near) < limit)
            for start, end in spans(phones, names)
            if len(near := curve[_frames(start - AROUND, end + AROUND, fps, len(curve))])
        ]
        for curve, names, worth, limit in (
            (gap, BILABIALS, np.min, CLOSED),
            (teeth, LABIODENTALS, np.min, MET),
            (gap, OPEN_VOWELS, np.max, OPEN),
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


def findings(counts: Sequence[Counts], who: str, *, judged: bool) -> tuple[Finding, ...]:
    """Shares over all phones of a kind, their intervals over clips."""
    total = np.array([astuple(one) for one in counts], np.float64)
    column = {field.name: total[:, k] for k, field in enumerate(fields(Counts))}
    shares = tuple(
        Finding(
            f"{who}{figure}",
            ratio(column[found], column[of]),
            "%",
            f"clips, {int(column[of].sum())} {phones}",
            target if judged else None,
        )
        for figure, found, of, phones, target in (
            ("p b m closed", "closed", "bilabials", "p b m", Target(least=0.92)),
            ("f v met", "met", "labiodentals", "f v", Target(least=0.80)),
            ("open vowels under 3 mm", "shut", "vowels", "vowels", Target(most=0.04)),
        )
    )
    speeds = np.stack(
        [column[name] for name in ("resting", "resting_frames", "moving", "moving_frames")], axis=1
    )
    rest = bootstrap(speeds, _rest)
    silence = Finding(
        f"{who}lip speed in long silences over that in speech",
        rest,
        "%",
        f"clips, {int(column['resting_frames'].sum())} frames",
        Target(most=0.10) if judged else None,
    )
    return (*shares, silence)


def _frames(start: float, end: float, fps: float, frames: int) -> slice:
    first = max(0, int(np.ceil(start * fps)))
    return slice(first, max(first, min(frames, int(np.floor(end * fps)) + 1)))


def _lip_speed(face: FaceModel, weights: Weights, fps: float) -> Float[np.ndarray, " frames"]:
    places = np.tensordot(weights, face.landmark_deltas()[:, LIP_RING], axes=1)
    return np.linalg.norm(np.gradient(places, axis=0), axis=2).mean(1) * fps


def _rest(drawn: np.ndarray) -> np.ndarray:
    resting, resting_frames, moving, moving_frames = np.moveaxis(drawn.sum(axis=-2), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (resting / resting_frames) / (moving / moving_frames)
