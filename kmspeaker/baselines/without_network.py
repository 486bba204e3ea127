"""Rivals that need no network: whoever loses to them has nothing to say about faces.

``held`` is the reference's mean pose, ``copied`` the reference itself again and again, ``linear``
what ridge regressions read from speech and keypoints, ``blend`` the paper's mask blending (App. E)
of a performance and of ours.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from kmspeaker.face.least_squares import bounded_least_squares
from kmspeaker.face.rig import UPPER_SHAPES, FaceModel, Weights
from kmspeaker.model.linear_reading import with_context
from kmspeaker.model.motion_space import WEIGHTS, playable
from kmspeaker.model.network import KMSpeaker, ModelConfig
from kmspeaker.model.sampling import generate_batch, global_style_of
from kmspeaker.model.upper_reading import upper_face_read
from kmspeaker.reference.performance import Performance

SECONDS = 10.0
"""Of a reference that ``copied`` repeats; a style has one size."""
STILL = 1e-6
"""Spread of a reading below which it says nothing."""


class Rival(ABC):
    """A rival, built around ours, whose rate and speech features it shares."""

    name: ClassVar[str]
    style_mean: Tensor
    """What ``style_strength`` leads to: the face at rest."""

    def __init__(self, ours: KMSpeaker) -> None:
        self.ours = ours
        self.style_mean = torch.zeros(WEIGHTS)

    @property
    def config(self) -> ModelConfig:
        """Of the model it is built around."""
        return self.ours.config

    def style_of(self, face: FaceModel, performance: Performance) -> Float[Tensor, "1 d_style"]:
        """The mean pose of a reference.

        Raises:
            InputError: no frame shows a face.
        """
        del face
        return torch.from_numpy(_seen(performance).mean(axis=0, keepdims=True))

    @abstractmethod
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
        """Weights as ``generate_batch`` gives them; nothing here is left to chance."""


class Held(Rival):
    """The reference's mean pose, held still; in localization too."""

    name = "held"

    def animate(self, face, features, style, performance=None, **asked) -> tuple[Weights, ...]:  # noqa: D102
        pose = style.numpy().clip(0, 1)
        return _for_each(np.repeat(pose, len(features), axis=0), **asked)


class Copied(Rival):
    """The reference again and again, whatever is said; in localization the performance itself."""

    name = "copied"

    def __init__(self, ours: KMSpeaker) -> None:
        super().__init__(ours)
        self.style_mean = torch.zeros(WEIGHTS * round(SECONDS * ours.config.fps))

    def style_of(self, face: FaceModel, performance: Performance) -> Float[Tensor, "1 d_style"]:
        """The reference's motion, repeated to ten seconds."""
        seen = _seen(performance.resampled(self.config.fps))
        frames = round(SECONDS * self.config.fps)
        return torch.from_numpy(np.resize(seen, (frames, WEIGHTS)).reshape(1, -1))

    def animate(self, face, features, style, performance=None, **asked) -> tuple[Weights, ...]:  # noqa: D102
        motion = style.numpy().reshape(-1, WEIGHTS)
        if performance is not None:
            motion = performance.resampled(self.config.fps).held_weights()
        return _for_each(np.resize(motion.clip(0, 1), (len(features), WEIGHTS)), **asked)


class Linear(Rival):
    """Linear readings alone: lips from the speech, the upper face from the keypoints.

    The lips open as a ridge regression on five frames of features says (``model.opening``), about
    the reference's mean pose and as widely as the reference's. In localization the upper face is
    what bounded least squares make of the performance's upper keypoints; without a performance it
    is held.
    """

    name = "linear"

    def __init__(self, ours: KMSpeaker) -> None:
        super().__init__(ours)
        self.style_mean = torch.zeros(WEIGHTS + 1)

    def style_of(self, face: FaceModel, performance: Performance) -> Float[Tensor, "1 d_style"]:
        """The mean pose, and the spread of the lips' opening in mm."""
        seen = _seen(performance)
        spread = (seen @ face.lip_opening).std(keepdims=True)
        return torch.from_numpy(np.concatenate([seen.mean(axis=0), spread]))[None].float()

    def animate(self, face, features, style, performance=None, **asked) -> tuple[Weights, ...]:  # noqa: D102
        slope, direction = (
            getattr(self.ours, name).cpu().numpy().astype(np.float64)
            for name in ("opening_slope", "opening_direction")
        )
        pose, spread = style[0, :-1].double().numpy().clip(0, 1), float(style[0, -1])
        reading = with_context(features) @ slope
        reading = (reading - reading.mean()) / max(float(reading.std()), STILL)
        # Lips that are shut do not open the other way.
        opening = np.maximum(spread * reading, -max(float(pose @ face.lip_opening), 0.0))
        weights = playable(pose + opening[:, None] * direction, face.gram())
        if performance is not None:
            read = upper_face_read(face, performance.resampled(self.config.fps).held_weights())
            frames = min(len(read), len(weights))
            weights[:frames, UPPER_SHAPES] = read[:frames, UPPER_SHAPES]
        return _for_each(weights, **asked)


class Blend(Rival):
    """The performance's upper face on ours' lower face, by the masks (paper App. E, Fig. 13).

    The masked sum of vertices is not a pose of the rig; these are the weights that come closest.
    ``global_style`` tells the paper's two kinds. Without a performance there is nothing to blend,
    and it is ours.
    """

    name = "blend"
    global_style = True

    def __init__(self, ours: KMSpeaker) -> None:
        super().__init__(ours)
        self.style_mean = ours.style_mean

    def style_of(self, face: FaceModel, performance: Performance) -> Float[Tensor, "1 d_style"]:
        """Ours."""
        return global_style_of(self.ours, face, performance)

    def animate(self, face, features, style, performance=None, **asked) -> tuple[Weights, ...]:  # noqa: D102
        style = style if self.global_style or performance is None else self.style_mean[None]
        takes = generate_batch(self.ours, face, features, style, **asked)
        if performance is None:
            return takes
        upper = performance.resampled(self.config.fps).held_weights()[: len(features)]
        # Beyond the performance's end the take is its own.
        return tuple(
            np.concatenate([blended(face, take[: len(upper)], upper), take[len(upper) :]])
            for take in takes
        )


class BlendWithoutStyle(Blend):
    """The same about the mean style: the paper's Blend without global style."""

    name = "blend-no-style"
    global_style = False


RIVALS: Mapping[str, type[Rival]] = {
    rival.name: rival for rival in (Held, Copied, Linear, Blend, BlendWithoutStyle)
}


def blended(face: FaceModel, lower: Weights, upper: Weights) -> Weights:
    """The weights whose vertices come closest to ``M_upper upper + M_lower lower``."""
    deltas = face.deltas.reshape(len(face.deltas), -1).astype(np.float64)
    masked = np.repeat(face.upper_mask.astype(np.float64), 3) * deltas
    gram = face.gram()
    wanted = lower @ gram + (upper - lower).astype(np.float64) @ (masked @ deltas.T)
    return bounded_least_squares(gram, wanted, start=lower).astype(np.float32)


def _seen(performance: Performance) -> Weights:
    performance.require_face()
    return performance.weights[performance.present]


def _for_each(
    weights: Weights,
    *,
    seeds: Sequence[int] = (0,),
    progress: Callable[[float], None] | None = None,
    **_: object,
) -> tuple[Weights, ...]:
    if progress is not None:
        progress(1.0)
    return tuple(weights.astype(np.float32) for _ in seeds)
