"""The table of figures, intervals and targets, as text for a terminal and for the model's card."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from kmspeaker.evaluation.bootstrap import Estimate
from kmspeaker.media.files import replacing

Unit = Literal["", "mm", "%", "ms", "degrees"]
DIGITS: Mapping[Unit, int] = {"": 2, "mm": 2, "%": 1, "ms": 0, "degrees": 2}
Verdict = Literal["reached", "missed", "undecided"]
CARD_SECTION = "Quality, measured"


@dataclass(frozen=True)
class Target:
    """The range that a figure is to lie in, both ends included."""

    least: float = -math.inf
    most: float = math.inf

    def verdict(self, estimate: Estimate) -> Verdict:
        """By the whole 95 % interval: it lies in the range, outside it, or reaches over its line.

        What could not be measured is undecided.
        """
        if self.least <= estimate.low and estimate.high <= self.most:
            return "reached"
        if estimate.high < self.least or estimate.low > self.most:
            return "missed"
        return "undecided"


@dataclass(frozen=True)
class Finding:
    """One line of the table."""

    figure: str
    estimate: Estimate
    unit: Unit = ""
    of: str = "clips"
    """What the items of the estimate are."""
    target: Target | None = None
    """None for a rival, for what the data itself does, and for what only explains another row."""


@dataclass(frozen=True)
class Part:
    """The figures of one module."""

    title: str
    rule_made: bool
    """Whether the motion that it is measured on was made by the corpus's rules."""
    on: str
    """The data, in a few words."""
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    each: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Values of single items, by contestant and item."""

    @property
    def full_title(self) -> str:
        """The title, which says where a figure is of rule-made motion."""
        return f"{self.title}, on rule-made motion" if self.rule_made else self.title


@dataclass(frozen=True)
class Report:
    """The parts that one run has measured."""

    model: str
    steps: int
    """Of the sampler."""
    corpus: str
    parts: Mapping[str, Part]


def heading(report: Report) -> str:
    """The model, its sampler and its corpus in a line."""
    return f"{report.model}, {report.steps} steps of the sampler, {report.corpus}\n"


def table(name: str, part: Part) -> str:
    """A part for a terminal."""
    lines = ["", f"{name}: {part.full_title} ({part.on})"]
    for finding in part.findings:
        lines.append(
            f"  {finding.figure:64s} {_value(finding):>26s}  {_items(finding):>16s}  "
            f"{_goal_and_verdict(finding)}".rstrip()
        )
    return "\n".join([*lines, *(f"  {note}" for note in part.notes)]) + "\n"


def markdown(report: Report) -> str:
    """The report for the model's card."""
    lines = [
        f"By `python -m kmspeaker.evaluation`, {report.steps} steps of the sampler, "
        f"{report.corpus}. Medians, shares and ratios with 95 % bootstrap intervals. A target is "
        "reached if the whole interval is on its right side, missed if the whole interval is on "
        "the wrong side, and undecided if the interval reaches over its line. Rows without a "
        "target are rivals, what the data itself does, or explain the row above. Rule-made motion "
        "is that of the corpus: performances that our own rules made, not people.",
        "",
        *("| figure | | of | target | |", "|---|---|---|---|---|"),
    ]
    for part in report.parts.values():
        lines.append(f"| **{part.full_title}** ({part.on}) | | | | |")
        for finding in part.findings:
            target = "" if finding.target is None else _goal(finding.target, finding.unit)
            lines.append(
                f"| {finding.figure} | {_value(finding)} | {_items(finding)} | {target} | "
                f"{_verdict(finding)} |"
            )
    notes = [note for part in report.parts.values() for note in part.notes]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)]).rstrip()


def figures_that_are(verdict: Verdict, report: Report) -> Sequence[str]:
    """Titles and names of the figures of one verdict."""
    return [
        f"{part.full_title}: {finding.figure}"
        for part in report.parts.values()
        for finding in part.findings
        if _verdict(finding) == verdict
    ]


def _value(finding: Finding) -> str:
    estimate = finding.estimate
    if not estimate.items:
        return "not measured"
    value, low, high = (
        _number(number, finding.unit) for number in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value}{_suffix(finding.unit)} [{low}, {high}]"


def _items(finding: Finding) -> str:
    return f"{finding.estimate.items} {finding.of}"


def _goal_and_verdict(finding: Finding) -> str:
    if finding.target is None:
        return ""
    return f"{_goal(finding.target, finding.unit)}: {_verdict(finding)}"


def _verdict(finding: Finding) -> Verdict | Literal[""]:
    return "" if finding.target is None else finding.target.verdict(finding.estimate)


def _goal(target: Target, unit: Unit) -> str:
    least, most = _number(target.least, unit), _number(target.most, unit)
    if math.isinf(target.most):
        return f"at least {least}{_suffix(unit)}"
    if math.isinf(target.least):
        return f"at most {most}{_suffix(unit)}"
    return f"{least} to {most}{_suffix(unit)}"


def _number(value: float, unit: Unit) -> str:
    if math.isinf(value):
        return ""
    scaled = {"%": 100, "ms": 1000}.get(unit, 1) * value
    return f"{scaled:.{DIGITS[unit]}f}"


def _suffix(unit: Unit) -> str:
    return f" {unit}" if unit else ""


def write_json(figures: Report | Mapping[str, Part], path: Path) -> None:
    """Figures for programs; JSON knows neither infinity nor what is not a number: null.

    Raises:
        InputError: The file cannot be written there.
    """
    parts = (
        asdict(figures)
        if isinstance(figures, Report)
        else {name: asdict(part) for name, part in figures.items()}
    )
    plain = json.loads(json.dumps(parts), parse_constant=lambda _: None)
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(plain, indent=1) + "\n")
