"""One animation from speech features, a global style and, for localization, a temporal style.

Place in the flow: ``pipeline`` and ``training`` call it. It alone knows how the network, the
sampler and the windows meet; nothing of a request stays on the model.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from kmspeaker import flow
from kmspeaker.errors import InputError
from kmspeaker.face import FaceModel
from kmspeaker.keypoints import keypoint_track
from kmspeaker.model import KMSpeaker
from kmspeaker.motion import playable, rig_fingerprint
from kmspeaker.performance import Performance, Weights
from kmspeaker.windows import Windows, frame_noise


@torch.inference_mode()
def generate(
    model: KMSpeaker,
    face: FaceModel,
    speech: Float32[np.ndarray, "frames d_speech"],
    style: Performance,
    temporal: Performance | None = None,
    *,
    seed: int = 0,
    steps: int | None = None,
    method: flow.Method = "midpoint",
    progress: Callable[[float], None] | None = None,
) -> Weights:
    """ARKit weights that say the speech, as many frames as ``speech`` has.

    Args:
        model: asked as it is; its state does not change.
        face: the rig it was trained on.
        speech: features of the model's encoder, one row a frame at the model's rate.
        style: the performance whose manner to take (global style).
        temporal: the performance the upper face follows frame by frame (dialogue localization);
            frames beyond its end and frames without a face follow ``style`` alone. None for
            example-based generation.
        seed: chooses the noise.
        steps: steps of the sampler; the model's own number where None.
        method: "midpoint" asks the network twice a step, "euler" once.
        progress: told the fraction done.

    Raises:
        InputError: the model learnt another rig, the features are not its encoder's, ``style`` has
            no frame with a face, or ``steps`` is below 1.
    """
    config = model.config
    device = model.motion.mean.device
    steps = config.steps if steps is None else steps
    if steps < 1:
        raise InputError(f"Got {steps} steps; the sampler needs at least 1.")
    if config.rig != rig_fingerprint(face, config.keypoint_set):
        raise InputError(
            "Got a model of another face rig or keypoint set; use one trained on this."
        )
    if speech.ndim != 2 or speech.shape[1] != config.d_speech or not len(speech):
        raise InputError(
            f"Got speech features of shape {speech.shape}; the model needs (frames, "
            f"{config.d_speech}) of the encoder {config.speech_encoder}."
        )
    frames = len(speech)
    windows = Windows.over(frames, window=config.window_frames, overlap=config.window_overlap)

    speech_windows = model.encode_speech(windows.cut(torch.from_numpy(speech).to(device)))
    global_style = global_style_of(model, face, style).expand(len(windows), -1)
    temporal_windows = None
    if temporal is not None:
        keypoints, present = _followed(
            face, temporal.resampled(config.fps), frames, config.keypoint_set
        )
        temporal_windows = model.encode_temporal(
            windows.cut(keypoints.flatten(1).to(device)).unflatten(2, keypoints.shape[1:]),
            windows.cut(present[:, None].to(device))[..., 0],
        )

    def predict(x_t: Tensor, t: float) -> Tensor:
        time = torch.full((len(windows),), t, device=device)
        return model(x_t, time, speech_windows, global_style, temporal_windows)

    x_0 = frame_noise(frames, config.n_coeffs, seed).to(device)
    coefficients = flow.sample(
        windows.predict(predict), x_0, steps=steps, method=method, progress=progress
    )
    weights = model.motion.decode(coefficients).cpu().numpy().astype(np.float64)
    return playable(weights, face.gram())


@torch.inference_mode()
def global_style_of(
    model: KMSpeaker, face: FaceModel, performance: Performance
) -> Float[Tensor, "1 d_model"]:
    """The manner of a performance: the mean of its windows' global styles.

    Windows are as long as in training, and count by how many of their frames show a face.

    Raises:
        InputError: no frame shows a face.
    """
    performance = performance.resampled(model.config.fps)
    if not performance.present.any():
        raise InputError("Got a reference without a face in any frame; use one that shows a face.")
    keypoints = keypoint_track(face, performance.weights, model.config.keypoint_set)
    length = model.config.window_frames
    windows = Windows.over(len(performance), window=length, overlap=0)
    present = windows.cut(torch.from_numpy(performance.present)[:, None])[..., 0]
    cut = windows.cut(torch.from_numpy(keypoints).flatten(1)).unflatten(2, keypoints.shape[1:])
    seen = present.sum(1)
    kept = seen >= min(length // 4, int(seen.max()))
    device = model.motion.mean.device
    mean, _ = model.encode_global(cut[kept].to(device), present[kept].to(device))
    share = (seen[kept] / seen[kept].sum()).to(device)
    return (share @ mean)[None]


def _followed(
    face: FaceModel, performance: Performance, frames: int, keypoint_set: str
) -> tuple[Float[Tensor, "frames keypoints 3"], Bool[Tensor, " frames"]]:
    """Keypoints of exactly ``frames`` frames, and which of them show a face."""
    shown = min(frames, len(performance))
    keypoints = keypoint_track(face, performance.weights[:shown], keypoint_set)
    missing = frames - shown
    present = np.pad(performance.present[:shown], (0, missing))
    padded = np.pad(keypoints, ((0, missing), (0, 0), (0, 0)))
    return torch.from_numpy(padded), torch.from_numpy(present)
