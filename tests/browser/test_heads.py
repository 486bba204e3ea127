"""The heads on the stage: they move, fold, wear hair and thin out as the face's own code says."""

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
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
from takes import moving_take

from kmspeaker.export import save_animation
from kmspeaker.face.rig import ARKIT_NAMES, FaceModel
from kmspeaker.heads.arkit_glb import ArkitHead
from kmspeaker.heads.glb_geometry import head_geometry
from kmspeaker.web.page.decimation import LEVELS, decimate
from kmspeaker.web.page.viewer import write_body

pytestmark = pytest.mark.browser


@pytest.fixture
def page(window: Page, server: StageServer, value: dict[str, Any]) -> Page:
    opened(window, server, value)
    return window


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


def test_every_level_moves_as_the_face_does_and_its_lids_stay_closed(page: Page, face: FaceModel):
    show(page, ["take-2"])
    weights = pose(eyeBlink=1, eyeLookDown=0.8, eyeSquint=0.5, jawOpen=0.4, mouthSmile=1)
    expected = face.vertices(weights[None], "clara")[0, face.render_source]
    for level in ("fine", *LEVELS):
        drawn, places, _ = posed(page, weights, level)
        assert np.abs(places - expected[drawn]).max() < 0.1, level


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


def test_the_thinner_surfaces_are_within_the_rig(face: FaceModel):
    most = {"close": TRIANGLES, "middle": TRIANGLES // 2, "light": TRIANGLES // 4}
    for name, level in LEVELS.items():
        triangles = np.concatenate(decimate(face, level))
        assert len(triangles) <= most[name]
        assert triangles.max() < len(face.render_source)
