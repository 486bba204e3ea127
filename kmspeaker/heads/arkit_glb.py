"""A head of any mesh: a GLB whose morph targets have ARKit's names, in whatever spelling.

Place in the flow: ``heads.load`` tries it, ``heads.glb_geometry`` decodes what it looks like for
the page, ``export.arkit_glb`` writes animations onto it. Nothing of its geometry is decoded here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_NAMES
from kmspeaker.heads.shape_names import arkit_shapes
from kmspeaker.media.gltf import Glb, entries, read_glb

LEAST_SHAPES = 26
"""Of the 52, so many must be there for a head to speak and look; jawOpen among them."""
_MOST_TARGETS, _MOST_NODES = 6000, 10_000
"""Of all meshes of a file."""


@dataclass(frozen=True)
class ArkitHead:
    """A GLB whose morph targets have ARKit's names."""

    glb: Glb
    shapes: Mapping[int, tuple[int | None, ...]]
    """For each mesh that moves, the ARKit shape of each of its targets; None of another's, and of
    one that is worse spelt than another for its shape."""
    nodes: tuple[int, ...]
    """Nodes that show these meshes."""

    @classmethod
    def read(cls, path: Path) -> "ArkitHead":
        """Read and check a head.

        Raises:
            InputError: It is no self-contained GLB, or has too few of the 52 targets.
        """
        glb = read_glb(path)
        shapes = {index: arkit_shapes(names) for index, names in _named_targets(glb.document)}
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


def _named_targets(document: dict[str, Any]) -> Iterator[tuple[int, list[str]]]:
    """Meshes whose targets have names, in the places where exporters write them."""
    targets = 0
    for index, mesh in enumerate(entries(document, "meshes")):
        primitives = entries(mesh, "primitives")
        counts = {len(entries(primitive, "targets")) for primitive in primitives}
        for holder in (mesh, *primitives):
            extras = holder.get("extras")
            names = extras.get("targetNames") if isinstance(extras, dict) else None
            if not isinstance(names, list) or counts != {len(names)}:
                continue
            targets += len(names)
            if targets > _MOST_TARGETS or not all(isinstance(name, str) for name in names):
                raise InputError("Got a GLB whose target names are damaged; export it again.")
            yield index, names
            break


def _mesh_of(node: dict[str, Any]) -> int:
    mesh = node.get("mesh", -1)
    return mesh if isinstance(mesh, int) else -1
