"""What the exports write: one animation, generated or captured, its sound, and its origin."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float32

from kmspeaker.animation.controls import NEUTRAL, Controls
from kmspeaker.face.rig import Weights
from kmspeaker.media.audio import Sound

Use = Literal["stylize", "localize"]
"""What can be generated."""
Origin = Use | Literal["capture"]
"""How an animation came to be: generated, or a performance as it was captured."""


@dataclass(frozen=True)
class FaceAnimation:
    """ARKit weights that play on ``FaceModel``; frame ``k`` lies at ``k / fps`` seconds."""

    weights: Weights
    """In ``rig.ARKIT_NAMES`` order, each within [0, 1]."""
    fps: float
    identity: str
    """One of ``FaceModel.identities``."""
    use: Origin
    sound: Sound
    """The speech, at playback quality; of a capture, what was heard with it."""
    model: str
    """Name of the model and the first eight digits of its weights' sha256, ``small@1a2b3c4d``.
    A capture has no model: this is empty, ``seed`` and ``steps`` are 0."""
    seed: int
    steps: int
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each stage took, in order."""
    head: Float32[np.ndarray, "frames 3"] | None = None
    """Yaw, pitch and roll in radians, as ``Performance.head``; None where the head is still."""
    controls: Controls = NEUTRAL
    """Controls it was made with."""

    @property
    def generated(self) -> bool:
        """Whether a model made the motion; false of a capture."""
        return self.use != "capture"

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def seconds(self) -> float:
        """Duration of the motion."""
        return len(self) / self.fps
