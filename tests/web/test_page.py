"""The page without a browser: what its handlers return, keep and forget, and what files hold."""

import base64
import hashlib
import json
import os
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from packed_arrays import unpack_arrays
from speaker import FakeSpeaker, made_up_track

from kmspeaker.examples import FOLDER, load_examples, portrait
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.audio import Sound
from kmspeaker.reference.overlay import keypoint_pixels
from kmspeaker.reference.performance import Performance
from kmspeaker.web import serve
from kmspeaker.web.packing import loudness, pack_arrays, reference_arrays, take_arrays
from kmspeaker.web.page.viewer import (
    THREE_FILES,
    three_folder,
    viewer_assets,
)

RATE = 16_000


@pytest.fixture
def speaker() -> FakeSpeaker:
    return FakeSpeaker()


def test_packed_arrays_keep_their_names_types_and_values():
    arrays = {"odd": np.arange(5, dtype=np.uint8), "after": np.array([1.5, -2], np.float32)}
    back = unpack_arrays(pack_arrays(arrays, {"fps": 30.0}))
    assert back["fps"] == 30.0
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)


def test_the_basis_in_the_browser_is_the_face_to_a_fiftieth_of_a_millimetre(
    face: FaceModel, tmp_path: Path
):
    assets = viewer_assets(face, tmp_path)
    basis = unpack_arrays(Path(assets["basis"]).read_bytes())
    deltas = np.zeros_like(face.deltas)
    for shape, (start, end) in enumerate(zip(basis["starts"], basis["starts"][1:], strict=False)):
        moved = basis["deltas"].reshape(-1, 3)[start:end] * basis["scales"][shape]
        deltas[shape, basis["indices"][start:end]] = moved
    assert np.abs(deltas - face.deltas).max() < 0.02
    assert Path(assets["basis"]).stat().st_size < 2_500_000
    for name, files in assets["identities"].items():
        neutral = unpack_arrays(Path(files["neutral"]).read_bytes())["neutral"].reshape(-1, 3)
        np.testing.assert_array_equal(neutral, face.neutral(name))


def test_levels_are_the_rigs_own_vertices_each_rougher_and_the_finest_is_whole(
    face: FaceModel, tmp_path: Path
):
    path = Path(viewer_assets(face, tmp_path)["basis"])
    assert path.stat().st_size < 2_500_000, "what travels before the first picture"
    basis = unpack_arrays(path.read_bytes())
    fine = basis["fineTriangles"].reshape(-1, 3)
    assert sorted(map(tuple, fine.tolist())) == sorted(map(tuple, face.render_faces.tolist()))
    before = len(fine)
    for level in ("close", "middle", "light"):
        triangles = basis[f"{level}Triangles"].reshape(-1, 3)
        assert triangles.max() < len(face.render_source)
        assert 500 < len(triangles) < before
        before = len(triangles)
    np.testing.assert_array_equal(basis["renderSource"], face.render_source)


def test_a_take_is_its_weights_to_one_part_in_sixty_thousand(speaker: FakeSpeaker):
    sound = Sound(np.random.default_rng(0).uniform(-0.4, 0.4, 10 * RATE).astype(np.float32), RATE)
    take = speaker.stylize(sound, Performance.from_weights(np.zeros((3, 52), np.float32), 30.0))
    content = take_arrays(take)
    back = unpack_arrays(content)
    assert np.abs(back["weights"].reshape(-1, 52) / 65535 - take.weights).max() < 1e-5
    assert (back["frames"], back["fps"], back["seconds"]) == (300, 30.0, 10.0)
    assert len(content) < 60_000


def test_the_loudness_picture_is_flat_in_silence_and_full_at_the_loudest():
    samples = np.zeros(RATE, np.float32)
    samples[RATE // 2 :] = 0.05
    bars = loudness(Sound(samples, RATE))
    assert bars[: len(bars) // 2].max() == 0
    assert bars[len(bars) // 2 :].min() == 255
    assert loudness(Sound(np.zeros(RATE, np.float32), RATE)).max() == 0


def test_keypoints_arrive_where_the_tracker_put_them_and_lost_frames_are_marked(face: FaceModel):
    track = made_up_track()
    performance = Performance.from_weights(np.zeros((90, 52), np.float32), 30.0)
    back = unpack_arrays(reference_arrays(performance, track, face))
    points = back["keypoints"].reshape(90, -1, 2) / 8
    seen = back["status"] == 0
    assert seen[:30].all() and not seen[30:60].any() and seen[60:].all()
    assert np.abs(points[seen] - keypoint_pixels(track, face)[seen]).max() <= 1 / 16
    assert int(back["upper"].sum()) == 47
    without = unpack_arrays(reference_arrays(performance, None, face))
    assert without["keypointCount"] == 0 and len(without["times"]) == 90


def test_the_examples_are_complete_and_small(face: FaceModel):
    examples = load_examples()
    assert len(examples) == 2
    for example in examples.values():
        assert example.speech.is_file() and example.reference.is_file()
        assert example.picture.is_file() and example.identity in face.identities
        assert example.use in ("stylize", "localize")
    assert all(portrait(identity).is_file() for identity in face.identities)
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) < 3_000_000


def test_three_js_on_this_machine_is_the_one_the_page_asks_for():
    if not three_folder().is_dir():
        if os.environ.get("CI"):
            pytest.fail("CI must have the viewer's files; scripts/setup.sh fetches them.")
        pytest.skip("needs the viewer's files, which scripts/setup.sh fetches")
    for file, integrity in THREE_FILES.items():
        digest = hashlib.sha384((three_folder() / file).read_bytes()).digest()
        assert integrity == f"sha384-{base64.b64encode(digest).decode()}", file


@pytest.fixture(scope="module")
def address():
    demo = serve(FakeSpeaker(), port=0, block=False)
    yield demo.local_url
    demo.close()


def fetch(url: str) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.headers.get_content_type(), response.read()
    except urllib.error.HTTPError as error:
        return error.code, "", b""


def test_the_page_is_served_with_its_modules_and_no_more(address: str):
    status, _, page = fetch(address)
    assert status == 200 and b"KM-Speaker" in page
    config = json.loads(fetch(f"{address}config")[2])
    stage = next(
        part["props"]["props"]
        for part in config["components"]
        if "assets" in part["props"].get("props", {})
    )
    files = f"{address}gradio_api/file="
    status, kind, _ = fetch(f"{files}{stage['static']}/viewer.js")
    assert status == 200 and kind.endswith("javascript")
    assert fetch(f"{files}{stage['assets']['basis']}")[0] == 200
    assert fetch(f"{files}{Path(__file__).resolve()}")[0] == 403
    assert fetch(f"{files}/etc/passwd")[0] == 403


def test_the_page_watches_nobody(address: str):
    config = json.loads(fetch(f"{address}config")[2])
    assert config["analytics_enabled"] is False
    assert not config.get("run_history")
    assert fetch(f"{address}monitoring")[0] != 200
