"""What lips must do on known phones: close, meet the teeth, open, and rest in silence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from kmspeaker.corpus.store import Corpus
from kmspeaker.corpus.visemes import BILABIALS, LABIODENTALS, OPEN_VOWELS, SILENCE, Phone, spans
from kmspeaker.errors import InputError
from kmspeaker.face import INNER_LOWER_LIP, INNER_UPPER_LIP, FaceModel
from kmspeaker.generate import generate
from kmspeaker.performance import Performance, steady
from kmspeaker.pipeline import Pipeline

CLOSED = 0.5
"""mm above the neutral's gap under which lips count as closed."""
MET = 1.5
"""mm from lower lip to upper teeth under which they count as met."""
OPEN = 3.0
"""mm above the neutral's gap that an open vowel must reach."""
AROUND = 0.04
"""Seconds around a phone in which its contact counts: phone times are good to about 20 ms."""
LONG_SILENCE, SETTLING = 0.3, 0.12
"""Seconds: silences that must rest, and what of their ends is still speech."""
LIPS = (61, 0, 291, 17, 13, 14, 78, 308, 37, 267, 84, 314)

Weights = Float32[np.ndarray, "frames 52"]


@dataclass(frozen=True)
class Closures:
    """Shares over all phones of a kind."""

    bilabials: int
    lips_closed: float
    labiodentals: int
    teeth_met: float
    open_vowels: int
    vowels_shut: float
    """Open vowels under 3 mm: lips that never open would close perfectly."""
    silence_speed: float
    """Lip speed in long silences over that in speech."""


def resting_gap(face: FaceModel) -> Float32[np.ndarray, " 52"]:
    """Change of the lip opening by weight, mm: zero where the lips are as in the neutral face."""
    deltas = face.landmark_deltas()
    return (deltas[:, INNER_UPPER_LIP, 1] - deltas[:, INNER_LOWER_LIP, 1]).astype(np.float32)


def score(
    face: FaceModel,
    identity: str,
    takes: Sequence[tuple[Float32[np.ndarray, "_ 52"], Sequence[Phone]]],
    fps: float,
) -> Closures:
    """Count contacts and speeds over motions whose phones are known."""
    closed: list[bool] = []
    met: list[bool] = []
    shut: list[bool] = []
    resting: list[float] = []
    moving: list[float] = []
    gap_of = resting_gap(face)
    for weights, phones in takes:
        gap = weights @ gap_of
        teeth = face.teeth_gap(weights, identity)
        for curve, names, worth, limit, found in (
            (gap, BILABIALS, np.min, CLOSED, closed),
            (teeth, LABIODENTALS, np.min, MET, met),
            (gap, OPEN_VOWELS, np.max, OPEN, shut),
        ):
            for start, end in spans(phones, names):
                near = curve[_frames(start - AROUND, end + AROUND, fps, len(curve))]
                if len(near):
                    found.append(bool(worth(near) < limit))
        speed = _lip_speed(face, weights, identity, fps)
        still = np.zeros(len(speed), bool)
        quiet = np.zeros(len(speed), bool)
        for start, end in spans(phones, {SILENCE}):
            quiet[_frames(start, end, fps, len(speed))] = True
            if end - start > LONG_SILENCE:
                still[_frames(start + SETTLING, end - SETTLING, fps, len(speed))] = True
        resting += list(speed[still])
        moving += list(speed[~quiet])
    return Closures(
        len(closed),
        _share(closed),
        len(met),
        _share(met),
        len(shut),
        _share(shut),
        float(np.mean(resting) / np.mean(moving)) if resting and np.any(moving) else float("nan"),
    )


def score_held_out(
    corpus: Corpus, pipeline: Pipeline, style: Performance, count: int
) -> dict[str, Closures]:
    """The model on the corpus's test speech, and the corpus's own motion there.

    Raises:
        InputError: The corpus has no test clip with phones.
    """
    clips = [clip for clip in corpus.split("test") if clip.phones][:count]
    if not clips:
        raise InputError(f"Got no test clip with phones in {corpus.folder}; build a larger corpus.")
    identity = pipeline.face.identities[0]
    made, own = [], []
    for clip in clips:
        motion = corpus.read(clip)
        said = generate(pipeline.model, pipeline.face, motion.features, style)
        made.append((said, clip.phones))
        own.append((motion.weights, clip.phones))
    return {
        "model": score(pipeline.face, identity, made, corpus.fps),
        "corpus": score(pipeline.face, identity, own, corpus.fps),
    }


def neutral_style(corpus: Corpus) -> Performance:
    """A neutral performance whose lips are as lively as the median neutral one's.

    Raises:
        InputError: The corpus has none.
    """
    neutral = [
        clip
        for split in ("val", "train", "test")
        for clip in corpus.split(split)
        if clip.emotion == "neutral" and clip.phones and clip.source != "noise"
    ][:60]
    if not neutral:
        raise InputError(f"Got no neutral clip in {corpus.folder}; build a larger corpus.")
    weights = {clip.name: corpus.read(clip).weights for clip in neutral}
    ordered = sorted(weights, key=lambda name: float(weights[name].std(axis=0).sum()))
    return steady(weights[ordered[len(ordered) // 2]], corpus.fps)


def _frames(start: float, end: float, fps: float, frames: int) -> slice:
    first = max(0, int(np.ceil(start * fps)))
    return slice(first, max(first, min(frames, int(np.floor(end * fps)) + 1)))


def _lip_speed(
    face: FaceModel, weights: Weights, identity: str, fps: float
) -> Float[np.ndarray, " frames"]:
    places = np.tensordot(weights, face.landmark_deltas()[:, LIPS], axes=1)
    return np.linalg.norm(np.gradient(places, axis=0), axis=2).mean(1) * fps


def _share(found: Sequence[bool]) -> float:
    return float(np.mean(found)) if found else float("nan")
