"""How finely moving heads are drawn, and for which moment, on machines of several speeds."""

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from kmspeaker.web.page.viewer import STATIC

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.evaluate(
        """() => {
            const script = (text) => new Blob([text], { type: "text/javascript" });
            window.load = (text) => import(URL.createObjectURL(script(text)));
        }"""
    )
    yield page
    page.close()


def test_pictures_are_as_fine_as_the_machine_allows_and_rarely_change(page: Page):
    """A minute of machines that need ``slow`` ms at full resolution, 16.7 below, more at first."""
    quick, enough, slow = page.evaluate(
        """async (source) => {
            const { Quality } = await window.load(source);
            return [15, 30, 45].map((slow) => {
                const quality = new Quality(true, [{ name: "light", triangles: 4000 }]);
                const ratios = [];
                for (let now = 1000, busy = 40; now < 61_000; busy--) {
                    quality.choose(now, true, 4);
                    ratios.push(quality.pixelRatio);
                    now += quality.pixelRatio === 1 || busy > 0 ? Math.max(slow, busy) : 16.7;
                }
                const changes = ratios.filter((ratio, i) => i && ratio !== ratios[i - 1]).length;
                return { last: ratios.at(-1), changes };
            });
        }""",
        (STATIC / "quality.js").read_text(),
    )
    assert quick["last"] == enough["last"] == 1, "what was busy at first is fine in the end"
    assert slow["last"] < 1
    assert slow["changes"] <= 16


@pytest.mark.parametrize("interval", [1 / 60, 1 / 30, 1 / 15])
@pytest.mark.parametrize("rate", [1.0, 0.5])
def test_a_picture_is_drawn_for_the_moment_that_is_heard_when_it_is_seen(
    page: Page, interval: float, rate: float
):
    """It is seen two refreshes after it was drawn; refreshes come unevenly."""
    uneven = interval * np.random.default_rng(0).uniform(0.7, 1.3, 600)
    record = page.evaluate(
        """async ([source, intervals, rate]) => {
            const { Clock } = await window.load(source);
            const clock = new Clock();
            const media = new EventTarget();
            clock.attach(Object.assign(media, { paused: false, ended: false, pause() {} }), 60);
            clock.rate = rate;
            const at = (now) => {
                media.currentTime = rate * now;
                return [clock.time, clock.timeToDraw(1000 * now)];
            };
            let now = 0;
            const playing = intervals.map((interval) => at((now += interval)));
            media.paused = true;
            return { playing, paused: at(now) };
        }""",
        [(STATIC / "clock.js").read_text(), uneven.tolist(), rate],
    )
    sound, drawn = np.array(record["playing"])[60:].T
    behind = sound[2:] - drawn[:-2]
    assert abs(np.median(behind)) < 0.005
    assert np.abs(behind).max() < rate * interval
    assert record["paused"][0] == record["paused"][1]
