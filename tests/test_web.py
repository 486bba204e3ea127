"""The page without a browser: what its handlers return, keep and forget, and what files hold."""

import base64
import gzip
import hashlib
import json
import os
import struct
import urllib.error
import urllib.request
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from scipy.sparse import csr_matrix
from speaker import FakeSpeaker, made_up_track

from kmspeaker.audio import Sound, write_wav
from kmspeaker.errors import InputError
from kmspeaker.examples import FOLDER, load_examples, portrait
from kmspeaker.face import ARKIT_INDEX, PART_NAMES, FaceModel
from kmspeaker.performance import steady
from kmspeaker.tracking import keypoint_pixels
from kmspeaker.web import serve
from kmspeaker.web.handlers import Handlers, file_name, take_facts, whole_seed
from kmspeaker.web.packing import loudness, pack_arrays, reference_arrays, take_arrays
from kmspeaker.web.sessions import Sessions
from kmspeaker.web.viewer import (
    THREE_FILES,
    three_folder,
    viewer_assets,
)

RATE = 16_000


def unpacked(content: bytes) -> dict:
    """What ``static/arrays.js`` makes of a file."""
    content = gzip.decompress(content)
    (length,) = struct.unpack_from("<I", content)
    header = json.loads(content[4 : 4 + length])
    start = -(-(4 + length) // 4) * 4
    arrays = {
        name: np.frombuffer(content, place["type"], place["count"], start + place["offset"])
        for name, place in header["arrays"].items()
    }
    return {**header["values"], **arrays}


@pytest.fixture
def speaker() -> FakeSpeaker:
    return FakeSpeaker()


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    folder = tmp_path / "uploads"
    folder.mkdir()
    return folder


@pytest.fixture
def sessions(tmp_path: Path, uploads: Path) -> Sessions:
    return Sessions(tmp_path / "visitors", uploads)


@pytest.fixture
def handlers(speaker: FakeSpeaker, sessions: Sessions) -> Handlers:
    return Handlers(speaker, sessions, load_examples(), 600.0)


@pytest.fixture
def speech(uploads: Path) -> Path:
    path = uploads / "my secret name.wav"
    tone = 0.5 * np.sin(np.arange(2 * RATE) * 0.1).astype(np.float32)
    tone[:RATE] = 0
    write_wav(path, Sound(tone, RATE))
    return path


@pytest.fixture
def video(uploads: Path) -> Path:
    path = uploads / "my secret face.mp4"
    path.write_bytes(b"the fake speaker does not read it")
    return path


VISITOR = gr.Request(session_hash="one visitor")
OTHER = gr.Request(session_hash="another visitor")


def generate(handlers: Handlers, speech: Path, video: Path, who=VISITOR, **changed):
    settings = {"use": "stylize", "identity": "clara", "seed": 0} | changed
    return handlers.generate(str(speech), str(video), None, *settings.values(), who, gr.Progress())


def test_packed_arrays_keep_their_names_types_and_values():
    arrays = {"odd": np.arange(5, dtype=np.uint8), "after": np.array([1.5, -2], np.float32)}
    back = unpacked(pack_arrays(arrays, {"fps": 30.0}))
    assert back["fps"] == 30.0
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)


def test_the_basis_in_the_browser_is_the_face_to_a_fiftieth_of_a_millimetre(
    face: FaceModel, tmp_path: Path
):
    assets = viewer_assets(face, tmp_path)
    basis = unpacked(Path(assets["basis"]).read_bytes())
    deltas = np.zeros_like(face.deltas)
    for shape, (start, end) in enumerate(zip(basis["starts"], basis["starts"][1:], strict=False)):
        moved = basis["deltas"].reshape(-1, 3)[start:end] * basis["scales"][shape]
        deltas[shape, basis["indices"][start:end]] = moved
    assert np.abs(deltas - face.deltas).max() < 0.02
    assert Path(assets["basis"]).stat().st_size < 2_000_000
    for name, files in assets["identities"].items():
        neutral = unpacked(Path(files["neutral"]).read_bytes())["neutral"].reshape(-1, 3)
        np.testing.assert_array_equal(neutral, face.neutral(name))


def test_the_drawn_surface_lies_on_the_rig_and_eyes_keep_their_size(
    face: FaceModel, tmp_path: Path
):
    basis = unpacked(Path(viewer_assets(face, tmp_path)["basis"]).read_bytes())
    shares, rows = basis["shares"] / 65535, basis["rows"]
    matrix = csr_matrix((shares, basis["columns"], rows))
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-4)
    rest = face.neutral("clara")
    fine = matrix @ rest
    assert len(basis["triangles"]) == 4 * face.faces.size
    moved = np.linalg.norm(fine[: len(rest)] - rest, axis=1)
    assert np.quantile(moved, 0.99) < 3.0 and np.median(moved) < 0.5
    eyes = np.isin(face.part, [PART_NAMES.index("eye_left"), PART_NAMES.index("eye_right")])
    assert moved[eyes].max() < 0.01


def test_a_take_is_its_weights_to_one_part_in_sixty_thousand(speaker: FakeSpeaker):
    sound = Sound(np.random.default_rng(0).uniform(-0.4, 0.4, 10 * RATE).astype(np.float32), RATE)
    take = speaker.stylize(sound, steady(np.zeros((3, 52), np.float32), 30.0))
    content = take_arrays(take)
    back = unpacked(content)
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
    performance = steady(np.zeros((90, 52), np.float32), 30.0)
    back = unpacked(reference_arrays(performance, track, face))
    points = back["keypoints"].reshape(90, -1, 2) / 8
    seen = back["status"] == 0
    assert seen[:30].all() and not seen[30:60].any() and seen[60:].all()
    assert np.abs(points[seen] - keypoint_pixels(track, face)[seen]).max() <= 1 / 16
    assert int(back["upper"].sum()) == 47
    without = unpacked(reference_arrays(performance, None, face))
    assert without["keypointCount"] == 0 and len(without["times"]) == 90


def test_generating_returns_files_of_the_visitors_own_folder_named_after_nothing_of_theirs(
    handlers: Handlers, sessions: Sessions, speech: Path, video: Path
):
    stage, about_reference, about_take = generate(handlers, speech, video)
    folder = sessions.of("one visitor").folder
    paths = [stage["take"]["data"], stage["take"]["sound"], stage["reference"]["data"]]
    paths.append(stage["reference"]["video"])
    for path in map(Path, paths):
        assert path.is_file() and path.parent == folder
        assert "secret" not in str(path)
    back = unpacked(Path(stage["take"]["data"]).read_bytes())
    jaw = back["weights"].reshape(-1, 52)[:, ARKIT_INDEX["jawOpen"]]
    assert jaw[:29].max() == 0 and jaw[31:].min() > 0
    assert "fake@00000000" in about_take and "times faster" in about_take
    assert "face seen in 100%" in about_reference


def test_a_reference_is_read_once_for_many_takes(
    handlers: Handlers, speaker: FakeSpeaker, speech: Path, video: Path
):
    handlers.follow(str(video), "clara", VISITOR, gr.Progress())
    generate(handlers, speech, video)
    generate(handlers, speech, video, seed=1)
    assert len(speaker.read) == 1


def test_taking_the_reference_away_leaves_an_empty_stage(handlers: Handlers, video: Path):
    shown, *_ = handlers.follow(str(video), "clara", VISITOR, gr.Progress())
    assert shown["reference"] is not None
    shown, text, *_ = handlers.follow(None, "clara", VISITOR, gr.Progress())
    assert shown == {"identity": "clara", "take": None, "reference": None} and text == ""


@pytest.mark.parametrize(
    ("changed", "missing", "says"),
    [
        ({}, "speech", "no speech yet"),
        ({}, "video", "no face to follow yet"),
        ({"identity": "clarra"}, None, "clara"),
        ({"use": "sing"}, None, "sing"),
        ({"seed": -1}, None, "seed -1"),
    ],
)
def test_what_cannot_be_used_becomes_a_notice(handlers, speech, video, changed, missing, says):
    settings = {"use": "stylize", "identity": "clara", "seed": 0} | changed
    given = [
        None if missing == "speech" else str(speech),
        None if missing == "video" else str(video),
    ]
    with pytest.raises(gr.Error, match=says):
        handlers.generate(*given, None, *settings.values(), VISITOR, gr.Progress())


def test_a_notice_shows_a_file_name_as_text_and_not_as_html(handlers, uploads: Path, video: Path):
    path = uploads / "<img src=x onerror=alert(1)>.wav"
    path.write_bytes(b"")
    with pytest.raises(gr.Error) as caught:
        generate(handlers, path, video)
    assert "<img" not in caught.value.message and "&lt;img" in caught.value.message


def test_a_fault_of_ours_says_so_without_a_stack_trace(handlers, speaker, speech, video):
    def broken(*unused, **also_unused):
        raise RuntimeError("cublas exploded at 0x7f")

    speaker.stylize = broken
    with pytest.raises(gr.Error) as caught:
        generate(handlers, speech, video)
    assert "cublas" not in caught.value.message and not caught.value.print_exception


def test_leaving_deletes_what_a_visitor_gave_and_got_and_nothing_else(
    handlers: Handlers, sessions: Sessions, speech: Path, video: Path, tmp_path: Path
):
    bundled = tmp_path / "bundled.wav"
    bundled.write_bytes(speech.read_bytes())
    generate(handlers, speech, video)
    generate(handlers, bundled, video, who=OTHER)
    mine, others = sessions.of("one visitor").folder, sessions.of("another visitor").folder
    assert mine != others and len(mine.name) >= 32
    handlers.leave(VISITOR)
    assert not mine.exists() and others.exists()
    assert not speech.exists()
    handlers.leave(OTHER)
    assert not others.exists() and bundled.exists()
    handlers.leave(OTHER)


def test_downloads_are_of_the_head_on_show(handlers: Handlers, speech: Path, video: Path):
    with pytest.raises(gr.Error, match="no take"):
        handlers.export(".csv", "clara", VISITOR, gr.Progress())
    generate(handlers, speech, video, seed=7)
    path = Path(handlers.export(".npz", "karim", VISITOR, gr.Progress()))
    with np.load(path) as file:
        assert str(file["identity"]) == "karim"
        assert str(file["model"]) == "fake@00000000"
    assert "karim" in path.name and "seed7" in path.name
    assert Path(handlers.export(".csv", "karim", VISITOR, gr.Progress())).stat().st_size > 1000
    assert Path(handlers.export_track(VISITOR)).suffix == ".npz"
    with pytest.raises(gr.Error, match="exe"):
        handlers.export(".exe", "karim", VISITOR, gr.Progress())


def test_a_models_name_cannot_lead_a_download_elsewhere(speaker: FakeSpeaker):
    sound = Sound(np.zeros(RATE, np.float32), RATE)
    speaker.model_name = "../../owner/repo@main@12345678"
    name = file_name(speaker.stylize(sound, steady(np.zeros((3, 52), np.float32), 30.0)))
    assert "/" not in name and "owner-repo@main@12345678" in name


def test_the_facts_of_a_take_are_text_even_if_a_model_is_named_like_markup(speaker: FakeSpeaker):
    speaker.model_name = "<b>x</b>@1"
    sound = Sound(np.zeros(RATE, np.float32), RATE)
    take = speaker.stylize(sound, steady(np.zeros((3, 52), np.float32), 30.0))
    assert "<b>x" not in take_facts(take, 0.5)


def test_an_empty_seed_field_is_zero():
    assert whole_seed(None) == 0
    with pytest.raises(InputError, match="seed"):
        whole_seed(2**40)


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
