"""`kmspeaker study rescue` takes in what a page could not save, once, and says what it cannot."""

import json
from pathlib import Path

import pytest
from studies import table, write_study

from kmspeaker.cli import main
from kmspeaker.study.store import Store
from kmspeaker.study.study_folder import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return write_study(tmp_path / "lips", table(systems=1, items=2))


def rating(value: int, *, save: str, name: str = "A") -> dict[str, object]:
    body = {
        "page": 0,
        "name": name,
        "value": value,
        "seconds": 1.5,
        "save": save,
        "plays": {"A": 1},
    }
    return {"path": "api/rate", "body": body}


def rescued(held: Study, path: Path, requests: list[object], **changed: object) -> int:
    path.write_text(json.dumps({"study": held.design.title, "requests": requests, **changed}))
    return main(["study", "rescue", str(held.folder), str(path)])


def values(study: Study) -> list[float]:
    store = Store(study.database, study.design, stimuli_hash=study.stimuli_hash)
    ratings = [row["value"] for row in store.responses().ratings]
    store.close()
    return ratings


@pytest.fixture
def code(study: Study) -> str:
    store = Store(study.database, study.design, stimuli_hash=study.stimuli_hash)
    code, _ = store.join()
    store.close()
    return code


def test_what_was_not_saved_is_saved_once(study: Study, code: str, tmp_path: Path, capsys):
    file = tmp_path / "ratings-not-saved.json"
    requests: list[object] = [rating(40, save="one"), rating(60, save="two")]
    assert rescued(study, file, requests, code=code) == 0
    assert values(study) == [60]
    assert rescued(study, file, requests, code=code) == 0
    assert values(study) == [60]
    assert "2 saved, 0 not" in capsys.readouterr().out


def test_what_cannot_be_taken_has_a_sentence_and_the_rest_is_saved(
    study: Study, code: str, tmp_path: Path, capsys
):
    requests: list[object] = [rating(400, save="one"), rating(60, save="two")]
    assert rescued(study, tmp_path / "file.json", requests, code=code) == 2
    said = capsys.readouterr()
    assert "1, rate" in said.err and "1 saved, 1 not" in said.out
    assert values(study) == [60]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"study": "Another"}, "Another"),
        ({"code": "nobody's"}, "code"),
        ({"more": 1}, "not what a study's page saves"),
        ({"requests": [{"path": "api/delete", "body": {}}]}, "not what a study's page saves"),
        ({"requests": [{"path": "../owner", "body": {}}]}, "not what a study's page saves"),
    ],
)
def test_another_file_is_refused_and_nothing_is_saved(
    study: Study, code: str, tmp_path: Path, capsys, changed, sentence: str
):
    asked = {"code": code, **changed}
    requests = asked.pop("requests", [rating(40, save="one")])
    assert rescued(study, tmp_path / "file.json", requests, **asked) == 2
    assert sentence in capsys.readouterr().err
    assert not values(study)
