"""How controls edit an animation: timing of the performance, and what is done to the weights.

Place in the flow: ``pipeline`` fits the performance to the speech before it runs the network, and
applies the controls to the weights that come out. What of them the network itself obeys (style,
guidance) lies in ``pipeline`` and ``model.sampling``. All of it is ours: the paper has no controls.
"""

import numpy as np
from jaxtyping import Bool, Float, Float32
from scipy.ndimage import gaussian_filter1d

from kmspeaker.animation.controls import Controls
from kmspeaker.face.interpolation import smoothstep
from kmspeaker.face.lip_contact import APART, CLOSED, MET, UNMET
from kmspeaker.face.rig import (
    ARKIT_INDEX,
    ARKIT_NAMES,
    UPPER_SHAPES,
    FaceModel,
    Weights,
)
from kmspeaker.reference.performance import Performance

EASE = 0.5
"""Seconds in which head, gaze and blinks leave and rejoin a performance whose face is lost."""
TREMBLE = 0.05
"""Seconds over which the head is evened: tracked poses tremble."""
NEAR = 0.1
"""mm of lip opening that is not worth correcting."""
JAW_OPEN, MOUTH_CLOSE = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthClose"]


def _shapes(*beginnings: str) -> Bool[np.ndarray, " 52"]:
    return np.array([name.startswith(beginnings) for name in ARKIT_NAMES])


GAZE = _shapes("eyeLook")
BLINKS = _shapes("eyeBlink")
LOWER = ~UPPER_SHAPES
EXPRESSION = UPPER_SHAPES & ~GAZE & ~BLINKS
"""What the upper face says; where one looks and when one blinks have controls of their own."""


def fit_timing(
    performance: Performance, frames: int, fps: float, controls: Controls
) -> Performance:
    """The performance moved and fitted to a speech, exactly ``frames`` frames long.

    It comes ``controls.offset`` seconds later. ``as is`` leaves the rest of a longer speech without
    a face, ``hold`` keeps the first and last frames with a face before and after it, ``stretch``
    plays it faster or slower so that it lasts as long as the speech.
    """
    own = max(1, round(performance.seconds * fps))
    rate = own / frames if controls.fit == "stretch" else 1.0
    place = (np.arange(frames) - controls.offset * fps) * rate
    inside = (place > -rate / 2) & (place < own - rate / 2)
    if controls.fit == "hold" and performance.present.any():
        seen = np.flatnonzero(performance.present) * fps / performance.fps
        place = place.clip(seen[0], seen[-1])
        inside[:] = True
    sampled = performance.sampled(place / fps, fps)
    return Performance(
        sampled.weights,
        fps,
        sampled.present & inside,
        sampled.bridged & inside,
        sampled.head,
        sampled.doubtful & inside,
    )


def head_motion(performance: Performance) -> Float32[np.ndarray, "frames 3"]:
    """The performance's head motion; it eases to rest where the face is not seen."""
    held = _hold(performance.head, performance)
    steady = gaussian_filter1d(held, TREMBLE * performance.fps, axis=0, mode="nearest")
    return (steady * _presence(performance)).astype(np.float32)


def apply_controls(
    weights: Weights, performance: Performance, face: FaceModel, controls: Controls
) -> Weights:
    """The network's weights as the controls ask; the defaults return them as they are.

    Args:
        weights: What the network gave.
        performance: As ``fit_timing`` gives it; gaze and blinks are read from it.
        face: The rig.
        controls: ``upper``, ``lower``, ``smoothing``, ``gaze`` and ``blinks`` are read.
    """
    weights = weights.copy()
    if controls.upper != 1:
        weights[:, EXPRESSION] = _intensify(weights[:, EXPRESSION], controls.upper)
    if controls.lower != 1:
        weights = _scale_lower(weights, face, controls.lower)
    if controls.smoothing > 0:
        weights = _smooth(weights, face, controls.smoothing * performance.fps)
    for shapes, source in ((GAZE, controls.gaze), (BLINKS, controls.blinks)):
        if source == "reference":
            share = _presence(performance)
            taken = _hold(performance.weights, performance)[:, shapes]
            weights[:, shapes] = share * taken + (1 - share) * weights[:, shapes]
    return weights.clip(0, 1).astype(np.float32)


def _intensify(
    values: Float[np.ndarray, "frames shapes"], intensity: float
) -> Float[np.ndarray, "frames shapes"]:
    """Weights scaled about the face at rest; above 1 large ones less, so that none is cut at 1.

    (The rig's shapes are made for one at a time: several near 1 push the teeth through the chin.)
    """
    if intensity <= 1:
        return intensity * values
    return np.tanh(intensity * np.arctanh(values.clip(max=0.999)))


def _scale_lower(weights: Weights, face: FaceModel, intensity: float) -> Weights:
    """Mouth and jaw scaled about the face at rest, whose lips are closed.

    The opening of the lips is linear in the weights, so up to 1 it is scaled just so, and closed
    lips stay closed. Above 1 openings grow from ``CLOSED`` on only: what a frame opens beyond
    that is closed again, by ``mouthClose`` as far as the jaw is open, then by taking the frame back
    towards its own. How near the lower lip comes to the teeth is not linear, and scales only
    roughly. ``mouthClose <= jawOpen`` holds throughout.
    """
    opening = face.lip_opening
    lower = weights * LOWER
    scaled = _intensify(lower, intensity)
    was = lower @ opening
    grown = 1 + (intensity - 1) * (1 - _fade_out(was, CLOSED, APART))
    target = was.clip(min=0) * grown
    excess = (scaled @ opening - target).clip(min=0)
    closed = scaled[:, MOUTH_CLOSE] - excess / opening[MOUTH_CLOSE]  # that shape opens below zero
    scaled[:, MOUTH_CLOSE] = np.minimum(closed, scaled[:, JAW_OPEN])
    now = scaled @ opening
    excess = now - target - NEAR
    share = np.where(excess > 0, excess / np.maximum(now - was, 1e-6), 0).clip(0, 1)[:, None]
    result = weights.copy()
    result[:, LOWER] = (share * lower + (1 - share) * scaled)[:, LOWER]
    return result


def _smooth(weights: Weights, face: FaceModel, frames: float) -> Weights:
    """Gaussian average over time, ``frames`` its standard deviation.

    An average opens lips that met and lids that shut. So it fades out as the lips near each other
    or the upper teeth, and frames in which they touch stay as they are; gaze and blinks, quick by
    nature, are left alone. Lips are therefore evened in the open part of syllables only: what
    trembles around a contact keeps trembling.
    """
    even = gaussian_filter1d(weights.astype(np.float64), frames, axis=0, mode="nearest")
    lips = weights @ face.lip_opening
    teeth = face.teeth_gap(weights, face.identities[0])
    kept = np.maximum(_fade_out(lips, CLOSED, APART), _fade_out(teeth, MET, UNMET))[:, None]
    result = weights.copy()
    result[:, EXPRESSION] = even[:, EXPRESSION]
    result[:, LOWER] = (kept * weights + (1 - kept) * even)[:, LOWER]
    return result


def _fade_out(
    values: Float[np.ndarray, " frames"], start: float, end: float
) -> Float[np.ndarray, " frames"]:
    """1 up to ``start``, 0 from ``end`` on, smooth between."""
    return smoothstep((end - values) / (end - start))


def _presence(performance: Performance) -> Float[np.ndarray, "frames 1"]:
    """1 where the face is seen, falling to 0 within ``EASE`` of where it was."""
    if not performance.present.any():
        return np.zeros((len(performance), 1))
    frames = np.arange(len(performance))
    seen = frames[performance.present]
    after = np.searchsorted(seen, frames).clip(0, len(seen) - 1)
    away = np.minimum(abs(frames - seen[after]), abs(frames - seen[np.maximum(after - 1, 0)]))
    return _fade_out(away / performance.fps, 0.0, EASE)[:, None]


def _hold(
    values: Float[np.ndarray, "frames channels"], performance: Performance
) -> Float[np.ndarray, "frames channels"]:
    """Values where the face is seen; bridged linearly, and held before and after."""
    frames, seen = np.arange(len(values)), np.flatnonzero(performance.present)
    if not len(seen):
        return np.zeros_like(values)
    return np.stack([np.interp(frames, seen, channel[seen]) for channel in values.T], axis=1)
