"""What was planted is found, what was not is not, and careless people are left out."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.stats import binom, norm
from studies import a_design, design_of, table

from kmspeaker.cli import main
from kmspeaker.errors import InputError
from kmspeaker.study.analysis import Analysis, analyse
from kmspeaker.study.plan import plan
from kmspeaker.study.responses import Responses
from kmspeaker.study.screening import screen
from kmspeaker.study.simulation import (
    TIE,
    Truth,
    _preferences,
    default_effects,
    rehearse,
    simulate,
)

NULL = {"system-0": 60.0, "system-1": 60.0, "system-2": 60.0, "anchor": 60.0}


def most_false(runs: int) -> float:
    """The share of false findings at 5 % that one run of this test in 10,000 would exceed."""
    return float(binom.ppf(1 - 1e-4, runs, 0.05)) / runs


@pytest.mark.parametrize(
    ("kind", "raters"), [("mushra", 24), ("mushra", 8), ("acr", 24), ("pairwise", 24)]
)
def test_planted_nulls_are_found_at_the_stated_rate_at_most(kind: str, raters: int):
    """Over 1,000 runs each."""
    rehearsal = rehearse(a_design(kind=kind), Truth(NULL), raters, runs=1000, seed=1)
    assert rehearsal.any_null is not None
    assert rehearsal.any_null <= most_false(1000)
    assert rehearsal.omnibus.share <= most_false(1000)
    if raters == 24 and kind != "pairwise":  # and not by never finding anything; Holm is careful
        assert rehearsal.omnibus.share >= 0.03


def test_planted_effects_are_found_and_nulls_beside_them_are_not():
    truth = Truth({"system-0": 70, "system-1": 60, "system-2": 60, "anchor": 20})
    rehearsal = rehearse(a_design(), truth, 24, runs=300)
    shares = {found.what: found.share for found in rehearsal.pairs}
    for pair in ("system-0|system-1", "system-0|anchor", "system-1|anchor"):
        assert shares[pair] > 0.9
    assert shares["system-1|system-2"] <= most_false(300)
    fewer = rehearse(a_design(), truth, 6, runs=300)
    assert fewer.pairs[0].share < shares["system-0|system-1"]


def test_pairs_are_preferred_as_often_as_the_normal_distribution_says_in_a_panel_and_rehearsed():
    design = a_design(kind="pairwise", systems=2, items=4)
    means = {"system-0": 64.0, "system-1": 55.0, "anchor": 20.0}
    truth = Truth(means, taste=3, careless=0.2)
    spread = (2 * (truth.noise**2 + truth.taste**2)) ** 0.5
    gains = np.array([9.0, 44.0, 35.0])
    won, lost = norm.cdf((gains - TIE) / spread), norm.cdf((-gains - TIE) / spread)
    expected = pytest.approx((1 - truth.careless) * (won - lost), abs=0.15)
    assert -simulate(design, truth, 150).matrix(design).mean(axis=(0, 1)) == expected
    of_runs = _preferences(design, truth, np.array(list(means.values())), 150, 20, 0)
    assert of_runs.mean(axis=(0, 1)) == pytest.approx(expected.expected, abs=0.04)
    rehearsal = rehearse(design, truth, 16, runs=200)
    assert 0.2 < rehearsal.pairs[0].share < 0.99 < rehearsal.pairs[1].share
    assert rehearsal.omnibus.share == 1


@pytest.mark.parametrize("kind", ["mushra", "pairwise"])
def test_the_command_line_says_what_so_many_participants_would_find(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    config = tmp_path / "study.yaml"
    config.write_text(yaml.safe_dump(table(kind=kind, systems=2, items=2), sort_keys=False))
    assert main(["study", "simulate", str(config), "-n", "12", "--runs", "20"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "12 participants, 20 runs; found with p < .05:"
    assert [" ".join(line.split()[:-3]) for line in lines] == [
        "any difference",
        "system-0 and system-1",
        "system-0 and anchor",
        "system-1 and anchor",
    ]


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    """Of 24 made-up participants, some of whom do not look."""
    design = a_design_with_rules()
    return analyse(design, simulate(design, truth_of_rules(), 24, seed=3), draws=500)


def a_design_with_rules():
    content = table()
    content["attention"] = [
        {"after": after, "instruction": "Poor, please.", "low": 20, "high": 40} for after in (1, 4)
    ]
    content["screening"] = {"failed_checks": 2, "anchor_over_systems": 0.3, "least_spread": 3}
    return design_of(content)


def truth_of_rules() -> Truth:
    effects = {"system-0": 75.0, "system-1": 55.0, "system-2": 55.0, "anchor": 20.0}
    return Truth(effects, careless=0.2)


def test_one_panel_is_analysed_with_and_without_screening(analysis: Analysis):
    excluded = {each.participant for each in analysis.exclusions}
    assert excluded
    assert analysis.screened is not None
    assert analysis.best is analysis.screened
    assert set(analysis.screened.participants) == set(range(24)) - excluded
    assert len(analysis.everybody.participants) == 24
    # Careless ratings draw the means together.
    gap = [
        outcome.conditions[0].mean.value - outcome.conditions[3].mean.value
        for outcome in (analysis.everybody, analysis.screened)
    ]
    assert gap[0] < gap[1]
    for each, true in zip(analysis.best.conditions, (75, 55, 55, 20), strict=True):
        assert each.mean.low < true < each.mean.high
    found = {(c.one, c.other) for c in analysis.best.comparisons if c.p_holm < 0.05}
    assert ("system-1", "system-2") not in found
    assert len(found) == 5
    assert analysis.best.friedman is not None and analysis.best.friedman.p < 1e-6
    assert analysis.best.agreement.pearson > analysis.everybody.agreement.pearson
    model = analysis.best.mixed_model
    assert model is not None
    assert model.effects[0].estimate == pytest.approx(
        analysis.best.conditions[1].mean.value - analysis.best.conditions[0].mean.value, abs=1e-6
    )


def test_every_exclusion_says_its_rule_and_the_numbers(analysis: Analysis):
    reasons = {each.rule: each.reason for each in analysis.exclusions}
    assert set(reasons) <= {"failed_checks", "anchor_over_systems", "least_spread"}
    assert reasons["failed_checks"] == "failed 2 of 2 attention checks; 2 is too many"


def test_each_rule_of_screening_names_whom_it_is_meant_for():
    content = table()
    content["conditions"]["hidden"] = {"label": "Hidden", "role": "reference", "capture": True}
    content["screening"] = {
        "hidden_reference_below": 90,
        "anchor_above": 90,
        "anchor_over_systems": 0.5,
        "least_spread": 5,
        "least_seconds": 4,
        "least_correlation": 0.2,
        "least_complete": 0.9,
    }
    design = design_of(content)
    effects = {"system-0": 60.0, "system-1": 50.0, "system-2": 40.0, "anchor": 10.0}
    effects["hidden"] = 99.0
    quiet = Truth(effects, noise=1, taste=0, level=0, items=0)
    responses = simulate(design, quiet, 8)
    assert screen(design, responses) == ()

    def changed(participant: int, **values: object) -> Responses:
        rows = [
            {**row, **values} if row["participant"] == participant else row
            for row in responses.ratings
        ]
        return Responses(responses.participants, rows)

    def rules(one: Responses) -> set[tuple[int, str]]:
        return {(each.participant, each.rule) for each in screen(design, one)}

    assert rules(changed(3, value=95.0)) == {
        (3, "anchor_above"),
        (3, "least_spread"),
        (3, "least_correlation"),
    }
    assert rules(changed(2, seconds=1.0)) == {(2, "least_seconds")}
    turned = [
        {**row, "value": 100 - row["value"]} if row["participant"] == 5 else row
        for row in responses.ratings
    ]
    assert rules(Responses(responses.participants, turned)) == {
        (5, "hidden_reference_below"),
        (5, "anchor_above"),
        (5, "anchor_over_systems"),
        (5, "least_correlation"),
    }
    # One bad item of six is more than 15 %, one of seven is not (BS.1534-3 counts a share).
    once = [
        {**row, "value": 50.0}
        if (row["participant"], row["item"], row["stimulus"]) == (1, "item-2", "hidden")
        else row
        for row in responses.ratings
    ]
    assert rules(Responses(responses.participants, once)) == {(1, "hidden_reference_below")}
    half = [r for r in responses.ratings if r["participant"] != 4 or r["position"] % 2]
    assert rules(Responses(responses.participants, half)) == {(4, "least_complete")}


def test_preferences_give_back_the_order_that_was_planted():
    design = a_design(kind="pairwise", systems=2, items=4)
    truth = Truth({"system-0": 70.0, "system-1": 60.0, "anchor": 20.0}, noise=8)
    analysis = analyse(design, simulate(design, truth, 16), draws=200)
    strengths = [each.log_strength.value for each in analysis.best.strengths]
    assert strengths == sorted(strengths, reverse=True)
    assert sum(strengths) == pytest.approx(0, abs=1e-6)
    first = analysis.best.comparisons[0]
    assert (first.one, first.other) == ("system-0", "system-1")
    assert first.difference.value > 0 and first.p_holm < 0.05
    assert analysis.best.equal_strengths is not None and analysis.best.equal_strengths[1] < 1e-6
    assert analysis.best.friedman is None and analysis.best.mixed_model is None


def test_a_panel_is_rated_in_the_orders_of_its_plans_and_the_same_again():
    design = a_design(kind="acr")
    responses = simulate(design, Truth(default_effects(design)), 3, seed=5)
    assert responses.ratings == simulate(design, Truth(default_effects(design)), 3, seed=5).ratings
    for row in responses.ratings:
        page = plan(design, row["participant"])[row["position"]]
        assert (row["item"], row["stimulus"]) == (page.item, page.rated[0])
        assert row["value"] in (1, 2, 3, 4, 5)
    assert np.isfinite(responses.matrix(design)).all()


def test_what_cannot_be_analysed_or_simulated_is_one_sentence():
    design = a_design()
    with pytest.raises(InputError, match="0 participants who have rated an item in full"):
        analyse(design, Responses([], []))
    with pytest.raises(InputError, match="do not fit 'anchor'"):
        simulate(design, Truth({"system-0": 1.0, "system-1": 1.0, "system-2": 1.0}), 3)
    with pytest.raises(InputError, match="0 raters"):
        simulate(design, Truth(NULL), 0)
    with pytest.raises(InputError, match="noise -1"):
        Truth(NULL, noise=-1)
    with pytest.raises(InputError, match="a true mean of 101"):
        Truth({"system-0": 101})
