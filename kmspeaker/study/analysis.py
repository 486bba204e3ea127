"""What a study's ratings say, before and after screening.

Place in the flow: ``store`` or ``simulation`` -> ``Responses`` -> here -> ``report``. The unit of
every test is a participant; training and attention checks are in none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kmspeaker import __version__
from kmspeaker.errors import InputError
from kmspeaker.study.agreement import Metric, krippendorffs_alpha, mean_pairwise_pearson
from kmspeaker.study.design import Design
from kmspeaker.study.mixed_model import MixedModel, fit_mixed_model
from kmspeaker.study.power import participants_needed
from kmspeaker.study.preference import bradley_terry, likelihood_ratio
from kmspeaker.study.responses import Ratings, Responses, keys_of
from kmspeaker.study.screening import Exclusion, screen
from kmspeaker.study.statistics import (
    DRAWS,
    Comparison,
    Draws,
    Friedman,
    Interval,
    blocks_of,
    compare_all,
    compare_with_zero,
    friedman_test,
    interval_of,
    mean_ranks,
    means,
    medians,
    resamples,
)

LEAST_PARTICIPANTS = 2


@dataclass(frozen=True)
class ConditionResult:
    """One condition, over all items and participants."""

    name: str
    ratings: int
    mean: Interval
    median: Interval
    rank: Interval
    """Among the conditions of its page, 1 the best; of ACR, of its item."""
    items: Mapping[str, float]
    """Its mean on each item."""


@dataclass(frozen=True)
class Strength:
    """One condition of a pairwise study."""

    name: str
    log_strength: Interval
    """Bradley-Terry, mean 0: preferred with odds ``exp`` of the difference."""
    preferred: Interval
    """Share of its comparisons in which it was preferred; a tie is half."""


@dataclass(frozen=True)
class Agreement:
    """How far participants agree."""

    pearson: float
    """Mean over every two of them; the paper reports 0.88 for lips and 0.57 for style."""
    alpha: float
    """Krippendorff's."""
    metric: Metric


@dataclass(frozen=True)
class Outcome:
    """The results of some participants."""

    participants: tuple[int, ...]
    ratings: int
    conditions: tuple[ConditionResult, ...]
    """Empty of a pairwise study."""
    strengths: tuple[Strength, ...]
    """Empty of any other."""
    friedman: Friedman | None
    """None of a pairwise study, and of two conditions, which one comparison compares."""
    equal_strengths: tuple[float, float] | None
    """Chi-squared and p that all strengths are equal; None of any but a pairwise study."""
    comparisons: tuple[Comparison, ...]
    needed: Mapping[str, int | None]
    """Participants the next study needs to find each difference (``one|other``) with 80 % power."""
    mixed_model: MixedModel | None
    agreement: Agreement


@dataclass(frozen=True)
class Analysis:
    """Everything a report shows."""

    design: Design
    digest: str
    version: str
    everybody: Outcome
    exclusions: tuple[Exclusion, ...]
    screened: Outcome | None
    """Without those excluded; None where nobody is, or too few are left."""

    @property
    def best(self) -> Outcome:
        """What a paper reports: after screening, where there was any."""
        return self.everybody if self.screened is None else self.screened


def analyse(design: Design, responses: Responses, *, draws: int = DRAWS, seed: int = 0) -> Analysis:
    """Analyse a study.

    Args:
        design: The study.
        responses: What was answered.
        draws: Bootstrap resamples.
        seed: Of the resamples.

    Raises:
        InputError: Fewer than two participants have rated an item in full.
    """
    exclusions = screen(design, responses)
    everybody = _outcome(design, responses, draws, seed)
    excluded = {each.participant for each in exclusions}
    kept = [number for number in responses.numbers() if number not in excluded]
    screened = None
    if excluded and _whole(design, responses.of(kept)) >= LEAST_PARTICIPANTS:
        screened = _outcome(design, responses.of(kept), draws, seed)
    return Analysis(design, design.digest(), __version__, everybody, exclusions, screened)


def _whole(design: Design, responses: Responses) -> int:
    """Participants who have rated at least one item in full."""
    whole = np.isfinite(responses.matrix(design)).all(axis=2)  # (participants, items)
    return int((whole.sum(axis=1) > 0).sum())


def _outcome(design: Design, responses: Responses, draws: int, seed: int) -> Outcome:
    matrix = responses.matrix(design)
    if _whole(design, responses) < LEAST_PARTICIPANTS:
        raise InputError(
            f"Got {_whole(design, responses)} participants who have rated an item in full; an "
            f"analysis needs {LEAST_PARTICIPANTS} or more."
        )
    names = keys_of(design)
    again = resamples(*matrix.shape[:2], draws=draws, seed=seed)
    pairwise = design.protocol.kind == "pairwise"
    if pairwise:  # a preference for the first is -1 on the scale, and above zero here
        pairs = design.pairs()
        comparisons = compare_with_zero(-matrix, pairs, again)
    else:
        comparisons = compare_all(matrix, names, again)
    blocks, _ = blocks_of(matrix)
    wins = _wins(design, matrix) if pairwise else None
    return Outcome(
        participants=responses.numbers(),
        ratings=int(np.isfinite(matrix).sum()),
        conditions=() if pairwise else _conditions(design, matrix, again),
        strengths=() if wins is None else _strengths(design, wins, again),
        friedman=None if pairwise or len(names) < 3 else friedman_test(blocks),
        equal_strengths=None if wins is None else likelihood_ratio(wins.sum(axis=(0, 1))),
        comparisons=tuple(comparisons),
        needed={
            f"{each.one}|{each.other}": participants_needed(each.d_z, comparisons=len(comparisons))
            for each in comparisons
        },
        mixed_model=None if pairwise else fit_mixed_model(matrix, names),
        agreement=_agreement(design, matrix),
    )


def _conditions(design: Design, matrix: Ratings, again: Draws) -> tuple[ConditionResult, ...]:
    per_item = _nanmean(matrix, 0)  # (items, conditions)
    figures = zip(
        means(matrix, again), medians(matrix, again), mean_ranks(matrix, again), strict=True
    )
    return tuple(
        ConditionResult(
            name=design.rated[k],
            ratings=int(np.isfinite(matrix[..., k]).sum()),
            mean=mean,
            median=median,
            rank=rank,
            items={item.name: float(per_item[i, k]) for i, item in enumerate(design.items)},
        )
        for k, (mean, median, rank) in enumerate(figures)
    )


def _strengths(design: Design, wins: np.ndarray, again: Draws) -> tuple[Strength, ...]:
    """From wins ``(participants, items, conditions, conditions)``."""
    total = wins.sum(axis=(0, 1))
    people = len(wins)
    over_people = (again.participants @ wins.reshape(people, -1)).reshape(-1, *wins.shape[1:])
    drawn = np.einsum("di,dijk->djk", again.items, over_people)
    strengths, resampled = bradley_terry(total), bradley_terry(drawn)

    def share(counts: np.ndarray) -> np.ndarray:
        played = (counts + np.swapaxes(counts, -1, -2)).sum(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return counts.sum(axis=-1) / played

    shares, drawn_shares = share(total), share(drawn)
    return tuple(
        Strength(
            name=name,
            log_strength=interval_of(float(strengths[k]), resampled[:, k]),
            preferred=interval_of(float(shares[k]), drawn_shares[:, k]),
        )
        for k, name in enumerate(design.rated)
    )


def _wins(design: Design, matrix: Ratings) -> np.ndarray:
    """``(participants, items, conditions, conditions)``, half a win each for a tie."""
    count = len(design.rated)
    wins = np.zeros((*matrix.shape[:2], count, count))
    for k, (one, other) in enumerate(design.pairs()):
        a, b = design.rated.index(one), design.rated.index(other)
        given = np.isfinite(matrix[..., k])
        wins[..., a, b] = np.where(given, (1 - matrix[..., k]) / 2, 0.0)
        wins[..., b, a] = np.where(given, (1 + matrix[..., k]) / 2, 0.0)
    return wins


def _agreement(design: Design, matrix: Ratings) -> Agreement:
    flat = matrix.reshape(len(matrix), -1)
    metrics: Mapping[str, Metric] = {
        "mushra": "interval",
        "acr": "ordinal",
        "pairwise": "ordinal",
    }
    metric = metrics[design.protocol.kind]
    return Agreement(mean_pairwise_pearson(flat), krippendorffs_alpha(flat, metric), metric)


def _nanmean(values: np.ndarray, axis: int) -> np.ndarray:
    given = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(given, values, 0.0).sum(axis=axis) / given.sum(axis=axis)


def significant(comparisons: Sequence[Comparison], alpha: float = 0.05) -> list[Comparison]:
    """Those whose corrected p is below a level."""
    return [each for each in comparisons if each.p_holm < alpha]
