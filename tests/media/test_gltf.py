"""A binary of glTF is read only where it is plain and whole, and what it says is little."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kmspeaker.errors import InputError
from kmspeaker.media.gltf import Glb, read_glb, write_glb_file


def glb_of(path: Path, text: bytes, binary: bytes = b"") -> Path:
    """A file of any description, as no program would write it."""
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
    chunks += struct.pack("<II", len(binary), 0x004E4942) + binary
    path.write_bytes(struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as error:
        read_glb(path)
    assert str(error.value).endswith(".")
    return str(error.value)


def test_what_is_written_comes_back(tmp_path: Path):
    write_glb_file(tmp_path / "a.glb", {"extras": {"a": [1, 2.5, "b"]}}, b"1234567")
    glb = read_glb(tmp_path / "a.glb")
    assert glb.document["extras"] == {"a": [1, 2.5, "b"]} and glb.binary == b"1234567\0"


@pytest.mark.parametrize(
    "packer", ["EXT_meshopt_compression", "KHR_draco_mesh_compression", "KHR_meshopt_compression"]
)
@pytest.mark.parametrize(
    "document",
    [
        {"extensionsRequired": True},
        {"extensionsUsed": True, "buffers": [{"byteLength": 4}, {"byteLength": 9}]},
        {"extensionsUsed": True, "buffers": [{"byteLength": 4, "uri": "fallback.bin"}]},
        {"extensionsUsed": True, "accessors": [{"count": 3, "type": "VEC3"}]},
    ],
)
def test_a_packed_file_is_refused_as_packed(tmp_path: Path, packer: str, document: dict[str, Any]):
    document = {key: [packer] if value is True else value for key, value in document.items()}
    said = refusal(glb_of(tmp_path / "packed.glb", json.dumps(document).encode()))
    assert packer in said and "compress" in said and "other files" not in said


def test_parts_elsewhere_are_named_so(tmp_path: Path):
    for uri in ("http://example.org/a.bin", "../a.bin"):
        text = json.dumps({"buffers": [{"byteLength": 4, "uri": uri}]}).encode()
        assert "other files" in refusal(glb_of(tmp_path / "a.glb", text))
    two = json.dumps({"buffers": [{"byteLength": 4}, {"byteLength": 4}]}).encode()
    assert "several buffers" in refusal(glb_of(tmp_path / "a.glb", two))


def test_a_packer_that_is_named_but_not_needed_hinders_nothing(tmp_path: Path):
    document = {"extensionsUsed": ["KHR_draco_mesh_compression"], "buffers": [{"byteLength": 4}]}
    assert read_glb(glb_of(tmp_path / "plain.glb", json.dumps(document).encode(), bytes(4)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"[" * 100_000, "damaged"),
        (b'{"a":' + b"[" * 70 + b"]" * 70 + b"}", "damaged"),
        (b'{"a":[' + b"{}," * 400_000 + b"{}]}", "too many things"),
        (b'{"a":' + b"9" * 5000 + b"", "damaged"),
        (b"[]", "damaged"),
        (b"\xff\xfe{}", "damaged"),
    ],
)
def test_descriptions_that_would_cost_much_are_refused(tmp_path: Path, text: bytes, says: str):
    assert says in refusal(glb_of(tmp_path / "a.glb", text))


def test_numbers_without_end_are_floats(tmp_path: Path):
    text = b'{"a": ' + b"9" * 400 + b', "b": -' + b"9" * 18 + b', "c": 123}'
    own = read_glb(glb_of(tmp_path / "a.glb", text)).document
    assert own == {"a": float("inf"), "b": -float("9" * 18), "c": 123}


@pytest.mark.parametrize(
    "change",
    [
        *({"count": 10**17}, {"count": -1}, {"count": True, "type": "x"}, {"count": 3.0}),
        *({"bufferView": 7}, {"bufferView": "0"}, {"byteOffset": 10**17}, {"byteOffset": -4}),
        *({"componentType": 1}, {"componentType": []}, {"type": {}}, {"sparse": 1}),
        *({"sparse": {"count": 10**9, "indices": {}, "values": {}}}, {"byteOffset": "1"}),
    ],
)
def test_an_accessor_that_reaches_beyond_the_file_is_refused(change: dict[str, Any]):
    plain = {"bufferView": 0, "componentType": 5126, "count": 2, "type": "VEC3"}
    for view in ({}, {"byteStride": 10**17}, {"byteStride": -8}, {"byteOffset": 10**17}):
        glb = Glb({"accessors": [plain | change], "bufferViews": [view]}, bytes(24))
        with pytest.raises(InputError):
            glb.accessor(0)
    assert Glb({"accessors": [plain], "bufferViews": [{}]}, bytes(24)).accessor(0).shape == (2, 3)


def test_an_accessor_without_data_is_nought_and_small():
    empty = {"componentType": 5126, "count": 5, "type": "VEC3"}
    assert not Glb({"accessors": [empty]}, b"").accessor(0).any()
    with pytest.raises(InputError):
        Glb({"accessors": [empty | {"count": 10**7}]}, b"").accessor(0)


def test_rows_that_lie_apart_are_read_as_they_lie():
    rows = np.arange(12, dtype="<f4").reshape(3, 4)
    accessor = {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}
    document = {"accessors": [accessor], "bufferViews": [{"byteStride": 16}]}
    # The last row needs no room behind it.
    assert (Glb(document, rows.tobytes()[:-4]).accessor(0) == rows[:, :3]).all()


@pytest.mark.parametrize(
    ("kind", "component", "shares"),
    [
        ("i1", 5120, [-1, -1, 0, 1]),
        ("u1", 5121, [0, 0, 0, 1]),
        ("<i2", 5122, [-1, -1, 0, 1]),
        ("<u2", 5123, [0, 0, 0, 1]),
    ],
)
def test_whole_numbers_are_shares_where_they_are_normalised(
    kind: str, component: int, shares: list[float]
):
    """KHR_mesh_quantization: the least of signed ones is -1 as the next is."""
    most, signed = np.iinfo(kind).max, "i" in kind
    values = np.array([np.iinfo(kind).min, -most if signed else 0, 0, most], kind)
    accessor = {"bufferView": 0, "componentType": component, "count": 4, "type": "SCALAR"}
    glb = Glb(
        {"accessors": [accessor, accessor | {"normalized": True}], "bufferViews": [{}]},
        values.tobytes(),
    )
    assert (glb.floats(0)[:, 0] == values).all()
    assert glb.floats(1)[:, 0].tolist() == shares
