"""Does the upper face follow the performance while the lips say something else?

U-MSE of paper Table 2: the mean distance of the vertices of R_upper from the performance's.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float64

from kmspeaker.evaluation.dubs import Dub
from kmspeaker.evaluation.intervals import median, significance
from kmspeaker.evaluation.report import Finding, Part, Target
from kmspeaker.evaluation.subject import Subject
from kmspeaker.face import FaceModel
from kmspeaker.performance import Weights
from kmspeaker.training.validation import correlation

UPPER_REGION = 2
MOVES = 0.5
"""mm that some shape must move a vertex; scalp, ears and neck do not count as moving."""
BROWS = (105, 107, 70, 334, 336, 300)
LIDS = ((159, 145), (386, 374))
"""Upper and lower lid of each eye, mediapipe's landmarks."""
UPPER_ERROR = Target(most=0.35)
CURVES = Target(least=0.9)

Curve = Float[np.ndarray, " frames"]


def measure(subject: Subject, dubs: Sequence[Dub]) -> Part:
    """Distances from the performance, and the curves of brows and lids."""
    face = subject.pipeline.face
    upper = face.region == UPPER_REGION
    moving = upper & (np.linalg.norm(face.deltas, axis=2).max(axis=0) > MOVES)
    gram = face.gram(face.upper_mask) / np.square(face.upper_mask, dtype=np.float64).sum()

    ours = {dub.name: distance(face, dub.localized, dub.performed, upper) for dub in dubs}
    still = [distance(face, _still(dub.performed), dub.performed, upper) for dub in dubs]
    spoken = [distance(face, dub.spoken, dub.performed, upper) for dub in dubs]
    skin = [distance(face, dub.localized, dub.performed, moving) for dub in dubs]
    squared = [masked_distance(dub.localized - dub.performed, gram) for dub in dubs]
    curves = {name: _agreement(dubs, read) for name, read in _curves(face).items()}
    return Part(
        title="the upper face follows the performance",
        on=f"{len(dubs)} random pairs of test clips of {subject.actors}",
        findings=(
            _row("upper-face error to the performance (U-MSE)", list(ours.values()), UPPER_ERROR),
            _row("the same of vertices that can move", skin, UPPER_ERROR),
            _row("the same as in training: root of the mean square, masked", squared),
            _row("Still: the performance's mean pose", still),
            _row("another's face: that of the speech", spoken),
            *(
                Finding(f"correlation of the {name}", median(values), "", "pairs", CURVES)
                for name, values in curves.items()
            ),
        ),
        notes=(
            f"Upper-face error against Still: {significance(list(ours.values()), still)}. Blend "
            "copies the performance there, its error is 0 by construction.",
        ),
        each={"upper-face error, mm": ours},
    )


def distance(face: FaceModel, one: Weights, other: Weights, vertices: np.ndarray) -> float:
    """Mean distance of vertices over frames, mm."""
    deltas = face.deltas[:, vertices]
    apart = (one - other) @ deltas.reshape(len(deltas), -1)
    return float(np.linalg.norm(apart.reshape(len(one), -1, 3), axis=2).mean())


def masked_distance(
    error: Float[np.ndarray, "frames 52"], gram: Float64[np.ndarray, "52 52"]
) -> float:
    """Mean over frames of the root of a masked mean square, mm."""
    return float(np.sqrt(np.einsum("fi,ij,fj->f", error, gram, error).clip(0)).mean())


def brow_height(face: FaceModel, weights: Weights) -> Curve:
    """How far the brows are raised, mean of both, mm."""
    return weights @ face.landmark_deltas()[:, BROWS, 1].mean(axis=1)


def lid_opening(face: FaceModel, weights: Weights) -> Curve:
    """How much wider than at rest the lids are open, mean of both eyes, mm."""
    above, below = np.array(LIDS).T
    deltas = face.landmark_deltas()[..., 1]
    return weights @ (deltas[:, above] - deltas[:, below]).mean(axis=1)


def _curves(face: FaceModel) -> Mapping[str, Callable[[Weights], Curve]]:
    return {
        "brows' height": lambda weights: brow_height(face, weights),
        "lids' opening": lambda weights: lid_opening(face, weights),
    }


def _agreement(dubs: Sequence[Dub], read: Callable[[Weights], Curve]) -> list[float]:
    return [correlation(read(dub.localized), read(dub.performed)) for dub in dubs]


def _still(weights: Weights) -> Weights:
    return np.repeat(weights.mean(axis=0, keepdims=True), len(weights), axis=0)


def _row(figure: str, values: Sequence[float], target: Target | None = None) -> Finding:
    return Finding(figure, median(values), "mm", "pairs", target)
