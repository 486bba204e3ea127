"""Measure the stage: `python -m scripts.measure_stage`, on a machine with nothing else to do.

Starts the app, makes takes of a minute of speech, plays them side by side at 1280x720 in headless
Chromium as a machine without a graphics card has it (the page composed by the CPU, WebGL by
SwiftShader), and prints pictures a second, the page's own script per picture and how far the faces
are from the sound: over that minute, at its ends, and after pauses and seeks.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from playwright.sync_api import Page, sync_playwright

from kmspeaker.benchmark import of_length
from kmspeaker.examples import load_examples
from kmspeaker.media.audio import load_sound, write_wav
from kmspeaker.pipeline import Pipeline
from kmspeaker.web import serve

# Not --use-angle=swiftshader: that passes the software off as a card, and the whole page is then
# composed by it, at several times the cost and on no visitor's machine.
FLAGS = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]
FLAGS += ["--autoplay-policy=no-user-gesture-required", "--disable-background-networking"]
PATIENCE = 300_000  # milliseconds
VIEWER = "document.querySelector('.km-stage').kmViewer"
SETTLING = 5.0
"""Seconds in which the stage finds how finely this machine can draw."""
END = 10.0
"""Seconds at either end of a minute between which the sound may drift."""
PAUSES = 50


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the stage's speed as JSON.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--heads", type=int, choices=(1, 2, 3, 4), default=4)
    parser.add_argument("--model", default="small")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("-o", "--output", type=Path, help="write the JSON here instead")
    options = parser.parse_args()
    demo = serve(Pipeline.load(options.model), port=0, block=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(PATIENCE)
        page.goto(demo.local_url)
        page.wait_for_selector(".km-stage.km-ready")
        make_takes(page, options.heads, SETTLING + options.seconds)
        report = json.dumps(measure(page, options.seconds), indent=1)
        browser.close()
    demo.close()
    if options.output:
        options.output.write_text(report + "\n")
    else:
        print(report)


def make_takes(page: Page, heads: int, seconds: float) -> None:
    """Put takes of so much speech on the stage, as a visitor would."""
    example = load_examples()["delighted"]
    page.check("#consent input")
    page.set_input_files(".km-video input[type=file]", example.reference)
    page.wait_for_selector(".km-stage.km-has-reference")
    with tempfile.TemporaryDirectory() as folder:
        speech = Path(folder) / "speech.wav"
        write_wav(speech, of_length(load_sound(example.speech), seconds))
        page.set_input_files(".km-audio input[type=file]", speech)
        page.locator(".km-audio").get_by_text(stamp(seconds)).first.wait_for()
    page.get_by_role("button", name="Direct the take").click()
    page.get_by_role("button", name="Number of takes and systems").click()
    page.get_by_label("number input for Takes at once").fill(str(heads))
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Direct the take").click()
    page.get_by_role("button", name="Generate").click()
    page.wait_for_selector(".km-stage.km-has-take")
    page.wait_for_function(f"(n) => {VIEWER}.renderer.views.length === n", arg=heads)
    page.evaluate("scrollTo(0, 0)")


def measure(
    page: Page, seconds: float, pauses: int = PAUSES, settling: float = SETTLING
) -> dict[str, Any]:
    """Play what is on the stage, then pause, seek and play again."""
    record = page.evaluate(
        f"""async ([settling, seconds, pauses]) => {{
            const viewer = {VIEWER};
            const {{ clock }} = viewer;
            const refresh = () => new Promise(requestAnimationFrame);
            // What was heard and what was drawn at each refresh of the screen.
            const watch = async (length) => {{
                const samples = [];
                const until = performance.now() + 1000 * length;
                while (performance.now() < until || samples.length < 4) {{
                    await refresh();
                    samples.push([performance.now() / 1000, clock.time, viewer.stats().time]);
                }}
                return samples;
            }};
            clock.seek(0);
            await clock.play();
            await watch(settling);
            const {{ pictures }} = viewer.stats();
            const played = await watch(seconds);
            const stats = viewer.stats();
            const resumed = [], paused = [];
            for (let i = 0; i < pauses; i++) {{
                clock.pause();
                await watch(0.1);
                paused.push(clock.time - viewer.stats().time);
                if (i % 2) clock.seek((i * 7.3) % (clock.duration - 2));
                await clock.play();
                await watch(0.3);
                resumed.push(await watch(0.5));
            }}
            clock.pause();
            return {{ played, paused, resumed, stats, drawn: stats.pictures - pictures }};
        }}""",
        [settling, seconds, pauses],
    )
    played = np.array(record["played"])
    middle, oldest = behind(played)
    first, last = (played[2:, 0] - played[0, 0] < END), (played[-1, 0] - played[2:, 0] < END)
    resumed = [behind(np.array(each)) for each in record["resumed"]]
    return {
        "heads": page.locator(".km-panel").count(),
        "pictures_per_second": round(record["drawn"] / (played[-1, 0] - played[0, 0]), 1),
        "script_ms_per_picture": round(record["stats"]["scriptMs"], 2),
        "triangles": record["stats"]["triangles"],
        "canvas_pixels": page.evaluate(f"{VIEWER}.canvas.width * {VIEWER}.canvas.height"),
        "behind_the_sound_ms": {
            "median": milliseconds(middle),
            "first_ten_seconds": milliseconds(middle[first]),
            "last_ten_seconds": milliseconds(middle[last]),
            "all_but_one_in_a_hundred": milliseconds(oldest, 0.99),
        },
        "after_pauses_and_seeks_ms": {
            "median": milliseconds(np.concatenate([middle for middle, _ in resumed])),
            "worst_of_medians": max((milliseconds(middle) for middle, _ in resumed), key=abs),
            "worst_while_paused": 1000 * max(map(abs, record["paused"])),
        },
    }


def behind(
    refreshes: Float64[np.ndarray, "refreshes 3"],
) -> tuple[Float64[np.ndarray, " pictures"], Float64[np.ndarray, " pictures"]]:
    """How far each picture is behind the sound, s: amid its time on screen, and at the end of it.

    By Chromium's own reports of frames, what is drawn at one refresh is on screen about one and a
    half refreshes later. The sound heard is the media element's time, which counts the delay of
    the audio device.
    """
    _, sound, drawn = refreshes.T
    middle = sound[2:] - drawn[:-2]
    return middle, middle + 0.5 * np.diff(sound)[1:]


def milliseconds(seconds: Float64[np.ndarray, " pictures"], share: float = 0.5) -> float:
    return round(1000 * float(np.quantile(seconds, share)), 1)


def stamp(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"


if __name__ == "__main__":
    main()
