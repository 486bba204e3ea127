"""The shipped rig: the coarse head, lips and lids refined, teeth, lashes and eyes of our own."""

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import coo_array, csr_array, vstack
from scipy.spatial import KDTree

from facebuild import atlas, parts
from facebuild.cast import Person
from facebuild.coarse import (
    EYE_LEFT,
    EYE_RIGHT,
    LASHES,
    SKIN,
    TEETH_LOWER,
    TEETH_UPPER,
    TONGUE,
    Coarse,
    build_coarse,
)
from facebuild.refine import clip, refine
from facebuild.wheel import Wheel
from kmspeaker.face.rig import ARKIT_NAMES

TOOTH_PLACE = {TEETH_UPPER: (-69.7, 24.8), TEETH_LOWER: (-66.4, 22.0)}
"""Cutting edge's height and faces' depth of the front teeth on the average head, mm; its lips
meet at height -66.7 and depth 29."""
TONGUE_PLACE = ((1.0, 0.72, 1.0), (0.0, -8.5, -7.0))  # scale and shift; MakeHuman's fills the mouth
TONGUE_OUT = np.array([0.0, 9.0, 7.0])  # how much more its tip moves, to come out over the lip, mm
LID_REST = 0.10  # MakeHuman stares; relaxed upper lids cover the top of the iris
BLINK_SCALE = 0.80  # MakeHuman's blink closes too far
BUST_BOTTOM = -194.0  # lowest point of the bust below z = 0 on the average head, mm
SOCKET_DEPTH = 2.0  # the sockets' walls behind this z are never seen, mm


@dataclass
class Rig:
    """Arrays over vertices V and triangles T, mm."""

    triangles: np.ndarray  # (T, 3)
    uv: np.ndarray  # (T, 3, 2) in the atlas
    base_uv: np.ndarray  # (T, 3, 2) in MakeHuman's layout, for its masks; -1 on parts of our own
    part: np.ndarray  # (V,)
    deltas: np.ndarray  # (52, V, 3)
    average: np.ndarray  # (V, 3)
    neutrals: dict[str, np.ndarray]  # (V, 3)
    eye_centers: dict[str, np.ndarray]  # left, right: (2, 3)
    eye_radius: float
    mirror: np.ndarray  # (V,) the vertex on the other side, or itself on the midline
    lash_roots: np.ndarray  # (n,)
    ears: np.ndarray  # (V,) bool
    coarse: Coarse

    def shape(self, name: str) -> np.ndarray:
        """(V, 3) displacement at weight 1."""
        return self.deltas[ARKIT_NAMES.index(name)]


@dataclass
class _Assembly:
    """Pieces gathered so far; every vertex is a blend of coarse ones, eyes are filled in later."""

    coarse: Coarse
    blends: list[csr_array] = field(default_factory=list)
    triangles: list[np.ndarray] = field(default_factory=list)
    uv: list[np.ndarray] = field(default_factory=list)
    base_uv: list[np.ndarray] = field(default_factory=list)
    part: list[np.ndarray] = field(default_factory=list)
    count: int = 0

    def add(
        self,
        blend: csr_array,
        triangles: np.ndarray,
        uv: np.ndarray,
        part: np.ndarray | int,
        base_uv: np.ndarray | None = None,
    ) -> np.ndarray:
        """Append a piece; ``part`` for each triangle. Returns its vertices' numbers."""
        self.blends.append(blend)
        self.triangles.append(triangles + self.count)
        self.uv.append(uv)
        self.base_uv.append(np.full(uv.shape, -1.0) if base_uv is None else base_uv)
        self.part.append(np.broadcast_to(part, len(triangles)))
        added = blend.indptr.size - 1
        self.count += added
        return np.arange(self.count - added, self.count)


def build_rig(wheel: Wheel, cast: dict[str, Person]) -> Rig:
    """Refine the skin, add the other parts, mend what the source data gets wrong."""
    coarse = build_coarse(wheel, cast)
    _mend(coarse)
    pieces = _Assembly(coarse)
    _add_soft_parts(pieces, wheel)
    for part in (TEETH_UPPER, TEETH_LOWER):
        _add_teeth(pieces, part)
    lashes = _add_lashes(pieces)
    directions, eyes = _add_eyes(pieces)
    triangles = np.vstack(pieces.triangles)
    used, triangles = np.unique(triangles, return_inverse=True)
    triangles = triangles.reshape(-1, 3)
    part = np.zeros(len(used), np.uint8)
    part[triangles] = np.concatenate(pieces.part)[:, None]
    blend = vstack(pieces.blends).tocsr()[used]
    eyes = {p: np.searchsorted(used, v) for p, v in eyes.items()}
    lashes = np.searchsorted(used, lashes)

    def shipped(field: np.ndarray) -> np.ndarray:
        return blend @ field

    heads = {"": shipped(coarse.average)}
    heads |= {name: shipped(head) for name, head in coarse.neutrals.items()}
    deltas = np.stack([shipped(d) for d in coarse.deltas])
    for name, head in heads.items():
        centres, radius = coarse.eyes[name]
        for centre, own in zip(centres, eyes.values(), strict=True):
            head[own] = centre + radius * directions
        if name:
            roots, tips = head[lashes[:, :2]].mean(1), lashes[:, 2]
            head[tips] = roots + cast[name].lashes * (head[tips] - roots)
    for side, own in zip(("Left", "Right"), eyes.values(), strict=True):
        deltas[:, own] = 0
        for way in parts.GAZE_ANGLE:
            turned = directions @ parts.gaze(way, side).T - directions
            deltas[ARKIT_NAMES.index(f"eyeLook{way}{side}"), own] = coarse.eyes[""][1] * turned
    average = heads.pop("")
    base_uv = np.vstack(pieces.base_uv)
    ears = np.zeros(len(average), bool)
    ears[triangles[atlas.look_up(wheel.mask("ears"), base_uv) > 0.5]] = True
    ears &= part == SKIN
    return Rig(
        triangles=triangles,
        uv=np.vstack(pieces.uv),
        base_uv=base_uv,
        part=part,
        deltas=deltas,
        average=average,
        neutrals=heads,
        eye_centers={name: coarse.eyes[name][0] for name in heads},
        eye_radius=coarse.eyes[""][1],
        mirror=_mirror(average, part),
        lash_roots=np.unique(lashes[:, :2]),
        ears=ears,
        coarse=coarse,
    )


def _mend(coarse: Coarse) -> None:
    """What the source data gets wrong, judged by eye (docs/face.md)."""
    for side in ("Left", "Right"):
        coarse.deltas[ARKIT_NAMES.index(f"eyeBlink{side}")] *= BLINK_SCALE
    tongue = coarse.strip(TONGUE)
    scale, shift = TONGUE_PLACE
    out = coarse.deltas[ARKIT_NAMES.index("tongueOut")]
    reach = np.linalg.norm(out[tongue], axis=1, keepdims=True)
    out[tongue] += reach / reach.max() * TONGUE_OUT
    for head in (coarse.average, *coarse.neutrals.values()):
        middle = head[tongue].mean(0)
        head[tongue] = (head[tongue] - middle) * scale + middle + shift
        head += 0.05 * coarse.deltas[ARKIT_NAMES.index("mouthClose")]
        for side in ("Left", "Right"):
            head += LID_REST * coarse.deltas[ARKIT_NAMES.index(f"eyeBlink{side}")]


def _add_soft_parts(pieces: _Assembly, wheel: Wheel) -> None:
    """Skin and tongue, refined where coarse facets show."""
    coarse = pieces.coarse
    behind = coarse.average[coarse.quads][..., 2].max(1) < SOCKET_DEPTH
    patches = atlas.islands(coarse.quad_uv)
    skin = coarse.quad_part == SKIN
    height = {
        p: coarse.average[coarse.quads[skin & (patches == p)]][..., 1].mean()
        for p in np.unique(patches[skin])
    }
    neck, cavity, head, *sockets = sorted(height, key=height.__getitem__)
    hidden = skin & behind & np.isin(patches, sockets)
    kept = (skin | (coarse.quad_part == TONGUE)) & ~hidden
    base_uv = wheel.mesh.uv[coarse.quad_uv]
    soft = refine(
        coarse.quads[kept],
        base_uv[kept],
        _worth_refining(wheel, coarse)[kept],
        len(coarse.base_index),
    )
    x, y, z = (soft.blend @ coarse.average).T
    soft = clip(soft, y - (BUST_BOTTOM - 0.35 * z + 0.005 * x**2))
    patch = patches[kept][soft.quad]
    uv = np.zeros_like(soft.uv)
    uv[patch == head] = atlas.place_head(soft.uv[patch == head])
    tongue = patches[coarse.quad_part == TONGUE][0]
    boxes = {neck: atlas.NECK, cavity: atlas.CAVITY, tongue: atlas.TONGUE}
    boxes |= dict(zip(sockets, atlas.SOCKETS, strict=True))
    for own, box in boxes.items():
        uv[patch == own] = atlas.within(soft.uv[patch == own], box)
    pieces.add(soft.blend, soft.triangles, uv, coarse.quad_part[kept][soft.quad], soft.uv)


def _worth_refining(wheel: Wheel, coarse: Coarse) -> np.ndarray:
    """(q,) quads of lips, lids and the tip of the nose."""
    head = coarse.average
    uv = wheel.mesh.uv[coarse.quad_uv]
    near = np.zeros(len(head), bool)
    for name, reach, depth in (("lips", 6.0, 8.0), ("eyelids", 1.0, 2.0)):
        marked = np.unique(coarse.quads[atlas.look_up(wheel.mask(name), uv) > 0.5])
        near |= (KDTree(head[marked]).query(head)[0] < reach) & (head[:, 2] > depth)
    x, y, z = head.T
    near |= (np.abs(x) < 17) & (y < -20) & (y > -45) & (z > 18)
    return (coarse.quad_part == SKIN) & near[coarse.quads].any(1)


def _add_teeth(pieces: _Assembly, part: int) -> None:
    """Teeth that follow MakeHuman's strip by the affine map that fits it best."""
    coarse = pieces.coarse
    strip = coarse.strip(part)
    edge, front = TOOTH_PLACE[part]
    crowns, gum = parts.dental_arch(
        coarse.average[strip], upper=part == TEETH_UPPER, edge=edge, front=front
    )
    fit = np.linalg.pinv(np.c_[coarse.average[strip], np.ones(len(strip))])
    for piece, box in ((crowns, atlas.TOOTH), (gum, atlas.GUM)):
        rows = np.c_[piece.vertices, np.ones(len(piece.vertices))] @ fit
        blend = np.zeros((len(rows), len(coarse.base_index)))
        blend[:, strip] = rows
        pieces.add(csr_array(blend), piece.triangles, atlas.unit_within(piece.uv, box), part)


def _add_lashes(pieces: _Assembly) -> np.ndarray:
    """Single lashes; returns their vertices (n, 3): two roots and the tip."""
    coarse = pieces.coarse
    own = coarse.quad_part == LASHES
    quads, strips = coarse.quads[own], atlas.islands(coarse.quad_uv)[own]
    lashes = []
    for strip in np.unique(strips):
        grid = quads[strips == strip]
        upper = coarse.average[grid][..., 1].mean() > -3
        count = parts.LASHES_UPPER if upper else parts.LASHES_LOWER
        vertices, weights, triangles = parts.lash_blend(grid, coarse.average, count)
        rows = np.repeat(np.arange(len(vertices)), 4)
        blend = coo_array(
            (weights.ravel(), (rows, vertices.ravel())),
            shape=(len(vertices), len(coarse.base_index)),
        ).tocsr()
        uv = np.broadcast_to(atlas.unit_within(np.array([0.5, 0.5]), atlas.LASH), (count, 3, 2))
        numbers = pieces.add(blend, triangles, uv, LASHES)
        lashes.append(numbers[triangles])
    return np.vstack(lashes)


def _add_eyes(pieces: _Assembly) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Two empty places for eyeballs; returns their directions and vertices."""
    directions, triangles, uv = parts.eyeball()
    empty = csr_array((len(directions), len(pieces.coarse.base_index)))
    places = atlas.unit_within(uv, atlas.EYE)
    eyes = {p: pieces.add(empty, triangles, places, p) for p in (EYE_LEFT, EYE_RIGHT)}
    return directions, eyes


def shown_in(rig: Rig, box: tuple[float, float, float, float]) -> np.ndarray:
    """Skin vertices with a place inside a box of the texture."""
    low, high = np.array(box[:2]) - 1e-6, np.array(box[2:]) + 1e-6
    own = ((rig.uv > low) & (rig.uv < high)).all((1, 2))
    return np.unique(rig.triangles[own])


def _mirror(head: np.ndarray, part: np.ndarray) -> np.ndarray:
    """The nearest vertex of the same part (the other eye's for an eye) across the midline."""
    other = part.copy()
    other[part == EYE_LEFT], other[part == EYE_RIGHT] = EYE_RIGHT, EYE_LEFT
    keyed = np.c_[head, part.astype(float) * 1000]
    across = np.c_[head * [-1, 1, 1], other.astype(float) * 1000]
    return np.asarray(KDTree(keyed).query(across)[1])
