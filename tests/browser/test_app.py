"""The whole program as a visitor meets it: the real page, model, tracker and browser."""

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FloatRect, Page, expect

from kmspeaker.media.audio import Sound, load_sound, write_wav

pytestmark = pytest.mark.browser

PATIENCE = 120_000
"""Milliseconds; a few seconds do where the machine has nothing else to do."""
SILENCE = 1.5
"""Seconds put before and after them."""
MOUTH = ((-34, -38, 40), (34, -100, 40))
"""Opposite corners of a box around the mouth, mm from between the eyes."""


CLOCK_TIME = "document.querySelector('.km-stage').kmViewer.clock.time"


def seek(page: Page, seconds: float) -> None:
    """Show a moment, and wait until it has been drawn."""
    page.evaluate(
        """async (seconds) => {
            const viewer = document.querySelector(".km-stage").kmViewer;
            viewer.clock.pause();
            viewer.clock.seek(seconds);
            const frame = () => new Promise(requestAnimationFrame);
            for (let i = 0; i < 200 && Math.abs(viewer.stats().time - seconds) > 0.02; i++) {
                await frame();
            }
            await frame();
            await frame();
        }""",
        seconds,
    )


def mouth(page: Page) -> np.ndarray:
    """The pixels around the mouth as they are on screen, grey."""
    box = page.evaluate(
        """(corners) => {
            const { renderer, canvas } = document.querySelector(".km-stage").kmViewer;
            const { left, top, width, height } = canvas.getBoundingClientRect();
            return corners.map((corner) => {
                const point = new renderer.THREE.Vector3(...corner).project(renderer.camera);
                return [left + ((point.x + 1) / 2) * width, top + ((1 - point.y) / 2) * height];
            });
        }""",
        MOUTH,
    )
    (left, top), (right, bottom) = box
    clip: FloatRect = {
        "x": left,
        "y": top,
        "width": right - left,
        "height": bottom - top,
    }
    picture = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("L")
    return np.asarray(picture, np.float32)


def largest_change(pictures: list[np.ndarray]) -> float:
    """Mean difference of grey levels between the two pictures that differ most."""
    return max(float(np.abs(a - b).mean()) for a, b in itertools.combinations(pictures, 2))


def stats(page: Page) -> dict:
    return page.evaluate("document.querySelector('.km-stage').kmViewer.stats()")


def test_a_recording_and_a_video_become_a_head_that_speaks_and_rests(
    page: Page, speech_and_face: tuple[Path, tuple[float, float], Path], tmp_path: Path
):
    recording, spoken, video = speech_and_face
    sound = load_sound(recording)
    start, end = (round(t * sound.sample_rate) for t in spoken)
    rest = np.zeros(round(SILENCE * sound.sample_rate), np.float32)
    speech = tmp_path / "speech.wav"
    padded = np.concatenate([rest, sound.samples[start:end], rest])
    write_wav(speech, Sound(padded, sound.sample_rate))

    page.check("#consent input")
    page.set_input_files(".km-video input[type=file]", video)
    page.wait_for_selector(".km-stage.km-has-reference", timeout=PATIENCE)
    expect(page.get_by_text("face seen in")).to_be_visible()
    page.set_input_files(".km-audio input[type=file]", speech)
    expect(page.locator(".km-audio")).to_contain_text("0:06", timeout=PATIENCE)
    page.get_by_role("button", name="Generate").click()
    page.wait_for_selector(".km-stage.km-has-take", timeout=PATIENCE)
    expect(page.locator("#facts")).to_contain_text("Spoken by small@")

    # It starts by itself, moves with its sound, and the reference keeps step.
    page.wait_for_function(
        "document.querySelector('.km-stage').kmViewer.stats().time > 1.6", timeout=PATIENCE
    )
    assert stats(page)["takeBytes"] < 60_000

    talking = []
    for moment in np.linspace(SILENCE + 0.1, SILENCE + spoken[1] - spoken[0] - 0.1, 14):
        seek(page, float(moment))
        talking.append(mouth(page))
    resting = []
    for moment in (0.3, 0.7, 1.1):
        seek(page, moment)
        resting.append(mouth(page))
    assert largest_change(talking) > 6, "the mouth hardly moves while it speaks"
    assert largest_change(resting) < 0.3 * largest_change(talking), "it mumbles in silence"


@pytest.mark.parametrize("name", ["delighted", "suspicious"])
def test_an_example_needs_one_click(page: Page, name: str):
    page.click(f"#example-{name}")
    page.wait_for_selector(".km-stage.km-has-take", timeout=PATIENCE)
    # A short take may have ended by the time a key arrives, and Space would play it again: loop.
    page.keyboard.press("l")
    page.wait_for_function(
        "document.querySelector('.km-stage').kmViewer.stats().time > 0.5", timeout=PATIENCE
    )
    if not stats(page)["playing"]:  # it had ended before it looped
        page.keyboard.press("Space")
    page.wait_for_function("document.querySelector('.km-stage').kmViewer.stats().playing")
    page.keyboard.press("Space")
    assert not stats(page)["playing"]
    expect(page.locator("#facts")).to_contain_text("Spoken by")
    expect(page.locator(".km-reference")).to_be_visible()
    before = page.evaluate(CLOCK_TIME)
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"(before) => {CLOCK_TIME} > before", arg=before)
    assert page.evaluate(CLOCK_TIME) - before < 2.1 / 30


def test_another_head_is_worn_at_once_and_goes_into_the_download(page: Page, tmp_path: Path):
    page.click("#example-delighted")
    page.wait_for_selector(".km-stage.km-has-take", timeout=PATIENCE)
    page.get_by_role("radio", name="Kenji").click()
    with page.expect_download(timeout=PATIENCE) as download:
        page.click("#savecsv")
    path = tmp_path / "take.csv"
    download.value.save_as(path)
    assert "kenji" in download.value.suggested_filename
    header = path.read_text().splitlines()[0]
    assert header.startswith("Timecode,BlendShapeCount,EyeBlinkLeft")


def test_text_renamed_to_a_video_gets_a_sentence(page: Page, tmp_path: Path):
    fake = tmp_path / "holiday.mp4"
    fake.write_text("This is no video.\n" * 50)
    page.check("#consent input")
    page.set_input_files(".km-video input[type=file]", fake)
    notice = page.get_by_test_id("toast-body").first
    expect(notice).to_contain_text("holiday.mp4", timeout=PATIENCE)
    assert "Traceback" not in page.content()
    page.wait_for_selector(".km-stage:not(.km-has-reference)")


def test_generating_without_anything_says_what_is_missing(page: Page):
    page.get_by_role("button", name="Generate").click()
    notice = page.get_by_test_id("toast-body").first
    expect(notice).to_contain_text("There is no speech yet", timeout=PATIENCE)
    expect(notice).to_contain_text("Please check this")
    expect(notice.get_by_text("Error", exact=True)).to_be_hidden()


def test_the_page_fits_a_phone(browser, address: str):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector(".km-stage.km-ready", timeout=PATIENCE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_without_three_js_the_page_says_so_in_a_sentence(browser, address: str):
    page = browser.new_page()
    page.route("**/three*/**", lambda route: route.abort())
    page.goto(address)
    message = page.locator(".km-message")
    expect(message).to_contain_text("could not start the 3D view", timeout=PATIENCE)
    page.close()
