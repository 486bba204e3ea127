"""Write the report of a rehearsal to `docs/study/`: `python -m scripts.study_report`.

`kmspeaker study simulate` and `study analyse` write the same tables and figures as a page, as CSV
and as LaTeX; here they are Markdown and pictures, which can be read beside the code.
"""

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

import plotly.graph_objects as go
import plotly.io
from PIL import Image
from playwright.sync_api import sync_playwright

from kmspeaker.study.analysis import Analysis, Outcome, analyse
from kmspeaker.study.design import Design
from kmspeaker.study.design_file import read_design, ready_made
from kmspeaker.study.figures import figures
from kmspeaker.study.responses import Responses
from kmspeaker.study.simulation import Truth, default_effects, simulate
from kmspeaker.study.tables import exclusion_table, findings, outcome_tables

FOLDER = Path(__file__).parents[1] / "docs" / "study"
RATERS, CARELESS, SEED = 24, 0.1, 0
WIDTH, HEIGHT = 860, 420
QUALITY = 70


def main() -> None:
    parser = argparse.ArgumentParser(description="Rewrite docs/study/report.md and its figures.")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    design = read_design(ready_made("lips"))
    truth = Truth(default_effects(design), careless=CARELESS)
    responses = simulate(design, truth, RATERS, seed=SEED)
    analysis = analyse(design, responses)
    names = draw(figures(analysis, responses), options.chromium)
    page = "\n\n".join(report(design, truth, analysis, responses, names))
    (FOLDER / "report.md").write_text(f"{page}\n")
    print(FOLDER / "report.md")


def report(
    design: Design,
    truth: Truth,
    analysis: Analysis,
    responses: Responses,
    names: dict[str, str],
) -> Iterator[str]:
    """The paragraphs of the page."""
    means = ", ".join(f"{design.label(k)} {mean:g}" for k, mean in truth.effects.items())
    yield "# A report of 24 simulated raters"
    yield (
        "**A rehearsal: nobody was asked, and nothing here is about our system.** "
        f"{len(responses.participants)} participants of `ready:lips` were made up from these true "
        f"means: {means}; each does not look with a chance of {CARELESS:.0%}. `python -m "
        "scripts.study_report` wrote this page; `python -m kmspeaker study simulate ready:lips -n "
        f"{RATERS} --careless {CARELESS:g} -o rehearsal` writes the same as one page of HTML, with "
        "tables as CSV and LaTeX, and the raw data with its codebook."
    )
    excluded = {each.participant for each in analysis.exclusions}
    yield f"## After screening, which leaves out {len(excluded)}"
    yield from outcome_parts(analysis, analysis.best)
    yield "## Figures"
    for title, name in names.items():
        yield f"{title}:"
        yield f"![{title}]({name})"
    yield "## Who was left out"
    yield exclusion_table(analysis).markdown().strip()
    if analysis.screened is not None:
        yield "## With everybody"
        yield from outcome_parts(analysis, analysis.everybody)


def outcome_parts(analysis: Analysis, outcome: Outcome) -> Iterator[str]:
    """Tests and tables of some participants."""
    yield f"{len(outcome.participants)} participants, {outcome.ratings} ratings."
    yield from findings(outcome)
    for table in outcome_tables(analysis, outcome):
        yield table.markdown().strip()


def draw(drawn: dict[str, go.Figure], chromium: str) -> dict[str, str]:
    """Pictures of the figures: what they show -> file."""
    names = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        for number, (title, figure) in enumerate(drawn.items(), start=1):
            size = f"{WIDTH}px", f"{HEIGHT}px"
            page.set_content(
                plotly.io.to_html(figure, default_width=size[0], default_height=size[1])
            )
            shown = page.locator(".main-svg").first
            shown.wait_for()
            page.wait_for_timeout(500)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            names[title] = f"figure-{number}.webp"
            path = FOLDER / names[title]
            picture.save(path, quality=QUALITY, method=6)
            print(path, path.stat().st_size)
        browser.close()
    return names


if __name__ == "__main__":
    main()
