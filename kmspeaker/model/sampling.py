"""One animation from speech features, a global style and, for localization, a temporal style.

Place in the flow: ``pipeline``, ``training`` and ``evaluation`` call it. It alone knows how the
network, the sampler and the windows meet; nothing of a request stays on the model.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from kmspeaker.errors import InputError
from kmspeaker.face.contacts import Contacts
from kmspeaker.face.keypoints import keypoint_track
from kmspeaker.face.rig import UPPER_SHAPES, FaceModel, Weights
from kmspeaker.model import flow
from kmspeaker.model.contact_reading import keep_heard_contacts
from kmspeaker.model.motion_space import playable, rig_fingerprint
from kmspeaker.model.network import KMSpeaker
from kmspeaker.model.opening import blend_opening
from kmspeaker.model.upper_reading import follow_upper
from kmspeaker.model.windows import Windows, frame_noise
from kmspeaker.reference.performance import Performance

FORMER_RIGS = {"6835ab4c14d94210": "the former head, which was made from MakeHuman"}
"""What ``ModelConfig.rig`` of models that people may still have stands for."""
MOST_WINDOWS = 256
"""The network answers for so many windows at a time; many takes of a long speech would not fit
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
    progress: Callable[[float], None] | None = None,
) -> Weights:
    """One motion in the style of ``style``; see ``generate_batch`` for the arguments.

    Raises:
        InputError: the model learnt another rig, the features are not its encoder's, ``style`` has
            no frame with a face, or ``steps`` is below 1.
    """
    _check(model, face, speech, steps)
    global_style = global_style_of(model, face, style)
    (weights,) = generate_batch(
        model,
        face,
        speech,
        global_style,
        temporal,
        seeds=(seed,),
        steps=steps,
        progress=progress,
    )
    return weights


@torch.inference_mode()
def generate_batch(
    model: KMSpeaker,
    face: FaceModel,
    speech: Float32[np.ndarray, "frames d_speech"],
    global_style: Float[Tensor, "1 d_style"],
    temporal: Performance | None = None,
    *,
    seeds: Sequence[int] = (0,),
    guidance: float = 1.0,
    steps: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[Weights, ...]:
    """ARKit weights that say the speech, as many frames as ``speech`` has, for each seed.

    All takes are one batch of the network, and each is what it would be alone.

    Args:
        model: its state does not change.
        face: the rig it was trained on.
        speech: features of the model's encoder, one row a frame at the model's rate.
        global_style: of ``global_style_of``; may be scaled or blended.
        temporal: the performance the upper face follows frame by frame (dialogue localization);
            frames beyond its end and frames without a face follow the style alone. None for
            example-based generation.
        seeds: each chooses the noise of one take.
        guidance: how far to go from the motion without ``temporal`` to the motion with it, as
            classifier-free guidance does: 0 not at all, 1 as learnt. (Temporal style is the one
            condition that training drops, so the motion without it is known.) Beyond 1 only the
            upper face goes further; what little of the performance the lips follow would grow too.
        steps: steps of the sampler; the model's own number where None.
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
    speech_windows = model.encode_speech(windows.cut(torch.from_numpy(speech).to(device)))
    temporal_style = None
    if temporal is not None and guidance != 0:
        keypoints, present = _keypoints_of(
            face, temporal.resampled(config.fps), frames, config.keypoint_set
        )
        temporal_style = model.encode_temporal(
            windows.cut(keypoints.flatten(1).to(device)).unflatten(2, keypoints.shape[1:]),
            windows.cut(present[:, None].to(device))[..., 0],
        )

    # Where guided, the network answers for every window twice: with and without the temporal
    # style, and without it is the same as with zeros.
    guided = temporal_style is not None and guidance != 1
    guidance_matrix = _guidance_matrix(model, guidance)
    speech_parts = speech_windows.repeat(takes * (1 + guided), 1, 1).split(MOST_WINDOWS)
    style_parts: Sequence[Tensor | None] = [None] * len(speech_parts)
    if temporal_style is not None:
        style = temporal_style.repeat(takes, 1, 1)
        style = torch.cat([style, torch.zeros_like(style)]) if guided else style
        style_parts = style.split(MOST_WINDOWS)

    def predict(x_t: Tensor, t: float) -> Tensor:
        parts = []
        x_parts = x_t.repeat(1 + guided, 1, 1).split(MOST_WINDOWS)
        for x, speech_part, style_part in zip(x_parts, speech_parts, style_parts, strict=True):
            time = torch.full((len(x),), t, device=device)
            parts.append(model(x, time, speech_part, global_style.expand(len(x), -1), style_part))
        x_1 = torch.cat(parts)
        if guided:
            conditional, free = x_1.chunk(2)
            x_1 = free + (conditional - free) @ guidance_matrix
        return x_1

    x_0 = torch.stack([frame_noise(frames, config.n_coeffs, seed) for seed in seeds]).to(device)
    upper = x_0 @ _on_upper(model)
    x_0 = config.upper_noise * upper + config.lower_noise * (x_0 - upper)
    coefficients = flow.sample(
        windows.predict(predict),
        x_0,
        steps=config.steps if steps is None else steps,
        bend=config.bend,
        progress=progress,
    )
    weights = model.motion.decode(coefficients).cpu().numpy().astype(np.float64)
    gram = face.gram()
    takes = np.stack([_by_readings(model, face, take, speech) for take in weights])
    if temporal is not None and guidance != 0 and config.upper_share:
        takes = follow_upper(
            takes,
            face,
            temporal.resampled(config.fps),
            keypoints=config.keypoint_set,
            share=config.upper_share,
            guidance=guidance,
        )
    return tuple(playable(take, gram) for take in takes)


def _by_readings(
    model: KMSpeaker,
    face: FaceModel,
    weights: Float[np.ndarray, "frames 52"],
    speech: Float32[np.ndarray, "frames d_speech"],
) -> Float[np.ndarray, "frames 52"]:
    """A take whose lips open and touch as linear readings of the speech say, too."""
    readings = (
        buffer.cpu().numpy().astype(np.float64)
        for buffer in (
            *(model.opening_slope, model.opening_direction),
            *(model.contact_slope, model.contact_offset),
        )
    )
    slope, direction, contact_slope, contact_offset = readings
    if model.config.opening_share:
        share = model.config.opening_share
        weights = blend_opening(weights, speech, slope, direction, face.lip_opening, share)
    if model.config.keeps_contacts:
        weights = keep_heard_contacts(
            weights, speech, contact_slope, contact_offset, Contacts.of(face)
        )
    return weights


def _guidance_matrix(model: KMSpeaker, guidance: float) -> Float[Tensor, "coeffs coeffs"]:
    """What guidance makes of the step from the free to the conditional motion."""
    on_upper = _on_upper(model)
    whole = min(guidance, 1.0) * torch.eye(len(on_upper), device=on_upper.device)
    return whole + max(guidance - 1.0, 0.0) * on_upper


def _on_upper(model: KMSpeaker) -> Float[Tensor, "coeffs coeffs"]:
    """From coefficients to those of their upper face alone."""
    upper = torch.from_numpy(UPPER_SHAPES).to(model.motion.mean)
    return model.motion.basis * upper @ model.motion.analysis


def _check(model: KMSpeaker, face: FaceModel, speech: np.ndarray, steps: int | None) -> None:
    config = model.config
    if steps is not None and steps < 1:
        raise InputError(f"Got {steps} steps; the sampler needs at least 1.")
    if config.rig != rig_fingerprint(face, config.keypoint_set):
        whose = FORMER_RIGS.get(config.rig, "another face rig or keypoint set")
        raise InputError(f"Got a model of {whose}; use one that was trained on the head of today.")
    if speech.ndim != 2 or speech.shape[1] != config.d_speech or not len(speech):
        raise InputError(
            f"Got speech features of shape {speech.shape}; the model needs (frames, "
            f"{config.d_speech}) of the encoder {config.speech_encoder}."
        )


@torch.inference_mode()
def global_style_of(
    model: KMSpeaker, face: FaceModel, performance: Performance
) -> Float[Tensor, "1 d_style"]:
    """The global style of a performance: the mean over its windows (how to join them is ours).

    Windows are as long as in training, and count by how many of their frames show a face.

    Raises:
        InputError: no frame shows a face.
    """
    performance = performance.resampled(model.config.fps)
    performance.require_face()
    keypoints = keypoint_track(face, performance.weights, model.config.keypoint_set)
    length = model.config.window_frames
    windows = Windows.over(len(performance), window=length, overlap=0)
    present = windows.cut(torch.from_numpy(performance.present)[:, None])[..., 0]
    cut = windows.cut(torch.from_numpy(keypoints).flatten(1)).unflatten(2, keypoints.shape[1:])
    visible = present.sum(1)
    kept = visible >= min(length // 4, int(visible.max()))
    device = model.motion.mean.device
    seen, shown = cut[kept].to(device), present[kept].to(device)
    styles = model.mean_style(seen, shown)
    share = (visible[kept] / visible[kept].sum()).to(device)
    return (share @ styles)[None]


def _keypoints_of(
    face: FaceModel, performance: Performance, frames: int, keypoint_set: str
) -> tuple[Float[Tensor, "frames keypoints 3"], Bool[Tensor, " frames"]]:
    """Keypoints of exactly ``frames`` frames, and which of them show a face."""
    common = min(frames, len(performance))
    keypoints = keypoint_track(face, performance.weights[:common], keypoint_set)
    missing = frames - common
    present = np.pad(performance.present[:common], (0, missing))
    padded = np.pad(keypoints, ((0, missing), (0, 0), (0, 0)))
    return torch.from_numpy(padded), torch.from_numpy(present)
