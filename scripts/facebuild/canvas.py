"""What every identity's painting shares: where each pixel lies on the head, and the brushes."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy.interpolate import LinearNDInterpolator
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import KDTree

from facebuild import atlas
from facebuild.coarse import SKIN
from facebuild.rig import Rig
from facebuild.wheel import Wheel

SUPERSAMPLING = 4


@dataclass(frozen=True)
class Canvas:
    """Fields over the texture, (size, size) from the top; positions on the average head, mm."""

    position: np.ndarray  # (size, size, 3)
    part: np.ndarray
    uv: np.ndarray  # (size, size, 2)
    shade: np.ndarray
    """How much of the sky each skin point sees, 0 to 1."""
    lips: np.ndarray
    lids: np.ndarray
    ears: np.ndarray
    lash_line: np.ndarray
    """Distance to the lashes' roots, mm."""
    to_pixel: LinearNDInterpolator
    """(x, y) on the front of the average face to (column, row)."""

    @property
    def x(self) -> np.ndarray:
        """Towards the subject's left."""
        return self.position[..., 0]

    @property
    def y(self) -> np.ndarray:
        """Up."""
        return self.position[..., 1]

    @property
    def z(self) -> np.ndarray:
        """Out of the face."""
        return self.position[..., 2]

    def within(self, box: tuple[float, float, float, float]) -> np.ndarray:
        """Which pixels lie in a box of the texture."""
        u, v = self.uv[..., 0], self.uv[..., 1]
        rim = 0.004
        return (u >= box[0] - rim) & (u <= box[2] + rim) & (v >= box[1] - rim) & (v <= box[3] + rim)

    def blob(self, at: np.ndarray, width: float | tuple[float, float, float]) -> np.ndarray:
        """A soft spot around a point and its mirror image."""
        mirrored = np.abs(self.position) * [1, 0, 0] + self.position * [0, 1, 1]
        offset = (mirrored - np.abs(at) * [1, 0, 0] - at * [0, 1, 1]) / width
        return np.exp(-(offset**2).sum(-1))

    def strokes(self, lines: list[np.ndarray], widths: list[float]) -> np.ndarray:
        """Draw polylines given in (x, y) on the face, mm; widths in pixels; coverage 0 to 1."""
        size = len(self.part) * SUPERSAMPLING
        picture = Image.new("L", (size, size))
        draw = ImageDraw.Draw(picture)
        for line, width in zip(lines, widths, strict=True):
            points = self.to_pixel(line) * SUPERSAMPLING
            if np.isfinite(points).all():
                draw.line([tuple(p) for p in points], 255, max(1, round(width * SUPERSAMPLING)))
        small = picture.reduce(SUPERSAMPLING)
        return np.asarray(small, np.float32) / 255


def make_canvas(wheel: Wheel, rig: Rig, lash_roots: np.ndarray) -> Canvas:
    """Lay the average head out in the texture."""
    raster = atlas.rasterise(rig.uv)
    position = raster.sample(rig.average[rig.triangles])
    base_uv = raster.sample(rig.base_uv)
    part = rig.part[rig.triangles[:, 0]][raster.triangle]
    size = len(part)
    row, column = np.mgrid[:size, :size]
    uv = np.stack([(column + 0.5) / size, 1 - (row + 0.5) / size], -1)
    return Canvas(
        position=position,
        part=part,
        uv=uv,
        shade=raster.sample(sky_seen(rig)[rig.triangles]),
        lips=_picture(wheel, "lips", base_uv, part),
        lids=_picture(wheel, "eyelids", base_uv, part),
        ears=_picture(wheel, "ears", base_uv, part),
        lash_line=KDTree(rig.average[lash_roots])
        .query(position.reshape(-1, 3))[0]
        .reshape(size, size),
        to_pixel=_front(rig, size),
    )


def sky_seen(rig: Rig, directions: int = 160) -> np.ndarray:
    """(V,) share of directions, most from above, in which nothing hides a vertex."""
    golden = np.pi * (3 - np.sqrt(5)) * np.arange(directions)
    height = np.linspace(0.98, -0.75, directions)
    flat = np.sqrt(1 - height**2)
    ways = np.stack([flat * np.cos(golden), height, flat * np.sin(golden)], 1)
    weight = 0.65 + 0.35 * height
    normals = vertex_normals(rig.average, rig.triangles)
    corners = rig.average[rig.triangles]
    shares = np.array([[i, j, 5 - i - j] for i in range(6) for j in range(6 - i)]) / 5
    samples = np.einsum("sc,tcx->tsx", shares, corners).reshape(-1, 3)
    points = rig.average + 0.8 * normals
    seen, total = np.zeros(len(points)), np.zeros(len(points))
    for way, w in zip(ways, weight, strict=True):
        across = np.cross(way, [0.3, 0.1, 0.95])
        across /= np.linalg.norm(across)
        plane = np.stack([across, np.cross(way, across)], 1)
        cell = 2.0  # mm
        low = (samples @ plane).min(0) - 5
        keys = ((samples @ plane - low) / cell).astype(int)
        own = ((points @ plane - low) / cell).astype(int)
        shape = keys.max(0) + 8
        depth = np.full(shape, -np.inf)
        np.maximum.at(depth, tuple(keys.T), samples @ way)
        facing = np.maximum(normals @ way, 0) * w
        seen += facing * (points @ way > depth[tuple(own.T)] - 1.5)
        total += facing
    return seen / np.maximum(total, 1e-9)


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals, areas weighting."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    area = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, triangles[:, k], area)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def noise(random: np.random.Generator, size: int, grain: float) -> np.ndarray:
    """Smooth noise of unit deviation, its grain in pixels."""
    field = gaussian_filter(random.standard_normal((size, size)), grain, mode="wrap")
    return field / field.std()


def smooth_step(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below ``low``, 1 above ``high``."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(colours: np.ndarray, other: np.ndarray | tuple, share: np.ndarray | float) -> np.ndarray:
    """Blend (..., 3) colours towards another one."""
    share = np.asarray(share)[..., None]
    return colours * (1 - share) + np.asarray(other, float) * share


def _picture(wheel: Wheel, name: str, base_uv: np.ndarray, part: np.ndarray) -> np.ndarray:
    """One of MPFB's region pictures, on the skin only."""
    picture = np.asarray(gaussian_filter(wheel.mask(name), 0.6))
    height, width = len(picture), picture.shape[-1]
    places = [(1 - base_uv[..., 1]) * height - 0.5, base_uv[..., 0] * width - 0.5]
    return map_coordinates(picture, places, order=1, mode="nearest") * (part == SKIN)


def _front(rig: Rig, size: int) -> LinearNDInterpolator:
    own = (rig.part[rig.triangles[:, 0]] == SKIN) & (rig.uv[..., 1] > atlas.HEAD[1]).all(1)
    vertices = rig.triangles[own].ravel()
    uv = rig.uv[own].reshape(-1, 2)
    normals = vertex_normals(rig.average, rig.triangles)
    first = np.unique(vertices, return_index=True)[1]
    front = first[normals[vertices[first], 2] > 0.15]
    pixels = np.stack([uv[front, 0] * size, (1 - uv[front, 1]) * size], 1)
    return LinearNDInterpolator(rig.average[vertices[front], :2], pixels)
