"""Does the upper face follow the performance while the lips say something else?

U-MSE of paper Table 2, whose formula the paper does not give: here the mean distance of the
vertices of R_upper from the performance's, mm. Targets are ours, and the performances are the
corpus's, made by rule.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float64

from kmspeaker.animation.metrics import can_move, correlation, distance, masked_distance
from kmspeaker.evaluation.bootstrap import median, significance
from kmspeaker.evaluation.context import EvaluationContext
from kmspeaker.evaluation.localization_pairs import LocalizationPair
from kmspeaker.evaluation.report import Finding, Part, Target
from kmspeaker.face.landmarks import BROW_TOPS, LID_PAIRS, R_UPPER
from kmspeaker.face.rig import FaceModel, Weights

UPPER_ERROR = Target(most=0.35)
CURVES = Target(least=0.9)

Curve = Float64[np.ndarray, " frames"]


def measure(context: EvaluationContext, pairs: Sequence[LocalizationPair]) -> Part:
    """Distances from the performance, and the curves of brows and lids."""
    face = context.pipeline.face
    upper = face.region == R_UPPER
    moving = upper & can_move(face)
    gram = face.gram(face.upper_mask) / np.square(face.upper_mask, dtype=np.float64).sum()

    errors = {pair.name: distance(face, pair.localized, pair.performance, upper) for pair in pairs}
    still = [
        distance(face, _mean_pose(pair.performance), pair.performance, upper) for pair in pairs
    ]
    speech_motion = [distance(face, pair.speech_motion, pair.performance, upper) for pair in pairs]
    skin = [distance(face, pair.localized, pair.performance, moving) for pair in pairs]
    squared = [masked_distance(pair.localized - pair.performance, gram) for pair in pairs]
    curves = {name: _correlations(pairs, curve) for name, curve in _curves(face).items()}
    return Part(
        title="the upper face follows the performance",
        rule_made=True,
        on=f"{len(pairs)} random pairs of test clips of {context.actors}",
        findings=(
            _distance_row(
                "upper-face error to the performance (U-MSE)", list(errors.values()), UPPER_ERROR
            ),
            _distance_row("the same of vertices that can move", skin, UPPER_ERROR),
            _distance_row("the same as in training: root of the mean square, masked", squared),
            _distance_row("Still: the performance's mean pose", still),
            _distance_row("another's face: that of the speech", speech_motion),
            *(
                Finding(f"correlation of the {name}", median(values), "", "pairs", CURVES)
                for name, values in curves.items()
            ),
        ),
        notes=(
            f"Upper-face error against Still: {significance(list(errors.values()), still)}. Blend "
            "copies the performance there, its error is 0 by construction.",
        ),
        each={"upper-face error, mm": errors},
    )


def brow_height(face: FaceModel, weights: Weights) -> Curve:
    """Height of the brows above the neutral's, mean of both, mm."""
    return weights.astype(np.float64) @ face.landmark_deltas()[:, BROW_TOPS, 1].mean(axis=1)


def lid_opening(face: FaceModel, weights: Weights) -> Curve:
    """Opening of the lids above the neutral's, mean of both eyes, mm."""
    above, below = np.array([pairs[1] for pairs in LID_PAIRS]).T
    deltas = face.landmark_deltas()[..., 1]
    return weights.astype(np.float64) @ (deltas[:, above] - deltas[:, below]).mean(axis=1)


def _curves(face: FaceModel) -> Mapping[str, Callable[[Weights], Curve]]:
    return {
        "brows' height": lambda weights: brow_height(face, weights),
        "lids' opening": lambda weights: lid_opening(face, weights),
    }


def _correlations(
    pairs: Sequence[LocalizationPair], curve: Callable[[Weights], Curve]
) -> list[float]:
    return [correlation(curve(pair.localized), curve(pair.performance), flat=0.0) for pair in pairs]


def _mean_pose(weights: Weights) -> Weights:
    return np.repeat(weights.mean(axis=0, keepdims=True), len(weights), axis=0)


def _distance_row(figure: str, values: Sequence[float], target: Target | None = None) -> Finding:
    return Finding(figure, median(values), "mm", "pairs", target)
