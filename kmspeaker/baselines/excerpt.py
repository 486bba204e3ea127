"""What a baseline learns from: two windows of one clip, and how errors count in millimetres.

Place in the flow: ``training.excerpts`` cuts them from a corpus; ``Baseline.loss`` takes them. All
baselines see the windows in the held styles that ours sees, so that the data is the same.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from kmspeaker.face.rig import FaceModel
from kmspeaker.model.motion_space import MotionSpace


@dataclass(frozen=True)
class Excerpt:
    """Two windows of each item's clip, in the terms that networks work with."""

    motion: Float[Tensor, "batch 2 frames coeffs"]
    """Whitened coefficients of the motion space."""
    speech: Float[Tensor, "batch 2 frames d_speech"]
    """Standardised features."""
    adjacent: Bool[Tensor, " batch"]
    """Whether the second window begins where the first ends; in short clips they overlap."""
    actor: Int64[Tensor, " batch"]
    """Who performs, counted over the training clips."""

    def __len__(self) -> int:
        return len(self.motion)


@dataclass(frozen=True)
class Grams:
    """Forms that give squared errors in mm² of errors of coefficients.

    The rig is linear, so the mean squared distance of vertices, each times its mask squared, is
    ``e G e`` (as in ``training.losses``, without its terms of our own).
    """

    whole: Float[Tensor, "coeffs coeffs"]
    lower: Float[Tensor, "coeffs coeffs"]
    upper: Float[Tensor, "coeffs coeffs"]

    @classmethod
    def of(cls, face: FaceModel, space: MotionSpace) -> "Grams":
        """On a face, for errors in a motion space."""
        basis = space.basis.cpu().numpy().astype(np.float64)

        def form(mask: np.ndarray | None) -> Tensor:
            gram = basis @ face.gram(mask) @ basis.T / len(face.part)
            return torch.from_numpy(gram.astype(np.float32)).to(space.basis.device)

        return cls(form(None), form(face.lower_mask), form(face.upper_mask))


def squared(
    error: Float[Tensor, "*shape coeffs"], gram: Float[Tensor, "coeffs coeffs"]
) -> Float[Tensor, "*shape"]:
    """Mean squared vertex distance of errors of coefficients, mm²."""
    return ((error @ gram) * error).sum(-1)
