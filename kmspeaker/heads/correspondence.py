"""The program's own vertices in a mesh that another program has split, merged and put in new order.

Place in the flow: for ``heads.mesh``, where a mesh has our triangles but not our numbering. Texture
places say which vertex one is; tears and lashes share theirs, and are told apart by where they lie
about the rest. The triangles have the last word.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from kmspeaker.face.rig import FaceModel

_NEAR = 5e-5
"""Of the texture's width: programs round. But for a few tears, neighbours are farther apart."""
_ALIKE = 0.995
"""Share of the corners that must find their texture place for the rest to be looked at."""
_NEIGHBOURS = 4
_MOST_IN_PIECE = 1000
"""Vertices of a tear or lash; matching costs their square, and nothing else shares its places."""

Corners = Float[np.ndarray, "faces 3 2"]
Points = Float[np.ndarray, "vertices 3"]
Faces = Int[np.ndarray, "faces 3"]


def match_vertices(
    vertices: Float[np.ndarray, "points 3"], faces: Faces, uv: Corners, face: FaceModel
) -> Points | None:
    """The rig's vertices, in its order, found in a mesh; None unless all are, and only once.

    Args:
        vertices: of the mesh, those on seams perhaps several times.
        faces: its triangles.
        uv: texture places of its triangles' corners, counted from below.
        face: the rig.
    """
    points, welded = np.unique(vertices, axis=0, return_inverse=True)
    corners = welded.ravel()[faces]
    if len(faces) != len(face.faces) or len(points) != len(face.part):
        return None
    candidates = _candidates(corners, uv, face)
    if candidates is None:
        return None
    ours = np.full(len(points), -1)
    for vertex, found in enumerate(candidates):
        if len(found) == 1:
            ours[vertex] = next(iter(found))
    known = np.flatnonzero(ours >= 0)
    if len(np.unique(ours[known])) != len(known) or len(known) < _NEIGHBOURS:
        return None
    expected, placed = _expect_places(points, ours, known, face)
    if not _match_pieces(ours, corners, candidates, placed, expected, face):
        return None
    if not np.array_equal(np.sort(ours), np.arange(len(ours))):
        return None
    if not np.array_equal(_sort_faces(ours[corners]), _sort_faces(face.faces)):
        return None
    result = np.empty_like(points)
    result[ours] = points
    return result


def _candidates(corners: Faces, uv: Corners, face: FaceModel) -> list[set[int]] | None:
    """Which of our vertices each of the mesh's may be, by the texture places of its corners."""
    places, first = np.unique(np.round(face.render_uv, 5), axis=0, return_inverse=True)
    there: list[set[int]] = [set() for _ in places]
    for place, vertex in zip(first.ravel().tolist(), face.render_source.tolist(), strict=True):
        there[place].add(vertex)
    tree = KDTree(places)
    for flipped in (uv, np.stack([uv[..., 0], 1 - uv[..., 1]], axis=-1)):
        found = tree.query_ball_point(flipped.reshape(-1, 2), _NEAR)
        if np.mean(found.astype(bool)) >= _ALIKE:
            break
    else:
        return None
    result: list[set[int]] = [set() for _ in range(int(corners.max()) + 1)]
    known: list[bool] = [False] * len(result)
    for vertex, near in zip(corners.ravel().tolist(), found, strict=True):
        own = set().union(*(there[place] for place in near))
        result[vertex] = result[vertex] & own if known[vertex] else set(own)
        known[vertex] = True
    return result if all(result) else None


def _expect_places(
    points: Points, ours: np.ndarray, known: np.ndarray, face: FaceModel
) -> tuple[Points, Points]:
    """Where our vertices would lie, moved as the known ones around; and the mesh's ones there."""
    fits = []
    for identity in face.identities:
        rest = face.neutral(identity).astype(float)
        placed = _lay_on(points, known, rest[ours[known]])
        off = float((_lengths(placed[known] - rest[ours[known]]) ** 2).sum())
        fits.append((off, len(fits), rest, placed))
    *_, rest, placed = min(fits)
    moved = placed[known] - rest[ours[known]]
    around = KDTree(rest[ours[known]]).query(rest, k=_NEIGHBOURS)[1]
    return rest + moved[around].mean(axis=1), placed


def _lay_on(
    points: Points, known: Int[np.ndarray, " known"], target: Float[np.ndarray, "known 3"]
) -> Points:
    """Points turned, sized and moved so that the known ones come closest to where they shall be."""
    source = points[known]
    middle, goal = source.mean(0), target.mean(0)
    left, sizes, right = np.linalg.svd((target - goal).T @ (source - middle))
    hand = np.array([1, 1, np.sign(np.linalg.det(left @ right))])
    scale = float(sizes @ hand) / max(float(((source - middle) ** 2).sum()), 1e-12)
    return (points - middle) @ (left @ np.diag(hand) @ right).T * scale + goal


def _match_pieces(
    ours: np.ndarray,
    corners: Faces,
    candidates: list[set[int]],
    placed: Points,
    expected: Points,
    face: FaceModel,
) -> bool:
    """Fill in ``ours`` for the pieces whose texture places are shared: each tear and lash."""
    theirs, own = _pieces(corners, len(ours)), _pieces(face.faces, len(ours))
    open_pieces = [piece for piece in theirs if (ours[piece] < 0).any()]
    taken = set(ours[ours >= 0].tolist())
    free = [piece for piece in own if not taken & set(piece.tolist())]
    if len(open_pieces) != len(free) or any(len(piece) > _MOST_IN_PIECE for piece in free):
        return False
    for size in {len(piece) for piece in free}:
        here = [piece for piece in open_pieces if len(piece) == size]
        there = [piece for piece in free if len(piece) == size]
        if len(here) != len(there):
            return False
        a = np.array([placed[piece].mean(0) for piece in here])
        b = np.array([expected[piece].mean(0) for piece in there])
        for i, j in zip(*linear_sum_assignment(_apart(a, b)), strict=True):
            cost = _apart(placed[here[i]], expected[there[j]])
            for row, vertex in enumerate(here[i].tolist()):
                allowed = np.isin(there[j], list(candidates[vertex]))
                cost[row, ~allowed] = 1e6
            rows, columns = linear_sum_assignment(cost)
            if cost[rows, columns].max() >= 1e6:
                return False
            ours[here[i][rows]] = there[j][columns]
    _turn_single(ours, corners, placed, expected, face)
    return True


def _turn_single(
    ours: np.ndarray, corners: Faces, placed: Points, expected: Points, face: FaceModel
) -> None:
    """A lash is one narrow triangle: of three ways to lay it on ours, the nearest is taken."""
    uses = np.bincount(corners.ravel())
    alone = (uses[corners] == 1).all(axis=1)
    by_corner = {tuple(sorted(triangle)): triangle for triangle in face.faces.tolist()}
    for triangle in corners[alone]:
        triangle_of_ours = by_corner.get(tuple(sorted(ours[triangle].tolist())))
        if triangle_of_ours is not None:
            turns = [np.roll(triangle_of_ours, k) for k in range(3)]
            ours[triangle] = min(
                turns, key=lambda turn: float(_lengths(placed[triangle] - expected[turn]).sum())
            )


def _pieces(faces: Faces, vertices: int) -> list[np.ndarray]:
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]]).T
    joined = csr_matrix((np.ones(edges.shape[1]), tuple(edges)), shape=(vertices, vertices))
    count, label = connected_components(joined, directed=False)
    order = np.argsort(label, kind="stable")
    return np.split(order, np.searchsorted(label[order], np.arange(1, count)))


def _sort_faces(faces: Faces) -> Faces:
    """Triangles with their least corner first, sides kept, in one order."""
    first = faces.argmin(axis=1)
    turned = np.take_along_axis(faces, (first[:, None] + np.arange(3)) % 3, axis=1)
    return turned[np.lexsort(turned.T)]


def _apart(a: Float[np.ndarray, "a 3"], b: Float[np.ndarray, "b 3"]) -> Float[np.ndarray, "a b"]:
    return _lengths(a[:, None] - b[None])


def _lengths(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=-1)
