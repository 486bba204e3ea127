"""Who is left out of an analysis, by which rule, and why.

Place in the flow: ``analysis`` calls it and reports results with and without those it names. Each
rule is the design's, fixed before anybody has rated; see ``design.Screening``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kmspeaker.study.agreement import pearson
from kmspeaker.study.design import Design
from kmspeaker.study.plan import plan
from kmspeaker.study.responses import Responses, Row, keys_of


@dataclass(frozen=True)
class Exclusion:
    """One participant and one rule; who breaks two has two of these."""

    participant: int
    rule: str
    """As the design's ``screening`` names it."""
    reason: str
    """A sentence with the numbers."""


def screen(design: Design, responses: Responses) -> tuple[Exclusion, ...]:
    """Every participant who breaks a rule, by participant and rule."""
    found = [
        *_by_role(design, responses),
        *_by_checks(design, responses),
        *_by_ratings(design, responses),
        *_by_pages(design, responses),
    ]
    return tuple(sorted(found, key=lambda each: (each.participant, each.rule)))


def failed_checks(design: Design, responses: Responses, participant: int) -> int:
    """Attention checks that were answered outside their range."""
    failed = 0
    for row in responses.ratings:
        if row["participant"] == participant and row["kind"] == "check":
            check = plan(design, participant)[row["position"]].check
            assert check is not None
            failed += not check.low <= row["value"] <= check.high
    return failed


def _by_role(design: Design, responses: Responses) -> Iterator[Exclusion]:
    """Rules on hidden references and anchors; of a share of items, as BS.1534-3 has it."""
    rules = design.screening
    if design.protocol.kind == "pairwise":
        return
    matrix = responses.matrix(design)
    keys = keys_of(design)
    anchors = [keys.index(name) for name in design.of_role("anchor")]
    references = [keys.index(name) for name in design.of_role("reference")]
    systems = [keys.index(name) for name in design.of_role("system")]
    for participant, own in zip(responses.numbers(), matrix, strict=True):  # (items, conditions)
        rated = own[np.isfinite(own).all(axis=1)]
        if not len(rated):
            continue
        tests: list[tuple[str, np.ndarray, float, str]] = []
        if rules.hidden_reference_below is not None:
            low = (rated[:, references] < rules.hidden_reference_below).any(axis=1)
            words = f"a hidden reference below {rules.hidden_reference_below:g}"
            tests.append(("hidden_reference_below", low, rules.share, words))
        if rules.anchor_above is not None:
            high = (rated[:, anchors] > rules.anchor_above).any(axis=1)
            tests.append(
                ("anchor_above", high, rules.share, f"an anchor above {rules.anchor_above:g}")
            )
        if rules.anchor_over_systems is not None:
            over = rated[:, anchors].max(axis=1) > rated[:, systems].mean(axis=1)
            words = "an anchor above the mean of the systems"
            tests.append(("anchor_over_systems", over, rules.anchor_over_systems, words))
        for rule, broken, allowed, words in tests:
            if broken.mean() > allowed:
                yield Exclusion(
                    participant,
                    rule,
                    f"rated {words} in {broken.sum()} of {len(broken)} items; more than "
                    f"{allowed:.0%} are too many",
                )


def _by_checks(design: Design, responses: Responses) -> Iterator[Exclusion]:
    most = design.screening.failed_checks
    if most is None:
        return
    for participant in responses.numbers():
        failed = failed_checks(design, responses, participant)
        if failed >= most:
            yield Exclusion(
                participant,
                "failed_checks",
                f"failed {failed} of {len(design.attention)} attention checks; {most} is too many",
            )


def _by_ratings(design: Design, responses: Responses) -> Iterator[Exclusion]:
    rules = design.screening
    matrix = responses.matrix(design)
    flat = matrix.reshape(len(matrix), matrix.shape[1] * matrix.shape[2])
    for k, participant in enumerate(responses.numbers()):
        spread = float(np.nanstd(flat[k]))
        if rules.least_spread is not None and spread < rules.least_spread:
            yield Exclusion(
                participant,
                "least_spread",
                f"has ratings with a standard deviation of {spread:.1f}; {rules.least_spread:g} is "
                "the least",
            )
        if rules.least_correlation is None or len(flat) < 3:
            continue
        others = np.delete(flat, k, axis=0)
        given = np.isfinite(others)
        with np.errstate(invalid="ignore"):
            mean = np.where(given, others, 0.0).sum(axis=0) / given.sum(axis=0)
        value = pearson(flat[k], mean)
        if value is None or value < rules.least_correlation:
            shown = "no correlation" if value is None else f"a correlation of {value:.2f}"
            yield Exclusion(
                participant,
                "least_correlation",
                f"has {shown} with the mean of the others; {rules.least_correlation:g} is the "
                "least",
            )


def _by_pages(design: Design, responses: Responses) -> Iterator[Exclusion]:
    rules = design.screening
    for participant in responses.numbers():
        own = [row for row in responses.ratings if row["participant"] == participant]
        rated = [row for row in own if row["kind"] == "rating"]
        asked = sum(len(p.rated) for p in plan(design, participant) if p.kind == "rating")
        share = len(rated) / asked
        if rules.least_complete is not None and share < rules.least_complete:
            yield Exclusion(
                participant,
                "least_complete",
                f"rated {len(rated)} of {asked} stimuli; {rules.least_complete:.0%} is the least",
            )
        seconds = float(np.median(list(_page_seconds(rated).values())))
        if rules.least_seconds is not None and seconds < rules.least_seconds:
            yield Exclusion(
                participant,
                "least_seconds",
                f"took {seconds:.1f} s for half of the pages; {rules.least_seconds:g} s is the "
                "least",
            )


def _page_seconds(ratings: list[Row]) -> dict[int, float]:
    """By page, until its last rating was made."""
    seconds: dict[int, float] = {}
    for row in ratings:
        seconds[row["position"]] = max(row["seconds"], seconds.get(row["position"], 0.0))
    return seconds
