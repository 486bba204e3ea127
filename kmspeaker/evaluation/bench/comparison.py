"""Systems beside each other on one set of trials: means, intervals over people, paired tests.

Place in the flow: ``results`` -> here -> ``tables`` and ``figures``. The first system is the one
that all others are tested against, by Wilcoxon's signed rank over the trials that both have, with
Holm's correction over systems.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kmspeaker.evaluation.bench.results import Answers
from kmspeaker.evaluation.bench.trials import TrialSet
from kmspeaker.evaluation.bootstrap import Estimate, clustered_mean
from kmspeaker.evaluation.judge import MEASURES
from kmspeaker.evaluation.paired_tests import holm, rank_biserial, signed_rank

ALPHA = 0.01
"""The paper's (Sec. 5.1)."""


@dataclass(frozen=True)
class PairedTest:
    """The first system against another."""

    p_holm: float
    better: float
    """Rank-biserial correlation, -1 to 1: above 0 where the first system is better."""
    trials: int

    @property
    def mark(self) -> str:
        """What a table says of the other: worse, better, or nothing that is sure."""
        if self.p_holm >= ALPHA or self.better == 0:
            return ""
        return " -" if self.better > 0 else " +"


@dataclass(frozen=True)
class Comparison:
    """All systems on one set."""

    trials: TrialSet
    answers: tuple[Answers, ...]
    estimates: Mapping[str, Mapping[str, Estimate]]
    """By measure and system."""
    tests: Mapping[str, Mapping[str, PairedTest]]
    """By measure and system, of all but the first."""

    @property
    def systems(self) -> tuple[str, ...]:
        """In their order; the first is tested against the others."""
        return tuple(each.system for each in self.answers)


def compare(trials: TrialSet, answers: Sequence[Answers]) -> Comparison:
    """Figures of every measure that some system has."""
    names = [trial.name for trial in trials.trials]
    people = [trial.person for trial in trials.trials]
    measures = [m for m in MEASURES if any(m in each.values for each in answers)]
    estimates: dict[str, dict[str, Estimate]] = {}
    tests: dict[str, dict[str, PairedTest]] = {}
    for measure in measures:
        vectors = {each.system: each.vector(measure, names) for each in answers}
        estimates[measure] = {
            system: clustered_mean(values, people) for system, values in vectors.items()
        }
        tests[measure] = _tests(measure, vectors)
    return Comparison(trials, tuple(answers), estimates, tests)


def cost(measure: str, values: np.ndarray) -> np.ndarray:
    """Values of a measure so that less is better."""
    better = MEASURES[measure].better
    if better == "higher":
        return -values
    if better == "near 1":
        return np.abs(values - 1)
    return np.abs(values) if better == "near 0" else values


def _tests(measure: str, vectors: Mapping[str, np.ndarray]) -> dict[str, PairedTest]:
    (_, first), *others = vectors.items()
    found: dict[str, tuple[float, float, int]] = {}
    for system, values in others:
        both = np.isfinite(first) & np.isfinite(values)
        if both.sum() < 2:
            continue
        apart = cost(measure, values[both]) - cost(measure, first[both])
        _, p = signed_rank(apart)
        found[system] = float(p), rank_biserial(apart), int(both.sum())
    corrected = holm(np.array([p for p, _, _ in found.values()]))
    return {
        system: PairedTest(float(p), better, count)
        for (system, (_, better, count)), p in zip(found.items(), corrected, strict=True)
    }
