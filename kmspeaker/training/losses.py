"""The losses of paper Sec. 3.2, exact in the vertices and computed on 52 numbers a frame.

The rig is linear, so a squared masked error over vertices is ``e G e`` with the 52 errors ``e`` of
the ARKit weights and the Gram matrix ``G`` of the masked shapes; the error of velocities is the
same form of the differences of ``e``. No vertex is computed, and nothing of the target is lost to
the PCA. Means in mm², and the terms of gaps, closures and brows, are ours: the paper gives neither
the unit nor the normalization of its norms, and has no such terms.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from scipy.spatial import KDTree
from torch import Tensor

from kmspeaker.face.landmarks import BROW_TOPS, LID_PAIRS, LIP_PAIRS, LIPS, R_UPPER
from kmspeaker.face.lip_contact import CLOSED
from kmspeaker.face.rig import PART_NAMES, FaceModel
from kmspeaker.training.options import TrainingOptions

MOUTH_REACH, FALL = 12.0, 6.0
"""mm from the lips that MeshTalk's mask of the mouth is whole, and over which its masks fall."""
NEARLY_CLOSED = 2 * CLOSED
"""mm of lip opening under which the closure loss counts a frame: closed or nearly (ours)."""


@dataclass(frozen=True)
class RegionGrams:
    """Symmetric matrices that give squared errors in mm² of errors of ARKit weights."""

    lower: Float[Tensor, "52 52"]
    upper: Float[Tensor, "52 52"]
    lips: Float[Tensor, "52 52"]
    """Of the gaps between the lips alone."""
    gap: Float[Tensor, " 52"]
    """Height of the gap in the middle by weight, mm."""

    def to(self, device: torch.device) -> "RegionGrams":
        """The same on another device."""
        return RegionGrams(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def region_grams(face: FaceModel, options: TrainingOptions) -> RegionGrams:
    """The matrices of the lower and the upper face.

    Each is the mean over all vertices of the squared distance in mm, times the vertex's mask
    squared (the mask multiplies before squaring), plus the mean squared error of the lips' gaps, of
    the lids' gaps and of the brows' places times their weights.
    """
    vertices = len(face.part)
    eyes = np.isin(face.part, [PART_NAMES.index(name) for name in ("eye_left", "eye_right")])
    eye_scale = np.where(eyes, np.sqrt(options.eye_weight), 1.0).astype(np.float32)
    deltas = face.landmark_deltas().astype(np.float64)
    lower_mask, upper_mask = masks(face, options.masks)
    lower = face.gram(lower_mask) / vertices
    lips = _mean_square(_gaps(deltas, LIP_PAIRS))
    lower += options.lip_weight * lips
    upper = face.gram(upper_mask * eye_scale) / vertices
    upper += options.lid_weight * _mean_square(_gaps(deltas, LID_PAIRS[0] + LID_PAIRS[1]))
    upper += options.brow_weight * _mean_square(deltas[:, list(BROW_TOPS)])
    gap = _gaps(deltas, LIP_PAIRS[:1])[:, 0, 1]
    return RegionGrams(
        *(torch.from_numpy(form.astype(np.float32)) for form in (lower, upper, lips, gap))
    )


def masks(
    face: FaceModel, kind: str
) -> tuple[Float32[np.ndarray, " vertices"], Float32[np.ndarray, " vertices"]]:
    """The masks of the lower and the upper face.

    "ours" are the paper's (App. B.3), which add up to one. "meshtalk" are like those of MeshTalk's
    code, which the paper compares with: hard about the lips and above, a fast fall, and little of
    the jaw in either. Theirs are of another mesh, so these are drawn anew.
    """
    if kind == "ours":
        return face.lower_mask, face.upper_mask
    identity = face.identities[0]
    places = face.neutral(identity)
    lips = face.landmarks(np.zeros((1, len(face.deltas)), np.float32), identity)[0, LIPS]
    near = (lips, places[face.region == R_UPPER])
    reach = (MOUTH_REACH, 0.0)
    lower, upper = (
        (1 - (KDTree(points).query(places)[0] - inside) / FALL).clip(0, 1).astype(np.float32)
        for points, inside in zip(near, reach, strict=True)
    )
    return lower, upper


def _gaps(
    deltas: Float64[np.ndarray, "52 landmarks 3"], pairs: tuple[tuple[int, int], ...]
) -> Float64[np.ndarray, "52 pairs 3"]:
    above, below = np.array(pairs).T
    return deltas[:, above] - deltas[:, below]


def _mean_square(vectors: Float64[np.ndarray, "52 places 3"]) -> Float64[np.ndarray, "52 52"]:
    """The matrix that gives the mean over places of the squared lengths."""
    flat = vectors.reshape(len(vectors), -1)
    return flat @ flat.T / vectors.shape[1]


def motion_loss(
    predicted: Float[Tensor, "batch frames 52"],
    target: Float[Tensor, "batch frames 52"],
    gram: Float[Tensor, "52 52"] | Float[Tensor, "batch 52 52"],
    velocity_weight: float,
) -> Float[Tensor, " batch"]:
    """L_mse plus weighted L_vel, of frames and of frame differences: each item's mean, mm²."""
    error = predicted - target
    change = error.diff(dim=1)
    position = ((error @ gram) * error).sum(-1).mean(-1)
    velocity = ((change @ gram) * change).sum(-1).mean(-1)
    return position + velocity_weight * velocity


def closure_loss(
    predicted: Float[Tensor, "batch frames 52"],
    target: Float[Tensor, "batch frames 52"],
    grams: RegionGrams,
) -> Float[Tensor, " batch"]:
    """Error of the lips' gaps, mm², in frames whose target is nearly closed; else 0 (ours)."""
    error = predicted - target
    closed = target @ grams.gap < NEARLY_CLOSED
    return (((error @ grams.lips) * error).sum(-1) * closed).mean(-1)


def kl_divergence(
    mean: Float[Tensor, "batch d_model"], log_variance: Float[Tensor, "batch d_model"]
) -> Float[Tensor, " batch"]:
    """Kullback-Leibler divergence of each global style from the standard normal, L_KL."""
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(-1)
