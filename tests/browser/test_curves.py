"""The panel of curves as a visitor meets it: opened, followed, dragged, read by keyboard."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

PATIENCE = 120_000
"""Milliseconds; a few seconds do where the machine has nothing else to do."""
CLOCK = "document.querySelector('.km-stage').kmViewer.clock"
CURSOR = "document.querySelector('.km-curves').kmCurves.cursor.time"


@pytest.fixture(scope="module")
def panel(browser: Browser, address: str) -> Iterator[Page]:
    """The page with an example's take that stands still, and the panel open."""
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.goto(address)
    page.wait_for_selector(".km-stage.km-ready")
    page.click("#example-delighted")
    page.wait_for_selector(".km-stage.km-has-take")
    page.wait_for_selector(".km-curves:not([hidden])")
    assert not any("plotly" in url for url in urls), "what draws is fetched before it is needed"
    page.click(".km-curves summary")
    page.wait_for_selector(".km-cursor[aria-valuemax]")
    page.evaluate(f"{CLOCK}.pause()")
    assert {url.split("/")[2] for url in urls if url.startswith("http")} == {address.split("/")[2]}
    yield page
    context.close()


def cursor_place(page: Page) -> float:
    """Where the line is, pixels from the left of the page."""
    box = page.locator(".km-cursor").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2


def test_the_cursor_follows_the_clock(panel: Page):
    drawings = "document.querySelector('.km-figure')"
    panel.wait_for_timeout(2000)  # unfolding the panel draws it to its size
    panel.evaluate(f"{drawings}.on('plotly_afterplot', () => (window.drawn = true))")
    places = []
    for seconds in (0.5, 1.5, 2.5):
        panel.evaluate(f"{CLOCK}.seek({seconds})")
        panel.wait_for_function(f"Math.abs({CURSOR} - {seconds}) < 0.02")
        places.append(cursor_place(panel))
    assert places[2] - places[1] == pytest.approx(places[1] - places[0], abs=2)
    assert places[1] - places[0] > 80
    assert not panel.evaluate("window.drawn"), "the plot is drawn again although nothing changed"


def test_dragging_the_cursor_and_clicking_the_curves_seek(panel: Page):
    panel.evaluate(f"{CLOCK}.seek(1)")
    panel.wait_for_function(f"Math.abs({CURSOR} - 1) < 0.02")
    panel.locator(".km-cursor").scroll_into_view_if_needed()
    box = panel.locator(".km-cursor").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + 60
    panel.mouse.move(x, y)
    panel.mouse.down()
    panel.mouse.move(x + 150, y, steps=3)
    panel.mouse.up()
    panel.wait_for_function(f"{CLOCK}.time > 1.3")
    dragged = panel.evaluate(f"{CLOCK}.time")
    panel.mouse.click(x, y + 20)
    panel.wait_for_function(f"{CLOCK}.time < {dragged} - 0.2")
    assert panel.evaluate(f"{CLOCK}.time") == pytest.approx(1, abs=0.03)
    panel.locator(".km-cursor").focus()
    panel.keyboard.press("Shift+ArrowRight")
    panel.wait_for_function(f"{CLOCK}.time > 1.9")


def test_any_weight_is_found_by_typing_and_the_zoom_is_kept(panel: Page):
    rows = "document.querySelector('.km-figure').layout"
    panel.get_by_role("button", name="Zoom in").click()
    panel.wait_for_function(f"{rows}.xaxis.range[1] - {rows}.xaxis.range[0] < 4")
    zoom = panel.evaluate(f"{rows}.xaxis.range")
    panel.locator(".km-weight input").fill("jawopen")
    panel.wait_for_function(f"{rows}.annotations.some(({{ text }}) => text.includes('jawOpen'))")
    assert panel.evaluate(f"{rows}.xaxis.range") == zoom
    panel.get_by_role("button", name="All").click()
    panel.wait_for_function(f"{rows}.xaxis.range[0] === 0")


def test_numbers_are_explained_to_the_keyboard(panel: Page):
    expect(panel.locator(".km-numbers")).to_contain_text("a second")
    panel.get_by_role("button", name="Lip closures").focus()
    expect(panel.get_by_role("tooltip")).to_contain_text("come together")
    panel.keyboard.press("Escape")
    expect(panel.get_by_role("tooltip")).to_have_count(0)


def test_hidden_names_hide_the_curves(panel: Page):
    panel.locator(".km-chip", has_text="Reference").click()
    panel.locator(".km-blind").click()
    expect(panel.locator(".km-curves-body")).to_be_hidden()
    expect(panel.locator(".km-curves-message")).to_contain_text("Reveal")
    panel.locator(".km-reveal").click()
    expect(panel.locator(".km-curves-body")).to_be_visible()
