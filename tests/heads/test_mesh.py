"""A mesh sculpted from ours becomes one more identity; others are refused in a sentence."""

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from takes import moving_take
from trimesh.visual import TextureVisuals

from kmspeaker.errors import InputError
from kmspeaker.export import save_animation
from kmspeaker.face.rig import PART_NAMES, FaceModel
from kmspeaker.heads.mesh import MOST_BYTES, read_neutral, with_mesh, write_neutral
from kmspeaker.heads.sliders import OWN, Sliders
from kmspeaker.heads.sliders import sculpt as with_sliders
from kmspeaker.media.gltf import write_glb_file
from kmspeaker.model.motion_space import rig_fingerprint


@pytest.fixture(scope="module")
def sculpted(face: FaceModel) -> np.ndarray:
    """Ingrid with a longer nose, as somebody might sculpt."""
    neutral = face.neutral("ingrid").copy()
    near = np.exp(-((np.linalg.norm(neutral - neutral[neutral[:, 2].argmax()], axis=1) / 15) ** 2))
    return neutral + near[:, None] * np.array([0, 2, 9], np.float32)


def mesh(face: FaceModel, vertices: np.ndarray) -> trimesh.Trimesh:
    return trimesh.Trimesh(vertices, face.faces, process=False)


@pytest.mark.parametrize("ending", ["obj", "ply", "glb"])
@pytest.mark.parametrize("unit", [1, 0.1, 0.001])
def test_other_programs_files_in_any_unit_come_back_as_sculpted(
    face: FaceModel, sculpted: np.ndarray, tmp_path: Path, ending: str, unit: float
):
    path = tmp_path / f"mine.{ending}"
    mesh(face, sculpted * unit + 3 * unit).export(str(path))
    np.testing.assert_allclose(read_neutral(path, face), sculpted, atol=0.02)


def test_z_up_is_turned_upright(face: FaceModel, sculpted: np.ndarray, tmp_path: Path):
    turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    mesh(face, sculpted @ turn.T).export(str(tmp_path / "mine.ply"))
    np.testing.assert_allclose(read_neutral(tmp_path / "mine.ply", face), sculpted, atol=0.02)


def test_our_own_files_come_back(face: FaceModel, tmp_path: Path):
    write_neutral(face, "mei", tmp_path / "mei.obj")
    np.testing.assert_allclose(
        read_neutral(tmp_path / "mei.obj", face), face.neutral("mei"), atol=2e-3
    )
    for identity in face.identities:  # each hair, and none
        take = replace(moving_take(face, frames=2), identity=identity)
        save_animation(take, face, tmp_path / "take.glb")
        read = read_neutral(tmp_path / "take.glb", face)
        np.testing.assert_allclose(read, face.neutral(identity), atol=2e-3)
    seen_elsewhere = trimesh.load_mesh(tmp_path / "mei.obj", process=False)
    assert len(seen_elsewhere.faces) == len(face.faces)


def as_another_program_writes(face: FaceModel, vertices: np.ndarray, seed: int = 0) -> Any:
    """Every vertex of sharp or seamed corners split, triangles and vertices shuffled, UVs kept."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(face.faces))
    turns = random.integers(3, size=(len(order), 1))
    turned = (np.arange(3) + turns) % 3
    mine = np.take_along_axis(face.faces[order], turned, axis=1)
    places = np.take_along_axis(face.render_faces[order], turned, axis=1)
    # A third of the corners stand alone, as where normals differ; the others on each seam once.
    alone = random.random(mine.shape) < 1 / 3
    kind = np.where(alone, len(face.render_uv) + np.arange(mine.size).reshape(mine.shape), places)
    _, first, index = np.unique(kind, return_index=True, return_inverse=True)
    shuffled = random.permutation(len(first))
    place = np.argsort(shuffled)
    corners = place[index.reshape(mine.shape)]
    uv = face.render_uv[places.ravel()[first]][shuffled]
    points = vertices[mine.ravel()[first]][shuffled]
    return trimesh.Trimesh(points, corners, visual=TextureVisuals(uv=uv), process=False)


@pytest.mark.parametrize(("ending", "unit"), [("glb", 0.001), ("obj", 1), ("ply", 0.1)])
def test_a_mesh_that_was_split_and_shuffled_is_put_in_order(
    face: FaceModel, sculpted: np.ndarray, tmp_path: Path, ending: str, unit: float
):
    path = tmp_path / f"shuffled.{ending}"
    as_another_program_writes(face, sculpted * unit).export(str(path))
    read: Any = trimesh.load_mesh(str(path), process=False)
    assert len(read.vertices) > 20_000 and len(read.faces) == len(face.faces)
    np.testing.assert_allclose(read_neutral(path, face), sculpted, atol=0.02)


def test_a_shuffled_mesh_of_a_face_unlike_ours_is_put_in_order_too(face: FaceModel, tmp_path: Path):
    macros = Sliders(85.0, 1.0, 1.0, 0.0, 0.3, 1.0)
    wanted = with_sliders(face, macros).neutral(OWN)
    as_another_program_writes(face, wanted, seed=1).export(str(tmp_path / "old.glb"))
    off = np.linalg.norm(read_neutral(tmp_path / "old.glb", face) - wanted, axis=1)
    lashes = face.part == PART_NAMES.index("lashes")
    assert off[~lashes].max() < 0.02
    assert off[lashes].max() < 1, "a lash may take its neighbour's place"


def test_a_shuffled_mesh_that_is_not_ours_to_the_last_triangle_is_refused(
    face: FaceModel, sculpted: np.ndarray, tmp_path: Path
):
    whole = as_another_program_writes(face, sculpted)
    whole.visual = TextureVisuals(uv=None)
    whole.export(str(tmp_path / "bare.glb"))
    assert "its UVs" in refused(tmp_path / "bare.glb", face)
    given = as_another_program_writes(face, sculpted)
    other = {
        "moved": np.roll(given.visual.uv, 7, axis=0),
        "nowhere": given.visual.uv * 0 - 5,
    }
    for name, uv in other.items():
        mesh = trimesh.Trimesh(
            given.vertices,
            given.faces,
            visual=TextureVisuals(uv=uv),
            process=False,
        )
        mesh.export(str(tmp_path / f"{name}.glb"))
        assert "must keep" in refused(tmp_path / f"{name}.glb", face)
    flipped = trimesh.Trimesh(
        given.vertices, given.faces[:, ::-1], visual=given.visual, process=False
    )
    flipped.export(str(tmp_path / "flipped.glb"))
    assert "must keep" in refused(tmp_path / "flipped.glb", face)


def test_hair_in_a_file_is_no_part_of_the_face(
    face: FaceModel, sculpted: np.ndarray, tmp_path: Path
):
    """As where another program opened our GLB and saved it with its pieces in another order."""
    hair = face.hair("ingrid")
    assert hair is not None
    worn = trimesh.Trimesh(hair.style.worn(sculpted) / 1000, hair.style.faces, process=False)
    scene = trimesh.Scene()
    scene.add_geometry(worn, geom_name="hair.001")
    scene.add_geometry(as_another_program_writes(face, sculpted / 1000), geom_name="mine")
    scene.export(str(tmp_path / "both.glb"))
    np.testing.assert_allclose(read_neutral(tmp_path / "both.glb", face), sculpted, atol=0.02)


def test_it_is_one_more_identity_and_changes_no_other(
    face: FaceModel, sculpted: np.ndarray, tmp_path: Path
):
    mesh(face, sculpted).export(str(tmp_path / "mine.ply"))
    own = with_mesh(face, tmp_path / "mine.ply", name="mine")
    assert own.identities == (*face.identities, "mine") and "mine" not in face.identities
    assert own.texture("mine") == face.texture("ingrid"), "the most similar person's"
    assert own.credit("mine") != own.credit("ingrid")
    assert rig_fingerprint(own, "ours") == rig_fingerprint(face, "ours")
    take = moving_take(own, frames=2)
    moved = own.vertices(take.weights, "mine") - own.neutral("mine")
    np.testing.assert_allclose(
        moved, face.vertices(take.weights, "mei") - face.neutral("mei"), atol=1e-3
    )


def refused(path: Path, face: FaceModel) -> str:
    with pytest.raises(InputError) as error:
        read_neutral(path, face)
    text = str(error.value)
    assert text.startswith("Got ") and text.endswith(".") and len(text) < 260
    return text


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("head.fbx", b"Kaydara FBX Binary", "convert to GLB"),
        ("head", b"", "nameless"),
        ("bomb.obj", b"v 0 0 0\n" * 120_000, "more than"),
        ("letters.obj", b"v a b c\n", "no OBJ"),
        ("nan.obj", b"v nan 0 0\nf 1 1 1\n", "no numbers"),
        ("quads.obj", b"v 0 0 0\nf 1 1 1 1\n", "triangles"),
        ("beyond.obj", b"v 0 0 0\nf 9999 1 1\n", "must keep"),
        ("empty.obj", b"", "must keep"),
        ("huge.ply", b"ply\nformat ascii 1.0\nelement vertex 99999999999\nend_header\n", "99,999"),
        ("archive.ply", b"PK\x03\x04" + bytes(100), "cannot be read"),
        ("archive.glb", b"PK\x03\x04" + bytes(100), "no glTF"),
        ("cut.glb", struct.pack("<IIIII", 0x46546C67, 2, 999, 20, 0x4E4F534A), "cut off"),
    ],
)
def test_other_files_are_refused_in_a_sentence(
    face: FaceModel, tmp_path: Path, name: str, content: bytes, says: str
):
    (tmp_path / name).write_bytes(content)
    assert says in refused(tmp_path / name, face)


def test_other_heads_are_refused_in_a_sentence(
    face: FaceModel, sculpted: np.ndarray, tmp_path: Path
):
    def told(name: str, given: trimesh.Trimesh) -> str:
        given.export(str(tmp_path / name))
        return refused(tmp_path / name, face)

    assert "must keep" in told("sphere.obj", trimesh.creation.icosphere())
    assert "must keep" in told("sphere.glb", trimesh.creation.icosphere())
    swapped = trimesh.Trimesh(sculpted, np.roll(face.faces, 1, axis=0)[:, [0, 1, 1]], process=False)
    assert "must keep" in told("swapped.glb", swapped)
    assert "times the size" in told("giant.ply", mesh(face, sculpted * 5))
    assert "times the size" in told("point.ply", mesh(face, sculpted * 0))
    noise = np.random.default_rng(0).normal(size=sculpted.shape) * sculpted.std()
    assert "off every head" in told("noise.ply", mesh(face, noise))


@pytest.mark.parametrize("vertices", [10_587, 10_903, 12_000])
def test_the_former_head_is_refused_by_name(face: FaceModel, tmp_path: Path, vertices: int):
    """Whoever sculpted from it learns why it fits no longer: whole, split, or split elsewhere."""
    random = np.random.default_rng(0)
    corners = np.concatenate([np.arange(vertices), random.integers(vertices, size=3 * 19_692)])
    former = trimesh.Trimesh(
        random.normal(size=(vertices, 3)), corners[: 3 * 19_692].reshape(-1, 3), process=False
    )
    for ending in ("ply", "obj", "glb"):
        former.export(str(tmp_path / f"old.{ending}"))
        assert "former head (made from MakeHuman)" in refused(tmp_path / f"old.{ending}", face)


def test_too_large_a_file_is_refused_before_it_is_read(face: FaceModel, tmp_path: Path):
    with (tmp_path / "large.ply").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    assert "MB" in refused(tmp_path / "large.ply", face)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"buffers": [{"uri": "http://example.org/a.bin", "byteLength": 3}]}, "other files"),
        ({"images": [{"uri": "/etc/passwd"}]}, "other files"),
        ({"extensionsRequired": ["KHR_draco_mesh_compression"]}, "without compression"),
        ({"accessors": [{"count": 10**12, "bufferView": 0}]}, "more than"),
        ({"accessors": [{"count": 3, "bufferView": 0}]}, "cannot be read"),
        ({"accessors": 3}, "damaged"),
        ({"meshes": "none"}, "damaged"),
        ({"meshes": [{"primitives": [{"attributes": []}]}]}, "no triangles"),
    ],
)
def test_a_glb_that_lies_is_refused(
    face: FaceModel, tmp_path: Path, change: dict[str, Any], says: str
):
    attributes = {"attributes": {"POSITION": 0}, "indices": 0}
    document = {
        "asset": {"version": "2.0"},
        "meshes": [{"primitives": [attributes]}],
        "bufferViews": [{"byteOffset": 0, "byteLength": 12}],
        "accessors": [{"count": 1, "bufferView": 0, "componentType": 5126, "type": "VEC3"}],
    } | change
    write_glb_file(tmp_path / "liar.glb", document, bytes(12))
    if "buffers" in change:  # the writer puts its own; tell the lie in the file itself
        data = (tmp_path / "liar.glb").read_bytes()
        text = json.dumps(document).encode()
        head = struct.pack("<IIIII", 0x46546C67, 2, len(data), len(text), 0x4E4F534A)
        (tmp_path / "liar.glb").write_bytes(head + text + bytes(len(data)))
    assert says in refused(tmp_path / "liar.glb", face)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_numbers_that_are_none_warn_nobody(face: FaceModel, tmp_path: Path):
    """A signalling NaN, which casting would report, as what lies in a file by chance may be."""
    points = np.full((3, 3), 0x7F800001, "<u4").tobytes()
    document = {
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5125, "count": 3, "type": "SCALAR"},
        ],
        "bufferViews": [{"byteOffset": 0}, {"byteOffset": 36}],
    }
    indices = np.arange(3, dtype="<u4").tobytes()
    write_glb_file(tmp_path / "none.glb", document, points + indices)
    with pytest.raises(InputError, match="no numbers"):
        read_neutral(tmp_path / "none.glb", face)
