"""Figures with intervals, the table, and the one command."""

import json

import numpy as np
import pytest
from evaluation_data import context_of, performed_corpus

from kmspeaker.errors import InputError
from kmspeaker.evaluation import __main__ as command
from kmspeaker.evaluation.__main__ import evaluate, main
from kmspeaker.evaluation.bootstrap import Estimate, bootstrap, median, ratio, significance
from kmspeaker.evaluation.report import (
    Finding,
    Part,
    Report,
    Target,
    figures_that_are,
    markdown,
    table,
)


def report_of(*findings: Finding, rule_made: bool = False) -> Report:
    part = Part("lips", rule_made, "some clips", findings, notes=("A note.",))
    return Report("tiny@0", 3, "a corpus", {"lips": part})


def test_a_figure_lies_within_its_interval_and_more_items_narrow_it():
    values = np.random.default_rng(0).normal(1, 0.2, 400)
    few, many = median(values[:30]), median(values)
    for estimate in (few, many):
        assert estimate.low <= estimate.value <= estimate.high
    assert many.high - many.low < few.high - few.low
    assert median(values) == many


def test_a_ratio_is_of_sums():
    estimate = ratio([1.0, 3.0], [2.0, 2.0])
    assert estimate.value == 1 and estimate.items == 2
    assert (estimate.low, estimate.high) == (0.5, 1.5)


def test_nothing_gives_no_figure_and_decides_no_target():
    nothing = bootstrap(np.zeros((0, 2)), lambda samples: samples.sum(axis=(-1, -2)))
    assert nothing.items == 0 and np.isnan(nothing.value)
    report = report_of(Finding("closed", nothing, target=Target(least=0.0)))
    assert figures_that_are("undecided", report) == ["lips: closed"]
    assert not figures_that_are("reached", report)
    assert "not measured" in table("lips", report.parts["lips"])


def test_equal_numbers_do_not_differ():
    assert significance([1.0, 2.0], [1.0, 2.0]) == "no difference"
    higher = np.arange(20) + 1.0
    assert "p = 2e-06" in significance(higher, np.zeros(20))


@pytest.mark.parametrize(
    ("target", "low", "high", "verdict"),
    [
        (Target(least=0.84), 0.84, 0.88, "reached"),
        (Target(least=0.84), 0.79, 0.88, "undecided"),
        (Target(least=0.84), 0.79, 0.83, "missed"),
        (Target(most=0.10), 0.07, 0.10, "reached"),
        (Target(most=0.10), 0.07, 0.13, "undecided"),
        (Target(most=0.10), 0.11, 0.13, "missed"),
        (Target(-0.033, 0.033), -0.01, 0.03, "reached"),
        (Target(-0.033, 0.033), -0.01, 0.07, "undecided"),
        (Target(-0.033, 0.033), -0.05, 0.05, "undecided"),
        (Target(-0.033, 0.033), -0.07, -0.04, "missed"),
        (Target(-0.033, 0.033), 0.04, 0.07, "missed"),
    ],
)
def test_the_whole_interval_decides_not_the_figure(target, low, high, verdict):
    """Whatever the figure in it, on its line or not."""
    for value in (low, (low + high) / 2, high):
        report = report_of(Finding("figure", Estimate(value, low, high, 32), target=target))
        assert target.verdict(report.parts["lips"].findings[0].estimate) == verdict
        assert figures_that_are(verdict, report) == ["lips: figure"]
        assert table("lips", report.parts["lips"]).splitlines()[2].endswith(f": {verdict}")
        assert f"| {verdict} |" in markdown(report)


def test_figures_of_rule_made_motion_are_called_so():
    finding = Finding("error", median([0.4]), target=Target(most=0.35))
    real, rules = report_of(finding), report_of(finding, rule_made=True)
    assert figures_that_are("missed", rules) == ["lips, on rule-made motion: error"]
    for report, times in ((real, 0), (rules, 1)):
        assert table("lips", report.parts["lips"]).count("rule-made") == times
        assert markdown(report).count("**lips, on rule-made motion**") == times


def test_all_parts_but_those_of_real_speech_are_of_rule_made_motion(face, tmp_path):
    context = context_of(face, performed_corpus(tmp_path))
    parts = evaluate(context, [name for name in command.PARTS if name != "lips"], 2).parts
    rule_made = {name for name, part in parts.items() if part.rule_made}
    assert rule_made == {"localization", "disentanglement", "style", "seam"}
    rows = [row.figure for row in parts["phonetic_contacts"].findings if row.target is None]
    of_corpus = [name for name in rows if not name.startswith("without the silence filter: ")]
    assert len(of_corpus) == 4 and all("rule-made" in name for name in of_corpus)


def test_the_table_says_what_is_reached_in_its_own_unit():
    report = report_of(
        Finding(
            "share", ratio([9.0, 10.0], [10.0, 10.0]), "%", "clips, 20 p b m", Target(least=0.92)
        ),
        Finding("error", median([0.4]), "mm", "pairs", Target(most=0.35)),
        Finding("coherence", median([1.0]), "", "pairs", Target(0.9, 1.1)),
        Finding("rival", median([0.2])),
    )
    text = table("lips", report.parts["lips"])
    assert "95.0 % [90.0, 100.0]" in text and "at least 92.0 %: undecided" in text
    assert "at most 0.35 mm: missed" in text and "0.90 to 1.10: reached" in text
    assert figures_that_are("missed", report) == ["lips: error"]
    lines = markdown(report).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert all(line.count("|") == 6 for line in rows)
    assert "| error | 0.40 mm [0.40, 0.40] | 1 pairs | at most 0.35 mm | missed |" in rows
    assert lines[-1] == "- A note."


def test_one_command_measures_and_writes_the_card(face, tmp_path, monkeypatch, capsys):
    context = context_of(face, performed_corpus(tmp_path))
    monkeypatch.setattr(command.Pipeline, "load", lambda *a, **k: context.pipeline)
    card, report = tmp_path / "README.md", tmp_path / "report.json"
    card.write_text("# Model\n\n## Limits\n\nMany.\n")
    parts = ("phonetic_contacts", "localization", "disentanglement", "style", "seam")
    # Everything but real clips, which other tests have.
    monkeypatch.setattr(command, "PARTS", parts)
    monkeypatch.setattr(command.style, "TAKES", 2)
    arguments = ["--corpus", str(tmp_path), "--card", str(card), "--json", str(report)]
    assert main([*arguments, "--pairs", "2"]) == 0
    assert "upper-face error" in capsys.readouterr().out
    written = json.loads(report.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert set(written["parts"]) == set(parts)
    text = card.read_text()
    assert text.index("## Quality, measured") < text.index("## Limits")


def test_parts_are_measured_in_the_tables_order_and_unknown_ones_refused(face, tmp_path):
    context = context_of(face, performed_corpus(tmp_path))
    names: list[str] = []
    only = ("seam", "localization")
    report = evaluate(context, only, 2, lambda name, part: names.append(name))
    assert list(report.parts) == names == ["localization", "seam"]
    with pytest.raises(InputError, match="'brows'"):
        evaluate(context, ("brows",))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--only", "lips,phonetic_contacts", "--card", "README.md"], "whole table"),
        (["--card", "nowhere/README.md"], "no model card"),
        ([], "--clips"),
        (["--clips", "."], "LipNet_"),
        (["--only", "style"], "corpus.json"),
    ],
)
def test_what_cannot_be_measured_is_said(arguments, says, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["--corpus", str(tmp_path), *arguments]) == 2
    error = capsys.readouterr().err
    assert says in error and len(error.splitlines()) == 1


def test_a_model_of_another_encoder_is_refused(face, tmp_path):
    corpus = performed_corpus(tmp_path)
    foreign = corpus.__class__(**{**vars(corpus), "encoder": "hubert-base"})
    with pytest.raises(InputError, match="hubert-base"):
        context_of(face, foreign)
