"""Take the pictures of the app that lie in `docs/`: `python -m scripts.screenshots`.

Starts the app with the bundled model, plays its examples in headless Chromium and keeps the page
before and during a take, light and dark, desk and phone, and the head with lips closed and open.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from kmspeaker.face import ARKIT_INDEX
from kmspeaker.pipeline import Pipeline
from kmspeaker.web import serve

DOCS = Path(__file__).parent.parent / "docs"
DESK, PHONE = (1440, 900), (390, 844)
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
FLAGS += ["--autoplay-policy=no-user-gesture-required", "--disable-background-networking"]
PATIENCE = 120_000  # milliseconds
VIEWER = "document.querySelector('.km-stage').kmViewer"


def main() -> None:
    parser = argparse.ArgumentParser(description="Rewrite docs/app-*.png.")
    parser.add_argument("--model", default="small")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    demo = serve(Pipeline.load(options.model), port=0, block=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        with opened(browser, demo.local_url, DESK) as page:
            keep(page, "first")
            play(page, "delighted")
            show(page, moment(page, "open"))
            keep(page, "take")
            for pose in ("closed", "open"):
                show(page, moment(page, pose))
                page.locator(".km-view").screenshot(path=DOCS / f"app-lips-{pose}.png")
                print(DOCS / f"app-lips-{pose}.png")
        with opened(browser, demo.local_url, DESK, dark=True) as page:
            keep(page, "first-dark")
            play(page, "suspicious")
            show(page, moment(page, "open"))
            keep(page, "take-dark")
        with opened(browser, demo.local_url, PHONE) as page:
            keep(page, "first-phone")
            play(page, "delighted")
            show(page, moment(page, "open"))
            keep(page, "take-phone")
        browser.close()
    demo.close()


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
    """Make the example's take and stop it."""
    page.click(f"#example-{example}")
    page.wait_for_selector(".km-stage.km-has-take")
    page.wait_for_function(f"{VIEWER}.stats().time > 0.3")
    page.evaluate(f"{VIEWER}.clock.pause()")


def moment(page: Page, pose: str) -> float:
    """When in the take's middle the jaw is most open, or the lips most pressed while it speaks."""
    jaw, roll = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthRollLower"]
    press = ARKIT_INDEX["mouthPressLeft"]
    height = f"w[{jaw}]" if pose == "open" else f"w[{roll}] + w[{press}] - 2 * w[{jaw}]"
    return page.evaluate(
        f"""() => {{
            const {{ weights, frames, fps }} = {VIEWER}.track("take");
            const spoken = [...Array(frames).keys()].slice(frames >> 2, (3 * frames) >> 2);
            const heights = spoken.map((k) => {{
                const w = weights.subarray(52 * k, 52 * k + 52);
                return {height};
            }});
            return spoken[heights.indexOf(Math.max(...heights))] / fps;
        }}"""
    )


def show(page: Page, seconds: float) -> None:
    page.evaluate(f"{VIEWER}.clock.seek({seconds})")
    page.wait_for_timeout(1500)


def keep(page: Page, name: str) -> None:
    page.screenshot(path=DOCS / f"app-{name}.png")
    print(DOCS / f"app-{name}.png")


if __name__ == "__main__":
    main()
