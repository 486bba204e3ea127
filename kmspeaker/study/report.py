"""The report of a study: one page that needs nothing else, tables for a paper, and the raw data.

Place in the flow: the last step; ``kmspeaker study analyse`` calls it.
"""

import html
import json
from dataclasses import asdict
from pathlib import Path

from kmspeaker.errors import InputError
from kmspeaker.evaluation.table import Table
from kmspeaker.evaluation.web_page import drawn, terms, whole_page
from kmspeaker.media.files import replacing
from kmspeaker.study.analysis import Analysis, Outcome
from kmspeaker.study.figures import figures
from kmspeaker.study.raw_data import write_raw_data
from kmspeaker.study.responses import Responses
from kmspeaker.study.tables import exclusion_table, findings, outcome_tables


def write_report(
    analysis: Analysis, responses: Responses, folder: Path, *, simulated: str = ""
) -> list[Path]:
    """Write ``report.html``, ``analysis.json``, ``tables/`` and ``data/``.

    Args:
        analysis: What was found.
        responses: What it was found in.
        folder: Made if it is not there; files of an earlier report are replaced.
        simulated: Where nobody was asked: what the ratings were made from. The report says so.

    Raises:
        InputError: The folder or a file cannot be written.
    """
    try:
        for each in (folder, folder / "tables", folder / "data"):
            each.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"Cannot make the folder {folder} ({error.strerror or error}); name another."
        ) from error
    tables = outcome_tables(analysis, analysis.best)
    if analysis.screened is not None:
        tables += outcome_tables(analysis, analysis.everybody, "_everybody")
    tables.append(exclusion_table(analysis))
    texts = {folder / "report.html": _page(analysis, responses, simulated)}
    texts[folder / "analysis.json"] = _json(analysis)
    for table in tables:
        texts[folder / "tables" / f"{table.name}.csv"] = table.csv()
        texts[folder / "tables" / f"{table.name}.tex"] = table.latex()
    for path, text in texts.items():
        with replacing(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    return [*texts, *write_raw_data(analysis.design, responses, folder / "data")]


def _page(analysis: Analysis, responses: Responses, simulated: str) -> str:
    design = analysis.design
    excluded = {each.participant for each in analysis.exclusions}
    finished = sum(row["finished_at"] is not None for row in responses.participants)
    facts = {
        "question": design.question,
        "protocol": f"{design.protocol.kind}, {len(design.rated)} rated conditions, "
        f"{len(design.items)} items, {design.pages} for each participant",
        "participants": f"{len(analysis.everybody.participants)} have rated, {finished} have "
        f"finished, {len(excluded)} break a rule of screening",
        "design": f"{analysis.digest}, KM-Speaker {analysis.version}",
    }
    parts = [f"<h1>{html.escape(design.title)}</h1>"]
    if simulated:
        parts.append(
            f"<p><strong>A rehearsal: nobody was asked.</strong> {html.escape(simulated)}</p>"
        )
    parts.append(terms(facts))
    if analysis.screened is not None:
        parts.append(_section("Results after screening", analysis, analysis.screened))
    else:
        parts.append(_section("Results", analysis, analysis.everybody))
    parts += drawn(figures(analysis, responses))
    parts.append(f"<h2>Screening</h2>{exclusion_table(analysis).html()}")
    if analysis.screened is not None:
        parts.append(_section("Results with everybody", analysis, analysis.everybody))
    parts.append(_answers(analysis, responses))
    return whole_page(design.title, parts)


def _section(title: str, analysis: Analysis, outcome: Outcome) -> str:
    people = f"{len(outcome.participants)} participants, {outcome.ratings} ratings"
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in findings(outcome))
    tables = "".join(table.html() for table in outcome_tables(analysis, outcome))
    return f"<h2>{title}</h2><p>{people}.</p>{lines}{tables}"


def _answers(analysis: Analysis, responses: Responses) -> str:
    names = {question.name: question.text for question in analysis.design.questionnaire}
    if not responses.answers:
        return ""
    rows = tuple(
        (names[row["question"]], str(row["answer"]), str(row["participant"]))
        for row in sorted(responses.answers, key=lambda row: row["question"])
    )
    table = Table("answers", "Questionnaire", ("question", "answer", "participant"), rows)
    return f"<h2>Answers</h2>{table.html()}"


def _json(analysis: Analysis) -> str:
    """Figures for programs; JSON knows neither infinity nor what is not a number: null."""
    plain = asdict(analysis)
    del plain["design"]  # it is beside the data, whole
    text = json.dumps(plain)
    return json.dumps(json.loads(text, parse_constant=lambda _: None), indent=1) + "\n"
