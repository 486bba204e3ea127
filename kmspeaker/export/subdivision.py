"""A finer mesh for pictures: one step of Loop's subdivision, as a matrix.

At portrait size the rig's outline shows corners. Subdivision is linear in the vertices, so the
topology's part is computed once and a frame costs one sparse product.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int32
from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Subdivision:
    """The step from a mesh to the one with four times its triangles."""

    matrix: csr_matrix
    """(fine vertices, vertices): the old vertices smoothed, then one vertex on each edge."""
    faces: Int32[np.ndarray, "fine_faces 3"]
    source: Int32[np.ndarray, " fine_render_vertices"]
    """The fine vertex each fine render vertex copies."""
    uv: Float32[np.ndarray, "fine_render_vertices 2"]
    render_faces: Int32[np.ndarray, "fine_faces 3"]


def subdivide(
    faces: Int32[np.ndarray, "faces 3"],
    render_source: Int32[np.ndarray, " render_vertices"],
    render_uv: Float32[np.ndarray, "render_vertices 2"],
    render_faces: Int32[np.ndarray, "faces 3"],
    *,
    sharp: Bool[np.ndarray, " vertices"],
) -> Subdivision:
    """Split each triangle into four (C. Loop 1987, with J. Warren's weights).

    Args:
        faces: The mesh that moves.
        render_source: The vertex of that mesh which each render vertex copies.
        render_uv: Texture places, which are interpolated and not smoothed.
        render_faces: The same triangles in the same order over render vertices.
        sharp: Vertices that keep their places; edges between them are split in the middle.
    """
    count = len(sharp)
    edges, edge_of_corner = _edges(faces)
    render_edges, render_edge_of_corner = _edges(render_faces)
    # Each render edge lies on an edge of the moving mesh: found where both are corners of a face.
    lies_on = np.zeros(len(render_edges), np.int32)
    lies_on[render_edge_of_corner.ravel()] = edge_of_corner.ravel()
    return Subdivision(
        matrix=_loop_matrix(faces, edges, edge_of_corner, sharp),
        faces=_split(faces, edge_of_corner, count),
        source=np.concatenate([render_source, count + lies_on]).astype(np.int32),
        uv=np.concatenate([render_uv, render_uv[render_edges].mean(axis=1)]).astype(np.float32),
        render_faces=_split(render_faces, render_edge_of_corner, len(render_source)),
    )


def _edges(
    faces: Int32[np.ndarray, "faces 3"],
) -> tuple[Int32[np.ndarray, "edges 2"], Int32[np.ndarray, "faces 3"]]:
    """The edges, and for each corner of each face the edge to the next corner."""
    pairs = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
    edges, of_corner = np.unique(pairs, axis=0, return_inverse=True)
    return edges, of_corner.reshape(faces.shape).astype(np.int32)


def _split(
    faces: Int32[np.ndarray, "faces 3"], edge_of_corner: Int32[np.ndarray, "faces 3"], count: int
) -> Int32[np.ndarray, "fine_faces 3"]:
    a, b, c = faces.T
    ab, bc, ca = (edge_of_corner + count).T
    corners = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.concatenate([np.stack(triangle, axis=1) for triangle in corners]).astype(np.int32)


def _loop_matrix(
    faces: np.ndarray, edges: np.ndarray, edge_of_corner: np.ndarray, sharp: np.ndarray
) -> csr_matrix:
    count = len(sharp)
    uses = np.bincount(edge_of_corner.ravel(), minlength=len(edges))
    # The rim of a part, edges where more than two faces meet, and what shall stay as it is.
    border = (uses != 2) | sharp[edges].all(axis=1)
    # A vertex on an inner edge: 3/8 of the ends, 1/8 of the two vertices across; else the middle.
    row = np.arange(len(edges)) + count
    ends = np.where(border, 1 / 2, 3 / 8)
    across = np.roll(faces, 1, axis=1)  # opposite of the edge from each corner to the next
    inner = ~border[edge_of_corner]
    rows = [row, row, edge_of_corner[inner] + count]
    columns = [edges[:, 0], edges[:, 1], across[inner]]
    values = [ends, ends, np.full(inner.sum(), 1 / 8)]
    # An old vertex: some of its neighbours' mean; on a border, of the neighbours along it.
    on_border = np.zeros(count, bool)
    on_border[edges[border]] = True
    for here, there in (edges.T, edges.T[::-1]):
        counts = (border | ~on_border[here]) & ~sharp[here]
        rows.append(here[counts])
        columns.append(there[counts])
        values.append(np.ones(counts.sum()))
    valence = np.bincount(np.concatenate(rows[3:]), minlength=count)
    share = np.where(
        on_border, 1 / 8, np.where(valence == 3, 3 / 16, 3 / 8 / np.maximum(valence, 1))
    )
    values[3:] = [share[kept] for kept in rows[3:]]
    rows.append(np.arange(count))
    columns.append(np.arange(count))
    values.append(1 - share * valence)
    flat = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return csr_matrix(flat, shape=(count + len(edges), count), dtype=np.float32)
