"""Normalization that a model takes from its training clips: means, deviations, the motion space."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64

from kmspeaker.face.keypoints import keypoint_set, keypoint_track
from kmspeaker.face.rig import FaceModel
from kmspeaker.model.contact_reading import fit_contacts
from kmspeaker.model.motion_space import WEIGHTS, MotionSpace
from kmspeaker.model.network import KMSpeaker
from kmspeaker.model.opening import fit_opening
from kmspeaker.training.data import Clip, ClipFrames, cut, draw_step
from kmspeaker.training.held_styles import Wearer, draw_held_styles
from kmspeaker.training.objective import Objective
from kmspeaker.training.options import TrainingOptions

WINDOW = 128
"""Frames that wear one held style when moments are taken."""
MEAN_STYLE_STEPS = 16
"""Batches over which the mean style is taken."""
SMALLEST_SPREAD_MM = 0.05
"""Smallest deviation that a keypoint is divided by (ours): one that hardly moves would otherwise
count as much as the lips, and amplify the tracker's noise."""


def all_weights(
    clips: Sequence[Clip], wearer: Wearer | None = None, *, seed: int = 0
) -> Float[np.ndarray, "frames 52"]:
    """The motion of all clips; with a wearer each in a held style, as training shows them."""
    if wearer is None:
        return np.concatenate([clip.weights for clip in clips]).astype(np.float32)
    random = np.random.default_rng([seed, len(clips)])
    worn = []
    for clip in clips:
        windows = np.array_split(clip.weights.astype(np.float32), max(1, len(clip) // WINDOW))
        styles = draw_held_styles(random, len(windows))
        for number, window in enumerate(windows):
            style = styles[number : number + 1]
            worn.append(wearer(torch.from_numpy(window)[None], style)[0].numpy())
    return np.concatenate(worn)


def set_statistics(
    model: KMSpeaker,
    space: MotionSpace,
    clips: Sequence[Clip],
    weights: Float[np.ndarray, "frames 52"],
    face: FaceModel,
) -> None:
    """Fill a model's buffers from the training clips and the motion space fitted to them.

    Keypoints (mm) are standardized each by itself, as in the paper; speech features each by itself,
    which is ours.
    """
    name = model.config.keypoint_set
    # Keypoints are linear in the weights, so their moments follow from those of the weights.
    per_weight = keypoint_track(face, np.eye(WEIGHTS, dtype=np.float32), name).astype(np.float64)
    covariance = np.cov(weights.T, bias=True)
    mean = np.einsum("w,wkx->kx", weights.mean(0, dtype=np.float64), per_weight)
    variance = np.einsum("wkx,wv,vkx->kx", per_weight, covariance, per_weight, optimize=True)
    deviation = np.sqrt(variance.mean(1, keepdims=True))
    speech_mean, speech_deviation = feature_statistics(clips)
    set_readings(model, clips, face)
    model.motion.load_state_dict(space.state_dict())
    for buffer, values in (
        (model.keypoint_mean, mean),
        (model.keypoint_scale, np.maximum(deviation, SMALLEST_SPREAD_MM)),
        (model.upper, keypoint_set(face, name).upper),
        (model.speech_mean, speech_mean),
        (model.speech_scale, np.maximum(speech_deviation, 1e-3)),
    ):
        buffer.copy_(torch.from_numpy(np.asarray(values)))


def set_readings(model: KMSpeaker, clips: Sequence[Clip], face: FaceModel) -> None:
    """Fill the linear readings of the speech, where there is any to fit them on.

    How far lips open is read from natural talk; when they touch, from speech of known phones.
    """
    opening = fit_opening(
        ((clip.features, clip.weights) for clip in clips if clip.talk), face.lip_opening
    )
    contacts = fit_contacts(
        (clip.features, clip.contacts) for clip in clips if clip.contacts is not None
    )
    for name, fitted in (
        (("opening_slope", "opening_direction"), opening),
        (("contact_slope", "contact_offset"), contacts),
    ):
        if fitted is not None:
            for buffer, values in zip(name, fitted, strict=True):
                getattr(model, buffer).copy_(torch.from_numpy(values))


@torch.no_grad()
def set_mean_style(
    model: KMSpeaker,
    objective: Objective,
    clip_frames: ClipFrames,
    options: TrainingOptions,
) -> None:
    """Fill the mean global style, over windows as training shows them."""
    styles = []
    for number in range(MEAN_STYLE_STEPS):
        draw = draw_step(clip_frames.lengths, options, model.config, number)
        batch = objective.dressed(cut(clip_frames, draw))
        keypoints = objective.keypoints(batch.style_weights)
        styles.append(model.mean_style(keypoints, batch.style_present))
    model.style_mean.copy_(torch.cat(styles).mean(0))


def feature_statistics(
    clips: Sequence[Clip],
) -> tuple[Float64[np.ndarray, " d_speech"], Float64[np.ndarray, " d_speech"]]:
    """Mean and standard deviation of each feature, summed clip by clip to save memory."""
    frames = sum(len(clip) for clip in clips)
    mean = np.sum([clip.features.sum(0, dtype=np.float64) for clip in clips], axis=0) / frames
    squares = np.sum([np.square(clip.features - mean).sum(0) for clip in clips], axis=0)
    return mean, np.sqrt(squares / frames)
