"""The stage on its own page: real performances, real sound, the browser's own pictures."""

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from stage_page import (
    PATIENCE,
    TRIANGLES,
    VIEWER,
    Material,
    StageServer,
    opened,
    picture,
    seek,
    show,
    wait_until_settled,
)

from kmspeaker.face.rig import FaceModel
from kmspeaker.reference.overlay import keypoint_pixels
from kmspeaker.reference.tracking import SEEN
from scripts.measure_stage import measure

pytestmark = pytest.mark.browser


@pytest.fixture
def page(window: Page, server: StageServer, value: dict[str, Any]) -> Page:
    window.set_viewport_size({"width": 1280, "height": 720})
    opened(window, server, value)
    return window


PLACED = f"{VIEWER}.renderer.views[1].head.mesh.geometry.attributes.position.array"
"""Of the second view, where its points are."""


def names(page: Page) -> list[str]:
    return page.locator(".km-panel .km-name b").all_text_contents()


def test_any_of_the_catalogue_stand_beside_each_other_alone_or_swapped(page: Page):
    assert names(page) == ["Take 1", "Reference"]
    for label in ("Take 2", "Take 3"):
        page.get_by_role("button", name=label, exact=True).click()
    expect(page.locator(".km-panel")).to_have_count(4)
    page.get_by_role("button", name="Swap").click()
    expect(page.locator(".km-panel b").first).to_have_text("Reference")
    page.keyboard.press("2")
    expect(page.locator(".km-panel b")).to_have_text(["Take 2"])
    page.get_by_role("button", name="Show all heads again").click()
    expect(page.locator(".km-panel")).to_have_count(4)
    page.get_by_label("Face of Take 2").select_option("amara")
    page.wait_for_function(f"{VIEWER}.view.state.faces['take-2'] === 'amara'")


def test_twelve_heads_fit_each_to_be_made_out(page: Page, value: dict[str, Any]):
    heads = [{**value["heads"][k % 3], "key": f"copy-{k}", "label": f"Copy {k}"} for k in range(13)]
    keys = [head["key"] for head in heads]
    few = page.locator(".km-view").bounding_box()
    many = {**value, "heads": heads, "shown": keys, "reference": None}
    page.evaluate("(value) => window.viewer.show(value)", many)
    expect(page.locator(".km-panel")).to_have_count(12, timeout=PATIENCE)
    page.get_by_role("button", name="Copy 12", exact=True).click()
    expect(page.locator(".km-tip")).to_contain_text("12 heads fit")
    view = page.locator(".km-view").bounding_box()
    assert few is not None and view is not None and view["height"] > 1.2 * few["height"]
    boxes = page.evaluate(f"{VIEWER}.panels.boxes()")
    assert min(min(box["width"], box["height"]) for box in boxes) > 130
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function(
        f"{VIEWER}.panels.boxes().every(({{ width }}) => Math.abs(width - 364 / 3) < 1)"
    )
    boxes = page.evaluate(f"{VIEWER}.panels.boxes()")
    assert {round(box["height"]) for box in boxes} == {164}
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_blind_heads_keep_their_secret_until_it_is_revealed(page: Page):
    show(page, ["take-1", "take-2", "take-3"])
    page.get_by_role("button", name="Blind").click()
    expect(page.locator(".km-panel b")).to_have_text(["Head A", "Head B", "Head C"])
    assert page.locator(".km-panel select").count() == 0, "another face would tell who it is"
    order = page.locator(".km-panel").evaluate_all("(all) => all.map((each) => each.dataset.key)")
    assert sorted(order) == ["take-1", "take-2", "take-3"]
    expect(page.locator(".km-chip").first).to_be_hidden()
    expect(page.locator(".km-names-hidden")).to_contain_text("3 heads in chance order")
    page.keyboard.press("2")
    expect(page.locator(".km-panel b")).to_have_text(["Head B"])
    assert "solo" not in page.evaluate(f"{VIEWER}.view.link"), "the address tells"
    page.keyboard.press("0")
    page.get_by_role("button", name="Reveal").click()
    expect(page.locator(".km-panel b").first).to_contain_text("Take")
    assert [name.lower().replace(" ", "-") for name in names(page)] == order


def test_differences_are_the_rigs_own_millimetres(
    page: Page, face: FaceModel, material: Material, value: dict[str, Any]
):
    show(page, ["take-1", "take-2"], mode="difference", base="take-1")
    seek(page, 2.0)
    apart = page.evaluate(f"() => {VIEWER}.compared.map((each) => each && {{ ...each }})")
    poses = []
    for name in ("delighted", "suspicious"):
        weights = material.references[name].performance.weights
        poses.append(weights[60 % len(weights)])
    one, other = face.vertices(np.stack(poses), "clara")
    distance = np.linalg.norm(one - other, axis=-1)[face.part == 0]
    assert apart[0] is None
    assert apart[1]["mean"] == pytest.approx(distance.mean(), rel=0.03)
    assert apart[1]["largest"] == pytest.approx(distance.max(), rel=0.03)
    expect(page.locator(".km-panel-note").nth(1)).to_contain_text("largest")
    expect(page.locator(".km-ticks span").last).to_have_text("\u2265 5 mm")
    colours = picture(page, (0.55, 0.95))
    assert (colours.max(axis=-1) - colours.min(axis=-1)).max() > 90, "nothing is coloured"


def test_a_wipe_shows_one_head_on_each_side_of_a_divider_that_can_be_dragged(page: Page):
    heads = ["take-2", "take-3"]
    seek(page, 1.0)
    alone = []
    for head in heads:
        show(page, heads, solo=head)
        wait_until_settled(page)
        alone.append(picture(page, (0.3, 0.7)))
    show(page, heads, mode="wipe", solo=None)
    box = page.locator(".km-view").bounding_box()
    handle = page.locator(".km-divider").bounding_box()
    assert box is not None and handle is not None
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.45 * box["width"], handle["y"] + 30, steps=3)
    page.mouse.up()
    expect(page.locator(".km-divider")).to_have_attribute("aria-valuenow", "45")
    wait_until_settled(page)
    both = picture(page, (0.3, 0.7))
    width = both.shape[1]
    left, right = slice(0, int(0.3 * width)), slice(int(0.48 * width), width)
    for part, shown, hidden in ((left, *alone), (right, *alone[::-1])):
        # Strands of hair and lashes may lie a fraction of a pixel aside.
        assert np.abs(both - shown)[:, part].mean() < 1.5
        assert np.abs(both - hidden)[:, part].mean() > 5


def test_a_link_carries_the_view(
    page: Page, browser: Browser, server: StageServer, value: dict[str, Any]
):
    show(page, ["reference", "take-2", "take-3"], mode="difference", base="take-2", range=10)
    page.evaluate(f"{VIEWER}.view.change({{ points: 'dense', faces: {{ 'take-3': 'amara' }} }})")
    page.evaluate(f"{VIEWER}.renderer.standpoint = [-200, 10, 600, 0, -26, 10]")
    seek(page, 1.5)
    link = page.evaluate(f"{VIEWER}.view.link")
    state = page.evaluate(f"{VIEWER}.view.state")
    assert "#view=difference&heads=reference,take-2,take-3" in link
    opened(page, server, value, link[link.index("#") :])
    expect(page.locator(".km-panel b")).to_have_text(["Reference", "Take 2", "Take 3"])
    assert page.evaluate(f"{VIEWER}.view.state") == state
    assert page.evaluate(f"{VIEWER}.renderer.standpoint") == [-200, 10, 600, 0, -26, 10]
    assert page.evaluate(f"{VIEWER}.clock.time") == pytest.approx(1.5, abs=0.02)


def test_a_link_that_lies_is_no_harm(page: Page, server: StageServer, value: dict[str, Any]):
    lie = "#view=<b>&heads=nobody,take-2&faces=take-2:nobody&camera=1,2&mm=-1&divider=7&blind=x"
    opened(page, server, value, lie)
    expect(page.locator(".km-panel b")).to_have_text(["Take 2"])
    state = page.evaluate(f"{VIEWER}.view.state")
    assert (state["mode"], state["range"], state["divider"]) == ("side", 5, 0.5)


def test_keypoints_lie_on_the_picture_and_in_space(page: Page, face: FaceModel, material: Material):
    reference = material.references["delighted"]
    assert reference.track is not None
    vertices = face.vertices(reference.performance.weights[30:31], "clara")[0]
    show(page, ["reference", "keypoints"])
    seek(page, 1.0)
    for name in ("ours", "ibug68", "dense"):
        points = vertices[face.keypoints[name].indices]
        page.get_by_label("Keypoints over the picture").select_option(name)
        page.wait_for_function(f"(n) => {PLACED}.length === n", arg=points.size)
        wait_until_settled(page)
        expected = keypoint_pixels(reference.track, face, name)
        for frame in np.flatnonzero(reference.track.status == SEEN)[[0, 20, -1]].tolist():
            pixels = page.evaluate(f"(k) => [...{VIEWER}.reference.pixelsOf(k).pixels]", frame)
            error = np.abs(np.reshape(pixels, (-1, 2)) - expected[frame])
            assert error.max() < 2 and error.mean() < 0.3, name
        placed = np.reshape(page.evaluate(f"[...{PLACED}]"), (-1, 3))
        assert np.abs(placed - points).max() < 0.1, name


def test_what_stands_still_is_not_drawn_again_and_what_moves_costs_little(page: Page):
    show(page, ["take-1", "take-2", "take-3", "reference"])
    seek(page, 1.0)
    drawn = page.evaluate(f"{VIEWER}.stats().pictures")
    page.wait_for_timeout(700)
    assert page.evaluate(f"{VIEWER}.stats().pictures") == drawn
    page.evaluate(f"{VIEWER}.clock.loop = true")
    page.evaluate(f"{VIEWER}.clock.play()")
    page.wait_for_function(f"(n) => {VIEWER}.stats().pictures > n + 8", arg=drawn)
    assert page.evaluate(f"{VIEWER}.stats().triangles") <= TRIANGLES
    page.evaluate(f"{VIEWER}.clock.pause()")


def test_the_face_keeps_to_the_sound_after_fifty_pauses_and_seeks(page: Page):
    page.set_viewport_size({"width": 480, "height": 360})  # small pictures are drawn sooner
    show(page, ["take-1"])
    paused, playing = page.evaluate(
        f"""async () => {{
            const viewer = {VIEWER};
            const {{ audio, clock }} = viewer;
            const refresh = () => new Promise(requestAnimationFrame);
            const paused = [], playing = [];
            // Told within the picture whose time is compared.
            document.addEventListener("km-clock", ({{ detail }}) => {{
                if (detail.playing) playing.push(viewer.stats().time - audio.currentTime);
            }});
            for (let turn = 0; turn < 50; turn++) {{
                if (turn % 2) clock.seek((turn * 1.7) % (clock.duration - 0.5));
                await clock.play();
                for (let i = 0; i < 2; i++) await refresh();
                clock.pause();
                for (let i = 0; i < 2; i++) await refresh();
                paused.push(viewer.stats().time - audio.currentTime);
            }}
            return [paused, playing];
        }}"""
    )
    assert np.abs(paused).max() < 1 / 30
    assert len(playing) >= 50
    assert np.min(playing) >= 0 and np.max(playing) < 0.41, "drawn for when it will be seen"


def test_what_plays_is_measured(page: Page):
    show(page, ["take-1", "reference"])
    page.evaluate(f"{VIEWER}.clock.loop = true")
    report = measure(page, seconds=1.0, pauses=2, settling=0.5)
    assert report["heads"] == 2
    assert report["pictures_per_second"] > 0
    assert report["after_pauses_and_seeks_ms"]["worst_while_paused"] < 1


def test_the_page_is_told_the_time_and_may_set_it(page: Page):
    events = page.evaluate(
        """async () => {
            const events = [];
            document.addEventListener("km-clock", ({ detail }) => events.push(detail));
            document.dispatchEvent(new CustomEvent("km-seek", { detail: { time: 1.25 } }));
            const frame = () => new Promise(requestAnimationFrame);
            while (events.at(-1)?.time !== 1.25) await frame();
            return events;
        }"""
    )
    assert events[-1] == {"time": 1.25, "playing": False}


def test_everything_has_a_name_and_keys_do_what_buttons_do(page: Page):
    nameless = page.evaluate(
        """() => [...document.querySelectorAll(".km-stage :is(button, select, input, [role])")]
            .filter((each) => !(each.ariaLabel || each.textContent.trim() || each.title))
            .filter((each) => each.getAttribute("role") !== "status")
            .map((each) => each.outerHTML)"""
    )
    assert nameless == []
    for key, mode in (("w", "wipe"), ("d", "difference"), ("d", "side")):
        page.keyboard.press(key)
        assert page.evaluate(f"{VIEWER}.view.state.mode") == mode
    page.keyboard.press("b")
    expect(page.get_by_role("button", name="Blind")).to_have_attribute("aria-pressed", "true")


def test_the_stage_fits_a_phone(browser: Browser, server: StageServer, value: dict[str, Any]):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    opened(page, server, value)
    show(page, ["take-1", "take-2", "take-3", "reference"], mode="difference")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for box in page.evaluate(f"{VIEWER}.panels.boxes()"):
        assert box["width"] > 80 and box["height"] > 80
    context.close()


def test_without_webgl_2_there_is_a_sentence(browser: Browser, server: StageServer):
    page = browser.new_page()
    page.add_init_script(
        """const { getContext } = HTMLCanvasElement.prototype;
        HTMLCanvasElement.prototype.getContext = function (kind, ...others) {
            return kind === "webgl2" ? null : getContext.call(this, kind, ...others);
        };"""
    )
    page.goto(server.address)
    message = page.locator(".km-message")
    expect(message).to_contain_text("could not start the 3D view", timeout=PATIENCE)
    page.close()
