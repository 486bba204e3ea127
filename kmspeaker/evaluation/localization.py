"""Does the upper face follow the performance while the lips say something else?

U-MSE of paper Table 2: the mean distance of the vertices of R_upper from the performance's.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from kmspeaker.animation.metrics import can_move, correlation, distance, masked_distance
from kmspeaker.evaluation.bootstrap import median, significance
from kmspeaker.evaluation.context import Subject
from kmspeaker.evaluation.localization_pairs import Dub
from kmspeaker.evaluation.report import Finding, Part, Target
from kmspeaker.face.landmarks import BROW_TOPS, LID_PAIRS, R_UPPER
from kmspeaker.face.rig import FaceModel, Weights

UPPER_ERROR = Target(most=0.35)
CURVES = Target(least=0.9)

Curve = Float[np.ndarray, " frames"]


def measure(subject: Subject, dubs: Sequence[Dub]) -> Part:
    """Distances from the performance, and the curves of brows and lids."""
    face = subject.pipeline.face
    upper = face.region == R_UPPER
    moving = upper & can_move(face)
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


def brow_height(face: FaceModel, weights: Weights) -> Curve:
    """How far the brows are raised, mean of both, mm."""
    return weights @ face.landmark_deltas()[:, BROW_TOPS, 1].mean(axis=1)


def lid_opening(face: FaceModel, weights: Weights) -> Curve:
    """How much wider than at rest the lids are open, mean of both eyes, mm."""
    above, below = np.array([pairs[1] for pairs in LID_PAIRS]).T
    deltas = face.landmark_deltas()[..., 1]
    return weights @ (deltas[:, above] - deltas[:, below]).mean(axis=1)


def _curves(face: FaceModel) -> Mapping[str, Callable[[Weights], Curve]]:
    return {
        "brows' height": lambda weights: brow_height(face, weights),
        "lids' opening": lambda weights: lid_opening(face, weights),
    }


def _agreement(dubs: Sequence[Dub], read: Callable[[Weights], Curve]) -> list[float]:
    return [correlation(read(dub.localized), read(dub.performed), flat=0.0) for dub in dubs]


def _still(weights: Weights) -> Weights:
    return np.repeat(weights.mean(axis=0, keepdims=True), len(weights), axis=0)


def _row(figure: str, values: Sequence[float], target: Target | None = None) -> Finding:
    return Finding(figure, median(values), "mm", "pairs", target)
