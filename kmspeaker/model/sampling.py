"""One animation from speech features, a global style and, for localization, a temporal style.

Place in the flow: ``pipeline`` and ``training`` call it. It alone knows how the network, the
sampler and the windows meet; nothing of a request stays on the model.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from kmspeaker.animation.silence import settled
from kmspeaker.errors import InputError
from kmspeaker.face.keypoints import keypoint_track
from kmspeaker.face.rig import UPPER_SHAPES, FaceModel, Weights
from kmspeaker.model import flow
from kmspeaker.model.motion_space import playable, rig_fingerprint
from kmspeaker.model.network import KMSpeaker
from kmspeaker.model.windows import Windows, frame_noise
from kmspeaker.reference.performance import Performance

MOST_WINDOWS = 256
"""The network is asked about so many windows at a time; many takes of a long speech would not fit
into memory at once."""


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
    """One take in the style of ``style``; see ``generate_takes`` for the arguments.

    Raises:
        InputError: the model learnt another rig, the features are not its encoder's, ``style`` has
            no frame with a face, or ``steps`` is below 1.
    """
    _check(model, face, speech, steps)
    global_style = global_style_of(model, face, style)
    (weights,) = generate_takes(
        model,
        face,
        speech,
        global_style,
        temporal,
        seeds=(seed,),
        steps=steps,
        method=method,
        progress=progress,
    )
    return weights


@torch.inference_mode()
def generate_takes(
    model: KMSpeaker,
    face: FaceModel,
    speech: Float32[np.ndarray, "frames d_speech"],
    global_style: Float[Tensor, "1 d_model"],
    temporal: Performance | None = None,
    *,
    seeds: Sequence[int] = (0,),
    guidance: float = 1.0,
    steps: int | None = None,
    method: flow.Method = "midpoint",
    progress: Callable[[float], None] | None = None,
) -> tuple[Weights, ...]:
    """ARKit weights that say the speech, as many frames as ``speech`` has, for each seed.

    All takes are one batch of the network, and each is what it would be alone.

    Args:
        model: asked as it is; its state does not change.
        face: the rig it was trained on.
        speech: features of the model's encoder, one row a frame at the model's rate.
        global_style: the style, of ``global_style_of``.
        temporal: the performance the upper face follows frame by frame (dialogue localization);
            frames beyond its end and frames without a face follow the style alone. None for
            example-based generation.
        seeds: each chooses the noise of one take.
        guidance: how far to go from the motion without ``temporal`` to the motion with it, as
            classifier-free guidance does: 0 not at all, 1 as learnt. (Temporal style is the one
            condition that training drops, so the motion without it is known.) Beyond 1 only the
            upper face goes further; what little of the performance the lips follow would grow too.
        steps: steps of the sampler; the model's own number where None.
        method: "midpoint" asks the network twice a step, "euler" once.
        progress: told the fraction done.

    Raises:
        InputError: the model learnt another rig, the features are not its encoder's, or ``steps``
            is below 1.
    """
    _check(model, face, speech, steps)
    config = model.config
    device = model.motion.mean.device
    frames, takes = len(speech), len(seeds)
    windows = Windows.over(frames, window=config.window_frames, overlap=config.window_overlap)
    said = model.encode_speech(windows.cut(torch.from_numpy(speech).to(device)))
    followed = None
    if temporal is not None and guidance != 0:
        keypoints, present = _followed(
            face, temporal.resampled(config.fps), frames, config.keypoint_set
        )
        followed = model.encode_temporal(
            windows.cut(keypoints.flatten(1).to(device)).unflatten(2, keypoints.shape[1:]),
            windows.cut(present[:, None].to(device))[..., 0],
        )

    # Where guided, every window is asked about twice: with and without the temporal style, and
    # without it is the same as with zeros.
    guided = followed is not None and guidance != 1
    towards = _towards(model, guidance)
    times = takes * (1 + guided)
    said_parts = said.repeat(times, 1, 1).split(MOST_WINDOWS)
    followed_parts: Sequence[Tensor | None] = [None] * len(said_parts)
    if followed is not None:
        followed = followed.repeat(takes, 1, 1)
        followed = torch.cat([followed, torch.zeros_like(followed)]) if guided else followed
        followed_parts = followed.split(MOST_WINDOWS)

    def predict(x_t: Tensor, t: float) -> Tensor:
        parts = []
        asked = x_t.repeat(1 + guided, 1, 1).split(MOST_WINDOWS)
        for part, heard, style in zip(asked, said_parts, followed_parts, strict=True):
            time = torch.full((len(part),), t, device=device)
            parts.append(model(part, time, heard, global_style.expand(len(part), -1), style))
        answers = torch.cat(parts)
        if guided:
            conditional, free = answers.chunk(2)
            answers = free + (conditional - free) @ towards
        return answers

    x_0 = torch.stack([frame_noise(frames, config.n_coeffs, seed) for seed in seeds]).to(device)
    coefficients = flow.sample(
        windows.predict(predict),
        x_0,
        steps=config.steps if steps is None else steps,
        method=method,
        progress=progress,
    )
    weights = model.motion.decode(coefficients).cpu().numpy().astype(np.float64)
    gram = face.gram()
    return tuple(settled(playable(take, gram), face, config.fps) for take in weights)


def _towards(model: KMSpeaker, guidance: float) -> Float[Tensor, "coeffs coeffs"]:
    """What guidance makes of the step from unfollowed to followed motion, as a matrix."""
    upper = torch.from_numpy(UPPER_SHAPES).to(model.motion.mean)
    on_upper = model.motion.basis * upper @ model.motion.analysis
    whole = min(guidance, 1.0) * torch.eye(len(on_upper), device=on_upper.device)
    return whole + max(guidance - 1.0, 0.0) * on_upper


def _check(model: KMSpeaker, face: FaceModel, speech: np.ndarray, steps: int | None) -> None:
    config = model.config
    if steps is not None and steps < 1:
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


@torch.inference_mode()
def global_style_of(
    model: KMSpeaker, face: FaceModel, performance: Performance
) -> Float[Tensor, "1 d_model"]:
    """The style of a performance: the mean of its windows' global styles.

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
