"""Measures of one motion against another: every formula in public use, each by its own name.

Place in the flow: the bench judges takes with these; ``seam`` measures the joint of the halves,
``talk`` the lips' curve by band, in pauses and at closures. A motion is the displacement of some
points from the face at rest, ``(..., frames, points, 3)`` in millimetres, and whatever comes before
the frames is a batch. Papers print one name for several formulas, so a name here says which:
squared or not, mean or largest point, signed or not. Made motion comes first, real motion second.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64
from scipy.spatial.distance import cdist

from kmspeaker.animation.metrics import can_move
from kmspeaker.errors import InputError
from kmspeaker.face.keypoints import keypoint_set, keypoint_track
from kmspeaker.face.landmarks import LIPS, R_LOWER, R_UPPER
from kmspeaker.face.rig import FaceModel, Weights
from kmspeaker.reference.performance import Performance

Motion = Float[np.ndarray, "... _ _ 3"]
"""Displacements of points from rest, mm: batch, frames, points, axes."""
Track = Float[np.ndarray, "... _"]
"""One number a frame."""
Values = Float[np.ndarray, "..."] | np.floating
"""One number for each motion of a batch; a number alone where there is none."""

REGIONS = ("face", "upper", "lower", "lips")
VELOCITY_SECONDS = 0.1
"""Velocities count in mm per this, which makes them about as large as displacements."""
LEAST_FRAMES = 8
"""Of a performance; fewer describe nothing."""


@dataclass(frozen=True)
class Region:
    """Some points of the rig: of the skin that can move, or the lips' landmarks."""

    name: str
    deltas: Float[np.ndarray, "52 points 3"]
    """How each shape moves them at weight 1, mm."""
    rest: Float[np.ndarray, "points 3"]
    """Where they are in the face at rest, mm."""

    @classmethod
    def of(cls, face: FaceModel, name: str) -> "Region":
        """A region by name, one of ``REGIONS``: vertices that some shape moves, and ``LIPS``.

        Raises:
            InputError: There is no such region, or the face has no point of it.
        """
        at_rest = face.neutral(face.identities[0])
        if name == "lips":
            still = np.zeros((1, len(face.deltas)), np.float32)
            landmarks = face.landmarks(still, face.identities[0])[0]
            return cls(name, face.landmark_deltas()[:, LIPS], landmarks[list(LIPS)])
        if name not in REGIONS:
            raise InputError(f"Got the region {name!r}; a measure needs one of {REGIONS}.")
        inside = can_move(face)
        if name != "face":
            inside &= face.region == (R_UPPER if name == "upper" else R_LOWER)
        if not inside.any():
            raise InputError(f"Got a face without a vertex of the region {name!r}; use another.")
        return cls(name, face.deltas[:, inside], at_rest[inside])

    def motion(self, weights: Weights) -> Float[np.ndarray, "frames points 3"]:
        """How its points move, mm."""
        flat = self.deltas.reshape(len(self.deltas), -1)
        return (weights.astype(np.float32) @ flat).reshape(len(weights), -1, 3)


def distances(made: Motion, real: Motion) -> Float[np.ndarray, "... frames points"]:
    """Euclidean distance of each point in each frame, mm.

    Raises:
        InputError: The two differ in frames or points.
    """
    _same_length(made, real)
    return _norm(made - real)


def mean_distance(made: Motion, real: Motion) -> Values:
    """Mean over frames and points of the distance, mm.

    Of the whole face this is what KM-Speaker (Table 1) and MSMD print as "MSE (mm)", MVE elsewhere;
    of the upper face against the performance that is dubbed U-MSE (KM-Speaker, Table 2); of the
    lips LVE mean, which suits the size of KM-Speaker's figures.
    """
    return distances(made, real).mean(axis=(-2, -1))


def mean_squared_distance(made: Motion, real: Motion) -> Values:
    """Mean over frames and points of the squared distance, mm^2: MIMIC's FVE, a true MSE.

    ``torch.nn.MSELoss``, which also averages over the three axes, gives a third of it.
    """
    return (distances(made, real) ** 2).mean(axis=(-2, -1))


def lve_max(made: Motion, real: Motion) -> Values:
    """Mean over frames of the largest distance of a lip point, mm (MeshTalk, FaceFormer)."""
    return distances(made, real).max(axis=-1).mean(axis=-1)


def lve_max_squared(made: Motion, real: Motion) -> Values:
    """Mean over frames of the largest squared distance of a lip point, mm^2 (CodeTalker's code)."""
    return (distances(made, real).max(axis=-1) ** 2).mean(axis=-1)


def dynamics(motion: Motion, *, squared: bool = False) -> Float[np.ndarray, "... points"]:
    """Standard deviation over time of the size of each point's displacement, mm.

    Args:
        motion: Of the upper face for FDD, of the lips for LDD.
        squared: Of the squared size, mm^2, as CodeTalker's code does; the text of later papers says
            the plain size.
    """
    size = _norm(motion)
    return (size**2 if squared else size).std(axis=-2)


def fdd_signed(made: Motion, real: Motion, *, squared: bool = False) -> Values:
    """Mean over points of the real motion's ``dynamics`` less the made one's, mm or mm^2.

    CodeTalker's code (``cal_metric.py``) with ``squared``; above 0 the made face is too still. Over
    sequences, too lively and too still cancel: hence ``fdd``.
    """
    _same_length(made, real)
    return (dynamics(real, squared=squared) - dynamics(made, squared=squared)).mean(axis=-1)


def fdd(made: Motion, real: Motion, *, squared: bool = False) -> Values:
    """The size of ``fdd_signed`` of each sequence, mm or mm^2; of the lips MIMIC's LDD."""
    return np.abs(fdd_signed(made, real, squared=squared))


def fdd_by_point(made: Motion, real: Motion, *, squared: bool = False) -> Values:
    """As ``fdd``, the size taken of each point before the mean, mm: the right ones must move."""
    _same_length(made, real)
    apart = dynamics(real, squared=squared) - dynamics(made, squared=squared)
    return np.abs(apart).mean(axis=-1)


def mod(made: Track, real: Track) -> Values:
    """Mean over frames of the difference of mouth openings, unsigned, mm (DiffPoseTalk).

    Nobody prints what an opening is: with ``FaceModel.lip_opening`` the inner lips' distance on the
    midline, with ``vertical_extent`` the height of the lips.

    Raises:
        InputError: The two differ in frames.
    """
    _same_length(made, real)
    return np.abs(made - real).mean(axis=-1)


def vertical_extent(motion: Motion, rest: Float[np.ndarray, "_ 3"]) -> Float[np.ndarray, "... _"]:
    """From the lowest to the highest point in each frame, mm (reconstructions of MOD).

    Args:
        motion: Of the lips.
        rest: Where those points are at rest.
    """
    heights = motion[..., 1] + rest[:, 1]
    return heights.max(axis=-1) - heights.min(axis=-1)


def dtw(made: Motion, real: Motion) -> Values:
    """Dynamic time warping of two trajectories, mm for each frame of the real one (MIMIC's LDTW).

    A step costs the root mean square distance of the points; the least cost of a path from both
    first to both last frames, over the real motion's frames. Lengths may differ: being late costs
    little, never opening much.

    Raises:
        InputError: The two differ in points.
    """
    if made.shape[-2:] != real.shape[-2:] or made.shape[:-3] != real.shape[:-3]:
        raise InputError(f"Got motions of {made.shape} and {real.shape}; points must be the same.")
    points = made.shape[-2]
    flat = [each.reshape(-1, each.shape[-3], 3 * points) for each in (made, real)]
    costs = [_warped(cdist(a, b) / np.sqrt(points)) for a, b in zip(*flat, strict=True)]
    return (np.array(costs) / real.shape[-3]).reshape(made.shape[:-3])


def _warped(cost: Float64[np.ndarray, "made real"]) -> float:
    """The least sum along a path, by anti-diagonals: each needs the two before it alone."""
    rows, columns = cost.shape
    least = np.full((rows + 1, columns + 1), np.inf)
    least[0, 0] = 0.0
    for total in range(2, rows + columns + 1):
        i = np.arange(max(1, total - columns), min(rows, total - 1) + 1)
        j = total - i
        before = np.minimum(np.minimum(least[i - 1, j], least[i, j - 1]), least[i - 1, j - 1])
        least[i, j] = cost[i - 1, j - 1] + before
    return float(least[-1, -1])


def style_cosine(
    one: Float[np.ndarray, "... numbers"], other: Float[np.ndarray, "... numbers"]
) -> Values:
    """Cosine of two embeddings of motions, -1 to 1 (MIMIC's SCS); 0 where one of them is zero.

    MIMIC embeds by a classifier of identities; whoever calls says by what here.
    """
    sizes = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return (one * other).sum(axis=-1) / np.where(sizes > 0, sizes, 1.0)


def diversity(takes: Motion) -> float:
    """Mean distance between every two takes that differ in their noise alone, mm; 0 for one.

    Args:
        takes: The first axis is of takes.
    """
    pairs = [(a, b) for a in range(len(takes)) for b in range(a)]
    return float(np.mean([mean_distance(takes[a], takes[b]).mean() for a, b in pairs] or [0.0]))


def mean_and_best(
    measure: Callable[[Motion, Motion], Values], takes: Motion, real: Motion
) -> tuple[float, float]:
    """A measure's mean over takes and that of the best: MEE and CE of ProbTalk3D, with its LVE."""
    values = [float(measure(take, real)) for take in takes]
    return float(np.mean(values)), min(values)


@dataclass(frozen=True)
class Descriptor:
    """Mean and covariance of keypoints and their velocities, mm (KM-Speaker, App. D)."""

    mean: Float64[np.ndarray, " numbers"]
    root: Float64[np.ndarray, "rank numbers"]
    """``root.T @ root`` is the covariance; few rows, since the rig has few degrees of freedom."""

    @property
    def variance(self) -> float:
        """Trace of the covariance."""
        return float((self.root**2).sum())


def describe(performance: Performance, face: FaceModel, *, upper: bool = False) -> Descriptor:
    """Of the frames that show the face.

    Args:
        performance: At any rate.
        face: The rig.
        upper: Whether of the upper keypoints alone.

    Raises:
        InputError: Fewer than ``LEAST_FRAMES`` show the face.
    """
    points = keypoint_track(face, performance.weights).astype(np.float64)
    if upper:
        points = points[:, keypoint_set(face, "ours").upper]
    points = points.reshape(len(points), -1)
    present = performance.present
    if present.sum() < LEAST_FRAMES:
        raise InputError(
            f"Got a performance with {int(present.sum())} frames of the face; at least "
            f"{LEAST_FRAMES} are needed to describe it."
        )
    moved = np.asarray(np.gradient(points, axis=0)) * performance.fps * VELOCITY_SECONDS
    numbers = np.concatenate([points, moved], axis=1)[present]
    centre = numbers.mean(axis=0)
    root = np.asarray(np.linalg.qr((numbers - centre) / np.sqrt(len(numbers)), mode="r"))
    return Descriptor(centre, root)


def frechet(one: Descriptor, other: Descriptor) -> float:
    """Fréchet's distance, squared, of the normal distributions of two descriptors, mm^2.

    The paper gives the descriptor and no distance; this one is ours. The trace of the root of
    ``C1 C2`` is the sum of the singular values of one root times the other.
    """
    shared = np.linalg.svd(one.root @ other.root.T, compute_uv=False).sum()
    apart = ((one.mean - other.mean) ** 2).sum()
    return max(float(apart + one.variance + other.variance - 2 * shared), 0.0)


def _norm(vectors: Motion) -> Float[np.ndarray, "... frames points"]:
    return np.sqrt(np.einsum("...x,...x->...", vectors, vectors))


def _same_length(made: np.ndarray, real: np.ndarray) -> None:
    if made.shape != real.shape:
        raise InputError(
            f"Got a made motion of shape {made.shape} and a real one of {real.shape}; cut both to "
            "the same frames and points before they are compared."
        )
