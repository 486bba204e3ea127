"""Every format reads back as what went in, whole or not at all, and says who spoke."""

import json
import os
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pygltflib
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.animation.controls import Controls
from kmspeaker.errors import InputError
from kmspeaker.export import FORMATS, check_writable, provenance, save_animation
from kmspeaker.export.normals import vertex_normals
from kmspeaker.face.head_pose import HEAD_PIVOT, turn_head
from kmspeaker.face.rig import ARKIT_NAMES, FaceModel
from kmspeaker.media.audio import Sound
from kmspeaker.reference.live_link import read_live_link

FPS = 30.0
TOLERANCE = 0.05
"""mm; what rounding may cost on the way through a file."""


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


@pytest.fixture(scope="module")
def glb(animation: FaceAnimation, face: FaceModel, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("glb") / "take.glb"
    save_animation(animation, face, path)
    return path


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
    np.testing.assert_array_equal(arrays["weights"], animation.weights)
    assert tuple(arrays["weight_names"]) == ARKIT_NAMES
    assert arrays["fps"] == FPS
    facts = provenance(animation)
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


def test_glb_has_no_complaint_from_the_khronos_validator(glb: Path):
    cache = Path(os.environ.get("KMSPEAKER_CACHE", Path.home() / ".cache" / "kmspeaker"))
    modules = cache / "node" / "node_modules"
    if shutil.which("node") is None or not (modules / "gltf-validator").is_dir():
        if os.environ.get("CI"):
            pytest.fail("CI must have node and the Khronos validator; run scripts/setup.sh.")
        pytest.skip("needs node and the Khronos validator, which scripts/setup.sh installs")
    script = (
        "const [modules, file] = process.argv.slice(1);"
        "const bytes = new Uint8Array(require('fs').readFileSync(file));"
        "require(modules + '/gltf-validator').validateBytes(bytes, {maxIssues: 0})"
        ".then((report) => console.log(JSON.stringify(report)));"
    )
    answer = subprocess.run(
        ["node", "-e", script, str(modules), str(glb)], capture_output=True, text=True, check=True
    )
    assert json.loads(answer.stdout)["issues"]["messages"] == []


def test_glb_reopens_with_every_vertex_frame_and_name(
    glb: Path, animation: FaceAnimation, face: FaceModel
):
    document = read_glb(glb)
    mesh = document.meshes[0]
    primitives = mesh.primitives
    vertices = sum(document.accessors[p.attributes.POSITION].count for p in primitives)
    assert vertices == len(face.render_source)
    assert sum(document.accessors[p.indices].count for p in primitives) == face.faces.size
    assert mesh.extras["targetNames"] == list(ARKIT_NAMES)
    assert {len(p.targets) for p in primitives} == {52}
    sampler = document.animations[0].samplers[0]
    time, weights = document.accessors[sampler.input], document.accessors[sampler.output]
    assert time.count == len(animation) and weights.count == len(animation) * 52
    assert time.min == [0.0]
    assert time.max == pytest.approx([(len(animation) - 1) / FPS])
    played = read_accessor(document, sampler.output).reshape(-1, 52)
    np.testing.assert_array_equal(played, animation.weights)
    assert document.asset.extras == provenance(animation)


@pytest.mark.parametrize("frame", [0, 17, 59])
def test_glb_plays_the_vertices_of_the_face(
    glb: Path, animation: FaceAnimation, face: FaceModel, frame: int
):
    """In metres, triangle by triangle, whatever order the file has its vertices in."""
    document = read_glb(glb)
    weights = animation.weights[frame]
    corners = []
    for primitive in document.meshes[0].primitives:
        moved = read_accessor(document, primitive.attributes.POSITION).copy()
        for weight, target in zip(weights, primitive.targets, strict=True):
            moved += weight * read_accessor(document, target["POSITION"])
        corners.append(moved[read_accessor(document, primitive.indices)].reshape(-1, 9))
    expected = face.vertices(weights[None], animation.identity)[0][face.faces].reshape(-1, 9)
    found = 1000 * np.concatenate(corners)
    part_order = np.concatenate(
        [
            np.flatnonzero(np.isin(face.part[face.faces[:, 0]], p))
            for p in ([0], [4, 5], [1, 2, 3], [6])
        ]
    )
    assert np.abs(found - expected[part_order]).max() < TOLERANCE


def test_glb_turns_the_head_as_the_face_does(glb: Path, animation: FaceAnimation, face: FaceModel):
    """Through its nodes, in metres; at rest the mesh lies where the face's vertices lie."""
    document = read_glb(glb)
    (root,) = document.scenes[0].nodes
    parent = document.nodes[root]
    (child,) = (document.nodes[index] for index in parent.children)
    channel = next(c for c in document.animations[0].channels if c.target.path == "rotation")
    assert channel.target.node == root and child.mesh == 0
    quaternions = read_accessor(document, document.animations[0].samplers[channel.sampler].output)
    assert animation.head is not None and len(quaternions) == len(animation)
    vertices = face.neutral(animation.identity)
    for frame in (0, 20, 59):
        rotation = Rotation.from_quat(quaternions[frame])
        placed = 1e-3 * vertices + child.translation
        placed = 1e3 * (rotation.apply(placed) + parent.translation)
        assert np.abs(placed - turn_head(vertices, animation.head[frame])).max() < TOLERANCE
    assert np.abs(np.add(child.translation, parent.translation)).max() < 1e-6


def test_a_still_head_needs_no_node_above_it(
    animation: FaceAnimation, face: FaceModel, tmp_path: Path
):
    save_animation(replace(animation, head=None), face, tmp_path / "still.glb")
    document = read_glb(tmp_path / "still.glb")
    assert len(document.nodes) == 1 and len(document.animations[0].channels) == 1
    assert document.nodes[0].translation is None


def test_glb_opens_as_a_scene_elsewhere(glb: Path, face: FaceModel):
    scene = trimesh.load_scene(glb)
    assert sum(len(mesh.faces) for mesh in scene.geometry.values()) == len(face.faces)
    height = scene.extents[1]
    assert 0.2 < height < 0.5, "a head is a few decimetres tall, and glTF counts in metres"


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
        assert json.loads(video.metadata["comment"]) == provenance(short)
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


def read_glb(path: Path) -> Any:
    return pygltflib.GLTF2().load(str(path))


def read_accessor(document: Any, index: int) -> np.ndarray:
    """An accessor's values, sparse or not, read independently of our writer."""
    accessor = document.accessors[index]
    width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}[accessor.type]
    values = np.zeros((accessor.count, width), np.float32)
    if accessor.bufferView is not None:
        dtype = {5126: "<f4", 5123: "<u2", 5121: "u1"}[accessor.componentType]
        flat = np.frombuffer(read_view(document, accessor.bufferView), dtype)
        values = flat[: accessor.count * width].reshape(-1, width)
    if accessor.sparse is not None:
        rows = np.frombuffer(read_view(document, accessor.sparse.indices.bufferView), "<u2")
        kept = np.frombuffer(read_view(document, accessor.sparse.values.bufferView), "<f4")
        values[rows[: accessor.sparse.count]] = kept.reshape(-1, width)[: accessor.sparse.count]
    return values[:, 0] if width == 1 else values


def read_view(document: Any, index: int) -> bytes:
    view = document.bufferViews[index]
    start = view.byteOffset or 0
    return document.binary_blob()[start : start + view.byteLength]
