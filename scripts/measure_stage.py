"""Measure the stage: `python -m scripts.measure_stage`, on a machine with nothing else to do.

Starts the app, puts the four heads of both examples on the stage in headless Chromium with software
rendering, plays them for a minute at 1280x720, and prints pictures a second, the page's own script
per picture and how far the faces are behind the sound.
"""

import argparse
import json
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from kmspeaker.pipeline import Pipeline
from kmspeaker.web import serve

FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
FLAGS += ["--autoplay-policy=no-user-gesture-required", "--disable-background-networking"]
PATIENCE = 120_000  # milliseconds
VIEWER = "document.querySelector('.km-stage').kmViewer"
SETTLING = 5.0
"""Seconds in which the stage finds how finely this machine can draw."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the stage's speed as JSON.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--heads", type=int, choices=(1, 2, 3, 4), default=4)
    parser.add_argument("--model", default="small")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    demo = serve(Pipeline.load(options.model), port=0, block=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(PATIENCE)
        page.goto(demo.local_url)
        page.wait_for_selector(".km-stage.km-ready")
        for number, name in enumerate(("delighted", "suspicious"), start=1):
            page.click(f"#example-{name}")
            page.locator(f".km-chip[data-key='take-{number}']").wait_for()
        keys = page.locator(".km-chip:not([data-key='keypoints'])").evaluate_all(
            "(chips) => chips.map((chip) => chip.dataset.key)"
        )
        page.evaluate(f"(heads) => {VIEWER}.view.change({{ heads }})", keys[: options.heads])
        print(json.dumps(measure(page, options.seconds), indent=1))
        browser.close()
    demo.close()


def measure(page: Page, seconds: float) -> dict[str, Any]:
    """Play in a loop; how fast it was drawn and how old each picture was when it was replaced."""
    told = page.evaluate(
        f"""async ([settling, seconds]) => {{
            const viewer = {VIEWER};
            const wait = (length) => new Promise((done) => setTimeout(done, 1000 * length));
            viewer.clock.loop = true;
            await viewer.clock.play();
            await wait(settling);
            const times = [];
            document.addEventListener("km-clock", ({{ detail }}) => times.push(detail.time));
            const drawn = viewer.stats().pictures;
            const started = performance.now();
            await wait(seconds);
            const stats = viewer.stats();
            const took = (performance.now() - started) / 1000;
            return {{ times, stats, rate: (stats.pictures - drawn) / took }};
        }}""",
        [SETTLING, seconds],
    )
    behind = np.diff(told["times"])
    behind = 1000 * behind[behind > 0]  # not where the loop begins again
    return {
        "heads": page.locator(".km-panel").count(),
        "pictures_per_second": round(told["rate"], 1),
        "script_ms_per_picture": round(told["stats"]["scriptMs"], 2),
        "triangles": told["stats"]["triangles"],
        "behind_the_sound_ms": {
            "median": round(float(np.median(behind)), 1),
            "all_but_one_in_a_hundred": round(float(np.quantile(behind, 0.99)), 1),
        },
    }


if __name__ == "__main__":
    main()
