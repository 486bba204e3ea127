"""The table: figures, what they are to reach, and how it is written for people and for the card."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from kmspeaker.evaluation.bootstrap import Estimate

Unit = Literal["", "mm", "%", "ms", "degrees"]
DIGITS: Mapping[Unit, int] = {"": 2, "mm": 2, "%": 1, "ms": 0, "degrees": 2}
CARD_SECTION = "Quality, measured"


@dataclass(frozen=True)
class Target:
    """What a figure is to reach, both ends allowed."""

    least: float = -math.inf
    most: float = math.inf

    def reached(self, value: float) -> bool:
        """Whether a figure does; what could not be measured does not."""
        return self.least <= value <= self.most


@dataclass(frozen=True)
class Finding:
    """One line of the table."""

    figure: str
    estimate: Estimate
    unit: Unit = ""
    of: str = "clips"
    """What the estimate's items are."""
    target: Target | None = None
    """None for a rival, or what the data itself does."""


@dataclass(frozen=True)
class Part:
    """What one module has measured."""

    title: str
    on: str
    """The data, in a few words."""
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    each: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Values of single items, by contestant and item."""


@dataclass(frozen=True)
class Report:
    """All that one run has measured."""

    model: str
    steps: int
    """Of the sampler."""
    corpus: str
    parts: Mapping[str, Part]


def heading(report: Report) -> str:
    """Whose table it is."""
    return f"{report.model}, {report.steps} steps of the sampler, {report.corpus}\n"


def table(name: str, part: Part) -> str:
    """A part for a terminal."""
    lines = ["", f"{name}: {part.title} ({part.on})"]
    for finding in part.findings:
        lines.append(
            f"  {finding.figure:64s} {_value(finding):>26s}  {_items(finding):>16s}  "
            f"{_verdict(finding)}".rstrip()
        )
    return "\n".join([*lines, *(f"  {note}" for note in part.notes)]) + "\n"


def markdown(report: Report) -> str:
    """The report for the model's card."""
    lines = [
        f"By `python -m kmspeaker.evaluation`, {report.steps} steps of the sampler, "
        f"{report.corpus}. Medians, shares and ratios with 95 % bootstrap intervals. Rows without "
        "a target are rivals, or what the data itself does.",
        "",
        *("| figure | | of | target | |", "|---|---|---|---|---|"),
    ]
    for part in report.parts.values():
        lines.append(f"| **{part.title}** ({part.on}) | | | | |")
        for finding in part.findings:
            target = "" if finding.target is None else _goal(finding.target, finding.unit)
            lines.append(
                f"| {finding.figure} | {_value(finding)} | {_items(finding)} | {target} | "
                f"{_answer(finding)} |"
            )
    notes = [note for part in report.parts.values() for note in part.notes]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)]).rstrip()


def missed(report: Report) -> Sequence[str]:
    """Figures with a target that is not reached."""
    return [
        f"{part.title}: {finding.figure}"
        for part in report.parts.values()
        for finding in part.findings
        if finding.target is not None and not finding.target.reached(finding.estimate.value)
    ]


def _value(finding: Finding) -> str:
    known = finding.estimate
    value, low, high = (
        _number(number, finding.unit) for number in (known.value, known.low, known.high)
    )
    if not known.items:
        return "not measured"
    return f"{value}{_suffix(finding.unit)} [{low}, {high}]"


def _items(finding: Finding) -> str:
    return f"{finding.estimate.items} {finding.of}"


def _verdict(finding: Finding) -> str:
    if finding.target is None:
        return ""
    return f"{_goal(finding.target, finding.unit)}: {_answer(finding)}"


def _answer(finding: Finding) -> str:
    if finding.target is None:
        return ""
    return "reached" if finding.target.reached(finding.estimate.value) else "missed"


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
