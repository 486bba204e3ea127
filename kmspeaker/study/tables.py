"""The tables of an analysis: each once as rows, then as CSV, LaTeX or HTML.

Place in the flow: ``analysis`` -> here -> ``report``.
"""

from collections.abc import Sequence

from kmspeaker.evaluation.table import Table, number_words, p_words
from kmspeaker.study.analysis import Analysis, Outcome
from kmspeaker.study.statistics import Interval


def outcome_tables(analysis: Analysis, outcome: Outcome, suffix: str = "") -> list[Table]:
    """Every table of one outcome; ``suffix`` is put to the names of its files."""
    made = [_conditions(analysis, outcome), _strengths(analysis, outcome)]
    made += [_comparisons(analysis, outcome), _mixed(analysis, outcome), _items(analysis, outcome)]
    return [Table(f"{t.name}{suffix}", t.title, t.headings, t.rows, t.note) for t in made if t.rows]


def exclusion_table(analysis: Analysis) -> Table:
    """Who was left out, by which rule, and why."""
    return Table(
        "exclusions",
        "Participants left out by screening",
        ("participant", "rule", "reason"),
        tuple((str(e.participant), e.rule, e.reason) for e in analysis.exclusions),
        "" if analysis.exclusions else "Nobody broke a rule.",
    )


def interval_words(interval: Interval, digits: int = 1) -> str:
    """``61.2 [57.0, 65.1]``."""
    value, low, high = (
        number_words(x, digits) for x in (interval.value, interval.low, interval.high)
    )
    return f"{value} [{low}, {high}]"


def _conditions(analysis: Analysis, outcome: Outcome) -> Table:
    design = analysis.design
    digits = 1 if design.protocol.kind == "mushra" else 2
    return Table(
        "conditions",
        "Ratings by condition",
        ("condition", "mean", "median", "mean rank", "ratings"),
        tuple(
            (
                design.label(each.name),
                interval_words(each.mean, digits),
                interval_words(each.median, digits),
                interval_words(each.rank, 2),
                str(each.ratings),
            )
            for each in outcome.conditions
        ),
        "95 % bootstrap intervals over participants and items; rank 1 is the best.",
    )


def _strengths(analysis: Analysis, outcome: Outcome) -> Table:
    return Table(
        "strengths",
        "Strengths by the Bradley-Terry model",
        ("condition", "log strength", "preferred"),
        tuple(
            (
                analysis.design.label(each.name),
                interval_words(each.log_strength, 2),
                interval_words(each.preferred, 2),
            )
            for each in outcome.strengths
        ),
        "95 % bootstrap intervals over participants and items; a tie is half a win for each.",
    )


def _comparisons(analysis: Analysis, outcome: Outcome) -> Table:
    design = analysis.design
    rows = []
    for each in outcome.comparisons:
        needed = outcome.needed[f"{each.one}|{each.other}"]
        rows.append(
            (
                f"{design.label(each.one)}, {design.label(each.other)}",
                interval_words(each.difference, 2),
                f"{each.statistic:g}",
                p_words(each.p),
                p_words(each.p_holm),
                f"{each.rank_biserial:.2f}",
                f"{each.d_z:.2f}",
                "-" if needed is None else str(needed),
            )
        )
    return Table(
        "comparisons",
        "Every two conditions",
        ("comparison", "difference", "W", "p", "p (Holm)", "r", "d_z", "needed"),
        tuple(rows),
        "Wilcoxon's signed rank test on participants' means; r is the matched-pairs rank-biserial "
        "correlation (above 0 for the first), d_z the mean difference over the standard deviation "
        "of differences; needed are participants with whom the next study finds the difference "
        "with 80 % power, if it is as large as here.",
    )


def _mixed(analysis: Analysis, outcome: Outcome) -> Table:
    model = outcome.mixed_model
    if model is None:
        return Table("mixed_model", "", (), ())
    design = analysis.design
    note = f" Of the fit: {model.note}." if model.note else ""
    return Table(
        "mixed_model",
        "Linear mixed model",
        ("condition", "estimate", "standard error", "p"),
        tuple(
            (design.label(e.name), f"{e.estimate:.2f}", f"{e.error:.2f}", p_words(e.p))
            for e in model.effects
        ),
        f"Against {design.label(model.baseline)}; items are fixed, participants and their tastes "
        f"random. All together: Wald chi-squared({model.degrees}) = {model.wald:.1f}, p "
        f"{_equals(model.p)}.{note}",
    )


def _items(analysis: Analysis, outcome: Outcome) -> Table:
    design = analysis.design
    if not outcome.conditions:
        return Table("items", "", (), ())
    return Table(
        "items",
        "Mean rating of each item",
        ("item", *(design.label(each.name) for each in outcome.conditions)),
        tuple(
            (
                item.name,
                *(number_words(each.items[item.name]) for each in outcome.conditions),
            )
            for item in design.items
        ),
    )


def findings(outcome: Outcome) -> Sequence[str]:
    """The tests that are of no table, one sentence each."""
    lines = []
    if outcome.friedman is not None:
        test = outcome.friedman
        lines.append(
            f"Friedman's test: chi-squared({test.degrees}) = {test.statistic:.2f}, p "
            f"{_equals(test.p)}, Kendall's W = {test.kendalls_w:.2f}, {test.blocks} participants."
        )
    if outcome.equal_strengths is not None:
        statistic, p = outcome.equal_strengths
        lines.append(
            f"Equal strengths: likelihood ratio {statistic:.2f}, p {_equals(p)}; it counts every "
            "comparison as independent."
        )
    agreement = outcome.agreement
    lines.append(
        f"Agreement: mean pairwise Pearson {number_words(agreement.pearson, 2)}, Krippendorff's "
        f"alpha ({agreement.metric}) {number_words(agreement.alpha, 2)}."
    )
    return lines


def _equals(p: float) -> str:
    words = p_words(p)
    return words if words.startswith("<") else f"= {words}"
