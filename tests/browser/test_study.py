"""A whole session of a rating study by keyboard alone: reloaded, on two devices, cut off."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect
from studies import table, troubled, write_study

from kmspeaker.errors import InputError
from kmspeaker.study.store import Store, StoreUnavailable
from kmspeaker.web import free_port
from kmspeaker.web.study.serving import study_app

pytestmark = pytest.mark.browser

WORDS = "<b onclick=alert(1)>nice</b>"
COUNT_TONES = """
window.tones = 0;
const start = AudioScheduledSourceNode.prototype.start;
AudioScheduledSourceNode.prototype.start = function (when) {
  window.tones += 1;
  return start.call(this, when);
};
"""


def content() -> dict[str, Any]:
    made = table(systems=1, items=1)
    # The anchor needs another item of the same actor, which nobody rates.
    made["training"] = [{**made["items"][0], "name": "practice", "feedback": "One is worse."}]
    made["conditions"]["above"] = {"label": "Above", "role": "target", "capture": True}
    made["attention"] = [{"after": 1, "instruction": "To the top.", "low": 80, "high": 100}]
    made["questionnaire"] = [
        {"name": "work", "text": "Faces?", "answer": "choice", "choices": ["no", "yes"]},
        {"name": "remarks", "text": "Remarks?", "required": True},
    ]
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    study = write_study(tmp_path / "study", content(), seconds=0.8)
    store = Store(study.database, study.design, wait=1)
    yield store
    store.close()


@pytest.fixture
def address(store: Store, tmp_path: Path) -> Iterator[str]:
    from kmspeaker.study.study_folder import load_study

    port = free_port("127.0.0.1", 0)
    app = study_app(load_study(tmp_path / "study"), store)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join()


def opened(browser: Browser) -> tuple[BrowserContext, Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(COUNT_TONES)
    page = context.new_page()
    page.set_default_timeout(10_000)
    return context, page


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def watch(page: Page, number: int) -> None:
    """Play the clip of this number from its start to its end."""
    press(page, str(number), "r")
    expect(page.locator(".row").nth(number - 1)).to_have_class("row active played")
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_a_whole_session_by_keyboard(browser: Browser, address: str, store: Store):
    context, page = opened(browser)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if "Security" in said.text else None)
    page.goto(address)
    expect(page.get_by_role("button", name="I agree")).to_be_focused()
    press(page, "Enter")
    code = page.locator(".code").inner_text()

    press(page, "Enter")  # the tones
    tones = page.evaluate("tones")
    expect(page.get_by_role("button", name="Go on")).to_be_disabled()
    press(page, *["Tab"] * (tones - 2), "Enter")
    expect(page.get_by_text("That is right")).to_be_visible()
    press(page, "Enter")
    expect(page.get_by_role("button", name="Begin to practise")).to_be_focused()
    press(page, "Enter")

    missing, go_on = page.locator("#missing"), page.get_by_role("button", name="Go on")
    expect(missing).to_have_text(
        "To go on, play A and B to the end; then move the sliders of A and B."
    )
    watch(page, 1)
    press(page, "ArrowRight")
    expect(missing).to_have_text("To go on, play B to the end; then move the slider of B.")
    expect(go_on).to_be_disabled()
    press(page, "Enter")  # in vain
    watch(page, 2)
    press(page, "PageUp")
    expect(go_on).to_be_enabled()
    press(page, "Enter")
    expect(page.locator(".feedback")).to_have_text("One is worse.")
    press(page, "Enter")

    expect(missing).to_contain_text("play A and B")
    times = """() => [...document.querySelectorAll("video")].map((video) => video.currentTime)"""
    press(page, " ")
    while page.evaluate(times)[1] < 0.1:
        page.wait_for_timeout(10)
    press(page, " ", "2")  # to the other at the same instant
    expect(page.locator(".row").nth(1)).to_have_class("row active")
    target, first, second = page.evaluate(times)
    assert 0.1 <= second < 0.8
    assert second == pytest.approx(first, abs=0.001)
    assert second == pytest.approx(target, abs=0.15)
    watch(page, 2)
    press(page, "1", "PageDown", "ArrowLeft")
    expect(page.locator("#saving")).to_have_text("Everything is saved.")

    page.reload()
    expect(missing).to_have_text("To go on, play A to the end; then move the slider of B.")
    expect(page.get_by_label("Rating of clip A")).to_have_value("39")
    elsewhere, second_page = opened(browser)
    second_page.goto(address)
    expect(second_page.get_by_role("button", name="I agree")).to_be_focused()
    press(second_page, "Tab")
    second_page.keyboard.type(code.lower())
    press(second_page, "Enter")
    expect(second_page.get_by_label("Rating of clip A")).to_have_value("39")

    context.set_offline(True)
    press(page, "2", "PageUp")
    expect(page.locator("#saving")).to_contain_text("not reached")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download what is not saved").press("Enter")
    assert '"value": 60' in downloading.value.path().read_text()
    context.set_offline(False)
    expect(page.locator("#saving")).to_have_text("Everything is saved.")
    watch(page, 1)
    press(page, "Enter")

    expect(page.get_by_role("heading", name="To the top.")).to_be_visible()
    expect(missing).to_contain_text("To go on")
    press(second_page, "2", "ArrowRight")  # on a page that is done
    expect(second_page.get_by_role("heading", name="To the top.")).to_be_visible()
    press(page, "End", "Enter")
    expect(page.get_by_role("radio", name="no")).to_be_focused()
    press(page, "ArrowRight", "Tab")
    page.keyboard.type(WORDS)
    press(page, "Tab", "Enter")
    completion = page.locator("#completion").inner_text()
    context.close()
    elsewhere.close()

    participant = store.resume(code)
    assert participant.completion_code == completion
    assert store.progress(participant).answers == {"work": "yes", "remarks": WORDS}
    responses = store.responses()
    values = {(row["position"], row["stimulus"]): row["value"] for row in responses.ratings}
    shown = [each.stimuli for each in store.pages(participant)]
    assert values == {
        (0, shown[0][0]): 51,
        (0, shown[0][1]): 60,
        (1, shown[1][0]): 39,
        (1, shown[1][1]): 60,
        (2, "check"): 100,
    }
    assert len(responses.history) == len(responses.ratings)
    assert not wrong


def begun(store: Store) -> tuple[str, str]:
    """The code of one who is past the practice, and which condition is A on his page."""
    code, participant = store.join()
    practice, page, *_ = store.pages(participant)
    for key in practice.rated:
        plays = dict.fromkeys(practice.stimuli, 1)
        store.rate(participant, 0, key, 50, seconds=5, save=key, plays=plays)
    store.finish_page(participant, 0)
    return code, page.stimuli[0]


def fill(store: Store) -> None:
    """Rate as another participant until there is no room for more."""
    participant = store.join()[1]
    key = store.pages(participant)[0].rated[0]
    with pytest.raises(StoreUnavailable):
        for k in range(1000):
            store.rate(participant, 0, key, 50, seconds=1, save=str(k))


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [("max_page_count=1", "is full"), ("query_only=1", "cannot be reached"), (None, "is busy")],
    ids=["full", "read only", "locked"],
)
def test_a_rating_that_cannot_be_saved_is_said_tried_again_offered_and_not_lost(
    browser: Browser, address: str, store: Store, trouble: str | None, sentence: str
):
    code, stimulus = begun(store)
    context, page = opened(browser)
    page.goto(address)
    page.get_by_label("I have begun already").fill(code)
    page.get_by_role("button", name="Go on").click()
    slider, saving = page.get_by_label("Rating of clip A"), page.locator("#saving")
    expect(slider).to_be_focused()
    expect(page.locator("#missing")).to_contain_text("To go on")
    with hindered(store, trouble):
        press(page, "PageUp", "PageUp")
        expect(saving).to_contain_text(sentence)
        expect(saving).to_contain_text("tried again")
        with page.expect_download() as downloading:
            page.get_by_role("button", name="Download what is not saved").click()
        kept = json.loads(downloading.value.path().read_text())
        assert kept["code"] == code
        assert [each["body"]["value"] for each in kept["requests"]] == [70]
    expect(saving).to_have_text("Everything is saved.")
    expect(page.locator("#rescue")).to_be_hidden()
    context.close()
    ratings = store.progress(store.resume(code)).ratings
    assert ratings[1, stimulus].value == 70 and ratings[1, stimulus].revision == 1


@contextmanager
def hindered(store: Store, trouble: str | None) -> Iterator[None]:
    """The trouble, or without one a lock that another program holds."""
    if trouble is not None:
        with troubled(store, trouble):
            if trouble.startswith("max_page_count"):
                fill(store)
            yield
        return
    other = sqlite3.connect(str(store._engine.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


def resumed(page: Page, address: str, code: str) -> None:
    """Go on with a code, by keyboard."""
    page.goto(address)
    expect(page.get_by_role("button", name="I agree")).to_be_focused()
    press(page, "Tab")
    page.keyboard.type(code)
    press(page, "Enter")


def test_who_withdraws_or_deletes_by_keyboard_is_asked_once_more_and_told(
    browser: Browser, address: str, store: Store
):
    code, _ = begun(store)
    context, page = opened(browser)
    resumed(page, address, code)
    expect(page.get_by_label("Rating of clip A")).to_be_focused()
    press(page, "?")
    expect(page.get_by_role("dialog").locator(".code")).to_have_text(code)
    expect(page.get_by_role("button", name="Back to the study")).to_be_focused()
    press(page, "Shift+Tab", "Enter")
    expect(page.get_by_role("heading", name="Delete everything?")).to_be_visible()
    expect(page.get_by_role("button", name="No, go back")).to_be_focused()
    press(page, "Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert store.responses().ratings  # changed his mind
    press(page, "?", "Shift+Tab", "Shift+Tab", "Enter")
    expect(page.get_by_role("heading", name="Withdraw?")).to_be_visible()
    press(page, "Shift+Tab", "Enter")
    expect(page.get_by_role("heading", name="You have withdrawn")).to_be_focused()
    assert not store.responses().participants
    page.reload()
    expect(page.get_by_role("heading", name="You have withdrawn")).to_be_focused()
    press(page, "Tab", "Enter")
    expect(page.get_by_role("heading", name="You do not take part any more")).to_be_focused()
    with pytest.raises(InputError, match="belongs to nobody"):
        store.resume(code)
    resumed(page, address, code)
    expect(page.get_by_role("alert")).to_contain_text("belongs to nobody")
    context.close()
