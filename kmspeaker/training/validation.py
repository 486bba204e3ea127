"""How a model does on clips it has not seen, small enough to run during training."""

from collections.abc import Sequence

import numpy as np

from kmspeaker.animation.metrics import correlation, masked_distance
from kmspeaker.face.rig import FaceModel
from kmspeaker.model.network import KMSpeaker
from kmspeaker.model.sampling import generate
from kmspeaker.reference.performance import steady
from kmspeaker.training.data import Clip

CLIPS = 8
STEPS = 4
FRAMES = 300
"""Ten seconds of each clip at 30 frames/s."""


def validate(model: KMSpeaker, face: FaceModel, clips: Sequence[Clip]) -> dict[str, float]:
    """Lips against the clip's own, and the upper face against the performance it was to follow.

    Each clip is spoken twice. In localization the upper face follows *another* clip, so that lips
    read off the upper face would be found out; in stylization there is only the clip's own style.

    Returns:
        ``lip_localize`` and ``lip_stylize``: mean correlation of the lip gap with the clip's;
        ``lip_error`` (mm): mean absolute error of the lip gap in localization;
        ``upper_error`` (mm): mean distance of upper-face vertices from the followed performance, a
        vertex counting with its mask squared; ``upper_still``: the same for a face at its mean.
    """
    identity = face.identities[0]
    upper = face.gram(face.upper_mask) / np.square(face.upper_mask, dtype=np.float64).sum()
    used = clips[:: max(1, len(clips) // CLIPS)][:CLIPS]
    scores: dict[str, list[float]] = {}
    for index, clip in enumerate(used):
        frames = min(FRAMES, len(clip))
        speech = clip.features[:frames].astype(np.float32)
        target = clip.weights[:frames].astype(np.float32)
        other = used[(index + 1) % len(used)].weights[:frames].astype(np.float32)
        style = steady(target, model.config.fps)
        followed = steady(other, model.config.fps)
        localized = generate(model, face, speech, style, followed, seed=index, steps=STEPS)
        stylized = generate(model, face, speech, style, seed=index, steps=STEPS)
        gap = face.lip_gap(target, identity)
        localized_gap = face.lip_gap(localized, identity)
        shown = min(frames, len(other))
        clip_scores = {
            "lip_localize": correlation(localized_gap, gap, flat=0.0),
            "lip_stylize": correlation(face.lip_gap(stylized, identity), gap, flat=0.0),
            "lip_error": float(np.abs(localized_gap - gap).mean()),
            "upper_error": masked_distance(localized[:shown] - other[:shown], upper),
            "upper_still": masked_distance(other.mean(0) - other[:shown], upper),
        }
        for name, value in clip_scores.items():
            scores.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in scores.items()}
