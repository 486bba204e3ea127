"""Every format reads back as what went in, whole or not at all, and says who spoke."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pygltflib
import pytest
import trimesh

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.animation.controls import Controls
from kmspeaker.errors import InputError
from kmspeaker.export import FORMATS, check_writable, provenance, save_animation
from kmspeaker.export.normals import vertex_normals
from kmspeaker.export.provenance import credited_provenance
from kmspeaker.face.head_pose import HEAD_PIVOT
from kmspeaker.face.rig import ARKIT_NAMES, FaceModel
from kmspeaker.media.audio import Sound
from kmspeaker.reference.live_link import read_live_link

FPS = 30.0


@pytest.fixture(scope="module")
def animation(face: FaceModel) -> FaceAnimation:
    """Two seconds in which every shape and the head move, with a tone."""
    rng = np.random.default_rng(0)
    time = np.arange(60)[:, None] / FPS
    swing = np.sin(2 * np.pi * (rng.uniform(0.5, 4, 52) * time + rng.uniform(0, 1, 52)))
    return FaceAnimation(
        weights=np.clip(0.4 * swing, 0, 1).astype(np.float32),
        fps=FPS,
        identity=face.identities[3],
        use="stylize",
        sound=Sound((0.3 * np.sin(np.arange(96_000) * 0.05)).astype(np.float32), 48_000),
        model="small@1a2b3c4d",
        seed=7,
        steps=8,
        head=(0.3 * np.sin(time + np.arange(3))).astype(np.float32),
        controls=Controls(head="reference", upper=1.5),
    )


def test_npz_holds_the_arrays_the_manual_names(
    animation: FaceAnimation, face: FaceModel, tmp_path: Path
):
    told = []
    path = tmp_path / "take.npz"
    assert save_animation(animation, face, path, progress=told.append) == (path,)
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    assert arrays["vertices"].dtype == np.float32
    np.testing.assert_array_equal(
        arrays["vertices"], face.vertices(animation.weights, animation.identity)
    )
    np.testing.assert_array_equal(arrays["faces"], face.faces)
    ibug = face.keypoints["ibug68"].indices
    np.testing.assert_array_equal(arrays["landmarks"], arrays["vertices"][:, ibug])
    np.testing.assert_array_equal(arrays["weights"], animation.weights)
    assert tuple(arrays["weight_names"]) == ARKIT_NAMES
    assert arrays["fps"] == FPS
    facts = credited_provenance(animation, face)
    assert json.loads(str(arrays["controls"])) == facts.pop("controls")
    for name, value in facts.items():
        assert arrays[name] == value
    np.testing.assert_array_equal(arrays["head"], animation.head)
    np.testing.assert_array_equal(arrays["head_pivot"], np.array(HEAD_PIVOT, np.float32))
    assert told[0] == 0 and told[-1] == 1 and told == sorted(told)


def test_npz_of_a_long_take_never_holds_all_vertices(
    animation: FaceAnimation, face: FaceModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked = []
    vertices = FaceModel.vertices

    def watched(self: FaceModel, weights: np.ndarray, identity: str) -> np.ndarray:
        asked.append(len(weights))
        return vertices(self, weights, identity)

    monkeypatch.setattr(FaceModel, "vertices", watched)
    long = replace_weights(animation, np.tile(animation.weights, (5, 1)))
    save_animation(long, face, tmp_path / "long.npz")
    assert sum(asked) == len(long) and max(asked) <= 64
    with zipfile.ZipFile(tmp_path / "long.npz") as archive:
        assert archive.testzip() is None


@pytest.mark.parametrize("ending", sorted(set(FORMATS) - {".zip"}))
def test_every_file_says_whose_head_it_is(
    animation: FaceAnimation, face: FaceModel, tmp_path: Path, ending: str
):
    short = replace_weights(animation, animation.weights[:2])
    path, *beside = save_animation(short, face, tmp_path / f"take{ending}")
    told = {
        ".glb": lambda: copyright_of(path),
        ".usda": lambda: path.read_text(encoding="utf-8").partition("def SkelRoot")[0],
        ".npz": lambda: str(np.load(path, allow_pickle=False)["copyright"]),
        ".csv": lambda: json.loads(beside[0].read_text())["copyright"],
        ".mp4": lambda: json.loads(comment_of(path))["copyright"],
    }[ending]()
    assert face.credit(short.identity) in told and "synthetic" in told
    assert "ICT-FaceKit, USC ICT, MIT licence" in told and "MakeHuman community, CC0 1.0" in told


def test_glb_has_its_sound_beside_it(animation: FaceAnimation, face: FaceModel, tmp_path: Path):
    written = save_animation(animation, face, tmp_path / "take.glb")
    assert written == (tmp_path / "take.glb", tmp_path / "take.wav")
    with av.open(str(written[1])) as sound:
        assert sound.duration == pytest.approx(2.0 * av.time_base, rel=1e-3)
    assert_only(written, tmp_path)


def test_csv_reads_back_and_says_beside_it_who_spoke(
    animation: FaceAnimation, face: FaceModel, tmp_path: Path
):
    written = save_animation(animation, face, tmp_path / "take.csv")
    assert written == (tmp_path / "take.csv", tmp_path / "take.csv.json")
    performance = read_live_link(written[0], FPS)
    np.testing.assert_allclose(performance.weights, animation.weights, atol=1e-3)
    assert animation.head is not None
    middle = np.median(animation.head, axis=0)
    np.testing.assert_allclose(performance.head, animation.head - middle, atol=1e-3)
    assert provenance(animation).items() <= json.loads(written[1].read_text()).items()
    assert_only(written, tmp_path)


def test_mp4_has_picture_sound_and_says_who_spoke(
    animation: FaceAnimation, face: FaceModel, tmp_path: Path
):
    short = replace_weights(animation, animation.weights[:4])
    head = np.zeros((4, 3), np.float32)
    head[2:, 0] = 0.4
    short = replace(short, weights=np.zeros((4, 52), np.float32), head=head)
    written = save_animation(short, face, tmp_path / "take.mp4")
    with av.open(str(written[0])) as video:
        assert json.loads(video.metadata["comment"]) == credited_provenance(short, face)
        assert video.streams.audio
        pictures = list(video.decode(video=0))
    assert len(pictures) == 4
    assert (pictures[0].width, pictures[0].height) == (720, 720)
    before, also, after, _ = (p.to_ndarray(format="rgb24").astype(int) for p in pictures)
    assert np.abs(before - after).mean() > 10 * np.abs(before - also).mean()  # the head has turned
    assert_only(written, tmp_path)


@pytest.mark.parametrize("name", ["take.fbx", "take", ""])
def test_an_unknown_ending_names_them_all(name: str):
    with pytest.raises(InputError) as refused:
        check_writable(Path(name))
    assert all(ending in str(refused.value) for ending in FORMATS)


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path):
    with pytest.raises(InputError, match="no folder"):
        check_writable(tmp_path / "missing" / "take.glb")
    (tmp_path / "folder.glb").mkdir()
    with pytest.raises(InputError, match="folder"):
        check_writable(tmp_path / "folder.glb")
    with pytest.raises(InputError, match="Cannot write"):
        check_writable(Path("/proc/take.glb"))
    with pytest.raises(InputError, match="Cannot write"):
        check_writable(tmp_path / f"{'long' * 100}.glb")


@pytest.mark.parametrize("ending", [".npz", ".glb", ".mp4"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    animation: FaceAnimation, face: FaceModel, tmp_path: Path, ending: str
):
    nobody = FaceAnimation(
        weights=animation.weights[:3],
        fps=FPS,
        identity="nobody",
        use="stylize",
        sound=animation.sound,
        model="small@1a2b3c4d",
        seed=0,
        steps=8,
    )
    path = tmp_path / f"take{ending}"
    path.write_text("the take before")
    with pytest.raises(InputError, match="nobody"):
        save_animation(nobody, face, path)
    assert path.read_text() == "the take before"
    assert_only((path,), tmp_path)


def test_normals_of_a_sphere_point_outwards():
    sphere = trimesh.creation.icosphere(subdivisions=3)
    vertices = sphere.vertices.astype(np.float32)
    normals = vertex_normals(vertices, sphere.faces.astype(np.int32))
    assert (normals * vertices).sum(axis=1).min() > 0.999


def replace_weights(animation: FaceAnimation, weights: np.ndarray) -> FaceAnimation:
    return replace(animation, weights=weights, head=None)


def assert_only(files: tuple[Path, ...], folder: Path) -> None:
    assert set(folder.iterdir()) == set(files)


def comment_of(path: Path) -> str:
    with av.open(str(path)) as video:
        return video.metadata["comment"]


def copyright_of(glb: Path) -> str:
    document: Any = pygltflib.GLTF2().load(str(glb))
    return document.asset.copyright
