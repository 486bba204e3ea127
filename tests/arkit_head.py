"""A GLB with morph targets of any names, for the tests of other people's heads."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from kmspeaker.face.rig import ARKIT_NAMES
from kmspeaker.media.gltf import read_glb, write_glb_file


def a_head(path: Path, names: list[str], *, copies: int = 2, **extra: Any) -> Path:
    """A triangle with targets by these names, shown by several nodes, and a spin of its own."""
    count = len(names)
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4")
    times = np.array([0, 1], "<f4")
    turns = np.array([[0, 0, 0, 1], [0, 1, 0, 0]], "<f4")
    targets = np.random.default_rng(0).normal(size=(count, 3, 3)).astype("<f4")
    blobs = [corners, times, turns, *targets]
    starts = np.cumsum([0, *(blob.nbytes for blob in blobs)]).tolist()
    kinds = ["VEC3", "SCALAR", "VEC4", *["VEC3"] * count]
    primitive = {
        "attributes": {"POSITION": 0},
        "targets": [{"POSITION": 3 + k} for k in range(count)],
    }
    bounds = [
        {"min": b.min(0, initial=9).tolist(), "max": b.max(0, initial=-9).tolist()}
        if b.ndim == 2
        else {"min": [0.0], "max": [1.0]}
        for b in blobs
    ]
    document = {
        "asset": {"version": "2.0", "extras": {"title": "mine"}},
        "scene": 0,
        "scenes": [{"nodes": list(range(copies))}],
        "nodes": [{"mesh": k} for k in range(copies)],
        "meshes": [
            {"primitives": [primitive], "extras": {"targetNames": names}} for _ in range(copies)
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": start, "byteLength": blob.nbytes}
            for start, blob in zip(starts, blobs, strict=False)
        ],
        "accessors": [
            {"bufferView": k, "componentType": 5126, "count": len(blob), "type": kind} | bound
            for k, (blob, kind, bound) in enumerate(zip(blobs, kinds, bounds, strict=True))
        ],
        "animations": [
            {
                "name": "spin",
                "samplers": [{"input": 1, "output": 2}],
                "channels": [{"sampler": 0, "target": {"node": 0, "path": "rotation"}}],
            }
        ],
    } | extra
    write_glb_file(path, document, b"".join(blob.tobytes() for blob in blobs))
    return path


def write(path: Path, document: dict[str, Any], binary: bytes) -> None:
    """A container of whatever is given, also of what no program writes."""
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
    chunks += struct.pack("<II", len(binary), 0x004E4942) + binary
    path.write_bytes(struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks)


def with_picture(path: Path, picture: bytes, texture: dict[str, Any]) -> Path:
    """A head whose one material shows a picture, and another besides that is none."""
    glb = read_glb(a_head(path, list(ARKIT_NAMES), copies=1))
    (mesh,) = glb.document["meshes"]
    for primitive in mesh["primitives"]:
        primitive["material"] = 0
    start = len(glb.binary)
    views = [*glb.document["bufferViews"], {"byteOffset": start, "byteLength": len(picture)}]
    document = glb.document | {
        "bufferViews": views,
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "textures": [texture],
        "images": [{"bufferView": len(views) - 1}, {"bufferView": 0}],
    }
    write(path, document, glb.binary + picture)
    return path
