"""A glTF 2.0 binary: the textured head, its 52 shapes as morph targets, and one animation of them.

Written here because no maintained library writes animated morph targets. What readers need to know:
one mesh on one node, one primitive per material, ``targetNames`` in the mesh's extras (where
three.js and Blender look), a linear ``weights`` channel with a key for every frame. Targets are
sparse accessors, since most shapes leave most of the head alone; a target that leaves a
primitive alone is an accessor of zeros. Where the head moves, a parent node ``head`` turns the mesh
about its place, the base of the skull. Hair is a mesh of its own beside the head's. Vertex colours
darken mouth, nostrils and ears. Targets are linear: where a blink meets another shape of the lids,
the lids cross a little, which they do not on the page. Metres, y up, z out of the face.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.errors import InputError
from kmspeaker.export.material import hair_normals
from kmspeaker.export.normals import vertex_normals
from kmspeaker.export.occlusion import ambient_occlusion
from kmspeaker.export.provenance import GENERATOR, credits_of, provenance
from kmspeaker.face.hair import OPAQUE, Hair
from kmspeaker.face.head_pose import HEAD_PIVOT, head_quaternions
from kmspeaker.face.rig import ARKIT_NAMES, FaceModel
from kmspeaker.face.surfaces import SURFACES, Surface, surface_corners
from kmspeaker.media.gltf import write_glb_file

_METRES = np.float32(1e-3)
_SMALLEST_MOVE = 1e-4
"""Metres; vertices that a shape moves less are left out of its target."""
_SMALLEST_TURN = 0.14
"""Normals that a shape turns less are left out of its target."""
_PICTURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg"}
"""Of the kinds that glTF takes, by how their files begin."""

# glTF's names for numbers (specification, 3.6.2 and 3.7.2)
_COMPONENT = {"float32": 5126, "uint16": 5123, "uint8": 5121}
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_REPEAT, _LINEAR, _LINEAR_MIPMAP_LINEAR = 10497, 9729, 9987


def write_glb(animation: FaceAnimation, face: FaceModel, path: Path) -> None:
    """Write the animation; its sound is not in the file, glTF has none.

    Raises:
        InputError: The identity's texture is neither PNG nor JPEG.
    """
    document = _Document()
    mesh = {
        "name": animation.identity,
        "primitives": _primitives(document, face, animation.identity),
        "weights": [0.0] * len(ARKIT_NAMES),
        "extras": {"targetNames": list(ARKIT_NAMES)},
    }
    time = (np.arange(len(animation)) / animation.fps).astype(np.float32)
    times = document.accessor(time, bounds=True)
    meshes, materials, images = [mesh], [_material(surface) for surface in SURFACES], []
    nodes: list[dict[str, Any]] = [{"name": animation.identity, "mesh": 0}]
    images.append(_image(document, face.texture(animation.identity)))
    hair = face.hair(animation.identity)
    if hair is not None:
        meshes.append(_hair_mesh(document, hair, face.neutral(animation.identity), len(materials)))
        materials.append(_hair_material(hair))
        images.append(_image(document, hair.style.picture))
        nodes.append({"name": "hair", "mesh": 1})
    moved = [(0, "weights", animation.weights.ravel())]
    roots = list(range(len(nodes)))
    if animation.head is not None:
        pivot = np.array(HEAD_PIVOT) * 1e-3
        for node in nodes:
            node["translation"] = (-pivot).tolist()
        nodes.append({"name": "head", "translation": pivot.tolist(), "children": roots})
        roots = [len(nodes) - 1]
        moved.append((roots[0], "rotation", head_quaternions(animation.head)))
    samplers = [
        {"input": times, "output": document.accessor(values), "interpolation": "LINEAR"}
        for _, _, values in moved
    ]
    channels = [
        {"sampler": k, "target": {"node": node, "path": path}}
        for k, (node, path, _) in enumerate(moved)
    ]
    document.save(
        path,
        {
            "asset": {
                "version": "2.0",
                "generator": GENERATOR,
                "copyright": credits_of(animation, face),
                "extras": provenance(animation),
            },
            "scene": 0,
            "scenes": [{"nodes": roots}],
            "nodes": nodes,
            "meshes": meshes,
            "materials": materials,
            "textures": [{"source": k, "sampler": 0} for k in range(len(images))],
            "images": images,
            "samplers": [
                {
                    "magFilter": _LINEAR,
                    "minFilter": _LINEAR_MIPMAP_LINEAR,
                    "wrapS": _REPEAT,
                    "wrapT": _REPEAT,
                }
            ],
            "animations": [
                {"name": animation.use, "samplers": samplers, "channels": channels},
            ],
        },
    )


def _material(surface: Surface) -> dict[str, Any]:
    return {
        "name": surface.name,
        "pbrMetallicRoughness": {
            "baseColorTexture": {"index": 0},
            "metallicFactor": 0.0,
            "roughnessFactor": surface.roughness,
        },
        "doubleSided": surface.double_sided,
    }


def _image(document: "_Document", picture: Path) -> dict[str, Any]:
    """A picture as it is: ours are JPEG and PNG, a user's own may be either, whatever its name."""
    content = picture.read_bytes()
    kinds = [kind for start, kind in _PICTURES.items() if content.startswith(start)]
    if not kinds:
        raise InputError(f"Got the texture {picture.name}; a GLB holds PNG or JPEG, save it so.")
    return {"mimeType": kinds[0], "bufferView": document.view(content)}


def _hair_material(hair: Hair) -> dict[str, Any]:
    """The picture's lightness times the hair's colour, which glTF wants in linear light."""
    tint = [min(channel, 1.0) ** 2.2 for channel in hair.tint]
    return {
        "name": "hair",
        "pbrMetallicRoughness": {
            "baseColorTexture": {"index": 1},
            "baseColorFactor": [*tint, 1.0],
            "metallicFactor": 0.0,
            "roughnessFactor": 0.7,
        },
        "alphaMode": "MASK",
        "alphaCutoff": OPAQUE,
        "doubleSided": True,
    }


def _hair_mesh(
    document: "_Document",
    hair: Hair,
    neutral: Float32[np.ndarray, "vertices 3"],
    material: int,
) -> dict[str, Any]:
    style = hair.style
    strands = style.worn(neutral).astype(np.float32)
    uv = (style.uv * [1, -1] + [0, 1]).astype(np.float32)
    attributes = {
        "POSITION": document.accessor(strands * _METRES, target=_ARRAY_BUFFER, bounds=True),
        "NORMAL": document.accessor(hair_normals(style, strands), target=_ARRAY_BUFFER),
        "TEXCOORD_0": document.accessor(uv, target=_ARRAY_BUFFER),
    }
    corners = style.faces.ravel().astype(np.uint16)
    indices = document.accessor(corners, target=_ELEMENT_ARRAY_BUFFER)
    primitive = {"attributes": attributes, "indices": indices, "material": material}
    return {"name": "hair", "primitives": [primitive]}


def _primitives(document: "_Document", face: FaceModel, identity: str) -> list[dict[str, Any]]:
    neutral = face.neutral(identity)
    normals = vertex_normals(neutral, face.faces)
    turns = np.stack(
        [vertex_normals(neutral + delta, face.faces) - normals for delta in face.deltas]
    )
    uv = face.render_uv * [1, -1] + [0, 1]  # glTF's origin is the upper left
    light = np.repeat(ambient_occlusion(face)[:, None], 4, axis=1)
    light[:, 3] = 1
    shades = np.round(light * 255).astype(np.uint8)
    primitives = []
    for material, (kept, corners) in enumerate(surface_corners(face)):
        source = face.render_source[kept]
        positions = neutral[source] * _METRES
        moves = face.deltas[:, source] * _METRES
        primitives.append(
            {
                "attributes": {
                    "POSITION": document.accessor(positions, target=_ARRAY_BUFFER, bounds=True),
                    "NORMAL": document.accessor(normals[source], target=_ARRAY_BUFFER),
                    "TEXCOORD_0": document.accessor(
                        uv[kept].astype(np.float32), target=_ARRAY_BUFFER
                    ),
                    "COLOR_0": document.accessor(shades[source], target=_ARRAY_BUFFER),
                },
                "indices": document.accessor(
                    corners.ravel().astype(np.uint16), target=_ELEMENT_ARRAY_BUFFER
                ),
                "material": material,
                "targets": [
                    {
                        "POSITION": document.sparse(move, _SMALLEST_MOVE, bounds=True),
                        "NORMAL": document.sparse(turn, _SMALLEST_TURN),
                    }
                    for move, turn in zip(moves, turns[:, source], strict=True)
                ],
            }
        )
    return primitives


class _Document:
    """The binary chunk as it grows, and the views and accessors into it."""

    def __init__(self) -> None:
        self._binary = bytearray()
        self._views: list[dict[str, Any]] = []
        self._accessors: list[dict[str, Any]] = []
        self._zeros: dict[int, int] = {}

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append bytes on a multiple of four; returns the buffer view's index."""
        self._binary += bytes(-len(self._binary) % 4)
        view = {"buffer": 0, "byteOffset": len(self._binary), "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        self._binary += data
        self._views.append(view)
        return len(self._views) - 1

    def accessor(
        self, values: np.ndarray, *, target: int | None = None, bounds: bool = False
    ) -> int:
        """Append an array, one row an element; returns the accessor's index."""
        accessor = {
            "bufferView": self.view(values.tobytes(), target),
            "componentType": _COMPONENT[values.dtype.name],
            "count": len(values),
            "type": "SCALAR" if values.ndim == 1 else f"VEC{values.shape[1]}",
        }
        if values.dtype == np.uint8:
            accessor["normalized"] = True
        return self._add(accessor, values if bounds else None)

    def sparse(
        self, values: Float32[np.ndarray, "vertices 3"], smallest: float, *, bounds: bool = False
    ) -> int:
        """Append only the rows longer than ``smallest``; the others read as zero."""
        rows = np.flatnonzero(np.linalg.norm(values, axis=1) > smallest)
        if not len(rows):
            return self._zero_vectors(len(values))
        kept = np.zeros_like(values)
        kept[rows] = values[rows]
        sparse = {
            "count": len(rows),
            "indices": {
                "bufferView": self.view(rows.astype(np.uint16).tobytes()),
                "componentType": _COMPONENT["uint16"],
            },
            "values": {"bufferView": self.view(values[rows].tobytes())},
        }
        accessor = {
            "componentType": _COMPONENT["float32"],
            "count": len(values),
            "type": "VEC3",
            "sparse": sparse,
        }
        return self._add(accessor, kept if bounds else None)

    def save(self, path: Path, document: dict[str, Any]) -> None:
        """Write the document and its buffer as one file."""
        lists = {"bufferViews": self._views, "accessors": self._accessors}
        write_glb_file(path, document | lists, self._binary)

    def _zero_vectors(self, count: int) -> int:
        if count not in self._zeros:
            accessor = {"componentType": _COMPONENT["float32"], "count": count, "type": "VEC3"}
            self._zeros[count] = self._add(accessor, np.zeros((1, 3), np.float32))
        return self._zeros[count]

    def _add(self, accessor: dict[str, Any], bounded: np.ndarray | None) -> int:
        if bounded is not None:
            columns = bounded.reshape(len(bounded), -1)
            accessor |= {"min": columns.min(0).tolist(), "max": columns.max(0).tolist()}
        self._accessors.append(accessor)
        return len(self._accessors) - 1
