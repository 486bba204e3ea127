"""Figures with intervals, the table, and the one command."""

import json

import numpy as np
import pytest
from judged import performed_corpus, subject_of

from kmspeaker.errors import InputError
from kmspeaker.evaluation import __main__ as command
from kmspeaker.evaluation.__main__ import evaluate, main
from kmspeaker.evaluation.bootstrap import bootstrap, median, ratio, significance
from kmspeaker.evaluation.report import Finding, Part, Report, Target, markdown, missed, table


def report_of(*findings: Finding) -> Report:
    part = Part("lips", "some clips", findings, notes=("A note.",))
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


def test_nothing_gives_no_figure_and_no_figure_reaches_no_target():
    nothing = bootstrap(np.zeros((0, 2)), lambda drawn: drawn.sum(axis=(-1, -2)))
    assert nothing.items == 0 and np.isnan(nothing.value)
    report = report_of(Finding("closed", nothing, target=Target(least=0.0)))
    assert missed(report) == ["lips: closed"]
    assert "not measured" in table("lips", report.parts["lips"])


def test_equal_numbers_do_not_differ():
    assert significance([1.0, 2.0], [1.0, 2.0]) == "no difference"
    higher = np.arange(20) + 1.0
    assert "p = 2e-06" in significance(higher, np.zeros(20))


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
    assert "95.0 % [90.0, 100.0]" in text and "at least 92.0 %: reached" in text
    assert "at most 0.35 mm: missed" in text and "0.90 to 1.10: reached" in text
    assert missed(report) == ["lips: error"]
    lines = markdown(report).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert all(line.count("|") == 6 for line in rows)
    assert "| error | 0.40 mm [0.40, 0.40] | 1 pairs | at most 0.35 mm | missed |" in rows
    assert lines[-1] == "- A note."


def test_one_command_measures_and_writes_the_card(face, tmp_path, monkeypatch, capsys):
    subject = subject_of(face, performed_corpus(tmp_path))
    monkeypatch.setattr(command.Pipeline, "load", lambda *a, **k: subject.pipeline)
    card, report = tmp_path / "README.md", tmp_path / "report.json"
    card.write_text("# Model\n\n## Limits\n\nMany.\n")
    parts = ("closures", "localization", "disentanglement", "style", "boundary")
    # Everything but real clips, which other tests have.
    monkeypatch.setattr(command, "PARTS", parts)
    monkeypatch.setattr(command.style, "TAKES", 2)
    asked = ["--corpus", str(tmp_path), "--card", str(card), "--json", str(report)]
    assert main([*asked, "--pairs", "2"]) == 0
    assert "upper-face error" in capsys.readouterr().out
    told = json.loads(report.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert set(told["parts"]) == set(parts)
    text = card.read_text()
    assert text.index("## Quality, measured") < text.index("## Limits")


def test_parts_are_measured_in_the_tables_order_and_unknown_ones_refused(face, tmp_path):
    subject = subject_of(face, performed_corpus(tmp_path))
    told: list[str] = []
    asked = ("boundary", "localization")
    report = evaluate(subject, asked, 2, lambda name, part: told.append(name))
    assert list(report.parts) == told == ["localization", "boundary"]
    with pytest.raises(InputError, match="'brows'"):
        evaluate(subject, ("brows",))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--only", "lips,closures", "--card", "README.md"], "whole table"),
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
        subject_of(face, foreign)
