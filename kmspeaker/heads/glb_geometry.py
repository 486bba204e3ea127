"""What a head of any mesh looks like: its surface and ARKit shapes, placed as the program's heads.

Place in the flow: reads the geometry of an ``arkit_glb.ArkitHead`` for the page. Everything is
decoded here, within limits, and handed on as plain arrays: the file itself reaches no browser.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8
from PIL import Image

from kmspeaker.errors import InputError
from kmspeaker.face.rig import FaceModel
from kmspeaker.heads.arkit_glb import ArkitHead
from kmspeaker.heads.mesh import quarter_turns
from kmspeaker.media.gltf import Glb, entries

MOST_VERTICES, MOST_TRIANGLES = 100_000, 150_000
"""Of everything the file shows; the browser moves them by itself."""
_MOST_PIXELS, _SIDE = 4096 * 4096, 2048
"""Of a texture as it lies in the file, and pixels along one side of what is kept of all."""
_MOST_PIECES = 64
_DEEPEST = 100
_ARKIT = 52

Sparse = tuple[Int[np.ndarray, " moved"], Float32[np.ndarray, "moved 3"]]


@dataclass(frozen=True)
class HeadGeometry:
    """A surface in mm, upright, facing +z, its eyes about the origin; its shapes at weight 1."""

    vertices: Float32[np.ndarray, "vertices 3"]
    shapes: dict[int, Sparse]
    """For each ARKit index the vertices it moves, and how far."""
    source: Int[np.ndarray, " drawn"]
    """Drawn vertices are split where texture places are; they lie where these lie."""
    uv: Float32[np.ndarray, "drawn 2"]
    """Places in ``picture``, from its lower left."""
    opacity: Float32[np.ndarray, " drawn"]
    triangles: Int[np.ndarray, "triangles 3"]
    """Of drawn vertices."""
    both_sides: Bool[np.ndarray, " triangles"]
    picture: UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class _Piece:
    """One primitive where its node puts it."""

    vertices: np.ndarray
    shapes: dict[int, np.ndarray]
    triangles: np.ndarray
    uv: np.ndarray
    material: dict[str, Any]


def head_geometry(head: ArkitHead, face: FaceModel) -> HeadGeometry:
    """Decode a head's surface and put it where the program's heads are.

    Raises:
        InputError: It has too many vertices to be shown, or geometry that cannot be read.
    """
    pieces = list(_pieces(head))
    if not pieces:
        raise InputError("Got a GLB that shows no triangles; export it with its mesh.")
    counts = np.cumsum([0, *(len(piece.vertices) for piece in pieces)])
    vertices = np.concatenate([piece.vertices for piece in pieces])
    shapes = {
        shape: _whole(pieces, counts, shape)
        for shape in sorted({shape for piece in pieces for shape in piece.shapes})
    }
    triangles = [piece.triangles + first for piece, first in zip(pieces, counts, strict=False)]
    both = [np.full(len(p.triangles), p.material.get("doubleSided") is True) for p in pieces]
    picture, cells = _picture(head.glb, [piece.material for piece in pieces])
    uv = [_move_to_cell(piece.uv, cell) for piece, cell in zip(pieces, cells, strict=True)]
    opacity = [np.full(len(p.vertices), _factor(p.material)[3]) for p in pieces]
    turn, scale, shift = _fit_to_rig(vertices, shapes, face)
    vertices = (vertices @ turn.T * scale + shift).astype(np.float32)
    shapes = {k: (moved @ turn.T * scale).astype(np.float32) for k, moved in shapes.items()}
    first, source = _weld(vertices, shapes)
    return HeadGeometry(
        vertices=vertices[first],
        shapes={index: _sparse(moved[first]) for index, moved in shapes.items()},
        source=source,
        uv=np.concatenate(uv).astype(np.float32),
        opacity=np.concatenate(opacity).astype(np.float32),
        triangles=np.concatenate(triangles),
        both_sides=np.concatenate(both),
        picture=picture,
    )


def _pieces(head: ArkitHead) -> Iterator[_Piece]:
    """Everything the file shows: other nodes' meshes too, for eyes and hair belong to a head."""
    glb = head.glb
    meshes, materials = entries(glb.document, "meshes"), entries(glb.document, "materials")
    vertices = triangles = pieces = 0
    for node, place in _places(glb):
        mesh = node["mesh"]
        for primitive in entries(meshes[mesh], "primitives"):
            if primitive.get("mode", 4) != 4:
                continue
            attributes = primitive.get("attributes")
            if not isinstance(attributes, dict) or "POSITION" not in attributes:
                raise InputError("Got a GLB with a mesh without vertices; export it again.")
            vertices += glb.count(attributes["POSITION"])
            pieces += 1
            if vertices > MOST_VERTICES or triangles > MOST_TRIANGLES or pieces > _MOST_PIECES:
                raise InputError(
                    f"Got a head of more than {MOST_VERTICES:,} vertices, {MOST_TRIANGLES:,} "
                    f"triangles or {_MOST_PIECES} pieces; give a simpler one to see it here."
                )
            own = glb.accessor(attributes["POSITION"])
            corners = _corners(glb, primitive, len(own))
            triangles += len(corners)
            uv = np.zeros((len(own), 2))
            if "TEXCOORD_0" in attributes:
                uv = _shares(glb.accessor(attributes["TEXCOORD_0"]))
            shapes = _shapes(glb, primitive, head.shapes.get(mesh, ()), place)
            if own.shape[1] != 3 or uv.shape != (len(own), 2) or own.dtype.kind != "f":
                raise InputError("Got a GLB whose vertices cannot be read; export it again.")
            if any(moved.shape != own.shape for moved in shapes.values()):
                raise InputError("Got a GLB whose morph targets are damaged; export it again.")
            index = primitive.get("material", -1)
            has_material = isinstance(index, int) and 0 <= index < len(materials)
            points = own @ place[:3, :3].T + place[:3, 3]
            if not all(np.isfinite(each).all() for each in (points, uv, *shapes.values())):
                raise InputError("Got a GLB with coordinates that are no numbers; export it again.")
            yield _Piece(points, shapes, corners, uv, materials[index] if has_material else {})


def _corners(glb: Glb, primitive: dict[str, Any], vertices: int) -> np.ndarray:
    flat = np.arange(vertices)
    if "indices" in primitive:
        flat = glb.accessor(primitive["indices"]).ravel().astype(int)
    if len(flat) % 3 or len(flat) > 3 * MOST_TRIANGLES or flat.max(initial=-1) >= vertices:
        raise InputError("Got a GLB whose triangles cannot be read; export it again.")
    return flat.reshape(-1, 3)


def _shapes(
    glb: Glb, primitive: dict[str, Any], names: tuple[int | None, ...], place: np.ndarray
) -> dict[int, np.ndarray]:
    """What ARKit's targets move; halves of one shape are added."""
    shapes: dict[int, np.ndarray] = {}
    for target, shape in zip(entries(primitive, "targets"), names, strict=False):
        if shape is not None and "POSITION" in target:
            moved = glb.accessor(target["POSITION"]) @ place[:3, :3].T
            shapes[shape] = shapes[shape] + moved if shape in shapes else moved
    return shapes


def _places(glb: Glb) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Every node of the scene that shows a mesh, and where it stands."""
    nodes, meshes = entries(glb.document, "nodes"), entries(glb.document, "meshes")
    parents = {
        child: index
        for index, node in enumerate(nodes)
        for child in _numbers(node.get("children", []))
    }

    def place(index: int, depth: int = 0) -> np.ndarray:
        own = _transform(nodes[index])
        if index not in parents:
            return own
        if depth > _DEEPEST:
            raise InputError("Got a GLB whose nodes hold each other; export it again.")
        return place(parents[index], depth + 1) @ own

    for index, node in enumerate(nodes):
        mesh = node.get("mesh", -1)
        if not isinstance(mesh, int) or not 0 <= mesh < len(meshes):
            continue
        where = place(index)
        skins = entries(glb.document, "skins")
        skin = node.get("skin", -1)
        if isinstance(skin, int) and 0 <= skin < len(skins):
            # A skinned mesh stands where its bones put it; at rest all of them agree.
            joints = list(_numbers(skins[skin].get("joints", [])))
            if joints and joints[0] < len(nodes) and "inverseBindMatrices" in skins[skin]:
                bind = glb.accessor(skins[skin]["inverseBindMatrices"])
                if len(bind) and bind.shape[1] == 16:
                    where = place(joints[0]) @ bind[0].reshape(4, 4).T
        yield node, where


def _transform(node: dict[str, Any]) -> np.ndarray:
    try:
        if "matrix" in node:
            return np.array(node["matrix"], float).reshape(4, 4).T
        x, y, z, w = np.array(node.get("rotation", [0, 0, 0, 1]), float).reshape(4)
        turn = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )
        result = np.eye(4)
        result[:3, :3] = turn * np.array(node.get("scale", [1, 1, 1]), float).reshape(3)
        result[:3, 3] = np.array(node.get("translation", [0, 0, 0]), float).reshape(3)
        return result
    except (TypeError, ValueError) as error:
        raise InputError("Got a GLB whose nodes are damaged; export it again.") from error


def _numbers(listed: Any) -> Iterator[int]:
    if isinstance(listed, list):
        yield from (each for each in listed if isinstance(each, int) and each >= 0)


def _whole(pieces: list[_Piece], counts: np.ndarray, shape: int) -> np.ndarray:
    moved = np.zeros((counts[-1], 3))
    for piece, first in zip(pieces, counts, strict=False):
        if shape in piece.shapes:
            moved[first : first + len(piece.vertices)] = piece.shapes[shape]
    return moved


def _fit_to_rig(
    vertices: np.ndarray, shapes: dict[int, np.ndarray], face: FaceModel
) -> tuple[np.ndarray, float, np.ndarray]:
    """Turn, scale and shift to our heads: a shape moves the same place of every face."""
    ours = np.mean([one.neutral for one in face.people.values() if one.bundled], axis=0)
    there = [shape for shape, moved in shapes.items() if np.any(moved)]
    if not there:
        raise InputError("Got a GLB whose morph targets move nothing; export it again.")
    source = np.array([_centre(vertices, shapes[shape]) for shape in there])
    target = np.array([_centre(ours, face.deltas[shape]) for shape in there])
    middle, goal = source.mean(0), target.mean(0)
    extent = float(((source - middle) ** 2).sum())
    if not extent > 0:
        raise InputError("Got a GLB whose morph targets all move one place; export it again.")
    turn = quarter_turns(source - middle, target - goal)
    scale = float(np.sqrt(((target - goal) ** 2).sum() / extent))
    return turn, scale, goal - scale * turn @ middle


def _centre(vertices: np.ndarray, moved: np.ndarray) -> np.ndarray:
    share = (moved.astype(float) ** 2).sum(1)
    return share @ vertices / share.sum()


def _weld(
    vertices: Float32[np.ndarray, "vertices 3"], shapes: dict[int, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices at one place that move alike are one, so that light runs over seams."""
    mixing = np.random.default_rng(0).normal(size=_ARKIT)
    mixed = sum((mixing[k] * moved for k, moved in shapes.items()), np.zeros(vertices.shape))
    rows = np.round(np.hstack([vertices, mixed]), 3)
    _, first, source = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first, source.ravel()


def _sparse(moved: np.ndarray) -> Sparse:
    which = np.flatnonzero(np.abs(moved).max(axis=1) > 0.005)
    return which, moved[which]


def _shares(values: np.ndarray) -> np.ndarray:
    """Texture places may be stored as whole numbers: parts of the largest."""
    return values / np.iinfo(values.dtype).max if values.dtype.kind == "u" else values.astype(float)


def _factor(material: dict[str, Any]) -> Float[np.ndarray, " 4"]:
    """A material's colour, linear, and opacity."""
    factor = _colouring(material).get("baseColorFactor", [1, 1, 1, 1])
    try:
        colour = np.clip(np.array(factor, float).reshape(4), 0, 1)
    except (TypeError, ValueError):
        colour = np.ones(4)
    if material.get("alphaMode") != "BLEND":
        colour[3] = 1
    return np.nan_to_num(colour)


def _colouring(material: dict[str, Any]) -> dict[str, Any]:
    colouring = material.get("pbrMetallicRoughness")
    return colouring if isinstance(colouring, dict) else {}


def _picture(
    glb: Glb, materials: list[dict[str, Any]]
) -> tuple[UInt8[np.ndarray, "height width 3"], list[tuple[float, float, float]]]:
    """All materials' colours side by side; for each its cell: left, top and size, of 1."""
    different = [each for i, each in enumerate(materials) if each not in materials[:i]]
    across = int(np.ceil(np.sqrt(len(different))))
    side = _SIDE // across
    picture = np.full((across * side, across * side, 3), 255, np.uint8)
    for index, material in enumerate(different):
        row, column = divmod(index, across)
        image = _image(glb, material, side)
        cell = np.full((side, side, 3), 255.0) if image is None else image
        place = slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side)
        picture[place] = np.round(cell * _factor(material)[:3] ** (1 / 2.2))
    rows, columns = np.divmod([different.index(each) for each in materials], across)
    cells = [
        (column / across, row / across, 1 / across)
        for row, column in zip(rows, columns, strict=True)
    ]
    return picture, cells


def _image(glb: Glb, material: dict[str, Any], side: int) -> np.ndarray | None:
    """A material's texture, decoded here; None where there is none that can be read safely."""
    try:
        texture = _colouring(material)["baseColorTexture"]["index"]
        image = entries(glb.document, "images")[
            entries(glb.document, "textures")[texture]["source"]
        ]
        view = entries(glb.document, "bufferViews")[image["bufferView"]]
        start = view.get("byteOffset", 0)
        content = glb.binary[start : start + view["byteLength"]]
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                return None
            return np.asarray(opened.convert("RGB").resize((side, side), Image.Resampling.LANCZOS))
    except (KeyError, IndexError, TypeError, ValueError, OSError, SyntaxError):
        return None


def _move_to_cell(
    uv: Float[np.ndarray, "drawn 2"], cell: tuple[float, float, float]
) -> Float[np.ndarray, "drawn 2"]:
    """Places in the common picture, counted from below as WebGL does; glTF counts from above."""
    left, top, size = cell
    within = np.where((uv < 0) | (uv > 1), uv % 1, uv)
    return np.stack([left + size * within[:, 0], 1 - (top + size * within[:, 1])], axis=1)
