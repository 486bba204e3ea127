"""A file of some kilobytes costs some megabytes and some tenths of a second, whatever it says."""

import io
import struct
import time
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arkit_head import a_head, with_picture, write
from PIL import Image

from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_NAMES, FaceModel
from kmspeaker.heads.arkit_glb import ArkitHead
from kmspeaker.heads.glb_geometry import head_geometry
from kmspeaker.heads.load import load_head
from kmspeaker.media.gltf import read_glb

NAMES = list(ARKIT_NAMES)
TIMES_THE_SIZE, AT_LEAST, SECONDS = 20, 32 * 2**20, 2.0
"""What a file may cost; the picture of a head's colours alone is 12 MB, however small the file."""


def open_head(path: Path, face: FaceModel) -> None:
    """All that a visitor's file goes through before it is seen."""
    with suppress(InputError):
        head = load_head(path, face)
        if isinstance(head, ArkitHead):
            head_geometry(head, face)


def assert_costs_little(path: Path, face: FaceModel) -> None:
    open_head(path, face)  # once for what is imported and kept
    started = time.process_time()
    open_head(path, face)
    took = time.process_time() - started
    tracemalloc.start()
    try:
        open_head(path, face)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    most = max(TIMES_THE_SIZE * path.stat().st_size, AT_LEAST)
    assert peak < most, f"{path.name}: {peak / 2**20:.0f} MB of {path.stat().st_size} bytes"
    assert took < SECONDS, f"{path.name}: {took:.1f} s"


def without_data(count: int) -> dict[str, Any]:
    return {"accessors": [{"componentType": 5126, "count": count, "type": "VEC3"}] * 60}


def tables(nodes: int, extra: dict[str, Any]) -> dict[str, Any]:
    chain = [{"mesh": 0, "skin": 0, "children": [k + 1]} for k in range(nodes)]
    return {"nodes": [*chain, {"mesh": 0}]} | extra


@pytest.mark.parametrize(
    "lie",
    [
        without_data(500_000),
        without_data(100_000),
        without_data(4_194_304),
        {"nodes": [{"mesh": 0, "translation": [int("9" * 400), 0, 0]}]},
        {"nodes": [{"mesh": 0, "scale": [1e200, 1e-200, 1e200]}]},
        {"nodes": [{"mesh": 0, "rotation": [1e300, 0, 0, 1e300]}]},
        {"nodes": [{"mesh": 0, "children": [0]}]},
        tables(2000, {"skins": [{}] * 20_000}),
        tables(90, {"skins": [{"joints": [0] * 20_000, "inverseBindMatrices": 0}]}),
        {"nodes": [{"mesh": 0}] * 3000, "meshes": [{"primitives": []}] * 3},
        {"extras": [{}] * 100_000},
    ],
)
def test_a_small_glb_costs_little(face: FaceModel, tmp_path: Path, lie: dict[str, Any]):
    assert_costs_little(a_head(tmp_path / "lie.glb", NAMES, **lie), face)


def test_targets_that_share_their_data_are_not_multiplied(face: FaceModel, tmp_path: Path):
    """Fifty-two targets on one accessor: the file is a fiftieth of what it says."""
    path = a_head(tmp_path / "shared.glb", NAMES, copies=1)
    glb = read_glb(path)
    points = np.random.default_rng(0).normal(size=(90_000, 3)).astype("<f4").tobytes()
    mesh = {"componentType": 5126, "count": 90_000, "type": "VEC3", "bufferView": 0}
    document = glb.document | {"accessors": [mesh] * 60, "bufferViews": [{"byteLength": 0}]}
    write(path, document, points)
    assert_costs_little(path, face)
    with pytest.raises(InputError, match="share their data"):
        head_geometry(ArkitHead.read(path), face)


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + data + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(30_000, 30_000), (2**31 - 1, 2), (4096, 4096), (0, 0)])
def test_a_picture_that_is_only_a_header_costs_little(
    face: FaceModel, tmp_path: Path, size: tuple[int, int]
):
    path = with_picture(tmp_path / "bomb.glb", png_header(*size), {"source": 0})
    assert_costs_little(path, face)
    assert (head_geometry(ArkitHead.read(path), face).picture == 255).all()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_textures_of_every_kind_are_shown(face: FaceModel, tmp_path: Path, kind: str):
    content = io.BytesIO()
    Image.new("RGB", (32, 32), (200, 40, 30)).save(content, kind)
    texture: dict[str, Any] = {"source": 0}
    if kind == "WEBP":  # for programs that cannot read it another picture may stand beside
        texture = {"source": 1, "extensions": {"EXT_texture_webp": {"source": 0}}}
    path = with_picture(tmp_path / "painted.glb", content.getvalue(), texture)
    picture = head_geometry(ArkitHead.read(path), face).picture
    assert abs(picture[5, 5].astype(int) - (200, 40, 30)).max() <= 3


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("line.obj", b"f " + b"1 " * 2_000_000),
        ("vertex.obj", b"v " + b"1" * 2_000_000),
        ("ends.obj", b"\n" * 500_001),
        ("digits.obj", b"v 0 0 0\nf " + b"9" * 3000 + b" 1 1\n"),
        ("float.obj", b"v " + b"9" * 3000 + b" 1 1\nf 1 1 1\n"),
        ("corners.obj", b"f 1 1 1 1 1 1 1 1 1 1\n" * 20_000),
        ("line.ply", b"ply" + b" " * 2_000_000),
        ("header.ply", b"ply\nformat ascii 1.0\n" + b"comment\n" * 200_000),
        ("digits.ply", b"ply\nformat ascii 1.0\nelement vertex " + b"9" * 3000 + b"\nend_header\n"),
    ],
)
def test_meshes_as_text_cost_little(face: FaceModel, tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    assert_costs_little(tmp_path / name, face)


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian"])
def test_a_ply_of_our_counts_that_holds_less_is_refused(face: FaceModel, tmp_path: Path, kind: str):
    count = len(face.faces)
    lines = f"ply\nformat {kind} 1.0\nelement other 900000\nproperty list uint double a\n"
    counts = f"element vertex {3 * count}\nproperty double x\nelement face {count}\n"
    for body in (b"\n" * 1_000_000, b"\xff" * 1_000_000, b""):
        (tmp_path / "lie.ply").write_bytes(f"{lines}{counts}end_header\n".encode() + body)
        with pytest.raises(InputError):
            load_head(tmp_path / "lie.ply", face)
        assert_costs_little(tmp_path / "lie.ply", face)
