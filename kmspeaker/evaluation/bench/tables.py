"""The tables of a comparison.

Place in the flow: ``comparison`` -> here -> ``page``.
"""

from collections.abc import Mapping, Sequence

from kmspeaker.evaluation.bench.comparison import ALPHA, Comparison
from kmspeaker.evaluation.bench.facts import Facts
from kmspeaker.evaluation.bench.outside import notes
from kmspeaker.evaluation.bench.paper import TABLES
from kmspeaker.evaluation.bootstrap import Estimate
from kmspeaker.evaluation.judge import MEASURES
from kmspeaker.evaluation.table import Table, number_words, p_words

TITLES: Mapping[str, str] = {
    "matching-corpus": "Matching context (Table 1), rule-made motion of held-out actors",
    "matching-clips": "Matching context (Table 1), real people",
    "localization-corpus": "Dialogue localization (Table 2), rule-made motion of held-out actors",
    "localization-clips": "Dialogue localization (Table 2), real people",
    "cross-corpus": "Cross context, rule-made motion of held-out actors",
    "cross-clips": "Cross context, real people",
    "people-clips": "Lips beside those of real people",
}
MAIN: Mapping[str, tuple[str, ...]] = {
    "matching": ("LVE mean", "LVE max", "MSE", "MOD", "FDD", "style distance"),
    "localization": ("U-MSE", "LVE mean", "LVE max", "creases", "amplitude"),
    "cross": (
        *("style distance", "style found", "state read"),
        *("LVE mean", "LVE mean in the own style", "kept"),
    ),
    "people": (
        *("lips follow", "lips follow below 1.5 Hz", "lips follow 1.5 to 4 Hz"),
        *("lips follow 4 to 8 Hz", "closures hit", "closures by chance", "nervousness"),
    ),
}
"""Columns of the first table of each protocol; what else is measured is in the second."""
_DIGITS = 3


def tables_of(comparison: Comparison, seeds: int) -> list[Table]:
    """The table, that of all further formulas, the paper's own and the tests; of so many seeds."""
    trials = comparison.trials
    main = [m for m in MAIN[trials.protocol] if m in comparison.estimates]
    further = [m for m in comparison.estimates if m not in main]
    title = TITLES[trials.key]
    tables = [_figures(comparison, trials.key, title, main, seeds)]
    if trials.protocol in TABLES:
        tables.append(TABLES[trials.protocol])
    if further:
        tables.append(
            _figures(comparison, f"{trials.key}-further", f"{title}: further", further, seeds)
        )
    if len(comparison.systems) > 1:
        tables.append(_tests(comparison, title, [*main, *further]))
    return tables


def _figures(
    comparison: Comparison, name: str, title: str, measures: Sequence[str], seeds: int
) -> Table:
    rows = tuple(
        (system, *(_cell(comparison, measure, system) for measure in measures))
        for system in comparison.systems
    )
    trials = comparison.trials
    definitions = "; ".join(f"{m}: {MEASURES[m].definition}" for m in measures)
    note = (
        f"{trials.on}; {seeds} seeds. Means and 95 % bootstrap intervals over people, then "
        f"their trials. Against {comparison.systems[0]} by Wilcoxon's signed rank over trials, "
        f"Holm-corrected over systems: - is worse, + is better (p < {ALPHA:g}). {definitions}."
    )
    note = " ".join([note, *notes(comparison.systems)])
    return Table(name, title, ("system", *map(heading, measures)), rows, note)


def heading(measure: str) -> str:
    """A measure with its unit, and an arrow where more is better."""
    known = MEASURES[measure]
    unit = f" ({known.unit})" if known.unit else ""
    good = {"higher": ", higher is better", "near 1": ", 1 is best", "near 0": ", 0 is best"}
    return f"{measure}{unit}{good.get(known.better, '')}"


def _cell(comparison: Comparison, measure: str, system: str) -> str:
    test = comparison.tests[measure].get(system)
    return estimate_words(comparison.estimates[measure][system]) + (test.mark if test else "")


def estimate_words(estimate: Estimate) -> str:
    """``0.771 [0.702, 0.839]``, a dash where nothing was measured."""
    if not estimate.items:
        return "-"
    numbers = (number_words(x, _DIGITS) for x in (estimate.value, estimate.low, estimate.high))
    return "{} [{}, {}]".format(*numbers)


def _tests(comparison: Comparison, title: str, measures: Sequence[str]) -> Table:
    first, *others = comparison.systems
    rows = []
    for measure in measures:
        tests = comparison.tests[measure]
        cells = (
            f"{p_words(tests[o].p_holm)} ({tests[o].better:+.2f})" if o in tests else "-"
            for o in others
        )
        rows.append((measure, *cells))
    return Table(
        f"{comparison.trials.key}-tests",
        f"{title}: {first} against the others",
        ("measure", *others),
        tuple(rows),
        "p of Wilcoxon's signed rank, Holm-corrected over systems, and the rank-biserial "
        f"correlation: above 0 where {first} is better. Trials of one person count as independent "
        "here; the intervals above do not take them so.",
    )


def facts_table(facts: Mapping[str, Facts]) -> Table:
    """Size and speed of every system."""
    return Table(
        "systems",
        "Size, speed and memory",
        ("system", "weights", "parameters", "real-time factor", "peak memory (MB)"),
        tuple(
            (
                name,
                each.version,
                f"{each.parameters:,}",
                f"{each.real_time_factor:.3f}",
                f"{each.peak_megabytes:.0f}",
            )
            for name, each in facts.items()
        ),
        "Real-time factor: seconds for a second of motion from speech features, one seed and one "
        "thread, the best of three takes of 10 s. Peak memory is that of a fresh process, with the "
        "program itself (torch, the rig). Rivals have no learnt numbers of their own.",
    )
