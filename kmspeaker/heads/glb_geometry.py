"""What a head of any mesh looks like: its surface and ARKit shapes, placed as the program's heads.

Place in the flow: reads the geometry of an ``arkit_glb.ArkitHead`` for the page. Everything is
decoded here, within limits, and handed on as plain arrays: the file itself reaches no browser.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8

from kmspeaker.errors import InputError
from kmspeaker.face.rig import FaceModel
from kmspeaker.heads.arkit_glb import ArkitHead
from kmspeaker.heads.glb_textures import move_to_cell, opacity, paint
from kmspeaker.heads.mesh import quarter_turns
from kmspeaker.media.gltf import Glb, entries

MOST_VERTICES, MOST_TRIANGLES = 100_000, 150_000
"""Of everything the file shows; the browser moves them by itself."""
_MOST_PIECES = 64
_DEEPEST = 100
_FARTHEST = 1e9
"""Coordinates beyond are no head's, and their squares no numbers."""
_LEAST_EXTENT = 1e-20
"""Of the squares by which the places that shapes move lie apart, whatever the unit."""
_ROW, _MOST_TIMES, _SPARE = 12, 4, 2**20
"""Bytes of three numbers; how often they may be what lies in the file, where they may be of a byte
each; and how much may be shared in any file, however small it is."""
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
    shapes: dict[int, Sparse]
    triangles: np.ndarray
    uv: np.ndarray
    material: dict[str, Any]


@np.errstate(all="ignore")  # of numbers in a file; what they lead to is looked at
def head_geometry(head: ArkitHead, face: FaceModel) -> HeadGeometry:
    """Decode a head's surface and put it where the program's heads are.

    Raises:
        InputError: It has too many vertices to be shown, or geometry that cannot be read.
    """
    pieces = _decode(head)
    if not pieces:
        raise InputError("Got a GLB that shows no triangles; export it with its mesh.")
    counts = np.cumsum([0, *(len(piece.vertices) for piece in pieces)])
    vertices = np.concatenate([piece.vertices for piece in pieces])
    shapes = {
        shape: _join(pieces, counts, shape)
        for shape in sorted({shape for piece in pieces for shape in piece.shapes})
    }
    triangles = [piece.triangles + first for piece, first in zip(pieces, counts, strict=False)]
    both = [np.full(len(p.triangles), p.material.get("doubleSided") is True) for p in pieces]
    picture, cells = paint(head.glb, [piece.material for piece in pieces])
    uv = [move_to_cell(piece.uv, cell) for piece, cell in zip(pieces, cells, strict=True)]
    opaque = [np.full(len(p.vertices), opacity(p.material)) for p in pieces]
    turn, scale, shift = _fit_to_rig(vertices, shapes, face)
    vertices = (vertices @ turn.T * scale + shift).astype(np.float32)
    spread = (turn.T * scale).astype(np.float32)
    for shape, (which, by) in shapes.items():
        shapes[shape] = which, _turned(by, spread)
    first, source = _weld(vertices, shapes)
    return HeadGeometry(
        vertices=vertices[first],
        shapes={shape: _keep(moved, first, len(vertices)) for shape, moved in shapes.items()},
        source=source,
        uv=np.concatenate(uv).astype(np.float32),
        opacity=np.concatenate(opaque).astype(np.float32),
        triangles=np.concatenate(triangles),
        both_sides=np.concatenate(both),
        picture=picture,
    )


def _decode(head: ArkitHead) -> list[_Piece]:
    """Everything the file shows: other nodes' meshes too, for eyes and hair belong to a head."""
    glb = head.glb
    materials = entries(glb.document, "materials")
    pieces = []
    for mesh, primitive, place in _shown(head):
        attributes = primitive["attributes"]
        own = glb.floats(attributes["POSITION"])
        corners = _corners(glb, primitive, len(own))
        uv = np.zeros((len(own), 2))
        if "TEXCOORD_0" in attributes:
            uv = glb.floats(attributes["TEXCOORD_0"]).astype(float)
        if own.shape[1] != 3 or uv.shape != (len(own), 2):
            raise InputError("Got a GLB whose vertices cannot be read; export it again.")
        points = own @ place[:3, :3].T + place[:3, 3]
        shapes = _shapes(glb, primitive, head.shapes.get(mesh, ()), len(own), place[:3, :3])
        if not all(_are_near(each) for each in (points, uv, *(by for _, by in shapes.values()))):
            raise InputError("Got a GLB with coordinates that are no numbers; export it again.")
        index = primitive.get("material", -1)
        has_material = isinstance(index, int) and 0 <= index < len(materials)
        material = materials[index] if has_material else {}
        pieces.append(_Piece(points, shapes, corners, uv, material))
    return pieces


def _shown(head: ArkitHead) -> list[tuple[int, dict[str, Any], np.ndarray]]:
    """The primitives that nodes show, each with its mesh's number and its place; none decoded."""
    glb = head.glb
    meshes = entries(glb.document, "meshes")
    vertices = corners = pieces = rows = 0
    shown = []
    for node, place in _places(glb):
        mesh = node["mesh"]
        for primitive in entries(meshes[mesh], "primitives"):
            pieces += 1
            if primitive.get("mode", 4) == 4:
                attributes = primitive.get("attributes")
                if not isinstance(attributes, dict) or "POSITION" not in attributes:
                    raise InputError("Got a GLB with a mesh without vertices; export it again.")
                own = glb.count(attributes["POSITION"])
                if glb.count(attributes.get("TEXCOORD_0", attributes["POSITION"])) != own:
                    raise InputError("Got a GLB whose vertices cannot be read; export it again.")
                vertices += own
                corners += glb.count(primitive["indices"]) if "indices" in primitive else own
                parts = chain(*_targets(primitive, head.shapes.get(mesh, ())).values())
                rows += glb.stored(attributes["POSITION"]) + sum(map(glb.stored, parts))
                shown.append((mesh, primitive, place))
            if vertices > MOST_VERTICES or corners > 3 * MOST_TRIANGLES or pieces > _MOST_PIECES:
                raise InputError(
                    f"Got a head of more than {MOST_VERTICES:,} vertices, {MOST_TRIANGLES:,} "
                    f"triangles or {_MOST_PIECES} pieces; give a simpler one to see it here."
                )
    # A few bytes can say that a thousand targets are the same million numbers.
    if max(rows, vertices) * _ROW > _MOST_TIMES * len(glb.binary) + _SPARE:
        raise InputError(
            "Got a GLB whose meshes and morph targets share their data; export it again with each "
            "its own."
        )
    return shown


def _corners(glb: Glb, primitive: dict[str, Any], vertices: int) -> np.ndarray:
    flat = np.arange(vertices)
    if "indices" in primitive:
        numbers = glb.accessor(primitive["indices"])
        if numbers.shape[1] != 1 or numbers.dtype.kind != "u":
            raise InputError("Got a GLB whose triangles cannot be read; export it again.")
        flat = numbers.ravel().astype(int)
    if len(flat) % 3 or not -1 < flat.min(initial=0) <= flat.max(initial=0) < max(vertices, 1):
        raise InputError("Got a GLB whose triangles cannot be read; export it again.")
    return flat.reshape(-1, 3)


def _shapes(
    glb: Glb,
    primitive: dict[str, Any],
    names: tuple[int | None, ...],
    vertices: int,
    turn: np.ndarray,
) -> dict[int, Sparse]:
    """What ARKit's targets move; halves of one shape are added."""
    shapes: dict[int, Sparse] = {}
    for shape, parts in _targets(primitive, names).items():
        if any(glb.count(part) != vertices for part in parts):
            raise InputError("Got a GLB whose morph targets are damaged; export it again.")
        moved = np.zeros((vertices, 3), np.float32)
        for part in parts:
            own = glb.floats(part)
            if own.shape[1] != 3:
                raise InputError("Got a GLB whose morph targets are damaged; export it again.")
            moved += _turned(own, turn.T.astype(np.float32))
        x, y, z = moved.T
        which = np.flatnonzero((x != 0) | (y != 0) | (z != 0))
        shapes[shape] = which, moved[which]
    return shapes


def _turned(
    moved: Float32[np.ndarray, "moved 3"], by: Float32[np.ndarray, "3 3"]
) -> Float32[np.ndarray, "moved 3"]:
    """``moved @ by``, of whose nine numbers most are 0: heads stand upright, or lie."""
    result = np.zeros(moved.shape, np.float32)
    for row, column in zip(*np.nonzero(by), strict=True):
        result[:, column] += moved[:, row] * by[row, column]
    return result


def _targets(primitive: dict[str, Any], names: tuple[int | None, ...]) -> dict[int, list[Any]]:
    """For each shape the accessors, if they are any, of what its targets move."""
    targets: dict[int, list[Any]] = {}
    for target, shape in zip(entries(primitive, "targets"), names, strict=False):
        if shape is not None and "POSITION" in target:
            targets.setdefault(shape, []).append(target["POSITION"])
    return targets


def _places(glb: Glb) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Every node of the scene that shows a mesh, and where it stands."""
    nodes, meshes = entries(glb.document, "nodes"), entries(glb.document, "meshes")
    skins = entries(glb.document, "skins")
    parents = {
        child: index
        for index, node in enumerate(nodes)
        for child in _numbers(node.get("children", []))
    }

    def place(index: int) -> np.ndarray:
        where = _transform(nodes[index])
        for _ in range(_DEEPEST):
            if index not in parents:
                return where
            index = parents[index]
            where = _transform(nodes[index]) @ where
        raise InputError("Got a GLB whose nodes hold each other; export it again.")

    for index, node in enumerate(nodes):
        mesh = node.get("mesh", -1)
        if not isinstance(mesh, int) or not 0 <= mesh < len(meshes):
            continue
        if not meshes[mesh].get("primitives"):
            continue  # so that only as many places are found as there may be pieces
        where = place(index)
        skin = node.get("skin", -1)
        if isinstance(skin, int) and 0 <= skin < len(skins):
            # A skinned mesh stands where its bones put it; at rest all of them agree.
            joints = skins[skin].get("joints")
            first = joints[0] if isinstance(joints, list) and joints else -1
            is_bone = isinstance(first, int) and 0 <= first < len(nodes)
            if is_bone and "inverseBindMatrices" in skins[skin]:
                bind = glb.accessor(skins[skin]["inverseBindMatrices"])
                if len(bind) and bind.shape[1] == 16:
                    where = place(first) @ bind[0].reshape(4, 4).T
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


def _are_near(values: np.ndarray) -> bool:
    """Whether all are numbers, and none so large that sums of them are not."""
    return bool((np.abs(values) < _FARTHEST).all())


def _join(pieces: list[_Piece], counts: np.ndarray, shape: int) -> Sparse:
    own = [
        (piece.shapes[shape][0] + first, piece.shapes[shape][1])
        for piece, first in zip(pieces, counts, strict=False)
        if shape in piece.shapes
    ]
    return np.concatenate([which for which, _ in own]), np.concatenate([by for _, by in own])


def _fit_to_rig(
    vertices: np.ndarray, shapes: dict[int, Sparse], face: FaceModel
) -> tuple[np.ndarray, float, np.ndarray]:
    """Turn, scale and shift to our heads: a shape moves the same place of every face."""
    ours = np.mean([one.neutral for one in face.people.values() if one.bundled], axis=0)
    there = [shape for shape, (_, by) in shapes.items() if len(by)]
    if not there:
        raise InputError("Got a GLB whose morph targets move nothing; export it again.")
    source = np.array([_centre(vertices[shapes[k][0]], shapes[k][1]) for k in there])
    target = np.array([_centre(ours, face.deltas[shape]) for shape in there])
    middle, goal = source.mean(0), target.mean(0)
    extent = float(((source - middle) ** 2).sum())
    if not _LEAST_EXTENT < extent < np.inf:
        raise InputError("Got a GLB whose morph targets all move one place; export it again.")
    turn = quarter_turns(source - middle, target - goal)
    scale = float(np.sqrt(((target - goal) ** 2).sum() / extent))
    return turn, scale, goal - scale * turn @ middle


def _centre(vertices: np.ndarray, moved: np.ndarray) -> np.ndarray:
    share = (moved.astype(float) ** 2).sum(1)
    return share @ vertices / share.sum()


def _weld(
    vertices: Float32[np.ndarray, "vertices 3"], shapes: dict[int, Sparse]
) -> tuple[np.ndarray, np.ndarray]:
    """Vertices at one place that move alike are one, so that light runs over seams."""
    mixing = np.random.default_rng(0).normal(size=_ARKIT)
    mixed = np.zeros(vertices.shape)
    for shape, (which, by) in shapes.items():
        mixed[which] += mixing[shape] * by
    rows = np.round(np.hstack([vertices, mixed]), 3)
    _, first, source = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)  # so that vertices keep theirs
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order], place[source.ravel()]


def _keep(moved: tuple[np.ndarray, np.ndarray], first: np.ndarray, vertices: int) -> Sparse:
    """Of the welded vertices, those that a shape moves at all."""
    which, by = moved
    welded = np.full(vertices, -1)
    welded[first] = np.arange(len(first))
    far = np.abs(by) > 0.005
    kept = np.flatnonzero((welded[which] >= 0) & (far[:, 0] | far[:, 1] | far[:, 2]))
    return welded[which[kept]], by[kept]
