"""The raw data of a study, as CSV and Parquet, and what every column means.

Place in the flow: ``Responses`` -> here -> files that go with a paper.
"""

import json
import types
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kmspeaker import __version__
from kmspeaker.media.files import replacing
from kmspeaker.study.design import Design
from kmspeaker.study.responses import Responses, Row

CODEBOOK: Mapping[str, Mapping[str, str]] = types.MappingProxyType(
    {
        "ratings": {
            "participant": "number, from 0; says nothing of who it is; orders follow from it",
            "position": "of the page in the session, from 0, training and checks included",
            "stimulus": "condition; of a pair one|other; of an attention check check",
            "kind": "training, rating or check; only rating is analysed",
            "item": "what was said, as the design names it",
            "value": "the last rating on the protocol's scale; of a pair -1 the first of its name, "
            "1 the second, 0 neither",
            "place": "where the stimulus stood on its page, from 0",
            "seconds": "from when the page was opened to this rating",
            "plays": "how often the stimulus had been played to its end by then",
            "rated_at": "seconds since 1970-01-01 UTC",
            "revision": "how often this rating was set",
            "design_hash": "sha256 of the design that was in force",
            "version": "of KM-Speaker",
        },
        "history": {
            "participant": "as in ratings",
            "position": "as in ratings",
            "stimulus": "as in ratings",
            "value": "each rating in the order made, the last included",
            "seconds": "as in ratings",
            "plays": "as in ratings",
            "rated_at": "as in ratings",
        },
        "pages": {
            "participant": "as in ratings",
            "position": "as in ratings",
            "kind": "as in ratings",
            "item": "as in ratings",
            "stimuli": "JSON: conditions in the order they stood",
            "plays": "JSON: how often each was played to its end",
            "seconds": "spent on the page",
            "opened_at": "seconds since 1970-01-01 UTC",
            "done_at": "likewise; empty if it was never left",
        },
        "participants": {
            "participant": "as in ratings",
            "joined_at": "when consent was given, seconds since 1970-01-01 UTC",
            "finished_at": "likewise; empty of who did not finish",
        },
        "answers": {
            "participant": "as in ratings",
            "question": "of the questionnaire, as the design names it",
            "answer": "as given, plain text",
            "answered_at": "seconds since 1970-01-01 UTC",
        },
    }
)
"""Every table and column."""


def write_raw_data(design: Design, responses: Responses, folder: Path) -> list[Path]:
    """Write each table that has rows as ``.csv`` and ``.parquet``, the codebook and the design.

    Whoever has withdrawn is in none of them.

    Raises:
        InputError: A file cannot be written there.
    """
    import pandas as pd

    tables: dict[str, list[Row]] = {
        name: list(getattr(responses, name)) for name in CODEBOOK if getattr(responses, name)
    }
    written = []
    for name, rows in tables.items():
        table = pd.DataFrame(rows, columns=list(CODEBOOK[name]))
        path = folder / f"{name}.csv"
        with replacing(path) as unfinished:
            # A cell that begins so would be carried out as a formula by a spreadsheet.
            table.map(_harmless).to_csv(unfinished, index=False)
        written.append(path)
        path = folder / f"{name}.parquet"
        with replacing(path) as unfinished:
            table.to_parquet(unfinished, index=False)
        written.append(path)
    for path, text in (
        (folder / "codebook.md", _codebook(design, tables)),
        (folder / "design.json", json.dumps(asdict(design), indent=1, ensure_ascii=False) + "\n"),
    ):
        with replacing(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell


def _codebook(design: Design, tables: Mapping[str, list[Row]]) -> str:
    lines = [
        f"# Codebook: {design.title}",
        "",
        f"Protocol {design.protocol.kind}, scale {design.scale[0]:g} to {design.scale[1]:g}, "
        f"design {design.digest()}, written by KM-Speaker {__version__}. Each table is a .csv "
        "(UTF-8; a text that begins with =, +, - or @ has an apostrophe before it) and a .parquet.",
        "",
        "| condition | label | role |",
        "|---|---|---|",
        *(f"| {each.name} | {each.label} | {each.role} |" for each in design.conditions),
    ]
    for name, rows in tables.items():
        lines += ["", f"## {name} ({len(rows)} rows)", "", "| column | meaning |", "|---|---|"]
        lines += [f"| {column} | {meaning} |" for column, meaning in CODEBOOK[name].items()]
    return "\n".join(lines) + "\n"
