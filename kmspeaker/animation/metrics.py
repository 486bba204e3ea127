"""Measures of an animation: curves in millimetres, pictures of its sound, and a few numbers.

Place in the flow: after ``pipeline``; the page draws the curves and shows the numbers. Every curve
is a fixed row times the 52 weights, so whoever holds the weights and ``rows`` can draw it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int8, UInt8

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.animation.editing import fit_timing
from kmspeaker.animation.speech_match import Alignment, align_speech
from kmspeaker.face.landmarks import (
    BROW_TOPS,
    INNER_LOWER_LIP,
    INNER_UPPER_LIP,
    LID_PAIRS,
    LIP_RING,
    R_UPPER,
)
from kmspeaker.face.lip_contact import APART, CLOSED
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel, Weights
from kmspeaker.media.audio import SAMPLE_RATE, Sound
from kmspeaker.reference.performance import Performance
from kmspeaker.speech.whisper import log_mel

UPPER_LIDS, LOWER_LIDS = zip(*(pairs[1] for pairs in LID_PAIRS), strict=True)
"""The middle of each lid, right and left."""
MEASURES: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = MappingProxyType(
    {
        "lips": ((INNER_UPPER_LIP,), (INNER_LOWER_LIP,)),
        "brows": (BROW_TOPS, ()),
        "eyes": (UPPER_LIDS, LOWER_LIDS),
    }
)
"""For each measure mediapipe's landmarks whose mean height it is, and those that it is above."""
MOVES = 0.5
"""mm that some shape must move a vertex for it to count as one that can move."""

BANDS, SPECTRA_PER_SECOND = 40, 50
SHADES = 32
"""Of the spectrogram's picture; fewer make it a smaller file."""
WAVE_PER_SECOND = 200

SLACK = 0.06
"""Seconds by which a closure of the lips may come early or late."""

Curve = Float64[np.ndarray, " frames"]


@dataclass(frozen=True)
class Numbers:
    """Measures of one animation and its performance; None where one means nothing."""

    follows: float | None
    """Correlation of the lip opening with the performance's, where both say the same words."""
    upper_error: float | None
    """Mean distance of the upper face from the performance's, mm, for a dub."""
    jitter: float
    """How far lips lie off a smooth path, mm."""
    own_jitter: float | None
    """The same of the performance."""
    closures: float
    """Times a second that the lips close after they were open."""
    own_closures: float | None
    """The same of the performance."""
    kept: tuple[int, int] | None
    """How many of the performance's closures the take has, and of how many; the same words only."""
    alignment: Alignment | None
    """Of the take's speech and the performance's own sound; None where it has none."""


def rows(face: FaceModel) -> Float32[np.ndarray, "measures 52"]:
    """What each weight adds to each of ``MEASURES``, mm; zero is the face at rest."""
    heights = face.landmark_deltas()[..., 1]
    return np.stack(
        [
            heights[:, above].mean(axis=1) - (heights[:, below].mean(axis=1) if below else 0)
            for above, below in MEASURES.values()
        ]
    ).astype(np.float32)


def curve(face: FaceModel, weights: Weights, name: str) -> Curve:
    """One of ``MEASURES`` in mm against rest, or any of ARKit's weights, over time."""
    if name in ARKIT_INDEX:
        return weights[:, ARKIT_INDEX[name]].astype(np.float64)
    return weights.astype(np.float64) @ rows(face)[list(MEASURES).index(name)]


def spectrogram(sound: Sound) -> UInt8[np.ndarray, "40 spectra"]:
    """Log-mel energies, low bands first, ``SPECTRA_PER_SECOND``; 255 is the loudest, 0 80 dB less.

    In ``SHADES`` steps only, so that it packs well.
    """
    mel = _mel(sound)
    height = (mel - mel.max(initial=-1.0) + 2) / 2  # 80 dB are 2 of ``log_mel``'s units
    return np.round(np.round(height.clip(0, 1) * (SHADES - 1)) * (255 / (SHADES - 1))).astype(
        np.uint8
    )


def waveform(sound: Sound) -> Int8[np.ndarray, "moments 2"]:
    """Least and most of every five milliseconds, 127 for the loudest moment of all."""
    step = max(1, round(sound.sample_rate / WAVE_PER_SECOND))
    padded = np.pad(sound.samples, (0, -len(sound) % step)).reshape(-1, step)
    ends = np.stack([padded.min(axis=1), padded.max(axis=1)], axis=1)
    return np.round(127 * ends / max(float(np.abs(ends).max(initial=0)), 1e-3)).astype(np.int8)


def closures(opening: Curve) -> list[tuple[int, int]]:
    """First and last frame of each complete closure: lips that were open close and open again.

    They count as closed under ``CLOSED`` and as open above ``APART``, so that trembling about one
    threshold makes no closures. Frames that are not known (NaN) interrupt.
    """
    found: list[tuple[int, int]] = []
    was_open, shut = False, None
    for frame, height in enumerate(opening):
        if np.isnan(height):
            was_open, shut = False, None
        elif height >= APART:
            if shut is not None:
                found.append(shut)
            was_open, shut = True, None
        elif height < CLOSED and was_open:
            shut = (frame if shut is None else shut[0], frame)
    return found


def kept_closures(opening: Curve, reference: Curve, fps: float) -> tuple[int, int]:
    """How many of the closures of ``reference`` are also in ``opening``, and of how many."""
    slack = int(np.ceil(SLACK * fps))
    spans = closures(reference)
    shut = opening < CLOSED  # False where it is not known
    return sum(bool(shut[max(0, a - slack) : b + slack + 1].any()) for a, b in spans), len(spans)


def jitter(face: FaceModel, weights: Weights, present: Bool[np.ndarray, " frames"]) -> float:
    """How far lips lie off a smooth path, mm.

    Third differences vanish on every path that bends steadily; of white noise they have twenty
    times its variance. Their root mean square over the root of 20 is thus the size of the noise.
    """
    places = np.tensordot(weights, face.landmark_deltas()[:, LIP_RING], axes=1)
    known = present[3:] & present[2:-1] & present[1:-2] & present[:-3]
    third = np.diff(places, 3, axis=0)[known]
    return float(np.sqrt((third**2).sum(axis=2).mean() / 20)) if len(third) else 0.0


def can_move(face: FaceModel) -> Bool[np.ndarray, " vertices"]:
    """Vertices that some shape moves by more than ``MOVES``; not scalp, ears and neck."""
    return np.linalg.norm(face.deltas, axis=2).max(axis=0) > MOVES


def distance(
    face: FaceModel, one: Weights, other: Weights, vertices: Bool[np.ndarray, " vertices"]
) -> float:
    """Mean distance of these vertices over all frames, mm (U-MSE of the paper's Table 2)."""
    deltas = face.deltas[:, vertices].reshape(len(face.deltas), -1)
    # Piece by piece: all frames of a long animation at once would fill the memory.
    total = 0.0
    for piece in np.array_split(one - other, -(-len(one) // 256)):
        moved = (piece @ deltas).reshape(len(piece), -1, 3)
        total += float(np.linalg.norm(moved, axis=2).mean(axis=1).sum())
    return total / len(one)


def masked_distance(
    error: Float[np.ndarray, "frames 52"], gram: Float64[np.ndarray, "52 52"]
) -> float:
    """Mean over frames of the root of ``error @ gram @ error``, mm.

    Args:
        error: Difference of two motions' weights.
        gram: ``FaceModel.gram`` of a mask, over the sum of the squared mask.
    """
    return float(np.sqrt(np.einsum("fi,ij,fj->f", error, gram, error).clip(0)).mean())


def upper_error(face: FaceModel, weights: Weights, performance: Performance) -> float | None:
    """``distance`` of the upper face's movable vertices from a performance, where that is seen.

    None where nothing of it is seen.
    """
    present = performance.present
    if not present.any():
        return None
    upper = (face.region == R_UPPER) & can_move(face)
    return distance(face, weights[present], performance.weights[present], upper)


def correlation(one: Curve, other: Curve, *, flat: float = math.nan) -> float:
    """Pearson's correlation over the frames that both know (NaN is unknown).

    ``flat`` where one of the two does not move, or fewer than three frames are known.
    """
    known = ~(np.isnan(one) | np.isnan(other))
    if known.sum() < 3:
        return flat
    first, second = one[known] - one[known].mean(), other[known] - other[known].mean()
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / size if size > 1e-9 else flat


def inspect(
    face: FaceModel,
    animation: FaceAnimation,
    performance: Performance,
    sound: Sound | None,
) -> Numbers:
    """The numbers of one animation.

    Args:
        face: The rig.
        animation: A generated one.
        performance: Its reference, before timing is fitted.
        sound: The performance's own sound, of its video; None where it has none.
    """
    resampled = performance.resampled(animation.fps)
    opening, own_opening = curve(face, animation.weights, "lips"), opening_of(face, resampled)
    alignment = None if sound is None else align_speech(animation.sound, sound)
    follows = kept = None
    if alignment is not None and alignment.same:
        moments = np.arange(len(animation)) / animation.fps
        aligned_opening = read_at(own_opening, alignment.place(moments) * animation.fps)
        agreement = correlation(opening, aligned_opening)
        follows = None if math.isnan(agreement) else agreement
        kept = kept_closures(opening, aligned_opening, animation.fps)
    seen_seconds = resampled.present.sum() / resampled.fps
    return Numbers(
        follows=follows,
        upper_error=upper_error(
            face,
            animation.weights,
            fit_timing(performance, len(animation), animation.fps, animation.controls),
        )
        if animation.use == "localize"
        else None,
        jitter=jitter(face, animation.weights, np.ones(len(animation), bool)),
        own_jitter=jitter(face, resampled.weights, resampled.present) if seen_seconds else None,
        closures=len(closures(opening)) / animation.seconds,
        own_closures=len(closures(own_opening)) / seen_seconds if seen_seconds else None,
        kept=kept,
        alignment=alignment,
    )


def opening_of(face: FaceModel, performance: Performance) -> Curve:
    """A performance's lip opening, mm above rest; NaN where its face is lost."""
    return np.where(performance.present, curve(face, performance.weights, "lips"), np.nan)


def read_at(
    values: Curve, places: Float64[np.ndarray, " places"]
) -> Float64[np.ndarray, " places"]:
    """``values`` at these frames and between them; NaN beyond the ends and beside gaps."""
    place = np.where(np.isnan(places), -2, places)
    below = np.floor(place).astype(int)
    share = place - below
    padded = np.append(values, np.nan)  # what lies outside reads the NaN

    def at(index: np.ndarray) -> np.ndarray:
        return padded[np.where((index >= 0) & (index < len(values)), index, len(values))]

    return np.where(share > 0, (1 - share) * at(below) + share * at(below + 1), at(below))


def _mel(sound: Sound) -> Float[np.ndarray, "40 spectra"]:
    """Whisper's own spectrogram, two of its bands and moments as one."""
    fine = log_mel(torch.from_numpy(sound.resampled(SAMPLE_RATE).samples)).numpy()
    even = fine[:, : fine.shape[1] // 2 * 2]
    return even.reshape(BANDS, len(fine) // BANDS, -1, 2).mean(axis=(1, 3))
