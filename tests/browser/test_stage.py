"""The stage on its own page: real performances, real sound, the browser's own pictures."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from stage_page import Material, StageServer, real_material
from takes import moving_take

from kmspeaker.export import save_animation
from kmspeaker.face.rig import ARKIT_NAMES, FaceModel
from kmspeaker.heads.arkit_glb import ArkitHead
from kmspeaker.heads.glb_geometry import head_geometry
from kmspeaker.reference.overlay import keypoint_pixels
from kmspeaker.reference.tracking import SEEN
from kmspeaker.web.page.decimation import LEVELS, decimate
from kmspeaker.web.page.viewer import write_body
from scripts.measure_stage import measure

pytestmark = pytest.mark.browser

PATIENCE = 120_000
"""Milliseconds; a second or two do where the machine has nothing else to do."""
VIEWER = "window.viewer"
TRIANGLES = 20_000
"""What moving heads may cost a machine without a graphics card, all together."""


@pytest.fixture(scope="module")
def material(face: FaceModel, tmp_path_factory: pytest.TempPathFactory) -> Material:
    return real_material(face, tmp_path_factory.mktemp("stage"))


@pytest.fixture(scope="module")
def value(material: Material, face: FaceModel) -> dict[str, Any]:
    return material.value(face)


@pytest.fixture(scope="module")
def server(face: FaceModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StageServer]:
    server = StageServer(face, tmp_path_factory.mktemp("face"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    context.close()


@pytest.fixture
def page(window: Page, server: StageServer, value: dict[str, Any]) -> Page:
    opened(window, server, value)
    return window


def opened(page: Page, server: StageServer, value: dict[str, Any], fragment: str = "") -> None:
    """The stage with its heads, paused at the start."""
    page.goto("about:blank")
    page.goto(server.address + fragment)
    page.wait_for_selector(".km-stage.km-ready")
    page.evaluate("(value) => window.viewer.show(value)", value)
    page.evaluate("window.viewer.clock.pause()")


def show(page: Page, heads: list[str], **others: Any) -> None:
    page.evaluate(f"(view) => {VIEWER}.view.change(view)", {"heads": heads, **others})
    count = 1 if others.get("solo") else len(heads)
    page.wait_for_function(f"(n) => {VIEWER}.renderer.views.length === n", arg=count)


def seek(page: Page, seconds: float) -> None:
    """Show a moment, and wait until it has been drawn as finely as it will be."""
    page.evaluate(
        f"""async (seconds) => {{
            const viewer = {VIEWER};
            viewer.clock.seek(seconds);
            const frame = () => new Promise(requestAnimationFrame);
            while (Math.abs(viewer.stats().time - seconds) > 0.02) await frame();
        }}""",
        seconds,
    )
    wait_until_settled(page)


def wait_until_settled(page: Page) -> None:
    page.evaluate(
        f"""async () => {{
            const frame = () => new Promise(requestAnimationFrame);
            for (let drawn = -1; drawn !== {VIEWER}.stats().pictures; ) {{
                drawn = {VIEWER}.stats().pictures;
                const until = performance.now() + 400;
                while (performance.now() < until) await frame();
            }}
        }}"""
    )


def names(page: Page) -> list[str]:
    return page.locator(".km-panel .km-name b").all_text_contents()


def picture(page: Page, part: tuple[float, float]) -> np.ndarray:
    """The faces' middle rows as they are on screen, from one share of the width to another."""
    box = page.locator(".km-view").bounding_box()
    assert box is not None
    left, right = (round(box["x"] + share * box["width"]) for share in part)
    top = round(box["y"] + 0.2 * box["height"])
    content = page.screenshot(
        clip={"x": left, "y": top, "width": right - left, "height": round(0.4 * box["height"])}
    )
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), np.float32)


def test_any_of_the_catalogue_stand_beside_each_other_alone_or_swapped(page: Page):
    assert names(page) == ["Take 1", "Reference"]
    for label in ("Take 2", "Take 3"):
        page.get_by_role("button", name=label, exact=True).click()
    expect(page.locator(".km-panel")).to_have_count(4)
    page.get_by_role("button", name="Keypoints").click()
    expect(page.locator(".km-tip")).to_contain_text("Four heads fit")
    page.get_by_role("button", name="Swap").click()
    expect(page.locator(".km-panel b").first).to_have_text("Reference")
    page.keyboard.press("2")
    expect(page.locator(".km-panel b")).to_have_text(["Take 2"])
    page.get_by_role("button", name="Show all heads again").click()
    expect(page.locator(".km-panel")).to_have_count(4)
    page.get_by_label("Face of Take 2").select_option("amara")
    page.wait_for_function(f"{VIEWER}.view.state.faces['take-2'] === 'amara'")


def test_blind_heads_keep_their_secret_until_it_is_revealed(page: Page):
    show(page, ["take-1", "take-2", "take-3"])
    page.get_by_role("button", name="Blind").click()
    expect(page.locator(".km-panel b")).to_have_text(["Head A", "Head B", "Head C"])
    assert page.locator(".km-panel select").count() == 0, "another face would tell who it is"
    order = page.locator(".km-panel").evaluate_all("(all) => all.map((each) => each.dataset.key)")
    assert sorted(order) == ["take-1", "take-2", "take-3"]
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


@pytest.mark.parametrize("name", ["ours", "ibug68", "dense"])
def test_keypoints_lie_on_the_picture_and_in_space(
    page: Page, face: FaceModel, material: Material, name: str
):
    page.get_by_label("Keypoints over the picture").select_option(name)
    show(page, ["reference", "keypoints"])
    seek(page, 1.0)
    reference = material.references["delighted"]
    assert reference.track is not None
    expected = keypoint_pixels(reference.track, face, name)
    for frame in np.flatnonzero(reference.track.status == SEEN)[[0, 20, -1]].tolist():
        pixels = page.evaluate(f"(k) => [...{VIEWER}.reference.pixelsOf(k).pixels]", frame)
        error = np.abs(np.reshape(pixels, (-1, 2)) - expected[frame])
        assert error.max() < 2 and error.mean() < 0.3
    placed = page.evaluate(
        f"[...{VIEWER}.renderer.views[1].head.mesh.geometry.attributes.position.array]"
    )
    weights = reference.performance.weights[30:31]
    points = face.vertices(weights, "clara")[0, face.keypoints[name].indices]
    assert np.abs(np.reshape(placed, (-1, 3)) - points).max() < 0.1


POSED = """([weights, level]) => {
    const [{ head }] = window.viewer.renderer.views;
    const { basis } = window.viewer.rig;
    head.pose(weights);
    head.prepare(level);
    const { position, depths } = head.mesh.geometry.attributes;
    // The level's vertices come in the order of their use.
    const drawn = [...new Set(basis[`${level}Triangles`])];
    const rows = drawn.map((_, i) => [position.getX(i), position.getY(i), position.getZ(i)]);
    return { drawn, places: rows, depths: depths && [...depths.array] };
}"""
"""The vertices of a level at a pose: which, where, and how deep the skin's lines are at each."""


def posed(page: Page, weights: np.ndarray, level: str) -> tuple[np.ndarray, np.ndarray, Any]:
    drawn = page.evaluate(POSED, [weights.tolist(), level])
    return np.array(drawn["drawn"]), np.array(drawn["places"]), drawn["depths"]


def pose(**shapes: float) -> np.ndarray:
    """Weights by shape, each for both sides."""
    return np.array(
        [
            next((value for name, value in shapes.items() if each.startswith(name)), 0.0)
            for each in ARKIT_NAMES
        ],
        np.float32,
    )


@pytest.mark.parametrize("level", ["fine", *LEVELS])
def test_every_level_moves_as_the_face_does_and_its_lids_stay_closed(
    page: Page, face: FaceModel, level: str
):
    show(page, ["take-2"])
    weights = pose(eyeBlink=1, eyeLookDown=0.8, eyeSquint=0.5, jawOpen=0.4, mouthSmile=1)
    drawn, places, _ = posed(page, weights, level)
    expected = face.vertices(weights[None], "clara")[0, face.render_source[drawn]]
    assert np.abs(places - expected).max() < 0.1


def test_the_skin_folds_as_the_face_says_and_only_where_it_is_drawn_finely(
    page: Page, face: FaceModel
):
    show(page, ["take-2"])
    weights = pose(browDown=1, mouthSmile=0.7, cheekSquint=1, noseSneer=1)
    drawn, _, depths = posed(page, weights, "fine")
    expected = face.wrinkling(weights[None], "clara")[0, face.render_source[drawn]]
    folding = page.evaluate(
        f"{VIEWER}.renderer.views[0].head.mesh.material[0].uniforms.folding.value"
    )
    assert expected.max() > 0.5
    assert np.abs(np.reshape(depths, (-1, 2)) / 255 * folding - expected).max() < 0.01
    assert posed(page, weights, "light")[2] is None


def test_hair_turns_with_its_head_and_stands_still_else(page: Page, face: FaceModel):
    show(page, ["take-1"])
    look = f"""() => {{
        const mesh = {VIEWER}.renderer.views[0].head.mesh.children[0];
        const {{ position }} = mesh.geometry.attributes;
        return {{ worn: mesh.visible, turned: mesh.parent.rotation.y !== 0,
            places: position ? [...position.array] : [] }};
    }}"""
    seek(page, 1.0)
    worn = page.evaluate(look)
    hair = face.hair("clara")
    assert hair is not None and worn["worn"] and worn["turned"]
    expected = hair.style.worn(face.neutral("clara"))
    np.testing.assert_allclose(np.reshape(worn["places"], (-1, 3)), expected, atol=1e-3)
    page.get_by_label("Face of Take 1").select_option("malik")
    assert face.hair("malik") is None
    page.wait_for_function(f"!{VIEWER}.renderer.views[0].head.mesh.children[0].visible")


def test_a_head_turns_as_its_performance_does(page: Page, material: Material):
    angles = material.references["delighted"].performance.head
    frame = int(np.abs(angles[:60]).max(axis=1).argmax())
    show(page, ["take-1", "take-2"])
    seek(page, frame / 30)
    turned = (
        f"{VIEWER}.renderer.views.map(({{ head }}) => head.mesh.rotation.toArray().slice(0, 3))"
    )
    (pitch, yaw, roll), still = page.evaluate(turned)
    np.testing.assert_allclose([yaw, pitch, roll], angles[frame], atol=2e-3)
    assert still == [0, 0, 0]


def test_a_head_of_another_mesh_moves_as_its_own_shapes_say(
    page: Page, face: FaceModel, material: Material, value: dict[str, Any]
):
    glb, _ = save_animation(moving_take(face, frames=2), face, material.folder / "mine.glb")
    body = head_geometry(ArkitHead.read(glb), face)
    own = {"own-1": write_body(body, "own-1", material.folder)}
    heads = [head | {"identity": "own-1"} for head in value["heads"]]
    page.evaluate(f"(value) => {VIEWER}.show(value)", value | {"heads": heads, "identities": own})
    show(page, ["take-2", "take-3"], mode="difference", base="take-2")
    seek(page, 1.0)
    drawn, turned = page.evaluate(
        f"""(() => {{
            const {{ head }} = {VIEWER}.renderer.views[0];
            const {{ position }} = head.mesh.geometry.attributes;
            const places = [];
            for (let i = 0; i < position.count; i++) {{
                places.push(position.getX(i), position.getY(i), position.getZ(i));
            }}
            return [places, head.mesh.rotation.toArray().slice(0, 3)];
        }})()"""
    )
    weights = material.references["suspicious"].performance.weights[30]
    expected = body.vertices.copy()
    for shape, (which, by) in body.shapes.items():
        expected[which] += weights[shape] * by
    assert turned == [0, 0, 0]
    np.testing.assert_allclose(np.reshape(drawn, (-1, 3)), expected[body.source], atol=0.05)
    assert page.evaluate(f"{VIEWER}.compared[1].largest") > 1
    # Between two meshes there is nothing to measure.
    page.get_by_label("Face of Take 3").select_option("amara")
    page.wait_for_function(f"{VIEWER}.compared[1] === undefined")
    page.get_by_label("Face of Take 3").select_option("Your own")
    page.wait_for_function(f"{VIEWER}.compared[1]")
    colours = picture(page, (0.05, 0.45))
    assert (colours.max(axis=-1) - colours.min(axis=-1)).max() > 30, "it wears no picture"


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


def test_a_phone_loads_smaller_skins_and_draws_no_lines(
    browser: Browser, server: StageServer, value: dict[str, Any]
):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    opened(page, server, value)
    wait_until_settled(page)
    assert any("-small" in url for url in fetched)
    assert not any("/textures/" in url or "wrinkles.png" in url for url in fetched)
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


def test_the_thinner_surfaces_are_within_the_rig(face: FaceModel):
    most = {"close": TRIANGLES, "middle": TRIANGLES // 2, "light": TRIANGLES // 4}
    for name, level in LEVELS.items():
        triangles = np.concatenate(decimate(face, level))
        assert len(triangles) <= most[name]
        assert triangles.max() < len(face.render_source)
