"""All systems beside each other as a visitor meets them, and nothing that tells them apart."""

import pytest
from app_page import unfold
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

PATIENCE = 240_000
"""Milliseconds; some seconds do where the machine has nothing else to do."""
VIEWER = "document.querySelector('.km-stage').kmViewer"
SEEN_AND_HEARD = """() => {
    const parts = [".km-stage", "#facts", ".km-downloads", ".km-curves"];
    const all = parts.flatMap((part) => [...document.querySelector(part).querySelectorAll("*")]);
    const shown = all.filter((each) => each.checkVisibility());
    const own = (each) => [...each.childNodes].filter(({ nodeType }) => nodeType === 3);
    return shown.flatMap((each) => [
        each.title, each.ariaLabel, each.alt, each.value, ...own(each).map((text) => text.data),
    ]).filter(Boolean).join("\\n") + "\\n" + document.title;
}"""
"""Texts, tooltips, names for screen readers and fields around the stage."""


def test_one_press_compares_all_systems_and_blind_gives_none_of_them_away(page: Page):
    page.set_default_timeout(PATIENCE)
    page.check("#consent input")
    page.click("#example-delighted")
    page.wait_for_selector(".km-stage.km-has-take")
    unfold(page, "Direct the take")
    unfold(page, "Number of takes and systems")
    page.wait_for_timeout(1000)
    titles = page.locator("#models label").all_text_contents()
    titles = [title.strip() for title in titles]
    assert titles[0] == "KM-Speaker (small)" and len(titles) >= 6
    page.get_by_role("button", name="Compare all").click()
    expect(page.locator("#direct-summary")).to_contain_text(f"{len(titles)} systems will speak")
    page.get_by_role("button", name="Direct the take").click()
    page.get_by_role("button", name="Generate").click()
    expect(page.locator(".km-panel b")).to_have_text(titles, timeout=PATIENCE)
    page.evaluate(f"{VIEWER}.clock.pause()")
    expect(page.locator("#facts")).to_contain_text(f"{len(titles)} systems")
    told = page.evaluate(SEEN_AND_HEARD)
    assert all(title in told for title in titles) and "held@" in told

    page.get_by_role("button", name="Blind").click()
    letters = [f"Head {letter}" for letter in "ABCDEFGHIJKL"[: len(titles)]]
    expect(page.locator(".km-panel b")).to_have_text(letters)
    page.keyboard.press("3")
    expect(page.locator(".km-panel b")).to_have_text(["Head C"])
    link = page.evaluate(f"{VIEWER}.view.link")
    assert "solo" not in link and "base" not in link
    page.keyboard.press("0")
    expect(page.locator(".km-panel")).to_have_count(len(titles))
    told = page.evaluate(SEEN_AND_HEARD)
    names = page.locator("#models input").evaluate_all("(all) => all.map(({ name }) => name)")
    for name in (*titles, "small", "held", "copied", "linear", "blend", "msmd", "meshtalk", *names):
        assert not name or name not in told, name
    assert "until you press Reveal" in told

    page.get_by_role("button", name="Reveal").click()
    expect(page.locator("#facts")).to_contain_text("Spoken by")
    shown = page.locator(".km-panel b").all_text_contents()
    assert sorted(shown) == sorted(titles)
