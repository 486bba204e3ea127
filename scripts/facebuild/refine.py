"""Catmull-Clark refinement of chosen quads, the rest of the mesh left coarse.

MakeHuman's base mesh is meant to be subdivided: coarse lips and lids look faceted. One global level
would quadruple the rig, so only chosen quads are split; quads beside them take in the new edge
points and are cut into fans. Every new vertex is a fixed blend of old ones, so one sparse matrix
carries neutrals and shapes alike.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, vstack


@dataclass(frozen=True)
class Refined:
    """The refined mesh as blends of the old one."""

    blend: csr_array  # (new vertices, old vertices), rows sum to 1; the old vertices come first
    triangles: np.ndarray  # (T, 3)
    uv: np.ndarray  # (T, 3, 2)
    quad: np.ndarray  # (T,) the old quad each triangle came from


def refine(quads: np.ndarray, quad_uv: np.ndarray, chosen: np.ndarray, vertices: int) -> Refined:
    """Split ``quads[chosen]`` into four each.

    Args:
        quads: (Q, 4) old vertices.
        quad_uv: (Q, 4, 2) texture place of each corner.
        chosen: (Q,) which to split.
        vertices: How many old vertices there are.
    """
    edges_of: dict[tuple[int, int], list[int]] = {}
    for q, quad in enumerate(quads.tolist()):
        for a, b in _sides(quad):
            edges_of.setdefault((min(a, b), max(a, b)), []).append(q)
    split_edges = [edge for edge, owners in edges_of.items() if chosen[owners].any()]
    split_quads = np.flatnonzero(chosen)
    edge_point = {edge: vertices + i for i, edge in enumerate(split_edges)}
    face_point = {int(q): vertices + len(split_edges) + i for i, q in enumerate(split_quads)}
    rows = _vertex_rows(quads, chosen, edges_of, vertices)
    rows += [_edge_row(quads, edge, edges_of[edge]) for edge in split_edges]
    rows += [dict.fromkeys(quads[q].tolist(), 0.25) for q in split_quads]
    triangles, uv, source = [], [], []
    for q, quad in enumerate(quads.tolist()):
        for polygon, places in _polygons(quad, quad_uv[q], edge_point, face_point.get(q)):
            for i in range(1, len(polygon) - 1):
                triangles.append([polygon[0], polygon[i], polygon[i + 1]])
                uv.append([places[0], places[i], places[i + 1]])
                source.append(q)
    return Refined(
        _matrix(rows, vertices), np.array(triangles), np.array(uv, np.float64), np.array(source)
    )


def clip(mesh: Refined, value: np.ndarray) -> Refined:
    """Cut the mesh where ``value`` (one a vertex) crosses zero and keep what lies above."""
    count = len(value)
    made: dict[tuple[int, int], int] = {}
    shares = []
    triangles, uv, quad = [], [], []

    def cut(a: int, b: int) -> tuple[int, float]:
        """The vertex on edge a-b at zero, and how far along it lies."""
        key = (min(a, b), max(a, b))
        if key not in made:
            made[key] = count + len(made)
            shares.append((*key, value[key[0]] / (value[key[0]] - value[key[1]])))
        return made[key], float(value[a] / (value[a] - value[b]))

    for triangle, places, source in zip(mesh.triangles.tolist(), mesh.uv, mesh.quad, strict=True):
        polygon = []
        for i in range(3):
            a, b = triangle[i], triangle[(i + 1) % 3]
            if value[a] > 0:
                polygon.append((a, places[i]))
            if (value[a] > 0) != (value[b] > 0):
                vertex, along = cut(a, b)
                polygon.append((vertex, places[i] + along * (places[(i + 1) % 3] - places[i])))
        for i in range(1, len(polygon) - 1):
            corners = (polygon[0], polygon[i], polygon[i + 1])
            triangles.append([v for v, _ in corners])
            uv.append([place for _, place in corners])
            quad.append(source)
    rows = [mesh.blend[[a]] * (1 - t) + mesh.blend[[b]] * t for a, b, t in shares]
    return Refined(
        csr_array(vstack([mesh.blend, *rows])), np.array(triangles), np.array(uv), np.array(quad)
    )


def _sides(quad: list[int]) -> list[tuple[int, int]]:
    return [(quad[i], quad[(i + 1) % 4]) for i in range(4)]


def _vertex_rows(
    quads: np.ndarray, chosen: np.ndarray, edges_of: dict, vertices: int
) -> list[dict[int, float]]:
    """Old vertices move by Catmull-Clark's rule where all around them is split, else stay."""
    around: list[list[int]] = [[] for _ in range(vertices)]
    for q, quad in enumerate(quads.tolist()):
        for v in quad:
            around[v].append(q)
    neighbours: list[set[int]] = [set() for _ in range(vertices)]
    border: list[list[int]] = [[] for _ in range(vertices)]
    for (a, b), owners in edges_of.items():
        neighbours[a].add(b)
        neighbours[b].add(a)
        if len(owners) == 1:
            border[a].append(b)
            border[b].append(a)
    rows = []
    for v in range(vertices):
        row = {v: 1.0}
        if around[v] and chosen[around[v]].all():
            if len(border[v]) == 2:
                row = {v: 0.75, border[v][0]: 0.125, border[v][1]: 0.125}
            elif not border[v]:
                n = len(around[v])
                row = {v: (n - 3) / n}
                for q in around[v]:
                    _add(row, dict.fromkeys(quads[q].tolist(), 0.25), 1 / n**2)
                for other in neighbours[v]:
                    _add(row, {v: 0.5, other: 0.5}, 2 / n / len(neighbours[v]))
        rows.append(row)
    return rows


def _edge_row(quads: np.ndarray, edge: tuple[int, int], owners: list[int]) -> dict[int, float]:
    middle = dict.fromkeys(edge, 0.5)
    if len(owners) != 2:
        return middle
    row: dict[int, float] = {}
    _add(row, middle, 0.5)
    for q in owners:
        _add(row, dict.fromkeys(quads[q].tolist(), 0.25), 0.25)
    return row


def _polygons(
    quad: list[int], uv: np.ndarray, edge_point: dict[tuple[int, int], int], centre: int | None
) -> list[tuple[list[int], list[np.ndarray]]]:
    """The old quad's pieces: four quads, or one polygon with the neighbours' edge points."""
    points = [edge_point.get((min(a, b), max(a, b))) for a, b in _sides(quad)]
    halves = [(uv[i] + uv[(i + 1) % 4]) / 2 for i in range(4)]
    if centre is not None:
        around = [point for point in points if point is not None]  # all four are split
        return [
            (
                [quad[i], around[i], centre, around[i - 1]],
                [uv[i], halves[i], uv.mean(0), halves[i - 1]],
            )
            for i in range(4)
        ]
    polygon, places = [], []
    for i, point in enumerate(points):
        polygon.append(quad[i])
        places.append(uv[i])
        if point is not None:
            polygon.append(point)
            places.append(halves[i])
    # A fan must not start where its first edge is already halved, or it has an empty triangle.
    start = next((i for i in range(len(polygon)) if polygon[i] not in quad), 0)
    return [(polygon[start:] + polygon[:start], places[start:] + places[:start])]


def _add(row: dict[int, float], other: dict[int, float], factor: float) -> None:
    for v, weight in other.items():
        row[v] = row.get(v, 0.0) + factor * weight


def _matrix(rows: list[dict[int, float]], columns: int) -> csr_array:
    entries = [(i, v, w) for i, row in enumerate(rows) for v, w in row.items()]
    i, v, w = (np.array(x) for x in zip(*entries, strict=True))
    return csr_array((w, (i, v)), shape=(len(rows), columns))
