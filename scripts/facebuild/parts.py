"""Parts modelled here because MakeHuman's own are plain strips: teeth with gums, lashes, eyeballs.

Teeth and lashes hang on MakeHuman's strips as fixed blends of the strips' vertices, so they follow
every identity and every shape. Eyeballs are spheres with their poles at the pupils.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path

# Widths and crown heights of one side of a grown-up's arch, from the middle outwards, mm.
UPPER_WIDTH = (8.4, 6.6, 7.4, 6.9, 6.7, 9.6)
UPPER_HEIGHT = (10.0, 8.8, 9.8, 8.4, 7.6, 7.0)
UPPER_DEPTH = (6.5, 6.0, 7.5, 8.5, 8.5, 10.0)
LOWER_WIDTH = (5.4, 5.9, 6.9, 7.0, 7.1, 10.4)
LOWER_HEIGHT = (8.8, 9.0, 10.0, 8.6, 8.0, 7.2)
LOWER_DEPTH = (6.0, 6.2, 7.5, 7.8, 8.2, 10.0)
# How far each tooth's edge stands back from the arch's lowest line, mm.
STEP = (0.0, 0.7, 0.1, 0.8, 1.2, 1.4)
RING = 10  # points around a tooth
# Height above the gum line, width and depth at that height, as fractions of the crown.
CROWN = ((-0.12, 0.78, 0.95), (0.3, 0.95, 0.9), (0.72, 1.0, 0.66), (0.97, 0.94, 0.3))
MOLAR = ((-0.12, 0.82, 0.9), (0.35, 0.98, 1.0), (0.75, 0.96, 0.95), (0.97, 0.78, 0.72))

EYE_SEGMENTS = 28
EYE_RINGS = np.radians([5, 10, 14, 18, 21.5, 25, 30, 37, 46, 57, 70, 85, 102])
GAZE_ANGLE = {"In": 24.0, "Out": 24.0, "Up": 18.0, "Down": 20.0}
"""How far the eyeball turns at weight 1, degrees (MakeHuman's own shapes turn 10 to 15)."""

LASHES_UPPER, LASHES_LOWER = 56, 30
EYE_DISTANCE = 57.8  # between the eyeball centres of the average head, mm


@dataclass(frozen=True)
class Piece:
    """Vertices on the average head with triangles and texture places within a unit square."""

    vertices: np.ndarray  # (n, 3)
    triangles: np.ndarray  # (t, 3)
    uv: np.ndarray  # (t, 3, 2)


def dental_arch(
    strip: np.ndarray, *, upper: bool, edge: float, front: float
) -> tuple[Piece, Piece]:
    """Teeth and gum of one jaw.

    Args:
        strip: (n, 3) MakeHuman's strip, for the arch's form.
        upper: Which jaw.
        edge: Height of the front teeth's cutting edge, mm.
        front: How far forward the front teeth's faces stand, mm.
    """
    widths = UPPER_WIDTH if upper else LOWER_WIDTH
    heights = UPPER_HEIGHT if upper else LOWER_HEIGHT
    depths = UPPER_DEPTH if upper else LOWER_DEPTH
    towards_edge = -1.0 if upper else 1.0
    arch = _arch_curve(strip, front, inset=0.0 if upper else 2.0)
    pieces, margins, start = [], [], 0.0
    for k, (width, height, depth) in enumerate(zip(widths, heights, depths, strict=True)):
        middle = start + width / 2
        start += width
        tip = edge - towards_edge * STEP[k] + 0.03 * towards_edge * max(0.0, middle - 20)
        for side in (-1, 1):
            pieces.append(
                _tooth(
                    arch(side * middle),
                    arch(side * middle, 1),
                    MOLAR if k >= 3 else CROWN,
                    (width, height, depth),
                    tip,
                    towards_edge,
                )
            )
            neck = tip - towards_edge * height
            margins += [
                (side * middle, neck, depth),
                (side * start, neck + 2.2 * towards_edge, depth),
            ]
    margins.append((0.0, edge - towards_edge * (heights[0] - 2.2), depths[0]))
    return merge(pieces), _gum(arch, sorted(margins), towards_edge)


def _arch_curve(strip: np.ndarray, front: float, inset: float) -> CubicSpline:
    """The line of the teeth's faces, (x, z) by arc length from the middle, mm."""
    x, z = np.abs(strip[:, 0]), strip[:, 2]
    bins = np.array([0.0, 9, 18, 22.7, 26.3, 29.3, 31, 32.8])
    rim = np.array([z[np.abs(x - b) < 2.0].max() for b in bins])
    outline = np.stack([np.maximum(bins - inset, 0), rim - rim[0] + front], 1)
    both = np.vstack([outline[:0:-1] * [-1, 1], outline])
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(both, axis=0), axis=1))]
    return CubicSpline(length - length[len(outline) - 1], both)


def _tooth(
    place: np.ndarray,
    tangent: np.ndarray,
    profile: tuple[tuple[float, float, float], ...],
    size: tuple[float, float, float],
    tip: float,
    towards_edge: float,
) -> Piece:
    """A rounded crown: rings from below the gum to the edge, closed by one point."""
    width, height, depth = size
    tangent = tangent / np.linalg.norm(tangent)
    outwards = np.array([-tangent[1], tangent[0]])
    angle = 2 * np.pi * (np.arange(RING) + 0.5) / RING
    # A superellipse is boxier than an ellipse, as crowns are.
    across = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.75 * 0.985
    through = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.75
    points, uv = [], []
    for share, wide, deep in profile:
        flat = place + np.outer(across * wide * width / 2, tangent)
        # The face keeps to the arch and bulges a little; the back falls away to the edge.
        bulge = -0.4 * (share - 0.5) ** 2
        flat = flat + np.outer(bulge + (through * deep - deep) * depth / 2, outwards)
        y = tip - towards_edge * height * (1 - share)
        points.append(np.stack([flat[:, 0], np.full(RING, y), flat[:, 1]], 1))
        uv.append(np.stack([0.5 + across / 2 * 0.9, np.full(RING, np.clip(share, 0, 1))], 1))
    cap = points[-1].mean(0)
    cap[1] += 0.03 * towards_edge * height
    vertices = np.vstack([*points, cap])
    places = np.vstack([*uv, [0.5, 1.0]])
    triangles = _tube(len(profile), RING)
    last = (len(profile) - 1) * RING
    triangles += [[last + i, last + (i + 1) % RING, len(vertices) - 1] for i in range(RING)]
    return _outward(Piece(vertices, np.array(triangles), places[np.array(triangles)]))


def _gum(
    arch: CubicSpline, margins: list[tuple[float, float, float]], towards_edge: float
) -> Piece:
    """A band around the necks, scalloped between the teeth, outside and inside."""
    rows = []
    for s, y, depth in margins:
        place, tangent = arch(s), arch(s, 1)
        tangent = tangent / np.linalg.norm(tangent)
        outwards = np.array([-tangent[1], tangent[0]])
        profile = (  # outwards of the faces, beyond the neck
            (-depth - 1.5, -7.0),
            (-depth * 0.9 + 0.2, 0.6),
            (-depth * 0.5, 1.4),
            (0.15, 0.5),
            (0.7, -2.0),
            (-1.5, -5.0),
        )
        rows.append(
            [
                [*(p := place + out * outwards)[:1], y + towards_edge * up, p[1]]
                for out, up in profile
            ]
        )
    grid = np.array(rows)
    n, m = grid.shape[:2]
    index = np.arange(n * m).reshape(n, m)
    quads = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], -1)
    triangles = quads.reshape(-1, 4)
    triangles = np.vstack([triangles[:, [0, 1, 2]], triangles[:, [0, 2, 3]]])
    u, v = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, m), indexing="ij")
    places = np.stack([u, v], -1).reshape(-1, 2)
    piece = Piece(grid.reshape(-1, 3), triangles, places[triangles])
    # The band's middle row faces the edge; turn all if it does not.
    a, b, c = (piece.vertices[triangles[:, k]] for k in range(3))
    facing = np.cross(b - a, c - a)[:, 1].sum() * towards_edge
    return piece if facing > 0 else flipped(piece)


def lash_blend(
    quads: np.ndarray, head: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Single lashes on one of MakeHuman's lash strips.

    Args:
        quads: (q, 4) the strip, a grid five vertices deep.
        head: (V, 3) the average head.
        count: How many lashes.

    Returns:
        Strip vertices (3 * count, 4) and their weights, four a point, and triangles (count, 3) into
        the points: two roots, then the tip.
    """
    grid = _lash_grid(quads, head)  # (columns, 5) from root to tip
    columns = grid.shape[0] - 1
    vertices, weights, triangles = [], [], []
    for i in range(count):
        t = columns * (0.03 + 0.95 * (i + 0.5) / count)
        # Lashes fan out towards the temple and lie in small uneven groups.
        sway = 0.22 * np.sin(2.1 * i) + 0.25 * (t / columns - 0.4)
        reach = 3.9 * (0.55 + 0.45 * np.sin(np.pi * (0.15 + 0.75 * t / columns))) + 0.25 * np.sin(
            4.7 * i
        )
        for column, row in ((t - 0.055, 0.1), (t + 0.055, 0.1), (t + sway, reach)):
            c, r = (np.clip(column, 0, columns - 1e-6), np.clip(row, 0, 4 - 1e-6))
            j, k = int(c), int(r)
            fc, fr = c - j, r - k
            vertices.append([grid[j, k], grid[j + 1, k], grid[j, k + 1], grid[j + 1, k + 1]])
            weights.append([(1 - fc) * (1 - fr), fc * (1 - fr), (1 - fc) * fr, fc * fr])
        triangles.append([3 * i, 3 * i + 1, 3 * i + 2])
    return np.array(vertices), np.array(weights), np.array(triangles)


def _lash_grid(quads: np.ndarray, head: np.ndarray) -> np.ndarray:
    """The strip's vertices as (columns from nose to temple, 5 from root to tip)."""
    own, count = np.unique(quads, return_counts=True)
    sides = np.searchsorted(own, np.vstack([quads[:, [i, (i + 1) % 4]] for i in range(4)]))
    graph = csr_array((np.ones(len(sides)), sides.T), shape=(len(own), len(own)))
    steps = shortest_path(graph, directed=False, unweighted=True).astype(int)
    corners = np.flatnonzero(count == 1)
    across = np.abs(head[own[corners], 0])
    eye = [np.sign(head[own[0], 0]) * EYE_DISTANCE / 2, 0, 0]
    from_eye = np.linalg.norm(head[own[corners]] - eye, axis=1)
    inner, outer = np.split(corners[np.argsort(across)], 2)
    near = dict(zip(corners, from_eye, strict=True))
    inner, outer = min(inner, key=near.__getitem__), min(outer, key=near.__getitem__)
    # On a grid, walking distances to two corners of one side give row and column.
    columns = steps[inner, outer]
    grid = np.zeros((columns + 1, len(own) // (columns + 1)), int)
    grid[
        (steps[inner] - steps[outer] + columns) // 2, (steps[inner] + steps[outer] - columns) // 2
    ] = own
    return grid


def eyeball() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A cap of the unit sphere around +z: directions, triangles, and polar texture places."""
    around = 2 * np.pi * np.arange(EYE_SEGMENTS) / EYE_SEGMENTS
    rings = [
        np.stack(
            [
                np.sin(a) * np.cos(around),
                np.sin(a) * np.sin(around),
                np.full(EYE_SEGMENTS, np.cos(a)),
            ],
            1,
        )
        for a in EYE_RINGS
    ]
    directions = np.vstack([*rings, [0, 0, 1]])
    triangles = _tube(len(EYE_RINGS), EYE_SEGMENTS)
    pole = len(directions) - 1
    triangles += [[(i + 1) % EYE_SEGMENTS, i, pole] for i in range(EYE_SEGMENTS)]
    piece = _outward(Piece(directions, np.array(triangles), np.zeros((len(triangles), 3, 2))))
    return directions, piece.triangles, eye_place(directions)[piece.triangles]


def eye_place(directions: np.ndarray) -> np.ndarray:
    """Texture place of a direction from the eye's centre; the iris gets more than its share."""
    angle = np.arccos(np.clip(directions[:, 2], -1, 1))
    radius = 0.5 * (angle / EYE_RINGS[-1]) ** 0.7
    flat = directions[:, :2] / np.maximum(
        np.linalg.norm(directions[:, :2], axis=1, keepdims=True), 1e-9
    )
    return 0.5 + flat * radius[:, None]


def gaze(direction: str, side: str) -> np.ndarray:
    """Rotation of an eyeball for ``In``, ``Out``, ``Up`` or ``Down`` at weight 1."""
    angle = np.radians(GAZE_ANGLE[direction])
    c, s = np.cos(angle), np.sin(angle)
    if direction in ("Up", "Down"):
        s = s if direction == "Up" else -s
        return np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    # The left eye lies at +x: inwards is towards -x.
    s = s if (direction == "Out") == (side == "Left") else -s
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def merge(pieces: list[Piece]) -> Piece:
    """Several pieces as one."""
    offsets = np.cumsum([0, *(len(p.vertices) for p in pieces[:-1])])
    return Piece(
        np.vstack([p.vertices for p in pieces]),
        np.vstack([p.triangles + o for p, o in zip(pieces, offsets, strict=True)]),
        np.vstack([p.uv for p in pieces]),
    )


def flipped(piece: Piece) -> Piece:
    """The same piece seen from the other side."""
    return Piece(piece.vertices, piece.triangles[:, ::-1], piece.uv[:, ::-1])


def _tube(rings: int, around: int) -> list[list[int]]:
    triangles = []
    for r in range(rings - 1):
        for i in range(around):
            a, b = r * around + i, r * around + (i + 1) % around
            triangles += [[a, b, b + around], [a, b + around, a + around]]
    return triangles


def _outward(piece: Piece) -> Piece:
    """Turn a convex piece's triangles away from its middle."""
    a, b, c = (piece.vertices[piece.triangles[:, k]] for k in range(3))
    away = (a + b + c) / 3 - piece.vertices.mean(0)
    inward = (np.cross(b - a, c - a) * away).sum(1) < 0
    triangles, uv = piece.triangles.copy(), piece.uv.copy()
    triangles[inward], uv[inward] = triangles[inward][:, ::-1], uv[inward][:, ::-1]
    return Piece(piece.vertices, triangles, uv)
