"""All measures of a take at once, by name: what the bench's tables have as columns.

Place in the flow: ``bench`` and ``matching`` ask it; the formulas are those of ``metrics``,
``seam`` and ``talk``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from kmspeaker.animation.metrics import correlation, jitter
from kmspeaker.evaluation import metrics
from kmspeaker.evaluation.lips import agreement
from kmspeaker.evaluation.metrics import Region
from kmspeaker.evaluation.seam import EVERY, Creases, Seam, offsets
from kmspeaker.evaluation.talk import BANDS, NERVOUS, closing, in_band, nervousness, pausing
from kmspeaker.face.rig import FaceModel, Weights
from kmspeaker.reference.performance import Performance

Better = Literal["lower", "higher", "near 1", "near 0"]


@dataclass(frozen=True)
class Measure:
    """A column: what it is, in which unit, and what is good."""

    unit: str
    definition: str
    better: Better = "lower"


def _band(low: float, high: float) -> str:
    return f"{low:g} to {high:g} Hz" if low else f"below {high:g} Hz"


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "LVE mean": Measure("mm", "mean over frames and lip points of the distance"),
        "LVE max": Measure("mm", "mean over frames of the largest lip distance (MeshTalk)"),
        "LVE max squared": Measure("mm2", "the same of squared distances (CodeTalker's code)"),
        "MSE": Measure("mm", "mean distance of the vertices that can move (KM-Speaker, MSMD)"),
        "MSE squared": Measure("mm2", "mean squared distance of the same (a true MSE; FVE)"),
        "MOD": Measure("mm", "mean difference of the inner lips' opening on the midline"),
        "MOD extent": Measure("mm", "mean difference of the lips' height, lowest to highest point"),
        "FDD": Measure("mm", "deviation over time of upper vertices' motion, real less made, size"),
        "FDD signed": Measure("mm", "the same with its sign: above 0 too still", "near 0"),
        "FDD squared": Measure("mm2", "deviation of squared motion, size (CodeTalker's code)"),
        "FDD squared signed": Measure("mm2", "CodeTalker's code: signed", "near 0"),
        "FDD by point": Measure("mm", "the size taken at each vertex before the mean"),
        "LDD": Measure("mm", "FDD of the lip points (MIMIC)"),
        "LDTW": Measure("mm", "dynamic time warping of lip points, a frame (MIMIC)"),
        "U-MSE": Measure("mm", "mean distance of upper vertices that can move to the performance"),
        "creases": Measure(
            "", "bends at the masks' borders over the performance's (ours; Fig. 13)", "near 1"
        ),
        "stretches": Measure("", "stretched edges there over the performance's", "near 1"),
        "style distance": Measure("mm2", "Frechet distance of 55 keypoints and velocities"),
        "upper style distance": Measure("mm2", "the same of the 47 upper keypoints"),
        "SCS": Measure("", "cosine of the states' scores of take and style (MIMIC)", "higher"),
        "state read": Measure("", "share of windows read as the style's state", "higher"),
        "style found": Measure("", "share nearer to the asked style than to the own", "higher"),
        "LVE mean in the own style": Measure("mm", "LVE mean where the style is the speaker's own"),
        "amplitude": Measure("", "deviation of the lips' opening over the real one's", "near 1"),
        "lips follow": Measure("", "correlation of the opening with the person's", "higher"),
        **{
            f"lips follow {_band(*band)}": Measure("", "the same of one band", "higher")
            for band in BANDS
        },
        "closures hit": Measure("", "share of the person's closures within 80 ms", "higher"),
        "closures by chance": Measure("", "share that would be hit at other times", "near 0"),
        "nervousness": Measure("", f"variance above {NERVOUS:g} Hz over the person's", "near 1"),
        "pauses": Measure("", "opening in pauses, share of its own 95th percentile", "near 0"),
        "pauses of people": Measure("", "the same of the person", "near 0"),
        "jitter": Measure("mm", "how far lips lie off a smooth path (ours)"),
        "diversity": Measure("mm", "mean distance between takes of other noise", "higher"),
        "best of takes": Measure("mm", "LVE mean of the best take (CE of ProbTalk3D)"),
        "kept": Measure("", "lip error over that with the speech's own style", "near 1"),
    }
)
"""By name. "Real" is what the person or the corpus did with the same words."""


@dataclass(frozen=True)
class Judge:
    """Measures of takes on one face."""

    face: FaceModel
    fps: float
    whole: Region
    upper: Region
    lips: Region
    seam: Seam

    @classmethod
    def of(cls, face: FaceModel, fps: float) -> "Judge":
        """The regions are cut out once."""
        whole, upper, lips = (Region.of(face, name) for name in ("face", "upper", "lips"))
        return cls(face, fps, whole, upper, lips, Seam.of(face))

    def errors(self, made: Weights, real: Weights) -> dict[str, float]:
        """Every formula of how far a take lies from the real motion of the same words."""
        # Each distance and each deviation once: they are most of the work, their means are not.
        apart = metrics.distances(*(self.whole.motion(each) for each in (made, real)))
        one, other = (self.upper.motion(each) for each in (made, real))
        lost, lost_squared = (
            metrics.dynamics(other, squared=squared) - metrics.dynamics(one, squared=squared)
            for squared in (False, True)
        )
        found = {
            "MSE": apart.mean(),
            "MSE squared": (apart**2).mean(),
            "FDD": abs(lost.mean()),
            "FDD signed": lost.mean(),
            "FDD squared": abs(lost_squared.mean()),
            "FDD squared signed": lost_squared.mean(),
            "FDD by point": np.abs(lost).mean(),
        }
        extents = [
            metrics.vertical_extent(self.lips.motion(each), self.lips.rest) for each in (made, real)
        ]
        openings = [each.astype(np.float64) @ self.face.lip_opening for each in (made, real)]
        found |= {"MOD": metrics.mod(*openings), "MOD extent": metrics.mod(*extents)}
        return {name: float(value) for name, value in found.items()} | self.lip_errors(made, real)

    def lip_errors(self, made: Weights, real: Weights) -> dict[str, float]:
        """Those of the lips alone."""
        one, other = (self.lips.motion(each) for each in (made, real))
        openings = [each.astype(np.float64) @ self.face.lip_opening for each in (made, real)]
        found = {
            "LVE mean": metrics.mean_distance(one, other),
            "LVE max": metrics.lve_max(one, other),
            "LVE max squared": metrics.lve_max_squared(one, other),
            "LDD": metrics.fdd(one, other),
            "LDTW": metrics.dtw(one, other),
            "amplitude": openings[0].std() / max(float(openings[1].std()), 1e-6),
            "jitter": jitter(self.face, made, np.ones(len(made), bool)),
        }
        return {name: float(value) for name, value in found.items()}

    def creases(self, weights: Weights) -> Creases:
        """Of the skin between the halves of the face, on the first identity."""
        neutral = self.face.neutral(self.face.identities[0])[None, self.seam.vertices]
        moved = offsets(self.face, weights[::EVERY], self.seam)
        return self.seam.creases(moved + neutral, neutral)

    def upper_errors(
        self, made: Weights, performance: Weights, theirs: Creases
    ) -> dict[str, float]:
        """How the upper face follows a performance, and whether the face is whole between.

        Args:
            made: A take.
            performance: What it is to follow.
            theirs: ``creases`` of the performance.
        """
        one, other = (self.upper.motion(each) for each in (made, performance))
        own = self.creases(made)
        return {
            "U-MSE": float(metrics.mean_distance(one, other)),
            "creases": own.bends_at_borders / max(theirs.bends_at_borders, 1e-6),
            "stretches": own.stretches_at_borders / max(theirs.stretches_at_borders, 1e-6),
        }

    def style(self, made: Weights, reference: Performance) -> dict[str, float]:
        """How far a take's statistics lie from its reference's."""
        take = Performance.from_weights(made, self.fps)
        return {
            name: metrics.frechet(
                metrics.describe(take, self.face, upper=upper),
                metrics.describe(reference, self.face, upper=upper),
            )
            for name, upper in (("style distance", False), ("upper style distance", True))
        }

    def talk(
        self, made: Weights, real: Weights, pauses: Sequence[tuple[int, int]] = ()
    ) -> dict[str, float]:
        """How the lips' opening moves beside a person's: at the best lag within 80 ms.

        Args:
            made: A take.
            real: The person.
            pauses: First frame of each pause, and the first of the speech that ends it.
        """
        own, theirs = (each.astype(np.float64) @ self.face.lip_opening for each in (made, real))
        times = np.arange(len(real)) / self.fps
        best = agreement(times, theirs, times, own)
        found = {"lips follow": best.correlation}
        if pauses:
            found["pauses"], found["pauses of people"] = (
                float(np.mean([*paused.short, *paused.long]))
                for paused in (pausing(curve, pauses) for curve in (own, theirs))
            )
        own = np.interp(times + best.lag, times, own)
        for low, high in BANDS:
            bands = (in_band(curve, low, high) for curve in (own, theirs))
            found[f"lips follow {_band(low, high)}"] = correlation(*bands, flat=0.0)
        closures = closing(theirs, own)
        if closures.closures:  # else there is nothing to hit
            found["closures hit"] = closures.hit / closures.closures
            found["closures by chance"] = closures.by_chance / closures.closures
        moves = float(np.ptp(own)) > 1e-6
        found["nervousness"] = nervousness(own) / nervousness(theirs) if moves else 0.0
        return found

    def chance(self, takes: Sequence[Weights], real: Weights) -> dict[str, float]:
        """What noise alone changes."""
        motions = np.stack([self.lips.motion(take) for take in takes])
        best = metrics.mean_and_best(metrics.mean_distance, motions, self.lips.motion(real))[1]
        return {"diversity": metrics.diversity(motions), "best of takes": best}
