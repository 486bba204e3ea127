"""The texture's layout: MakeHuman's islands packed anew so that the face gets the most pixels."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SIZE = 1024

# Places in the texture: left, bottom, right, top; origin at the lower left.
HEAD = (0.004, 0.27, 0.996, 0.996)
NECK = (0.004, 0.004, 0.36, 0.25)
CAVITY = (0.37, 0.004, 0.55, 0.25)
SOCKETS = ((0.56, 0.005, 0.64, 0.12), (0.56, 0.13, 0.64, 0.25))
EYE = (0.65, 0.004, 0.896, 0.25)
TONGUE = (0.905, 0.12, 0.996, 0.25)
TOOTH = (0.905, 0.055, 0.996, 0.112)
GUM = (0.905, 0.018, 0.996, 0.048)
LASH = (0.905, 0.003, 0.996, 0.012)

# MakeHuman's head island lies on its side: u runs from the crown to the chin, v from ear to ear.
FACE_MIDDLE = (0.9, 0.4835)
MAGNIFY = 0.08  # within about this distance of the middle the face is drawn largest


def islands(quad_uv: np.ndarray) -> np.ndarray:
    """Which connected patch of texture each quad belongs to; (Q,) the patch's smallest uv index."""
    sides = np.hstack([quad_uv[:, [i, (i + 1) % 4]].T for i in range(4)])
    size = quad_uv.max() + 1
    graph = coo_array((np.ones(sides.shape[1]), sides), shape=(size, size))
    patch = connected_components(graph, directed=False)[1]
    first = np.full(patch.max() + 1, size)
    np.minimum.at(first, patch[quad_uv[:, 0]], quad_uv[:, 0])
    return first[patch[quad_uv[:, 0]]]


def place_head(uv: np.ndarray) -> np.ndarray:
    """MakeHuman's head island upright, its face enlarged; rising each way, so nothing overlaps."""
    u, v = uv[..., 0], uv[..., 1]
    across = np.arcsinh((v - FACE_MIDDLE[1]) / MAGNIFY)
    down = np.arcsinh((u - FACE_MIDDLE[0]) / MAGNIFY)
    return within(np.stack([across, -down], -1), HEAD)


def within(uv: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """Stretch places to fill a box."""
    flat = uv.reshape(-1, 2)
    low, high = flat.min(0), flat.max(0)
    return np.array(box[:2]) + (uv - low) / (high - low) * (np.array(box[2:]) - box[:2])


def unit_within(uv: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """Places of a unit square in a box."""
    return np.array(box[:2]) + uv * (np.array(box[2:]) - box[:2])


def look_up(picture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """The brightest value of a picture (height, width) at any corner of each polygon (n, k, 2)."""
    height, width = picture.shape
    row = np.clip(((1 - uv[..., 1]) * height).astype(int), 0, height - 1)
    column = np.clip((uv[..., 0] * width).astype(int), 0, width - 1)
    return picture[row, column].max(-1)


@dataclass(frozen=True)
class Raster:
    """For each pixel the triangle it shows and where in it."""

    triangle: np.ndarray  # (size, size), rows from the top
    weights: np.ndarray  # (size, size, 3)

    def sample(self, corners: np.ndarray) -> np.ndarray:
        """Interpolate values (T, 3, ...) at the triangles' corners."""
        picked = corners[self.triangle]
        return np.einsum("hwc,hwc...->hw...", self.weights, picked)


def rasterise(uv: np.ndarray, size: int = SIZE) -> Raster:
    """Draw triangles (T, 3, 2); pixels beside a patch repeat its rim for the sake of filtering."""
    corners = np.stack([uv[..., 0] * size, (1 - uv[..., 1]) * size], -1) - 0.5
    triangle = np.full((size, size), -1)
    weights = np.zeros((size, size, 3))
    for t, points in enumerate(corners):
        low = np.maximum(np.ceil(points.min(0) - 0.01).astype(int), 0)
        high = np.minimum(np.floor(points.max(0) + 0.01).astype(int), size - 1)
        if (high < low).any():
            continue
        y, x = np.mgrid[low[1] : high[1] + 1, low[0] : high[0] + 1]
        (ax, ay), (bx, by), (cx, cy) = points
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < 1e-12:
            continue
        second = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
        third = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
        inside = (second >= -1e-6) & (third >= -1e-6) & (second + third <= 1 + 1e-6)
        triangle[y[inside], x[inside]] = t
        weights[y[inside], x[inside]] = np.stack([1 - second - third, second, third], -1)[inside]
    row, column = np.asarray(
        distance_transform_edt(triangle < 0, return_distances=False, return_indices=True)
    )
    return Raster(triangle[row, column], weights[row, column])
