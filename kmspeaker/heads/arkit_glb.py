"""A head of any mesh, as a GLB with ARKit's morph targets, and animations written onto it.

Place in the flow: an export for heads that are not on the rig. The file stays what it is; an
animation of its morph weights is put first among its animations. Nothing of its geometry is
decoded.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.errors import InputError
from kmspeaker.export import save_animation
from kmspeaker.export.provenance import provenance
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES, FaceModel
from kmspeaker.heads.mesh import with_own_face
from kmspeaker.heads.sliders import OWN
from kmspeaker.media.files import check_place, replacing
from kmspeaker.media.gltf import Glb, entries, read_glb, write_glb_file
from kmspeaker.progress import Progress

LEAST_SHAPES = 26
"""Of the 52, so many must be there for a head to speak and look; jawOpen among them."""
_MOST_TARGETS, _MOST_NODES = 2000, 10_000
_FLOAT, _SIDES = 5126, {"l": "left", "r": "right"}
_BY_KEY = {name.lower(): index for name, index in ARKIT_INDEX.items()}
# Some programs halve the shapes that ARKit has in one piece.
_BY_KEY |= {
    f"{whole.lower()}{side}": ARKIT_INDEX[whole]
    for whole in ("browInnerUp", "cheekPuff")
    for side in _SIDES.values()
}


@dataclass(frozen=True)
class OwnHead:
    """A GLB whose morph targets are known by ARKit's names."""

    glb: Glb
    shapes: Mapping[int, tuple[int | None, ...]]
    """For each mesh that moves, the ARKit shape of each of its targets; None of another's."""
    nodes: tuple[int, ...]
    """Nodes that show these meshes."""

    @classmethod
    def read(cls, path: Path) -> "OwnHead":
        """Read and check a head.

        Raises:
            InputError: It is no self-contained GLB, or has too few of the 52 targets.
        """
        glb = read_glb(path)
        shapes = {
            index: tuple(arkit_shape(name) for name in names)
            for index, names in _named_targets(glb.document)
        }
        shapes = {index: own for index, own in shapes.items() if any(s is not None for s in own)}
        nodes = entries(glb.document, "nodes")
        if len(nodes) > _MOST_NODES:
            raise InputError(f"Got a GLB of {len(nodes):,} nodes; export the head alone.")
        shown = tuple(i for i, node in enumerate(nodes) if _mesh_of(node) in shapes)
        head = cls(glb, {_mesh_of(nodes[i]): shapes[_mesh_of(nodes[i])] for i in shown}, shown)
        found = len(ARKIT_NAMES) - len(head.missing)
        if found < LEAST_SHAPES or "jawOpen" in head.missing:
            few = ", ".join(head.missing[:6])
            raise InputError(
                f"Got a GLB with {found} of ARKit's 52 morph targets; it needs {LEAST_SHAPES} and "
                f"jawOpen, named as ARKit does (missing: {few}{', ...' if found < 46 else ''})."
            )
        return head

    @property
    def missing(self) -> tuple[str, ...]:
        """ARKit's names that no target has: their motion will not show."""
        there = {shape for own in self.shapes.values() for shape in own}
        return tuple(name for index, name in enumerate(ARKIT_NAMES) if index not in there)

    def write(self, animation: FaceAnimation, path: Path) -> Path:
        """Write the head with an animation of its weights; its other animations come after.

        The head's own turning is left out: no name says which node is the neck.

        Raises:
            InputError: The file cannot be written.
        """
        check_place(path)
        binary = bytearray(self.glb.binary)
        document = dict(self.glb.document)
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
            for mesh, own in self.shapes.items()
        }
        meshes = [_mesh_of(node) for node in entries(document, "nodes")]
        spoken = {
            "name": animation.use,
            "samplers": [
                {"input": times, "output": outputs[meshes[node]], "interpolation": "LINEAR"}
                for node in self.nodes
            ],
            "channels": [
                {"sampler": k, "target": {"node": node, "path": "weights"}}
                for k, node in enumerate(self.nodes)
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


def read_own(path: Path, face: FaceModel, name: str = OWN) -> "FaceModel | OwnHead":
    """A head of somebody's own, by what the file holds.

    Returns:
        The face with one more identity, ``name``, where the mesh was sculpted from the program's;
        else the head that animations can be written onto.

    Raises:
        InputError: It is neither; of a GLB it says which targets are missing.
    """
    if path.suffix.lower() != ".glb":
        return with_own_face(face, path, name=name)
    try:
        return OwnHead.read(path)
    except InputError:
        with suppress(InputError):
            return with_own_face(face, path, name=name)
        raise


def save_on_own(
    animation: FaceAnimation,
    own: "FaceModel | OwnHead",
    path: Path,
    *,
    name: str = OWN,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Write an animation on what ``read_own`` read; on an ``OwnHead`` it is always a GLB.

    Raises:
        InputError: The file cannot be written in that format.
    """
    if isinstance(own, FaceModel):
        return save_animation(replace(animation, identity=name), own, path, progress=progress)
    if path.suffix.lower() != ".glb":
        raise InputError(f"Got the output name {path.name!r}; a head of your own is saved as .glb.")
    return (own.write(animation, path),)


def arkit_shape(name: str) -> int | None:
    """Which of the 52 a target's name means, whatever its case, prefix and way to say left."""
    side = re.search(r"[ _.\-](l|r|left|right)$", name, re.IGNORECASE)
    side = side or re.search(r"(?<=[a-z])([LR])$", name)
    base, suffix = (name, "") if side is None else (name[: side.start()], side[1].lower())
    key = re.sub(r"[^a-z]", "", re.split(r"[.:|]", base)[-1].lower())
    return _BY_KEY.get(key + _SIDES.get(suffix, suffix))


def _named_targets(document: dict[str, Any]) -> Iterator[tuple[int, list[str]]]:
    """Meshes whose targets have names, in the places where exporters write them."""
    for index, mesh in enumerate(entries(document, "meshes")):
        primitives = entries(mesh, "primitives")
        counts = {len(entries(primitive, "targets")) for primitive in primitives}
        for holder in (mesh, *primitives):
            extras = holder.get("extras")
            names = extras.get("targetNames") if isinstance(extras, dict) else None
            if not isinstance(names, list) or counts != {len(names)}:
                continue
            if len(names) > _MOST_TARGETS or not all(isinstance(name, str) for name in names):
                raise InputError("Got a GLB whose target names are damaged; export it again.")
            yield index, names
            break


def _weights(weights: np.ndarray, shapes: tuple[int | None, ...]) -> np.ndarray:
    """(frames, targets), 0 for targets that are none of ARKit's."""
    columns = [np.zeros(len(weights)) if s is None else weights[:, s] for s in shapes]
    return np.stack(columns, axis=1)


def _mesh_of(node: dict[str, Any]) -> int:
    mesh = node.get("mesh", -1)
    return mesh if isinstance(mesh, int) else -1
