"""Animations on a head of any mesh: a GLB with ARKit's morph targets plays our weights.

Place in the flow: the export for heads that are not on the rig (``heads.arkit_glb``). The file
stays what it is; an animation of its morph weights is put first among its animations.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.export.provenance import provenance
from kmspeaker.face.rig import Weights
from kmspeaker.heads.arkit_glb import ArkitHead
from kmspeaker.media.files import check_place, replacing
from kmspeaker.media.gltf import entries, write_glb_file

_FLOAT = 5126
"""glTF's number for float32 (specification, 3.6.2)."""


def write_on_head(animation: FaceAnimation, head: ArkitHead, path: Path) -> Path:
    """Write the head with an animation of its weights; its other animations come after.

    The head's own turning is left out: no name says which node is the neck.

    Raises:
        InputError: The file cannot be written.
    """
    check_place(path)
    binary = bytearray(head.glb.binary)
    document = dict(head.glb.document)
    views = [*entries(document, "bufferViews")]
    accessors = [*entries(document, "accessors")]

    def accessor(values: np.ndarray, **bounds: list[float]) -> int:
        nonlocal binary
        binary += bytes(-len(binary) % 4)
        data = values.astype("<f4").tobytes()
        views.append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(data)})
        binary += data
        kind = {"componentType": _FLOAT, "count": values.size, "type": "SCALAR"}
        accessors.append({"bufferView": len(views) - 1, **kind, **bounds})
        return len(accessors) - 1

    last = (len(animation) - 1) / animation.fps
    time = np.arange(len(animation)) / animation.fps
    times = accessor(time, min=[0.0], max=[float(np.float32(last))])
    outputs = {
        mesh: accessor(_weights(animation.weights, own).ravel())
        for mesh, own in head.shapes.items()
    }
    nodes = entries(document, "nodes")
    spoken = {
        "name": animation.use,
        "samplers": [
            {"input": times, "output": outputs[nodes[node]["mesh"]], "interpolation": "LINEAR"}
            for node in head.nodes
        ],
        "channels": [
            {"sampler": k, "target": {"node": node, "path": "weights"}}
            for k, node in enumerate(head.nodes)
        ],
    }
    asset = dict(document.get("asset", {}))
    extras = asset.get("extras")
    asset["extras"] = {
        **(extras if isinstance(extras, dict) else {}),
        "kmspeaker": provenance(animation),
    }
    document |= {
        "asset": asset,
        "bufferViews": views,
        "accessors": accessors,
        "animations": [spoken, *entries(document, "animations")],
    }
    with replacing(path) as unfinished:
        write_glb_file(unfinished, document, binary)
    return path


def _weights(
    weights: Weights, shapes: tuple[int | None, ...]
) -> Float[np.ndarray, "frames targets"]:
    """A column for each target; 0 for targets that are none of ARKit's."""
    columns = [np.zeros(len(weights)) if s is None else weights[:, s] for s in shapes]
    return np.stack(columns, axis=1)
