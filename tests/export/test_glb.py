"""A GLB read back by others: every vertex, frame and name, the hair, and no complaint."""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pygltflib
import pytest
import trimesh
from PIL import Image
from scipy.spatial.transform import Rotation
from takes import FPS, moving_take, turning

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.errors import InputError
from kmspeaker.export import provenance, save_animation
from kmspeaker.export.normals import vertex_normals
from kmspeaker.face.hair import OPAQUE
from kmspeaker.face.head_pose import turn_head
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES, PART_NAMES, FaceModel
from kmspeaker.face.surfaces import SURFACES, surface_corners

TOLERANCE = 0.05
"""mm; what rounding may cost on the way through a file."""
LEFT_OUT = 0.1
"""mm; what a shape moves less may be left out of a GLB."""


@pytest.fixture(scope="module")
def animation(face: FaceModel) -> FaceAnimation:
    return turning(moving_take(face))


@pytest.fixture(scope="module")
def glb(animation: FaceAnimation, face: FaceModel, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("glb") / "take.glb"
    save_animation(animation, face, path)
    return path


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
        corners.append(moved[read_accessor(document, primitive.indices)].reshape(-1, 3, 3))
    surfaces = [[PART_NAMES.index(name) for name in surface.parts] for surface in SURFACES]
    part_of_face = face.part[face.faces[:, 0]]
    order = np.concatenate([np.flatnonzero(np.isin(part_of_face, own)) for own in surfaces])
    assert len(order) == len(face.faces), "every triangle is on one surface"
    expected = linear(face, animation)[frame][face.faces[order]]
    off = np.linalg.norm(1000 * np.concatenate(corners) - expected, axis=-1)
    assert off.max() < LEFT_OUT * weights.sum() + 1e-3


def test_each_target_is_its_shape_but_for_what_hardly_moves(
    glb: Path, animation: FaceAnimation, face: FaceModel
):
    document = read_glb(glb)
    rest = face.neutral(animation.identity)
    at_rest = vertex_normals(rest, face.faces)
    for index, delta in enumerate(face.deltas):
        turns = vertex_normals(rest + delta, face.faces) - at_rest
        for primitive, (kept, _) in zip(
            document.meshes[0].primitives, surface_corners(face), strict=True
        ):
            source, target = face.render_source[kept], primitive.targets[index]
            for name, scale, own, least in (
                ("POSITION", 1000, delta[source], LEFT_OUT),
                ("NORMAL", 1, turns[source], 0.14),
            ):
                found = scale * read_accessor(document, target[name])
                there = np.any(found != 0, axis=1)
                np.testing.assert_allclose(found[there], own[there], atol=1e-4)
                assert np.linalg.norm(own[~there], axis=1).max(initial=0) <= least + 1e-4


def test_files_are_linear_and_the_face_is_not_around_lids_that_close(
    animation: FaceAnimation, face: FaceModel
):
    """What any file of blend shapes is apart from the page: a millimetre or two, at lids alone."""
    apart = np.linalg.norm(
        linear(face, animation) - face.vertices(animation.weights, animation.identity), axis=-1
    )
    lids = face.lids.max(axis=0) > 0
    assert apart[:, ~lids].max() < 1e-3
    assert apart[:, lids].max() < 2
    shut = replace_weights(animation, np.zeros((1, 52), np.float32))
    for side in ("Left", "Right"):
        shut.weights[:, ARKIT_INDEX[f"eyeBlink{side}"]] = 1
    np.testing.assert_allclose(
        linear(face, shut), face.vertices(shut.weights, shut.identity), atol=1e-3
    )


def test_glb_turns_the_head_as_the_face_does(glb: Path, animation: FaceAnimation, face: FaceModel):
    """Through its nodes, in metres; at rest the mesh lies where the face's vertices lie."""
    document = read_glb(glb)
    (root,) = document.scenes[0].nodes
    parent = document.nodes[root]
    child, hair = (document.nodes[index] for index in parent.children)
    assert hair.translation == child.translation and hair.mesh == 1
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
    assert [node.name for node in document.nodes] == [animation.identity, "hair"]
    assert len(document.animations[0].channels) == 1
    assert document.nodes[0].translation is None


def test_glb_opens_as_a_scene_elsewhere(glb: Path, animation: FaceAnimation, face: FaceModel):
    scene = trimesh.load_scene(glb)
    hair = face.hair(animation.identity)
    assert hair is not None
    faces = len(face.faces) + len(hair.style.faces)
    assert sum(len(mesh.faces) for mesh in scene.geometry.values()) == faces
    height = scene.extents[1]
    assert 0.2 < height < 0.5, "a head is a few decimetres tall, and glTF counts in metres"


def test_glb_wears_the_hair_cut_out_and_in_its_colour(
    glb: Path, animation: FaceAnimation, face: FaceModel
):
    document = read_glb(glb)
    hair = face.hair(animation.identity)
    assert hair is not None
    (primitive,) = document.meshes[1].primitives
    material = document.materials[primitive.material]
    assert (material.alphaMode, material.alphaCutoff, material.doubleSided) == (
        "MASK",
        OPAQUE,
        True,
    )
    place = 1000 * read_accessor(document, primitive.attributes.POSITION)
    worn = hair.style.worn(face.neutral(animation.identity))
    np.testing.assert_allclose(place, worn, atol=1e-3)
    corners = read_accessor(document, primitive.indices).reshape(-1, 3)
    np.testing.assert_array_equal(corners, hair.style.faces)
    colouring = material.pbrMetallicRoughness
    assert picture(document, colouring.baseColorTexture.index) == hair.style.picture.read_bytes()
    # A reader multiplies in linear light; what comes out is the hair's own colour.
    grey = np.asarray(hair.texture().convert("RGBA"))[..., :3][16::64, 16::64] / 255
    lightness = np.asarray(Image.open(hair.style.picture).convert("LA"))[16::64, 16::64, :1] / 255
    seen = (lightness**2.2 * colouring.baseColorFactor[:3]) ** (1 / 2.2)
    assert np.abs(np.minimum(seen, 1) - grey).max() < 0.02


def test_who_has_no_hair_gets_none(animation: FaceAnimation, face: FaceModel, tmp_path: Path):
    bald = next(name for name in face.identities if face.hair(name) is None)
    take = replace(animation, identity=bald)
    path, _ = save_animation(take, face, tmp_path / "bald.glb")
    document = read_glb(path)
    assert len(document.meshes) == len(document.images) == 1
    written = save_animation(take, face, tmp_path / "bald.usda")
    assert {each.name for each in written} == {"bald.usda", "bald.jpg", "bald.wav"}
    text = written[0].read_text(encoding="utf-8")
    assert 'Mesh "Hair"' not in text and ".hair.png" not in text


@pytest.mark.parametrize(("kind", "mime"), [("JPEG", "image/jpeg"), ("PNG", "image/png")])
def test_an_own_texture_is_what_it_is_whatever_it_is_called(
    animation: FaceAnimation, face: FaceModel, tmp_path: Path, kind: str, mime: str
):
    own = tmp_path / "mine.png"
    Image.new("RGB", (8, 4), (200, 120, 90)).save(own, kind)
    dressed = face.with_identity("mine", face.neutral("mei"), texture=own)
    path, _ = save_animation(replace(animation, identity="mine"), dressed, tmp_path / "mine.glb")
    document = read_glb(path)
    assert document.images[0].mimeType == mime and picture(document, 0) == own.read_bytes()


def test_a_texture_that_gltf_does_not_know_is_refused(
    animation: FaceAnimation, face: FaceModel, tmp_path: Path
):
    Image.new("RGB", (8, 4)).save(tmp_path / "mine.gif")
    dressed = face.with_identity("mine", face.neutral("mei"), texture=tmp_path / "mine.gif")
    with pytest.raises(InputError, match="PNG or JPEG"):
        save_animation(replace(animation, identity="mine"), dressed, tmp_path / "mine.glb")
    assert_only((tmp_path / "mine.gif",), tmp_path)


def test_glb_of_ten_seconds_weighs_at_most_six_megabytes(
    animation: FaceAnimation, face: FaceModel, tmp_path: Path
):
    assert animation.head is not None
    long = replace(
        animation,
        weights=np.tile(animation.weights, (5, 1)),
        head=np.tile(animation.head, (5, 1)),
    )
    sizes = {}
    for identity in face.identities:
        path, _ = save_animation(replace(long, identity=identity), face, tmp_path / "long.glb")
        sizes[identity] = path.stat().st_size
    assert max(sizes.values()) < 6_000_000


def replace_weights(animation: FaceAnimation, weights: np.ndarray) -> FaceAnimation:
    return replace(animation, weights=weights, head=None)


def assert_only(files: tuple[Path, ...], folder: Path) -> None:
    assert set(folder.iterdir()) == set(files)


def linear(face: FaceModel, animation: FaceAnimation) -> np.ndarray:
    """What the shapes alone add up to, as any reader of blend shapes has it, mm."""
    return face.neutral(animation.identity) + np.tensordot(animation.weights, face.deltas, axes=1)


def read_glb(path: Path) -> Any:
    return pygltflib.GLTF2().load(str(path))


def picture(document: Any, texture: int) -> bytes:
    return read_view(document, document.images[document.textures[texture].source].bufferView)


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
