"""Scores of a model on held-out clips, few enough to run during training (ours)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from kmspeaker.animation.metrics import correlation, masked_distance
from kmspeaker.animation.silence import settle_lips
from kmspeaker.baselines.baseline import Baseline
from kmspeaker.face.rig import FaceModel, Weights
from kmspeaker.model.network import KMSpeaker
from kmspeaker.model.sampling import generate
from kmspeaker.reference.performance import Performance
from kmspeaker.training.data import Clip

CLIPS = 8
STEPS = 4
FRAMES = 300
"""Ten seconds of each clip at 30 frames/s."""


def validate(
    model: KMSpeaker | Baseline, face: FaceModel, clips: Sequence[Clip]
) -> dict[str, float]:
    """Errors of the lips against the clip's own, and of the upper face against the performance.

    Each clip's speech is animated twice. In localization the upper face follows *another* clip, so
    that lips that depend on the upper face show; in stylization there is only the clip's own style.
    Resting lips are stilled, as the program does.

    Returns:
        ``lip_localize`` and ``lip_stylize``: mean correlation of the lip gap with the clip's;
        ``lip_error`` (mm): mean absolute error of the lip gap in localization;
        ``upper_error`` (mm): mean distance of upper-face vertices from the performance, a
        vertex counting with its mask squared; ``upper_still``: the same for a face at its mean.
    """
    identity = face.identities[0]
    upper = face.gram(face.upper_mask) / np.square(face.upper_mask, dtype=np.float64).sum()
    some = clips[:: max(1, len(clips) // CLIPS)][:CLIPS]
    scores: dict[str, list[float]] = {}
    for index, clip in enumerate(some):
        frames = min(FRAMES, len(clip))
        speech = clip.features[:frames].astype(np.float32)
        target = clip.weights[:frames].astype(np.float32)
        other = some[(index + 1) % len(some)].weights[:frames].astype(np.float32)
        style = Performance.from_weights(target, model.config.fps)
        performance = Performance.from_weights(other, model.config.fps)
        localized, stylized = (
            settle_lips(
                _take(model, face, speech, style, temporal, seed=index),
                face,
                model.config.fps,
            )
            for temporal in (performance, None)
        )
        gap, localized_gap, stylized_gap = (
            face.lip_gap(weights, identity).astype(np.float64)
            for weights in (target, localized, stylized)
        )
        common = min(frames, len(other))
        clip_scores = {
            "lip_localize": correlation(localized_gap, gap, flat=0.0),
            "lip_stylize": correlation(stylized_gap, gap, flat=0.0),
            "lip_error": float(np.abs(localized_gap - gap).mean()),
            "upper_error": masked_distance(localized[:common] - other[:common], upper),
            "upper_still": masked_distance(other.mean(0) - other[:common], upper),
        }
        for name, value in clip_scores.items():
            scores.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in scores.items()}


def _take(
    model: KMSpeaker | Baseline,
    face: FaceModel,
    speech: Float32[np.ndarray, "frames d_speech"],
    style: Performance,
    temporal: Performance | None,
    *,
    seed: int,
) -> Weights:
    if isinstance(model, KMSpeaker):
        return generate(model, face, speech, style, temporal, seed=seed, steps=STEPS)
    (weights,) = model.animate(face, speech, model.style_of(face, style), temporal, seeds=(seed,))
    return weights
