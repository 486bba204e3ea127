"""Heights of the small lines of the skin, drawn along curves on the average head, and their masks.

Curves are given in mm right of the midline and above the eyes, as seen from the front; the skin
under them gives the depth. A line is a crease with a swelling on either side.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree

from facebuild import ict
from facebuild.head import Head
from facebuild.topology import FACE_BOX, SKIN
from kmspeaker.export.normals import vertex_normals
from kmspeaker.face.interpolation import smoothstep
from kmspeaker.face.wrinkles import FOLDS, HEIGHT_RANGE, LAYERS

SIZE = 1024
STEP = 0.3  # sampling of a curve, mm
MASK_REACH = 7.0  # mm beyond its curves over which a fold's mask falls to nothing


@dataclass(frozen=True)
class Curve:
    """One line."""

    points: tuple[tuple[float, float], ...]
    depth: float = 0.6
    width: float = 1.0


def _wavy(y: float, half: float, depth: float, phase: float) -> Curve:
    x = np.linspace(-half, half, 15)
    height = y - 0.0022 * x**2 + 1.1 * np.sin(x / 7 + phase)
    return Curve(tuple(zip(x, height, strict=True)), depth, 1.25)


# The subject's left side (+x); the other side is its mirror image.
SIDES: dict[str, tuple[Curve, ...]] = {
    "nose": (
        Curve(((2.0, -8), (7, -10), (12, -15)), 0.5, 0.9),
        Curve(((3.5, -13), (8, -16), (12.5, -21)), 0.55, 0.9),
        Curve(((4.5, -19), (9, -22), (13, -27)), 0.4, 0.9),
    ),
    "crow": (
        Curve(((49, 4), (55, 8), (61, 13)), 0.5, 0.9),
        Curve(((50, 0), (57, 2), (64, 4)), 0.6, 0.9),
        Curve(((50, -4), (57, -6), (63, -9)), 0.55, 0.9),
        Curve(((48, -8), (54, -12), (60, -18)), 0.4, 0.9),
    ),
    "under_eye": (
        Curve(((18, -10), (26, -13.5), (35, -13), (43, -9.5)), 0.35, 1.0),
        Curve(((17, -13), (25, -18), (35, -18.5), (45, -14)), 0.45, 1.2),
    ),
    "nasolabial": (Curve(((19, -38), (23, -45), (29, -55), (33, -66), (34, -74)), 0.75, 1.5),),
    "bracket": (Curve(((38, -58), (41, -66), (41, -76), (38, -84)), 0.5, 1.4),),
    "marionette": (Curve(((28, -76), (31, -83), (32, -91), (31, -97)), 0.6, 1.3),),
}
MIDDLE: dict[str, tuple[Curve, ...]] = {
    "glabella": (
        Curve(((6.5, 6), (7.5, 13), (9, 20), (11, 26)), 0.85, 1.2),
        Curve(((-6.5, 6), (-7.5, 13), (-9, 20), (-11, 26)), 0.85, 1.2),
        Curve(((2.5, 11), (2.0, 18), (2.8, 24)), 0.45, 1.0),
        Curve(((-8, 2), (0, 0.5), (8, 2)), 0.55, 1.0),
        Curve(((-7, -4), (0, -5.5), (7, -4)), 0.35, 1.0),
    ),
    "chin": (Curve(((-13, -84), (-6, -87.5), (0, -88.2), (6, -87.5), (13, -84)), 0.7, 1.7),),
}
FOREHEAD = (
    _wavy(31, 40, 0.55, 0.3),
    _wavy(39, 42, 0.75, 1.3),
    _wavy(47, 40, 0.7, 2.6),
    _wavy(55, 34, 0.5, 4.0),
)
CHIN_CENTRE, CHIN_RADIUS, CHIN_DEPTH = (0.0, -97.0), 13.0, 0.35
"""Where the chin dimples like an orange, mm."""


def draw(head: Head) -> tuple[Image.Image, np.ndarray]:
    """The picture of heights, layers in red and green, and the (folds, V) masks, 0 to 1."""
    skin = Skin(head)
    heights = np.zeros((LAYERS, SIZE, SIZE))
    masks = np.zeros((len(FOLDS), len(head.part)))
    for k, (name, fold) in enumerate(FOLDS.items()):
        stem, _, side = name.rpartition("_")
        if side in ("left", "right"):
            sign = 1 if side == "left" else -1
            if stem == "forehead":
                # Lines across both halves, each half with its own mask.
                height, mask = skin.lines(FOREHEAD)
                half = smoothstep(0.5 + sign * head.average[:, 0] / 16)
                masks[k] = mask * half
                if sign > 0:
                    heights[fold.layer] += height
                continue
            curves = tuple(
                Curve(tuple((sign * x, y) for x, y in c.points), c.depth, c.width)
                for c in SIDES[stem]
            )
        else:
            curves = MIDDLE[name]
        height, masks[k] = skin.lines(curves)
        heights[fold.layer] += height
        if name == "chin":
            dimples, around = skin.dimples()
            heights[fold.layer] += dimples
            masks[k] = np.maximum(masks[k], around)
    picture = np.full((SIZE, SIZE, 3), 128, np.uint8)
    for layer in range(LAYERS):
        scaled = 128 + 127 * np.clip(heights[layer] / HEIGHT_RANGE, -1, 1)
        picture[..., layer] = np.round(scaled)
    return Image.fromarray(picture), masks


class Skin:
    """The average head's face: where each texel of its half of the picture lies on it."""

    def __init__(self, head: Head) -> None:
        self._head = head
        face = head.topology.between(ict.FACE) & (head.part == SKIN)
        self._face = face
        own = face[head.triangles].all(1)
        self._corners, places = head.triangles[own], head.topology.uv[own]
        left, bottom, right, top = FACE_BOX
        self._uv = (places - [left, bottom]) / [right - left, top - bottom]
        normals = vertex_normals(head.average.astype(np.float32), head.triangles)
        self._front = np.flatnonzero(face & (normals[:, 2] > 0.05))
        self._tree = KDTree(head.average[self._front, :2])
        self.texels, self.places = self._rasterised()

    def lines(self, curves: tuple[Curve, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Heights (SIZE, SIZE) in mm, and a mask (V,) around the curves."""
        height = np.zeros((SIZE, SIZE))
        mask = np.zeros(len(self._head.part))
        for curve in curves:
            points, strength = self._on_skin(curve)
            tree = KDTree(points)
            away, nearest = tree.query(self.places, distance_upper_bound=6 * curve.width)
            away, nearest = np.asarray(away), np.asarray(nearest)
            near = np.isfinite(away)
            r = away[near] / curve.width
            profile = -np.exp(-(r**2)) + 0.45 * np.exp(-(((r - 2.0) / 0.9) ** 2))
            drawn = curve.depth * strength[nearest[near]] * profile
            rows, columns = self.texels[near].T
            height[rows, columns] += drawn
            off = tree.query(self._head.average)[0]
            mask = np.maximum(mask, 1 - smoothstep((off - 3 * curve.width) / MASK_REACH))
        return height, mask * self._face

    def dimples(self) -> tuple[np.ndarray, np.ndarray]:
        """The chin's orange peel, and its mask."""
        noise = gaussian_filter(np.random.default_rng(0).normal(size=(SIZE, SIZE)), 2.6)
        noise /= noise.std()
        off = np.linalg.norm(self.places[:, :2] - CHIN_CENTRE, axis=1)
        near = (off < CHIN_RADIUS * 1.6) & (self.places[:, 2] > 0)
        rows, columns = self.texels[near].T
        height = np.zeros((SIZE, SIZE))
        fall = 1 - smoothstep((off[near] - CHIN_RADIUS * 0.5) / (CHIN_RADIUS * 0.9))
        height[rows, columns] = CHIN_DEPTH * 0.6 * noise[rows, columns] * fall
        average = self._head.average
        away = np.linalg.norm(average[:, :2] - CHIN_CENTRE, axis=1)
        around = (1 - smoothstep((away - CHIN_RADIUS) / 8)) * (average[:, 2] > 0) * self._face
        return height, around

    def _on_skin(self, curve: Curve) -> tuple[np.ndarray, np.ndarray]:
        """Points along a curve on the skin, and how deep it is there: it runs out at its ends."""
        ends = np.array(curve.points)
        length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(ends, axis=0), axis=1))]
        s = np.arange(0, length[-1], STEP)
        order = min(3, len(ends) - 1)
        smooth = np.stack([np.polyval(np.polyfit(length, axis, order), s) for axis in ends.T], 1)
        if len(ends) > 6:
            smooth = np.stack([np.interp(s, length, axis) for axis in ends.T], 1)
        away, nearest = self._tree.query(smooth, 3)
        share = 1 / (away + 0.1)
        share /= share.sum(1, keepdims=True)
        z = (share * self._head.average[self._front[nearest], 2]).sum(1)
        strength = smoothstep(np.minimum(s, s[-1] - s) / (0.3 * s[-1] + 1e-9))
        return np.c_[smooth, z], strength

    def _rasterised(self) -> tuple[np.ndarray, np.ndarray]:
        """(n, 2) rows and columns that the face covers, and (n, 3) where they lie, mm."""
        texels, places = [], []
        for corner, uv in zip(self._corners, self._uv, strict=True):
            p = uv * SIZE * [1, -1] + [-0.5, SIZE - 0.5]
            low = np.maximum(np.floor(p.min(0)).astype(int), 0)
            high = np.minimum(np.ceil(p.max(0)).astype(int), SIZE - 1)
            x, y = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
            a, b, c = p
            area = (b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0]
            if abs(area) < 1e-12:
                continue
            v = ((x - a[0]) * (c - a)[1] - (y - a[1]) * (c - a)[0]) / area
            w = ((b - a)[0] * (y - a[1]) - (b - a)[1] * (x - a[0])) / area
            inside = (v >= -1e-3) & (w >= -1e-3) & (v + w <= 1 + 1e-3)
            bary = np.stack([1 - v - w, v, w], -1)[inside]
            texels.append(np.stack([y[inside], x[inside]], 1))
            places.append(bary @ self._head.average[corner])
        return np.concatenate(texels), np.concatenate(places)
