"""Take the pictures of the app that lie in `docs/`: `python -m scripts.screenshots`.

Starts the app with the bundled model, plays its examples in headless Chromium and keeps every view
light and dark: the first page, a take, four takes side by side, the Direct panel; the first page
and a take on a phone; six systems, of those there are, on both; and the head with lips closed and
open.
"""

import argparse
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from kmspeaker.face.rig import ARKIT_INDEX
from kmspeaker.pipeline import Pipeline
from kmspeaker.web import serve
from kmspeaker.web.models import models_to_compare

DOCS = Path(__file__).parent.parent / "docs"
DESK, PHONE, WALL = (1440, 900), (390, 844), (3840, 2160)
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
FLAGS += ["--autoplay-policy=no-user-gesture-required", "--disable-background-networking"]
QUALITY = 85
"""Of WebP."""
PATIENCE = 240_000  # milliseconds
VIEWER = "document.querySelector('.km-stage').kmViewer"


def main() -> None:
    parser = argparse.ArgumentParser(description="Rewrite docs/app-*.webp.")
    parser.add_argument("--model", default="small")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--models", type=Path, help="folder of more systems, as for the app")
    parser.add_argument("--only", choices=("desk", "phone", "wall", "systems"), help="not all")
    options = parser.parse_args()
    others = models_to_compare(options.models, "cpu")
    demo = serve(Pipeline.load(options.model), others=others, port=0, block=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        for dark in (False, True):
            shade = "-dark" if dark else ""
            if options.only in (None, "desk"):
                with opened(browser, demo.local_url, DESK, dark=dark) as page:
                    desk(page, shade, "suspicious" if dark else "delighted")
            if options.only in (None, "phone"):
                with opened(browser, demo.local_url, PHONE, dark=dark) as page:
                    keep(page, f"first-phone{shade}")
                    play(page, "delighted")
                    show(page, moment(page, "open"))
                    keep(page, f"take-phone{shade}")
        if options.only in (None, "wall"):
            with opened(browser, demo.local_url, WALL) as page:
                keep(page, "first-4k")
        if options.only in (None, "systems"):
            with opened(browser, demo.local_url, DESK) as page:
                systems(page)
        browser.close()
    demo.close()


def desk(page: Page, shade: str, example: str) -> None:
    """Every view of a large screen."""
    keep(page, f"first{shade}")
    page.check("#consent input")
    play(page, example)
    show(page, moment(page, "open"))
    keep(page, f"take{shade}")
    if not shade:
        for pose in ("closed", "open"):
            show(page, moment(page, pose))
            keep(page, f"lips-{pose}", ".km-view")
    unfold(page, "Number of takes and systems", "Intensity")
    page.get_by_label("number input for Takes at once").fill("4")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Direct the take").scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    keep(page, f"direct{shade}")
    page.get_by_role("button", name="Direct the take").click()
    page.get_by_role("button", name="Generate").click()
    page.get_by_text("4 takes together").wait_for()
    page.wait_for_function(f"{VIEWER}.stats().time > 0.3")
    page.evaluate(f"{VIEWER}.clock.pause()")
    page.evaluate("window.scrollTo(0, 0)")
    show(page, 1.0)
    page.evaluate(f"{VIEWER}.clock.pause()")
    keep(page, f"compare{shade}")


def systems(page: Page) -> None:
    """All systems say one pair; six of them are looked at, then on a phone."""
    page.check("#consent input")
    play(page, "delighted")
    open_mouth = moment(page, "open")
    unfold(page, "Number of takes and systems")
    page.get_by_role("button", name="Compare all").click()
    page.get_by_role("button", name="Direct the take").click()
    page.get_by_role("button", name="Generate").click()
    page.get_by_text("takes together").wait_for()
    page.wait_for_function(f"{VIEWER}.stats().playing")
    page.evaluate(f"{VIEWER}.clock.pause()")
    page.evaluate(f"{VIEWER}.view.change({{ heads: {VIEWER}.view.state.heads.slice(0, 6) }})")
    page.wait_for_function(f"{VIEWER}.renderer.views.length === 6")
    for name, size in (("systems", DESK), ("systems-phone", PHONE)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.locator(".km-stage").evaluate("(stage) => stage.scrollIntoView()")
        show(page, open_mouth)
        page.wait_for_timeout(3000)  # drawn finely
        keep(page, name)


def unfold(page: Page, *groups: str) -> None:
    """Open the Direct panel and these groups of it."""
    page.get_by_role("button", name="Direct the take").click()
    for group in groups:
        page.get_by_role("button", name=group).click()
    page.wait_for_timeout(3000)  # what is typed before the panel is alive is lost


@contextmanager
def opened(
    browser: Browser, url: str, size: tuple[int, int], *, dark: bool = False
) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        device_scale_factor=2 if size == PHONE else 1,
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(url)
    page.wait_for_selector(".km-stage.km-ready")
    page.wait_for_timeout(1000)
    yield page
    context.close()


def play(page: Page, example: str) -> None:
    """Show the example's take and stop it."""
    page.click(f"#example-{example}")
    page.wait_for_selector(".km-stage.km-has-take")
    page.wait_for_function(f"{VIEWER}.stats().time > 0.3")
    page.evaluate(f"{VIEWER}.clock.pause()")


def moment(page: Page, pose: str) -> float:
    """When in the take's middle the jaw is most open, or the lips most pressed while it speaks.

    The eyes are open in either case.
    """
    jaw, roll = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthRollLower"]
    press, blink = ARKIT_INDEX["mouthPressLeft"], ARKIT_INDEX["eyeBlinkLeft"]
    height = f"w[{jaw}]" if pose == "open" else f"w[{roll}] + w[{press}] - 2 * w[{jaw}]"
    return page.evaluate(
        f"""() => {{
            const viewer = {VIEWER};
            const {{ weights, frames, fps }} = viewer.track("take-1");
            const spoken = [...Array(frames).keys()].slice(frames >> 2, (3 * frames) >> 2);
            const heights = spoken.map((k) => {{
                const w = weights.subarray(52 * k, 52 * k + 52);
                return {height} - 2 * w[{blink}];
            }});
            return spoken[heights.indexOf(Math.max(...heights))] / fps;
        }}"""
    )


def show(page: Page, seconds: float) -> None:
    page.evaluate(f"{VIEWER}.clock.seek({seconds})")
    page.wait_for_timeout(1500)


def keep(page: Page, name: str, part: str | None = None) -> None:
    shown = page if part is None else page.locator(part)
    picture = Image.open(io.BytesIO(shown.screenshot(timeout=PATIENCE)))
    path = DOCS / f"app-{name}.webp"
    picture.convert("RGB").save(path, quality=QUALITY, method=6)
    print(path, flush=True)


if __name__ == "__main__":
    main()
