"""The losses of paper 3.2, exact in the vertices and computed on 52 numbers a frame.

The rig is linear, so a squared masked error over vertices is ``e G e`` with the 52 errors ``e`` of
the ARKit weights and the Gram matrix ``G`` of the masked shapes; the error of velocities is the
same form of the differences of ``e``. No vertex is formed, and nothing of the target is lost to the
PCA.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from kmspeaker.face import FaceModel

LIP_PAIRS = ((13, 14), (82, 87), (312, 317), (81, 178), (311, 402), (80, 88), (310, 318))
"""mediapipe's landmarks on the inner lips, each upper one with the lower one it meets."""
LID_PAIRS = ((159, 145), (160, 144), (158, 153), (386, 374), (385, 380), (387, 373))
"""mediapipe's landmarks on the lids, each upper one with the lower one it meets."""


@dataclass(frozen=True)
class RegionGrams:
    """Quadratic forms on ARKit weights that give squared errors in mm²."""

    lower: Float[Tensor, "52 52"]
    upper: Float[Tensor, "52 52"]

    def to(self, device: torch.device) -> "RegionGrams":
        """The same on another device."""
        return RegionGrams(self.lower.to(device), self.upper.to(device))


def region_grams(face: FaceModel, *, lip_weight: float, lid_weight: float) -> RegionGrams:
    """The forms of the lower and the upper face.

    Each is the mean over all vertices of the squared distance in mm, times the vertex's mask
    squared (the mask multiplies before squaring), plus the mean squared error of the lips' or the
    lids' gaps times its weight. In speech the motion itself measures about 1.5 below and 0.5 above,
    the gaps 12 and 6.
    """
    vertices = len(face.part)
    lower = face.gram(face.lower_mask) / vertices + lip_weight * _gap_gram(face, LIP_PAIRS)
    upper = face.gram(face.upper_mask) / vertices + lid_weight * _gap_gram(face, LID_PAIRS)
    return RegionGrams(
        torch.from_numpy(lower.astype(np.float32)), torch.from_numpy(upper.astype(np.float32))
    )


def _gap_gram(face: FaceModel, pairs: tuple[tuple[int, int], ...]) -> Float64[np.ndarray, "52 52"]:
    above, below = np.array(pairs).T
    deltas = face.landmark_deltas().astype(np.float64)
    gaps = (deltas[:, above] - deltas[:, below]).reshape(len(deltas), -1)
    return gaps @ gaps.T / len(pairs)


def motion_loss(
    predicted: Float[Tensor, "batch frames 52"],
    target: Float[Tensor, "batch frames 52"],
    gram: Float[Tensor, "52 52"] | Float[Tensor, "batch 52 52"],
    velocity_weight: float,
) -> Float[Tensor, " batch"]:
    """Error of frames plus error of frame differences, each item's mean over its frames, mm²."""
    error = predicted - target
    change = error.diff(dim=1)
    position = ((error @ gram) * error).sum(-1).mean(-1)
    velocity = ((change @ gram) * change).sum(-1).mean(-1)
    return position + velocity_weight * velocity


def divergence(
    mean: Float[Tensor, "batch d_model"], log_variance: Float[Tensor, "batch d_model"]
) -> Float[Tensor, " batch"]:
    """Kullback-Leibler divergence of each global style from the standard normal (L_KL)."""
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(-1)
