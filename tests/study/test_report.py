"""A report holds the analysis, as a page and as tables, and the raw data with its codebook."""

import csv
import json
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from studies import design_of, table

from kmspeaker.evaluation.table import Table
from kmspeaker.study.analysis import analyse
from kmspeaker.study.raw_data import CODEBOOK
from kmspeaker.study.report import write_report
from kmspeaker.study.responses import Responses
from kmspeaker.study.schema import METADATA
from kmspeaker.study.simulation import Truth, default_effects, simulate

HOSTILE = "=cmd|'/c calc'!A1 <script>alert(1)</script> & 50 %"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    content = table(systems=2, items=3)
    content["questionnaire"] = [{"name": "remarks", "text": "Remarks?"}]
    content["screening"] = {"anchor_over_systems": 0.5}
    content["conditions"]["system-0"]["label"] = "Ours & <theirs>_1"
    design = design_of(content)
    made = simulate(design, Truth(default_effects(design), careless=0.3), 10)
    answers = [{"participant": 2, "question": "remarks", "answer": HOSTILE, "answered_at": 1.0}]
    responses = Responses(made.participants, made.ratings, answers=answers)
    folder = tmp_path_factory.mktemp("out") / "report"
    analysis = analyse(design, responses, draws=50)
    assert analysis.screened is not None
    write_report(analysis, responses, folder, simulated="Ten, made up.")
    return folder


def test_the_page_needs_nothing_else_and_shows_strangers_words_as_text(written: Path):
    text = (written / "report.html").read_text()
    assert "<script>alert(1)" not in text
    tags = Tags()
    tags.feed(text)
    assert tags.addresses == []  # nothing is fetched
    assert HOSTILE in tags.words
    assert "A rehearsal: nobody was asked." in tags.words
    for words in ("Results after screening", "Results with everybody", "Friedman's test"):
        assert words in tags.words
    assert text.count("plotly-graph-div") >= 3


def test_raw_data_is_the_same_in_both_forms_and_every_column_is_explained(written: Path):
    book = (written / "data" / "codebook.md").read_text()
    ratings = pd.read_parquet(written / "data" / "ratings.parquet")
    assert list(ratings.columns) == list(CODEBOOK["ratings"])
    again = pd.read_csv(written / "data" / "ratings.csv")
    pd.testing.assert_frame_equal(again, ratings, check_dtype=False)
    for column in ratings.columns:
        assert f"| {column} |" in book
    assert len(ratings) == 10 * 3 * 3
    (answer,) = pd.read_csv(written / "data" / "answers.csv")["answer"]
    assert answer == f"'{HOSTILE}"  # no spreadsheet runs it
    assert json.loads((written / "data" / "design.json").read_text())["title"] == "Lips"


def test_the_codebook_has_every_column_of_the_database():
    for name, columns in CODEBOOK.items():
        stored = {column.name for column in METADATA.tables[name].columns}
        own = {"id", "save", "number", "code_hash", "withdrawn_at", "completion_code"}
        assert stored - own == set(columns) - ({"participant"} - stored)


def test_tables_are_for_spreadsheets_and_for_latex(written: Path):
    rows = list(csv.reader((written / "tables" / "conditions.csv").open()))
    assert rows[0] == ["condition", "mean", "median", "mean rank", "ratings"]
    assert rows[1][0] == "Ours & <theirs>_1"
    latex = (written / "tables" / "conditions.tex").read_text()
    assert r"Ours \& \textless{}theirs\textgreater{}\_1" in latex
    assert latex.count(r"\begin{tabular}{lrrrr}") == 1
    figures = json.loads((written / "analysis.json").read_text())
    assert figures["screened"]["conditions"][0]["name"] == "system-0"
    exclusions = list(csv.reader((written / "tables" / "exclusions.csv").open()))
    assert len(exclusions) == 1 + len(figures["exclusions"])


def test_latex_has_every_sign_escaped():
    escaped = Table("t", "50 % of {a}_b", ("x",), (("\\$#~^",),)).latex()
    assert r"\caption{50 \% of \{a\}\_b.}" in escaped
    assert r"\textbackslash{}\$\#\textasciitilde{}\textasciicircum{}" in escaped
