"""What of ICT-FaceKit's mesh is kept, and where each part lies in the one picture a person has.

Kept is what can be seen. The sockets behind the eyes, the molars and the back of the palate, the
eyes' inner balls and two thirds of the lash strips go; single lashes take the strips' place.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array, vstack
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from facebuild import ict
from facebuild.ict import Scans
from kmspeaker.face.rig import PART_NAMES

(SKIN, GUMS, TEETH_UPPER, TEETH_LOWER, TONGUE, EYE_LEFT, EYE_RIGHT, TEARS, LASHES) = range(9)
assert len(PART_NAMES) == LASHES + 1

Box = tuple[float, float, float, float]
# Places in the picture (left, bottom, right, top), twice as wide as high; the face takes half.
FACE_BOX: Box = (0.0, 0.0, 0.5, 1.0)
NECK_BOX: Box = (0.5, 0.5, 0.75, 1.0)
EYE_BOX: Box = (0.75, 0.5, 1.0, 1.0)
GUMS_BOX: Box = (0.5, 0.25, 0.625, 0.5)
TEETH_BOX: Box = (0.625, 0.25, 0.75, 0.5)
BESIDE = 0.0005  # by a texel, so that no corner of one eye has its place with one of the other
LASH_PATCH: Box = (0.76, 0.40, 0.80, 0.48)
TEAR_BOX: Box = (0.82, 0.40, 0.98, 0.48)

GUMS_BEHIND = 58.0  # gums, palate and the mouth's floor end here, mm of z
TEETH_BEHIND = 77.0  # molars that begin further back go
EYE_BEHIND = -3.0  # the ball is cut this far behind its centre
SOCKET_DEPTH = 5.0  # how far the sockets' walls reach in from the lids' rims, mm
INNER_CORNER = 6.0  # the eyes' pink inner corners are so wide, mm
LASHES_UPPER, LASHES_LOWER = 52, 30


@dataclass(frozen=True)
class Topology:
    """Every vertex of ours is a fixed blend of the model's; eyeballs are filled in later."""

    blend: csr_array  # (V, 26719)
    triangles: np.ndarray  # (T, 3)
    uv: np.ndarray  # (T, 3, 2) in the picture
    part: np.ndarray  # (V,)
    source: np.ndarray  # (V,) the model's vertex, -1 for the lashes' own
    lashes: np.ndarray  # (n, 3) two roots and a tip

    def index(self, vertices: np.ndarray | tuple[int, ...]) -> np.ndarray:
        """Our numbers of the model's vertices.

        Raises:
            KeyError: one of them was cut away.
        """
        place = np.full(ict.VERTICES, -1)
        own = self.source >= 0
        place[self.source[own]] = np.flatnonzero(own)
        found = place[np.asarray(vertices)]
        if (found < 0).any():
            raise KeyError(f"vertices {np.asarray(vertices)[found < 0]} are not kept")
        return found

    def between(self, *ranges: tuple[int, int]) -> np.ndarray:
        """(V,) whether each vertex is of the model's ranges."""
        return np.any([(self.source >= low) & (self.source < high) for low, high in ranges], axis=0)


def cut(scans: Scans) -> Topology:
    """Choose vertices and triangles and lay out the picture."""
    triangles = scans.triangles
    part = _part_of(scans)
    kept = np.isin(triangles[:, 0], np.flatnonzero(part >= 0)) & _seen(scans, triangles)
    own = part[triangles[:, 0]]
    uv = scans.uv - np.array([1.0, 0.0]) * np.floor(scans.uv[..., :1].mean(1, keepdims=True))
    tile = np.floor(scans.uv[..., 0].mean(1)).astype(int)
    placed = np.zeros_like(uv)
    for box, chosen in (
        (FACE_BOX, (own == SKIN) & (tile == 0)),
        (NECK_BOX, (own == SKIN) & (tile == 1)),
        (GUMS_BOX, (own == GUMS) | (own == TONGUE)),
        (TEETH_BOX, (own == TEETH_UPPER) | (own == TEETH_LOWER)),
        (EYE_BOX, own == EYE_LEFT),
        (tuple(np.array(EYE_BOX) + BESIDE), own == EYE_RIGHT),
    ):
        placed[chosen] = within(uv[chosen], box)
    x = np.abs(scans.neutral[triangles[own == TEARS], 0])
    nose = 1 - np.clip((x - x.min()) / INNER_CORNER, 0, 1)
    # Pink at the nose; the rest spread a little, so that each corner has a place of its own.
    along, across = uv[own == TEARS, :, 0], uv[own == TEARS, :, 1]
    rows = np.maximum(nose, 0.02 + 0.1 * across)
    placed[own == TEARS] = within(np.stack([along, rows], -1), TEAR_BOX)
    right = scans.neutral[triangles[:, 0], 0] < 0
    placed[(own == TEARS) & right] += BESIDE
    used = np.unique(triangles[kept])
    number = np.full(ict.VERTICES, -1)
    number[used] = np.arange(len(used))
    blend = csr_array(
        (np.ones(len(used)), (np.arange(len(used)), used)), shape=(len(used), ict.VERTICES)
    )
    lash_blend, lashes = _lashes(scans)
    added, lashes = lashes.size, lashes + len(used)
    patch = within(np.full((len(lashes), 3, 2), 0.5), LASH_PATCH)
    return Topology(
        blend=csr_array(vstack([blend, lash_blend])),
        triangles=np.concatenate([number[triangles[kept]], lashes]).astype(np.int32),
        uv=np.concatenate([placed[kept], patch]),
        part=np.concatenate([part[used], np.full(added, LASHES)]).astype(np.uint8),
        source=np.concatenate([used, np.full(added, -1)]),
        lashes=lashes,
    )


def within(uv: np.ndarray, box: Box) -> np.ndarray:
    """Places of the unit square inside a box of the picture."""
    left, bottom, right, top = box
    return uv * [right - left, top - bottom] + [left, bottom]


def _part_of(scans: Scans) -> np.ndarray:
    """(26719,) the part of each vertex, -1 for those that no part has."""
    part = np.full(ict.VERTICES, -1)
    for number, (low, high) in (
        *((SKIN, each) for each in (ict.FACE, ict.NECK, ict.MOUTH_SOCKET, ict.EYE_SOCKETS)),
        *((GUMS, ict.GUMS_AND_TONGUE), (TEETH_UPPER, ict.TEETH_UPPER)),
        *((TEETH_LOWER, ict.TEETH_LOWER), (EYE_LEFT, ict.EYES["Left"])),
        *((EYE_RIGHT, ict.EYES["Right"]), (TEARS, ict.TEARS["Left"]), (TEARS, ict.TEARS["Right"])),
    ):
        part[low:high] = number
    # The tongue has two places of its own in the picture of gums and tongue.
    own = (part[scans.triangles] == GUMS).all(1)
    u, v = (scans.uv[own].mean(1) - [2, 0]).T
    tongue = (u < 0.27) & (v > 0.1) & (v < 0.43) | (u > 0.47) & (v < 0.47) & (u < 0.96)
    mouth = np.unique(scans.triangles[own][tongue])
    high = scans.neutral[mouth, 1] > np.interp(scans.neutral[mouth, 2], (40, 100), (-48, -46))
    part[mouth[high & (np.abs(scans.neutral[mouth, 0]) < 24)]] = TONGUE
    return part


def _seen(scans: Scans, triangles: np.ndarray) -> np.ndarray:
    """(t,) which triangles anybody can see."""
    z = scans.neutral[triangles][..., 2]
    seen = np.ones(len(triangles), bool)

    def of(*ranges: tuple[int, int]) -> np.ndarray:
        return np.any([((triangles >= a) & (triangles < b)).all(1) for a, b in ranges], axis=0)

    seen &= ~(of(ict.GUMS_AND_TONGUE) & (z.max(1) < GUMS_BEHIND))
    for jaw in (ict.TEETH_UPPER, ict.TEETH_LOWER):
        behind = z.min(1)
        tooth = np.digitize(triangles[:, 0], _tooth_starts(scans, jaw))
        first = {t: behind[of(jaw) & (tooth == t)].min() for t in np.unique(tooth[of(jaw)])}
        back = np.array([first.get(t, 0.0) for t in tooth]) < TEETH_BEHIND
        seen &= ~(of(jaw) & back)
    for low, high in ict.EYES.values():
        centre = sphere(scans.neutral[low:high])[0]
        seen &= ~(of((low, high)) & (z.max(1) < centre[2] + EYE_BEHIND))
    rim = _lid_rim(scans)
    away = KDTree(scans.neutral[rim]).query(scans.neutral[triangles].mean(1))[0]
    seen &= ~(of(ict.EYE_SOCKETS) & (away > SOCKET_DEPTH))
    return seen


def _tooth_starts(scans: Scans, jaw: tuple[int, int]) -> list[int]:
    """The first vertex of each tooth after the first: teeth are pieces of their own, in order."""
    inside = scans.triangles[((scans.triangles >= jaw[0]) & (scans.triangles < jaw[1])).all(1)]
    edges = np.concatenate([inside[:, :2], inside[:, 1:]]) - jaw[0]
    count = jaw[1] - jaw[0]
    graph = csr_array((np.ones(len(edges)), edges.T), shape=(count, count))
    tooth = connected_components(graph, directed=False)[1]
    return [int(k) + jaw[0] for k in np.flatnonzero(np.diff(tooth)) + 1]


def _lid_rim(scans: Scans) -> np.ndarray:
    """Skin vertices that share an edge with the eyes' sockets."""
    region = np.digitize(np.arange(ict.VERTICES), [ict.FACE[1], ict.EYE_SOCKETS[0]])
    across = scans.triangles[(scans.triangles < ict.EYE_SOCKETS[1]).all(1)]
    mixed = across[(region[across].min(1) == 0) & (region[across].max(1) == 2)]
    return np.unique(mixed[region[mixed] == 0])


def sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre and radius of the ball behind an eye's outer shell; its front bulges."""
    behind = points[points[:, 2] < points[:, 2].max() - 10.5]
    design = np.c_[2 * behind, np.ones(len(behind))]
    solved = np.linalg.lstsq(design, (behind**2).sum(1), rcond=None)[0]
    return solved[:3], float(np.sqrt(solved[3] + solved[:3] @ solved[:3]))


def _lashes(scans: Scans) -> tuple[csr_array, np.ndarray]:
    """Single lashes on one upper and one lower strip an eye: blends, and (n, 3) triangles.

    A strip is a grid of 19 x 6 vertices with the roots at high v (the model's tile 6).
    """
    low, high = ict.LASHES
    own = ((scans.triangles >= low) & (scans.triangles < high)).all(1)
    strips = (scans.triangles[own][:, 0] - low) // 114
    rows, columns, values, count = [], [], [], 0
    for strip in (0, 3, 6, 9):  # the first upper and the first lower of either eye
        corners = scans.triangles[own][strips == strip]
        uv = scans.uv[own][strips == strip]
        (u0, v0), (u1, v1) = uv.min((0, 1)), uv.max((0, 1))
        upper = strip % 6 == 0
        outwards = np.sign(_outwards(scans, corners, uv))
        number = LASHES_UPPER if upper else LASHES_LOWER
        for i in range(number):
            along = 0.02 + 0.96 * (i + 0.5) / number
            ends = np.array([u0 + (u1 - u0) * along, v1]), np.array([u0 + (u1 - u0) * along, v0])
            temple = _at_uv(ends[0], corners, uv)[0]
            x = np.abs(scans.neutral[temple, 0].mean())
            out = np.clip((x - 18) / 32, 0, 1)  # from the nose to the temple
            long = 0.62 + 0.33 * np.sin(np.pi * (0.12 + 0.78 * out)) + 0.05 * np.sin(4.7 * i)
            lean = 0.012 * np.sin(2.1 * i) + 0.03 * (out - 0.4) * outwards
            half = 0.26 * (u1 - u0) / number * (1.0 if upper else 0.8)
            reach = (long if upper else 0.8 * long) * (v1 - v0)
            for du, dv in ((-half, 0.0), (half, 0.0), (lean * (u1 - u0) * 4, reach)):
                at = np.array([np.clip(ends[0][0] + du, u0, u1), v1 - dv])
                vertices, weights = _at_uv(at, corners, uv)
                rows += [count] * 3
                columns += vertices.tolist()
                values += weights.tolist()
                count += 1
    blend = coo_array((values, (rows, columns)), shape=(count, ict.VERTICES)).tocsr()
    return blend, np.arange(count).reshape(-1, 3)


def _outwards(scans: Scans, corners: np.ndarray, uv: np.ndarray) -> float:
    """Whether u grows towards the temple on this strip."""
    x = np.abs(scans.neutral[corners, 0]).ravel()
    return float(np.corrcoef(x, uv[..., 0].ravel())[0, 1])


def _at_uv(at: np.ndarray, corners: np.ndarray, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The triangle nearest to a place in the picture, and barycentric weights in it."""
    a, b, c = uv[:, 0], uv[:, 1], uv[:, 2]
    d = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    p = at - a
    v = (p[:, 0] * (c - a)[:, 1] - p[:, 1] * (c - a)[:, 0]) / d
    w = ((b - a)[:, 0] * p[:, 1] - (b - a)[:, 1] * p[:, 0]) / d
    inside = np.stack([1 - v - w, v, w], 1)
    best = inside.min(1).argmax()
    weights = np.clip(inside[best], 0, None)
    return corners[best], weights / weights.sum()
