"""A GLB with morph targets of any names, for the tests of other people's heads."""

from pathlib import Path
from typing import Any

import numpy as np

from kmspeaker.media.gltf import write_glb_file


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
