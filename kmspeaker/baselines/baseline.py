"""What all baselines share: one way to be trained, kept, loaded and called.

Place in the flow: ``pipeline`` calls a baseline exactly as it calls ours, ``training.baselines``
fits it. So that only the methods differ, all of them hear the same frozen speech features, move in
the same motion space at the same rate, learn from the same clips in the same held styles, and are
judged in millimetres of the same vertices. (In the papers they have SEREP codes, FLAME or a mesh,
other encoders, and other data.)
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn

from kmspeaker.baselines.excerpt import Excerpt, Grams
from kmspeaker.errors import InputError
from kmspeaker.face.rig import FaceModel, Weights
from kmspeaker.model.folder import read_weights, require_settings, write_folder
from kmspeaker.model.motion_space import MotionSpace, playable, rig_fingerprint
from kmspeaker.model.windows import Windows
from kmspeaker.reference.performance import Performance


@dataclasses.dataclass(frozen=True)
class BaselineConfig:
    """Sizes of a baseline; each adds its own."""

    system: str
    """Name of the method, a key of ``SYSTEMS``."""
    d_model: int = 128
    layers: int = 4
    heads: int = 4
    feed_forward: int = 256
    d_style: int = 128
    """Width of the style, of which ``style_of`` gives one a reference."""
    fps: float = 30.0
    window_frames: int = 100
    """Frames of motion that the network makes at a time."""
    previous_frames: int = 10
    """Frames of the window before that it goes on from; 0 where it does not."""
    speech_encoder: str = "whisper-tiny.en"
    d_speech: int = 384
    steps: int = 1
    """Of its sampler where the caller names none; 1 where nothing is sampled in steps."""
    n_coeffs: int = 52
    """Components of the motion space; set by the data."""
    actors: int = 1
    """Identity labels; set by the data."""
    rig: str = ""
    """``motion_space.rig_fingerprint`` of the face it was trained on, with our keypoints."""


class Baseline(nn.Module, ABC):
    """A method that ours is compared with."""

    config_class: ClassVar[type[BaselineConfig]] = BaselineConfig
    motion: MotionSpace
    speech_mean: Tensor
    speech_scale: Tensor
    style_mean: Tensor
    """(d_style,) the mean style of the training data, which ``style_strength`` leads to."""

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__()
        self.config = config
        self.motion = MotionSpace(config.n_coeffs)
        self.register_buffer("speech_mean", torch.zeros(config.d_speech))
        self.register_buffer("speech_scale", torch.ones(config.d_speech))
        self.register_buffer("style_mean", torch.zeros(config.d_style))

    @abstractmethod
    def loss(self, excerpt: Excerpt, grams: Grams, step: int) -> dict[str, Tensor]:
        """What a batch costs: ``loss`` is what training lowers, the rest what it consists of.

        Random choices are torch's own, seeded before each step.

        Args:
            excerpt: on the network's device.
            grams: give errors in mm².
            step: counted from 0, for methods that train in phases.
        """

    def phase_of(self, step: int) -> int:
        """First step of the phase of training that a step belongs to."""
        del step
        return 0

    @abstractmethod
    def encode_style(
        self,
        motion: Float[Tensor, "windows frames coeffs"],
        present: Bool[Tensor, "windows frames"],
    ) -> Float[Tensor, "windows d_style"]:
        """The style of each window; every window has a frame present."""

    @abstractmethod
    def make(
        self,
        speech: Float[Tensor, "frames d_speech"],
        style: Float[Tensor, "1 d_style"],
        performance: Float[Tensor, "frames coeffs"] | None,
        *,
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        progress: Callable[[float], None],
    ) -> Float[Tensor, "takes frames coeffs"]:
        """Motion that says the speech, a take for each seed, each what it would be alone.

        Args:
            speech: standardised features.
            style: of ``style_of``; may be scaled or blended.
            performance: what the upper face follows in localization; methods that cannot follow
                one leave it out.
            seeds: each chooses the chance of a take.
            steps: of the sampler.
            guidance: towards the performance, as ``sampling.generate_batch`` has it.
            progress: told the fraction done.
        """

    @torch.inference_mode()
    def style_of(self, face: FaceModel, performance: Performance) -> Float[Tensor, "1 d_style"]:
        """The style of a performance: the mean over its windows, as ``sampling`` does for ours.

        Raises:
            InputError: no frame shows a face.
        """
        del face  # the rig's coefficients say all that a baseline sees
        performance = performance.resampled(self.config.fps)
        performance.require_face()
        device = self.motion.mean.device
        motion = self.motion.encode(torch.from_numpy(performance.weights).float().to(device))
        windows = Windows.over(len(performance), window=self.config.window_frames, overlap=0)
        present = windows.cut(torch.from_numpy(performance.present)[:, None].to(device))[..., 0]
        visible = present.sum(1)
        kept = visible >= min(self.config.window_frames // 4, int(visible.max()))
        styles = self.encode_style(windows.cut(motion)[kept], present[kept])
        return ((visible[kept] / visible[kept].sum()) @ styles)[None]

    @torch.inference_mode()
    def animate(
        self,
        face: FaceModel,
        features: Float32[np.ndarray, "frames d_speech"],
        style: Float[Tensor, "1 d_style"],
        performance: Performance | None = None,
        *,
        seeds: Sequence[int] = (0,),
        guidance: float = 1.0,
        steps: int | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> tuple[Weights, ...]:
        """ARKit weights that say the speech; the arguments are those of ``generate_batch``.

        Raises:
            InputError: it learnt another rig, the features are not its encoder's, ``steps`` is
                below 1, or the performance shows no face.
        """
        config, device = self.config, self.motion.mean.device
        if steps is not None and steps < 1:
            raise InputError(f"Got {steps} steps; the sampler needs at least 1.")
        if config.rig != rig_fingerprint(face, "ours"):
            raise InputError(
                f"Got {config.system} of another head; use one that was trained on this one."
            )
        if features.ndim != 2 or features.shape[1] != config.d_speech or not len(features):
            raise InputError(
                f"Got speech features of shape {features.shape}; {config.system} needs (frames, "
                f"{config.d_speech}) of the encoder {config.speech_encoder}."
            )
        speech = (torch.from_numpy(features).to(device) - self.speech_mean) / self.speech_scale
        followed = None
        if performance is not None:
            followed = _of_length(performance.resampled(config.fps).held_weights(), len(speech))
            followed = self.motion.encode(torch.from_numpy(followed).float().to(device))
        takes = self.make(
            speech,
            style,
            followed,
            seeds=seeds,
            steps=config.steps if steps is None else steps,
            guidance=guidance,
            progress=progress or (lambda fraction: None),
        )
        gram = face.gram()
        return tuple(
            playable(one, gram) for one in self.motion.decode(takes).double().cpu().numpy()
        )

    def save(self, folder: Path, card: str) -> None:
        """Write the folder that ``load`` reads; see ``model.folder.write_folder``."""
        write_folder(folder, self, dataclasses.asdict(self.config), card)

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any], device: str = "cpu") -> "Baseline":
        """The baseline of a folder, in evaluation mode.

        Args:
            folder: whose config has been read.
            settings: that config.
            device: where it computes.

        Raises:
            InputError: the config has an unknown or missing setting, or the tensors are not its.
        """
        known = {field.name for field in dataclasses.fields(cls.config_class)}
        require_settings(folder, settings, known)
        model = cls(cls.config_class(**settings))
        read_weights(folder, model)
        return model.to(device).eval()


def _of_length(weights: Weights, frames: int) -> Weights:
    """Exactly so many frames; the last one is held."""
    return np.concatenate([weights, np.repeat(weights[-1:], frames, axis=0)])[:frames]
