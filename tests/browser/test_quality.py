"""How finely moving heads are drawn, on machines of several speeds."""

import pytest
from playwright.sync_api import Browser

from kmspeaker.web.viewer import STATIC

pytestmark = pytest.mark.browser


def test_pictures_are_as_fine_as_the_machine_allows_and_rarely_change(browser: Browser):
    """A minute of machines that need ``slow`` ms at full resolution, 16.7 below, more at first."""
    page = browser.new_page()
    quick, enough, slow = page.evaluate(
        """async (source) => {
            const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
            const { Quality } = await import(url);
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
    page.close()
    assert quick["last"] == enough["last"] == 1, "what was busy at first is fine in the end"
    assert slow["last"] < 1
    assert slow["changes"] <= 16
