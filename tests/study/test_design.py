"""A study's file is read strictly, and each thing wrong with it is one sentence."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from studies import a_design, design_of, table

from kmspeaker.errors import InputError
from kmspeaker.study.design_file import MOST_BYTES, READY, parse_design, read_design, ready_made

Change = Callable[[dict[str, Any]], object]


def twin_items(content: dict[str, Any]) -> None:
    content["items"].append(dict(content["items"][0]))


def lone_condition(content: dict[str, Any]) -> None:
    content["conditions"] = {"system-0": content["conditions"]["system-0"]}


def crowd(content: dict[str, Any]) -> None:
    content["conditions"] |= {f"more-{k}": {"label": "x", "capture": True} for k in range(10)}


CHANGES: dict[str, tuple[Change, str]] = {
    "unknown key": (lambda c: c.update(colour="red"), "unknown key 'colour' in lips.yaml"),
    "unknown key within": (
        lambda c: c["items"][1].update(sound="a.wav"),
        r"unknown key 'sound' in lips.yaml: items\[1\]",
    ),
    "missing key": (lambda c: c.pop("consent"), "no 'consent'"),
    "wrong kind": (lambda c: c.update(seed="many"), "'many' for lips.yaml: seed; give a whole"),
    "true is no number": (lambda c: c.update(seed=True), "give a whole number"),
    "unknown protocol": (lambda c: c["protocol"].update(kind="ab"), "choose one of mushra, acr"),
    "one condition": (lone_condition, "1 rated condition; a comparison needs two"),
    "items twice": (twin_items, "item item-0 twice"),
    "no items": (lambda c: c.update(items=[]), "0 items"),
    "too many on a page": (crowd, "14 rated conditions; a MUSHRA page shows at most 12"),
    "a path as a name": (lambda c: c["items"][0].update(name="../x"), "item name '../x'"),
    "two sources": (
        lambda c: c["conditions"]["system-1"].update(capture=True),
        "system-1 with 2 sources",
    ),
    "unknown base": (
        lambda c: c["conditions"]["anchor"].update(other_item="nobody"),
        "made by 'nobody'",
    ),
    "no emotions": (
        lambda c: c["conditions"].update(far={"label": "f", "farthest_style": "system-0"}),
        "actor someone without two emotions",
    ),
    "more pages than items": (lambda c: c["protocol"].update(pages=7), "pages 7 with 6 items"),
    "check out of range": (
        lambda c: c.update(attention=[{"after": 1, "instruction": "x", "low": 90, "high": 101}]),
        "within 0 to 100",
    ),
    "rule that cannot hold": (
        lambda c: c.update(screening={"hidden_reference_below": 90}),
        "without a condition of the role reference",
    ),
    "unknown control": (
        lambda c: c["conditions"]["system-1"]["generate"].update(controls={"charm": 1}),
        "control 'charm'",
    ),
    "choice of one": (
        lambda c: c.update(
            questionnaire=[{"name": "q", "text": "?", "answer": "choice", "choices": ["a"]}]
        ),
        "question q with 1 choices",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_cannot_be_run_is_refused_in_one_sentence(name: str):
    content = table()
    change, sentence = CHANGES[name]
    change(content)
    with pytest.raises(InputError, match=sentence) as refused:
        design_of(content)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("title: a\ntitle: b\n", "line 2 has the key 'title' again"),
        ("a: &x [1]\nb: *x\n", "has an alias"),
        ("a: !!python/object:os.system {}\n", "not plain YAML"),
        ("[1, 2]", "no table of keys"),
        ("1: x", "key 1 is no text"),
        ("a: [", "not plain YAML"),
        ("[" * 3000, "YAML|nested"),
    ],
)
def test_yaml_that_is_more_or_less_than_plain_data_is_refused(text: str, sentence: str):
    with pytest.raises(InputError, match=sentence):
        parse_design(text)


def test_files_that_are_missing_or_too_large_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="Cannot read"):
        read_design(tmp_path / "none.yaml")
    large = tmp_path / "large.yaml"
    large.write_text("#" * (MOST_BYTES + 1))
    with pytest.raises(InputError, match="has at most"):
        read_design(large)
    with pytest.raises(InputError, match="ready-made study 'ears'"):
        ready_made("ears")


def test_the_digest_changes_with_what_is_asked_and_not_with_how_it_is_written():
    design = a_design()
    assert re.fullmatch("[0-9a-f]{64}", design.digest())
    content = table()
    again = parse_design(yaml.safe_dump(content, sort_keys=True, default_flow_style=True))
    assert {c.name for c in again.conditions} == {c.name for c in design.conditions}
    assert design_of(content).digest() == design.digest()
    content["items"][0]["start"] = 0.5
    assert design_of(content).digest() != design.digest()


@pytest.mark.parametrize("name", READY)
def test_ready_made_studies_are_the_papers(name: str):
    design = read_design(ready_made(name))
    assert design.protocol.kind == "mushra"
    assert not design.of_role("reference")
    assert len(design.of_role("anchor")) == 1
    assert design.protocol.muted == (design.target is not None) == (name == "style")
    for item in (*design.items, *design.training):
        assert item.seconds is not None
    assert design.training
    assert design.attention


def test_ratings_out_of_range_or_between_categories_are_refused():
    a_design().check_rating(55.5)
    for kind, value in (
        *(("mushra", value) for value in (-0.1, 100.1, float("nan"), float("inf"))),
        *(("acr", value) for value in (0.0, 2.5, 6.0)),
        *(("pairwise", value) for value in (0.5, -2.0)),
    ):
        with pytest.raises(InputError, match="rating"):
            a_design(kind=kind).check_rating(value)
