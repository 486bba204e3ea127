"""The report: one page that needs nothing else, and every table as CSV, LaTeX and Markdown.

Place in the flow: the last step of ``run``.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go

from kmspeaker import __version__
from kmspeaker.errors import InputError
from kmspeaker.evaluation.table import Table
from kmspeaker.evaluation.web_page import drawn, terms, whole_page
from kmspeaker.media.files import replacing

PAGE, MARKDOWN = "report.html", "tables.md"
_STYLE = (
    "body{max-width:76rem}td:last-child{white-space:nowrap}img{max-width:100%}"
    ".strips img{display:block}.strips td{padding:0 .6rem 0 0;border:0}"
)


@dataclass(frozen=True)
class Chapter:
    """A heading and what stands below it."""

    title: str
    tables: Sequence[Table]
    figures: Mapping[str, go.Figure]
    pictures: str = ""
    """HTML."""


def write_page(
    folder: Path, facts: Mapping[str, str], chapters: Sequence[Chapter], faults: Sequence[str]
) -> Path:
    """Write ``report.html``, ``tables.md`` and ``tables/``; the page's path.

    Args:
        folder: Is there.
        facts: What stands at the top.
        chapters: In their order.
        faults: What could not be measured, a sentence each.

    Raises:
        InputError: A file cannot be written.
    """
    parts = [
        "<h1>Systems beside each other</h1>",
        terms({**facts, "program": f"KM-Speaker {__version__}"}),
    ]
    if faults:
        rows = "".join(f"<li>{html.escape(fault)}</li>" for fault in faults)
        parts.append(f"<h2>Not measured</h2><ul>{rows}</ul>")
    figures = {name: figure for chapter in chapters for name, figure in chapter.figures.items()}
    pieces = iter(drawn(figures))  # plotly's own code comes with the first
    for chapter in chapters:
        parts.append(f"<h2>{html.escape(chapter.title)}</h2>")
        parts += [table.html() for table in chapter.tables]
        parts += [next(pieces) for _ in chapter.figures]
        parts.append(chapter.pictures)
    tables = [table for chapter in chapters for table in chapter.tables]
    texts = {
        folder / PAGE: whole_page("Systems beside each other", parts, _STYLE),
        folder / MARKDOWN: _markdown(chapters, faults),
    }
    for table in tables:
        texts[folder / "tables" / f"{table.name}.csv"] = table.csv()
        texts[folder / "tables" / f"{table.name}.tex"] = table.latex()
    try:
        (folder / "tables").mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make {folder / 'tables'} ({error.strerror}).") from error
    for path, text in texts.items():
        with replacing(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    return folder / PAGE


def _markdown(chapters: Sequence[Chapter], faults: Sequence[str]) -> str:
    tables = [table.markdown() for chapter in chapters for table in chapter.tables]
    missing = ["### Not measured\n\n" + "".join(f"- {fault}\n" for fault in faults)] * bool(faults)
    return "\n".join([*tables, *missing])
