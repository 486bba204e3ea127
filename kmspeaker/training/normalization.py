"""Normalization that a model takes from its training clips: means, deviations, the motion space."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64

from kmspeaker.face.keypoints import keypoint_set, keypoint_track
from kmspeaker.face.rig import FaceModel
from kmspeaker.model.motion_space import WEIGHTS, MotionSpace
from kmspeaker.model.network import KMSpeaker
from kmspeaker.training.data import Clip

SMALLEST_SPREAD_MM = 0.05
"""Smallest deviation that a keypoint is divided by (ours): one that hardly moves would otherwise
count as much as the lips, and amplify the tracker's noise."""


def all_weights(clips: Sequence[Clip]) -> Float[np.ndarray, "frames 52"]:
    """The motion of all clips."""
    return np.concatenate([clip.weights for clip in clips]).astype(np.float32)


def set_statistics(
    model: KMSpeaker, space: MotionSpace, clips: Sequence[Clip], face: FaceModel
) -> None:
    """Fill a model's buffers from the training clips and the motion space fitted to them.

    Keypoints (mm) are standardized each by itself, as in the paper; speech features each by itself,
    which is ours.
    """
    name = model.config.keypoint_set
    # Keypoints are linear in the weights, so their moments follow from those of the weights.
    per_weight = keypoint_track(face, np.eye(WEIGHTS, dtype=np.float32), name).astype(np.float64)
    weights = all_weights(clips)
    covariance = np.cov(weights.T, bias=True)
    mean = np.einsum("w,wkx->kx", weights.mean(0, dtype=np.float64), per_weight)
    variance = np.einsum("wkx,wv,vkx->kx", per_weight, covariance, per_weight, optimize=True)
    deviation = np.sqrt(variance.mean(1, keepdims=True))
    speech_mean, speech_deviation = _feature_statistics(clips)
    model.motion.load_state_dict(space.state_dict())
    for buffer, values in (
        (model.keypoint_mean, mean),
        (model.keypoint_scale, np.maximum(deviation, SMALLEST_SPREAD_MM)),
        (model.upper, keypoint_set(face, name).upper),
        (model.speech_mean, speech_mean),
        (model.speech_scale, np.maximum(speech_deviation, 1e-3)),
    ):
        buffer.copy_(torch.from_numpy(np.asarray(values)))


def _feature_statistics(
    clips: Sequence[Clip],
) -> tuple[Float64[np.ndarray, " d_speech"], Float64[np.ndarray, " d_speech"]]:
    """Mean and standard deviation of each feature, summed clip by clip to save memory."""
    frames = sum(len(clip) for clip in clips)
    mean = np.sum([clip.features.sum(0, dtype=np.float64) for clip in clips], axis=0) / frames
    squares = np.sum([np.square(clip.features - mean).sum(0) for clip in clips], axis=0)
    return mean, np.sqrt(squares / frames)
