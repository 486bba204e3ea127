"""A head of another mesh is put where ours are and moves as its shapes say; lies are refused."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_NAMES, FaceModel
from kmspeaker.heads.arkit_glb import ArkitHead
from kmspeaker.heads.glb_geometry import HeadGeometry, head_geometry
from kmspeaker.media.gltf import write_glb_file

TURN = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
"""As a program writes whose z is up."""


class Writer:
    """Puts arrays in a document one after the other."""

    def __init__(self) -> None:
        self.binary, self.views, self.accessors = bytearray(), [], []

    def view(self, data: bytes) -> int:
        self.binary += bytes(-len(self.binary) % 4)
        self.views.append({"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data)})
        self.binary += data
        return len(self.views) - 1

    def accessor(self, values: np.ndarray, kind: int, shape: str, **others: Any) -> int:
        view = self.view(values.tobytes())
        self.accessors.append(
            {"bufferView": view, "componentType": kind, "count": len(values), "type": shape}
            | others
        )
        return len(self.accessors) - 1

    def sparse(self, values: np.ndarray) -> int:
        """As Blender writes targets: only what is not 0."""
        where = np.flatnonzero(np.abs(values).max(axis=1) > 0)
        self.accessors.append(
            {
                "componentType": 5126,
                "count": len(values),
                "type": "VEC3",
                "sparse": {
                    "count": len(where),
                    "indices": {
                        "bufferView": self.view(where.astype("<u4").tobytes()),
                        "componentType": 5125,
                    },
                    "values": {"bufferView": self.view(values[where].astype("<f4").tobytes())},
                },
            }
        )
        return len(self.accessors) - 1


def a_head(path: Path, face: FaceModel, **changes: Any) -> Path:
    """A rough head with our motion: another mesh, in metres, z up, under a node that lifts it."""
    writer = Writer()
    points = face.neutral("kenji")[face.render_source] @ TURN.T / 1000
    deltas = face.deltas[:, face.render_source] @ TURN.T / 1000
    keep = np.flatnonzero(face.part[face.faces[:, 0]] == 0)[::2]  # has holes; who minds
    attributes = {
        "POSITION": writer.accessor(points.astype("<f4"), 5126, "VEC3"),
        "TEXCOORD_0": writer.accessor(face.render_uv.astype("<f4"), 5126, "VEC2"),
    }
    primitive = {
        "attributes": attributes,
        "indices": writer.accessor(face.render_faces[keep].astype("<u2").ravel(), 5123, "SCALAR"),
        "targets": [{"POSITION": writer.sparse(each)} for each in deltas],
        "material": 0,
    }
    red = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 40, 30)).save(red, "PNG")
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [1]}],
        "nodes": [
            {"mesh": 0, "translation": [0, 0, 0.3], "rotation": [0, 0, 0, 1]},
            {"children": [0], "scale": [2, 2, 2]},
        ],
        "meshes": [{"primitives": [primitive], "extras": {"targetNames": list(ARKIT_NAMES)}}],
        "materials": [
            {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}, "doubleSided": True}
        ],
        "textures": [{"source": 0}],
        "images": [{"bufferView": writer.view(red.getvalue()), "mimeType": "image/png"}],
        "bufferViews": writer.views,
        "accessors": writer.accessors,
    } | changes
    write_glb_file(path, document, writer.binary)
    return path


def geometry(path: Path, face: FaceModel) -> HeadGeometry:
    return head_geometry(ArkitHead.read(path), face)


def test_it_is_put_where_our_heads_are_and_moves_as_it_says(face: FaceModel, tmp_path: Path):
    own = geometry(a_head(tmp_path / "mine.glb", face), face)
    ours = face.neutral("kenji")[face.render_source]
    placed = own.vertices[own.source]
    scale = np.ptp(placed[:, 0]) / np.ptp(ours[:, 0])
    assert 0.9 < scale < 1.1
    np.testing.assert_allclose(placed - placed.mean(0), scale * (ours - ours.mean(0)), atol=0.05)
    assert np.abs(placed.mean(0) - ours.mean(0)).max() < 8, "its eyes are where ours are"
    for shape, (which, by) in own.shapes.items():
        moved = np.zeros_like(own.vertices)
        moved[which] = by
        expected = scale * face.deltas[shape][face.render_source]
        np.testing.assert_allclose(moved[own.source], expected, atol=0.02)
    assert len(own.vertices) == len(face.part), "what seams split is one again"
    assert own.both_sides.all() and (own.opacity == 1).all()
    assert abs(own.picture[5, 5].astype(int) - (200, 40, 30)).max() <= 1
    assert np.isfinite(own.uv).all() and own.triangles.max() < len(own.source)


def test_numbers_of_two_bytes_and_of_one_are_the_same_head(face: FaceModel, tmp_path: Path):
    """As gltfpack writes (KHR_mesh_quantization): the node scales whole numbers back to metres."""
    exact = geometry(a_head(tmp_path / "exact.glb", face), face)
    writer = Writer()
    points = face.neutral("kenji")[face.render_source] @ TURN.T / 1000
    deltas = face.deltas[:, face.render_source] @ TURN.T / 1000
    step = np.abs(points).max() / 32_000
    whole, moved = (
        np.pad(np.round(a / step), ((0, 0), (0, 1))) for a in (points, deltas.reshape(-1, 3))
    )
    writer.views = []
    shorts = {"kind": 5122, "shape": "VEC3"}
    position = writer.accessor(whole.astype("<i2"), **shorts)
    targets = [writer.accessor(each.astype("<i2"), **shorts) for each in np.split(moved, 52)]
    uv = np.pad(np.round(face.render_uv * 65_535), ((0, 0), (0, 2)))
    place = writer.accessor(uv.astype("<u2"), 5123, "VEC2", normalized=True)
    for view in writer.views:
        view["byteStride"] = 8
    keep = np.flatnonzero(face.part[face.faces[:, 0]] == 0)[::2]
    primitive = {
        "attributes": {"POSITION": position, "TEXCOORD_0": place},
        "indices": writer.accessor(face.render_faces[keep].astype("<u2").ravel(), 5123, "SCALAR"),
        "targets": [{"POSITION": each} for each in targets],
    }
    document = {
        "extensionsRequired": ["KHR_mesh_quantization"],
        "nodes": [{"mesh": 0, "scale": [step] * 3}],
        "meshes": [{"primitives": [primitive], "extras": {"targetNames": list(ARKIT_NAMES)}}],
        "bufferViews": writer.views,
        "accessors": writer.accessors,
    }
    write_glb_file(tmp_path / "whole.glb", document, writer.binary)
    own = geometry(tmp_path / "whole.glb", face)
    np.testing.assert_allclose(
        own.vertices[own.source], exact.vertices[exact.source], atol=0.05, err_msg="mm"
    )
    np.testing.assert_allclose(own.uv, exact.uv, atol=1e-4)
    assert own.shapes.keys() == exact.shapes.keys()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"nodes": [{"mesh": 0, "children": [1]}, {"children": [0]}]}, "hold each other"),
        ({"nodes": [{"mesh": 0, "matrix": [1, 2, 3]}]}, "nodes are damaged"),
        ({"nodes": [{"mesh": 0, "scale": ["x", 0, 0]}]}, "nodes are damaged"),
        ({"nodes": [{"mesh": 0, "scale": [0, 0, 0]}]}, "move nothing"),
        ({"nodes": [{"mesh": 0, "translation": [1e400, 0, 0]}]}, "no numbers"),
        ({"nodes": [{"mesh": 0}] * 20}, "100,000 vertices"),
        ({"accessors": []}, "cannot be read"),
        ({"bufferViews": []}, "cannot be read"),
    ],
)
def test_a_file_that_lies_is_refused_in_a_sentence(
    face: FaceModel, tmp_path: Path, changes: dict[str, Any], says: str
):
    with pytest.raises(InputError) as error:
        geometry(a_head(tmp_path / "liar.glb", face, **changes), face)
    text = str(error.value)
    assert says in text and text.startswith("Got ") and text.endswith(".")


@pytest.mark.parametrize(
    "changes",
    [
        {"images": [{"bufferView": 0, "mimeType": "image/png"}]},
        {"images": [{"uri": "data:image/svg+xml,<svg/>"}]},
        {"textures": [{"source": -7}]},
        {"textures": "none"},
        {"materials": [{"pbrMetallicRoughness": {"baseColorFactor": ["red"], "x": 1}}]},
        {"materials": [{"pbrMetallicRoughness": []}]},
    ],
)
def test_a_picture_that_lies_is_left_out(face: FaceModel, tmp_path: Path, changes: dict[str, Any]):
    own = geometry(a_head(tmp_path / "plain.glb", face, **changes), face)
    assert (own.picture == 255).all()


def test_a_picture_of_too_many_points_is_never_decoded(
    face: FaceModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("kmspeaker.heads.glb_textures._MOST_PIXELS", 63)
    own = geometry(a_head(tmp_path / "large.glb", face), face)
    assert (own.picture == 255).all()


def test_the_file_is_one_that_others_read(face: FaceModel, tmp_path: Path):
    scene = trimesh.load_scene(a_head(tmp_path / "mine.glb", face))
    assert scene.triangles.shape[0] > 5000
