"""Do the lips say their speech whatever performance the upper face follows?

LVE of paper Table 2: lip points against the motion of the speech's own clip, which the corpus's
rules made. It is measured with a foreign performance and with the matching one; did the lips take
nothing from the performance, the two would be equal. The ratio and its target are ours.
"""

from collections.abc import Callable, Sequence

from kmspeaker.evaluation.bootstrap import median, ratio
from kmspeaker.evaluation.context import EvaluationContext
from kmspeaker.evaluation.localization_pairs import LocalizationPair
from kmspeaker.evaluation.metrics import Motion, Region, Values, lve_max, mean_distance
from kmspeaker.evaluation.report import Finding, Part, Target

RATIO = Target(most=1.10)


def measure(context: EvaluationContext, pairs: Sequence[LocalizationPair]) -> Part:
    """Lip errors with foreign performances over those with matching ones."""
    lips = Region.of(context.pipeline.face, "lips")

    def errors(measure: Callable[[Motion, Motion], Values], name: str) -> list[float]:
        return [
            float(measure(lips.motion(getattr(pair, name)), lips.motion(pair.speech_motion)))
            for pair in pairs
        ]

    mean = {
        name: errors(mean_distance, name) for name in ("matching", "temporal_only", "localized")
    }
    return Part(
        title="the lips take nothing from the performance",
        rule_made=True,
        on=f"the same {len(pairs)} pairs",
        findings=(
            Finding(
                "lip error, foreign performance over the matching one",
                ratio(mean["temporal_only"], mean["matching"]),
                of="pairs",
                target=RATIO,
            ),
            Finding(
                "the same where the foreign performance's style is taken too",
                ratio(mean["localized"], mean["matching"]),
                of="pairs",
            ),
            Finding("lip error (LVE, mean), matching", median(mean["matching"]), "mm", "pairs"),
            Finding("lip error, foreign", median(mean["temporal_only"]), "mm", "pairs"),
            Finding("lip error, foreign with its style", median(mean["localized"]), "mm", "pairs"),
            Finding(
                "largest lip error of a frame (LVE, max), foreign",
                median(errors(lve_max, "temporal_only")),
                "mm",
                "pairs",
            ),
        ),
        notes=(
            "In the ratio the global style is the speech's own, as in training (paper 3.2), so "
            "that only what leaks from the upper face counts. With the foreign style the lips "
            "are to differ: they smile where the performance smiles.",
        ),
    )
