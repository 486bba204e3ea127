"""A head of one's own in the browser: sliders change who stands on the stage, files are checked."""

import time

import pytest
from app_page import unfold
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_sliders_put_another_head_on_the_stage(page: Page):
    stage = page.locator(".km-stage canvas").first
    before = stage.screenshot()
    unfold(page, "Own face")
    for slider, value in (("age", "82"), ("weight", "1"), ("african", "1")):
        number = page.locator(f"#own-{slider} input[type=number]")
        number.fill(value)
        number.press("Tab")
    expect(page.locator("#own-message")).to_contain_text("82 years", timeout=60_000)
    page.wait_for_function(
        "performance.getEntriesByType('resource').some((r) => r.name.includes('/own-'))"
    )
    expect(page.locator(".km-message")).to_be_empty()
    deadline = time.monotonic() + 60
    while stage.screenshot() == before:
        assert time.monotonic() < deadline, "the stage shows the head of before"
    page.locator("#own-mesh input[type=file]").set_input_files(
        {"name": "<b>head</b>.obj", "mimeType": "text/plain", "buffer": b"v 0 0 0\nf 1 1 1\n"}
    )
    expect(page.get_by_text("it must keep the 19,938 vertices")).to_be_visible(timeout=60_000)
