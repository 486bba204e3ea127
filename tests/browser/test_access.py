"""The page for those who see it little or walk it by keyboard; and the stage saved as a video."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from app_page import unfold
from playwright.sync_api import Browser, Page, expect
from test_visits import SlowApp

pytestmark = pytest.mark.browser

PATIENCE = 120_000
"""Milliseconds."""
AXE = "node/node_modules/axe-core/axe.min.js"
GRADIOS = {
    "label-content-name-mismatch": (".playback", ".upload-container"),
}
"""Rules that Gradio's own controls break, and which: the speed of its audio player and its upload
areas are called otherwise than what they show. Both can be used."""
VIEWER = "document.querySelector('.km-stage').kmViewer"


@pytest.fixture(scope="module")
def app() -> Iterator[SlowApp]:
    app = SlowApp(0)
    yield app
    app.kill()


@pytest.fixture(scope="module")
def axe() -> str:
    cache = Path(os.environ.get("KMSPEAKER_CACHE", Path.home() / ".cache" / "kmspeaker"))
    if not (cache / AXE).is_file():
        if os.environ.get("CI"):
            pytest.fail("CI must have axe; scripts/test.sh installs it.")
        pytest.skip("needs axe, which scripts/test.sh installs")
    return (cache / AXE).read_text()


def visit(browser: Browser, app: SlowApp, scheme: str = "light") -> Page:
    """The page with an example's take that stands still."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(app.address)
    page.wait_for_selector(".km-stage.km-ready")
    return page


def play(page: Page) -> None:
    page.click("#example-delighted")
    page.wait_for_selector(".km-stage.km-has-take")
    page.wait_for_selector(".km-curves:not([hidden])")
    page.evaluate(f"{VIEWER}.clock.pause()")


def violations(page: Page, axe: str, *rules: str) -> list[tuple[str, str, str]]:
    """Serious and critical ones: rule, place, what is wrong; of some rules, or of all."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(axe)
    violations = page.evaluate(
        """async (rules) => {
            const options = { resultTypes: ["violations"] };
            if (rules.length) options.runOnly = { type: "rule", values: rules };
            const { violations } = await axe.run(document, options);
            return violations
                .filter(({ impact }) => ["serious", "critical"].includes(impact))
                .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) =>
                    [id, target.join(" "), failureSummary]));
        }""",
        rules,
    )
    exempt = [(rule, place) for rule, places in GRADIOS.items() for place in places]
    return [
        (rule, place, why)
        for rule, place, why in violations
        if not any(rule == other and part in place for other, part in exempt)
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_any_view(
    browser: Browser, app: SlowApp, axe: str, scheme: str
):
    # Only colours change with the scheme.
    rules = ("color-contrast",) if scheme == "dark" else ()
    page = visit(browser, app, scheme)
    assert violations(page, axe, *rules) == []
    page.check("#consent input")
    play(page)
    for part in ("Own face", "Direct the take", "Number of takes and systems", "Intensity"):
        unfold(page, part)
    page.locator(".km-chip", has_text="Reference").click()
    page.locator("[data-mode=difference]").click()
    page.click(".km-curves summary")
    page.wait_for_selector(".km-cursor[aria-valuemax]")
    page.locator(".km-panel-note", has_text="largest").wait_for()
    assert violations(page, axe, *rules) == []
    page.context.close()


@pytest.fixture(scope="module")
def two(browser: Browser, app: SlowApp) -> Iterator[Page]:
    """The page with a take beside its reference."""
    page = visit(browser, app)
    play(page)
    page.locator(".km-chip", has_text="Reference").click()
    expect(page.locator(".km-panel")).to_have_count(2)
    yield page
    page.context.close()


def test_the_stage_is_heard_as_it_is_seen(two: Page):
    stage = two.locator(".km-stage")
    tree = stage.aria_snapshot()
    for line in (
        'group "Heads on the stage, up to twelve"',
        'button "Take 1" [pressed]',
        'button "Side by side" [pressed]',
        'region "Take 1, ',
        'button "Show Take 1 alone"',
        'combobox "Face of Take 1"',
        'combobox "Keypoints over the picture"',
        'button "Play"',
        'slider "Position"',
        'button "Reset camera"',
    ):
        assert line in tree
    nameless = re.findall(
        r"^ *- (?:button|combobox|slider|region|group)(?: \[.*\])?:?$", tree, re.M
    )
    assert nameless == []


def test_tab_reaches_every_control_of_the_stage(two: Page):
    page, stage = two, two.locator(".km-stage")
    stage.focus()
    mark = """(stage) => [...stage.querySelectorAll(":is(button, select, input, [tabindex])")]
        .filter((each) => !each.disabled && each.checkVisibility() && each.tabIndex >= 0)
        .map((each) => each.getAttribute("aria-label") ?? each.textContent)"""
    there, reached = stage.evaluate(mark), []
    for _ in there:
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "(document.activeElement.getAttribute('aria-label')"
                " ?? document.activeElement.textContent)"
            )
        )
    assert len(there) > 15 and reached == there


def test_every_control_of_the_stage_follows_the_keyboard(two: Page):
    """Who presses a button that is made anew stays on it."""
    page = two
    page.get_by_role("button", name="Show Reference alone").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Show all heads again")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator(".km-panel")).to_have_count(2)
    expect(page.get_by_role("button", name="Show Reference alone")).to_be_focused()
    page.get_by_label("Face of Take 1").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Face of Take 1")).to_be_focused()
    expect(page.get_by_label("Face of Take 1")).to_have_value("mei")
    page.get_by_role("button", name="Wipe", exact=True).focus()
    page.keyboard.press("Enter")
    divider = page.get_by_role("slider", name="Divider between the two heads")
    divider.focus()
    page.keyboard.press("ArrowLeft")
    expect(divider).to_have_attribute("aria-valuenow", "48")
    position = page.get_by_role("slider", name="Position")
    position.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"{VIEWER}.clock.time > 0")
    standpoint = page.evaluate(f"{VIEWER}.renderer.standpoint")
    for keys in ("kk", "jj", "++"):
        for key in keys:
            page.keyboard.press(key)
        turned = page.evaluate(f"{VIEWER}.renderer.standpoint")
        assert turned != standpoint
        standpoint = turned
    page.keyboard.press("r")
    page.wait_for_function(f"!{VIEWER}.renderer.moved")


def test_the_stage_is_saved_as_a_video_with_its_sound(two: Page, tmp_path: Path):
    page = two
    with page.expect_download(timeout=PATIENCE) as download:
        page.get_by_role("button", name="MP4 of the stage").click()
    assert download.value.suggested_filename == "km-speaker_side-by-side_2.mp4"
    download.value.save_as(tmp_path / "stage.mp4")
    with av.open(str(tmp_path / "stage.mp4")) as video:
        assert "fake@00000000" in video.metadata["comment"]
        assert video.streams.audio and video.duration is not None
        assert video.duration / av.time_base == pytest.approx(5.25, abs=0.3)
        pictures = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    middle = pictures[len(pictures) // 2].astype(int)
    left, right = middle[:, :160], middle[:, 160:]
    assert left.std() > 20 and right.std() > 20, "two heads are to be seen"
