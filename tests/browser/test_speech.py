"""A video given as speech, and a reference whose own voice is the speech, in one click."""

from playwright.sync_api import Page, expect

from kmspeaker.examples import FOLDER

VIDEO = FOLDER / "delighted.mp4"
PATIENCE = 120_000
SPOKEN = '.km-audio [data-testid="waveform-Speech"]'


def test_a_video_is_taken_where_sound_is_and_a_references_voice_in_one_click(page: Page):
    page.check("#consent input")
    expect(page.locator("#own-voice")).to_be_hidden()
    page.set_input_files(".km-audio input[type=file]", VIDEO)
    expect(page.locator(SPOKEN)).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".km-audio")).to_contain_text("0:05", timeout=PATIENCE)
    expect(page.locator(".toast-body")).to_have_count(0)
    page.locator(".km-audio").get_by_label("Clear").click()
    expect(page.locator(".km-audio input[type=file]")).to_have_count(1)
    page.set_input_files(".km-video input[type=file]", VIDEO)
    expect(page.locator("#own-voice")).to_be_visible(timeout=PATIENCE)
    page.locator("#own-voice").click()
    expect(page.locator(".km-audio")).to_contain_text("0:05", timeout=PATIENCE)


def test_what_has_no_sound_is_said_and_the_input_is_free_again(page: Page):
    page.check("#consent input")
    nothing = {"name": "talk.mkv", "mimeType": "video/x-matroska", "buffer": b"no film"}
    for _ in range(2):
        page.set_input_files(".km-audio input[type=file]", nothing)  # type: ignore[arg-type]
        notice = page.locator(".toast-body").last
        expect(notice).to_contain_text("not sound or video", timeout=PATIENCE)
        expect(page.locator(".km-audio[data-taking]")).to_have_count(0)
        notice.get_by_test_id("toast-close").click()
        expect(page.locator(".toast-body")).to_have_count(0)
