"""Motion space: the few numbers a frame that the flow works on (paper 1.1).

The paper compresses vertex offsets by PCA to 128 components (about 99.5 % of the variance). Our rig
is linear, so offsets are a fixed matrix times 52 ARKit weights, and the PCA of the offsets is the
PCA of the weights under the rig's Gram matrix: the same components, at most 52, found without ever
forming a vertex. Lips that meet and eyes that turn move few vertices, so 99.5 % would lose a
visible part of them; how much is kept is ``TrainingOptions``' choice.
"""

import hashlib

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from kmspeaker.face.least_squares import bounded_least_squares
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel, Weights

WEIGHTS = 52


class MotionSpace(nn.Module):
    """Whitened PCA coefficients of vertex offsets, and their ARKit weights.

    Its numbers are buffers, so they travel with the network's weights.
    """

    mean: Tensor
    """(52,) ARKit weights of the mean offset."""
    basis: Tensor
    """(coeffs, 52): weights that one standard deviation of each component adds."""
    analysis: Tensor
    """(52, coeffs): from centred weights to whitened coefficients."""

    def __init__(self, n_coeffs: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(WEIGHTS))
        self.register_buffer("basis", torch.eye(n_coeffs, WEIGHTS))
        self.register_buffer("analysis", torch.eye(WEIGHTS, n_coeffs))

    @classmethod
    def fit(
        cls,
        weights: Float[np.ndarray, "frames 52"],
        gram: Float64[np.ndarray, "52 52"],
        variance: float,
    ) -> "MotionSpace":
        """The fewest components that keep ``variance`` of the offsets' variance.

        Args:
            weights: every training frame.
            gram: ``FaceModel.gram(None)``; makes distances between weights those of vertices.
            variance: share to keep, below 1.
        """
        values, vectors = np.linalg.eigh(gram)
        values = np.maximum(values, 1e-9 * values[-1])
        to_offsets = vectors * np.sqrt(values)  # offsets = weights @ to_offsets, up to a rotation
        mean = weights.mean(0, dtype=np.float64)
        offsets = (weights - mean) @ to_offsets
        spread, directions = np.linalg.eigh(offsets.T @ offsets / len(offsets))
        spread, directions = spread[::-1], directions[:, ::-1]
        kept = int(np.searchsorted(np.cumsum(spread) / spread.sum(), variance)) + 1
        kept = min(kept, WEIGHTS, int((spread > 1e-9 * spread[0]).sum()))
        scale = np.sqrt(spread[:kept])
        space = cls(kept)
        space.mean.copy_(torch.from_numpy(mean))
        from_offsets = (vectors / np.sqrt(values)).T
        space.basis.copy_(torch.from_numpy((directions[:, :kept] * scale).T @ from_offsets))
        space.analysis.copy_(torch.from_numpy(to_offsets @ directions[:, :kept] / scale))
        return space

    @property
    def n_coeffs(self) -> int:
        """How many components are kept."""
        return len(self.basis)

    def encode(self, weights: Float[Tensor, "*batch 52"]) -> Float[Tensor, "*batch coeffs"]:
        """Coefficients whose offsets lie closest; each has unit variance over the training data."""
        return (weights - self.mean) @ self.analysis

    def decode(self, coefficients: Float[Tensor, "*batch coeffs"]) -> Float[Tensor, "*batch 52"]:
        """Weights with exactly these offsets; not bounded to [0, 1]."""
        return coefficients @ self.basis + self.mean


def rig_fingerprint(face: FaceModel, keypoint_set: str) -> str:
    """Sixteen hex digits that change with the rig's shapes or the keypoints' places.

    A checkpoint carries those of the rig it learnt, since its numbers mean nothing on another.
    """
    digest = hashlib.sha256(np.ascontiguousarray(face.deltas, np.float32).tobytes())
    keypoints = face.keypoints[keypoint_set]
    digest.update(np.asarray(keypoints.indices, np.int64).tobytes())
    digest.update(np.asarray(keypoints.upper, bool).tobytes())
    return digest.hexdigest()[:16]


def playable(
    weights: Float[np.ndarray, "frames 52"], gram: Float64[np.ndarray, "52 52"]
) -> Weights:
    """The weights a rig may play whose vertices stay closest to those of unbounded ``weights``.

    Each lies within [0, 1], and ``mouthClose`` never exceeds ``jawOpen``: ARKit's convention, since
    lips closed further than the jaw is open cross each other.

    Args:
        weights: as ``MotionSpace.decode`` gives them.
        gram: ``FaceModel.gram()``.
    """
    # Shapes differ a hundredfold in energy: solve for weights times their own energy's root.
    energy = np.sqrt(np.diag(gram))
    scaled = weights * energy
    solved = bounded_least_squares(
        gram / np.outer(energy, energy),
        scaled @ (gram / np.outer(energy, energy)),
        upper=energy,
        start=scaled,
        iterations=100,
    )
    bounded = (solved / energy).clip(0, 1).astype(np.float32)
    close, jaw = ARKIT_INDEX["mouthClose"], ARKIT_INDEX["jawOpen"]
    bounded[:, close] = np.minimum(bounded[:, close], bounded[:, jaw])
    return bounded
