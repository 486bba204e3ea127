"""What the documents show of a report of ``kmspeaker evaluate``: its main tables, and pictures.

    python -m scripts.bench_docs REPORT [--ablations REPORT] [--expression REPORT]

writes ``docs/bench/tables.md`` and the pictures beside it, ``ablations.md`` of a report of ours and
its ablations, and ``expression.md`` of one of the protocol of that name. Needs Chromium.
"""

import argparse
import io
import re
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

DOCS = Path(__file__).parent.parent / "docs" / "bench"
LEFT_OUT = (": further", " against the others")
"""Ends of the headings of tables that only the report has."""
SPEED = "Size, speed and memory"
TABLE_1 = "Matching context (Table 1), real people"
TABLE_2 = "Dialogue localization (Table 2), real people"
STRIPS = {"matching": TABLE_1, "dubs": TABLE_2}
"""Pictures of heads, by the heading of their chapter."""
FIGURES = {"lips-and-liveliness": TABLE_1}
WIDTH = 1200


def main() -> None:
    parser = argparse.ArgumentParser(description="Rewrite docs/bench.")
    parser.add_argument("report", type=Path, metavar="REPORT", help="folder of the report")
    parser.add_argument("--ablations", type=Path, metavar="REPORT")
    parser.add_argument("--expression", type=Path, metavar="REPORT")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    report = options.report
    DOCS.mkdir(exist_ok=True)
    write_tables(report, "tables.md", "Systems beside each other", LEFT_OUT)
    others = (*LEFT_OUT, SPEED)
    if options.ablations:
        write_tables(options.ablations, "ablations.md", "Ablations of the network, alone", others)
    if options.expression:
        write_tables(options.expression, "expression.md", "Real expressions in each system", others)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=options.chromium, args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": 1000})
        page.goto((report / "report.html").absolute().as_uri())
        for kind, wanted in ((".strips", STRIPS), (".plotly-graph-div", FIGURES)):
            for name, heading in wanted.items():
                save(page, heading, kind, DOCS / f"{name}.webp")
        browser.close()


def write_tables(report: Path, name: str, title: str, left_out: tuple[str, ...]) -> None:
    """Those of a report's tables that the documents show, each once."""
    pieces = filter(None, re.split(r"(?m)^(?=### )", (report / "tables.md").read_text()))
    kept = dict.fromkeys(p for p in pieces if not p.splitlines()[0].endswith(left_out))
    (DOCS / name).write_text(f"# {title}\n\n" + "".join(kept).lstrip())


def save(page: Page, heading: str, kind: str, path: Path) -> None:
    """The first picture of a kind after a chapter's heading."""
    chapter = page.locator("h2", has_text=heading)
    picture = chapter.locator(f"xpath=following::*[contains(@class,'{kind[1:]}')]").first
    picture.scroll_into_view_if_needed()
    page.wait_for_timeout(500)  # plotly draws what comes into view
    image = Image.open(io.BytesIO(picture.screenshot()))
    image.convert("RGB").save(path, quality=80, method=6)


if __name__ == "__main__":
    main()
