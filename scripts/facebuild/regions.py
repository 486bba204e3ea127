"""Where things are on the head: landmarks, keypoints, and the lower and upper masks."""

import json
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree
from trimesh.triangles import closest_point, points_to_barycentric

from facebuild import atlas
from facebuild.atlas import look_up
from facebuild.canvas import vertex_normals
from facebuild.coarse import SKIN
from facebuild.rig import Rig, shown_in
from facebuild.wheel import Wheel
from kmspeaker.face.landmarks import (
    BAND,
    BROWS,
    CHIN,
    INNER_LOWER_LIP,
    INNER_UPPER_LIP,
    LID_PAIRS,
    MOUTH_CORNERS,
    R_LOWER,
    R_UPPER,
    RIGHT_EYE,
    SUBNASAL,
)
from kmspeaker.face.rig import ARKIT_NAMES, FACE_FOLDER, PART_NAMES

BETA = 1.0  # paper App. B.3
DENSE = 1660
# Least z of a normal that counts as facing outwards. The mouth's corners lie in a crease: their
# keypoints sit 3 mm outside.
FACING, FACING_AT_CORNERS = 0.15, 0.6

# mediapipe's landmarks on the subject's right; those on the left are their mirror images.
(LID_UPPER_OUTER, LID_LOWER_OUTER), _, (LID_UPPER_INNER, LID_LOWER_INNER) = LID_PAIRS[0]
RIGHT_SIDE = {
    "lid_outer": RIGHT_EYE[0],
    "lid_upper_outer": LID_UPPER_OUTER,
    "lid_upper_inner": LID_UPPER_INNER,
    "lid_inner": RIGHT_EYE[8],
    "lid_lower_inner": LID_LOWER_INNER,
    "lid_lower_outer": LID_LOWER_OUTER,
    "nose_wing": 75,
    "nostril": 97,
    "fold_1": 129,
    "fold_2": 203,
    "fold_3": 206,
    "fold_4": 216,
    "cheekbone_outer": 117,
    "cheekbone_inner": 100,
    "cheek_upper": 50,
    "cheek_middle": 205,
    "mouth_corner": MOUTH_CORNERS[0],
}
BROW = BROWS[:5]  # from the temple to the nose
MIDDLE = {
    "nose_bridge_1": 168,
    "nose_bridge_2": 197,
    "nose_bridge_3": 5,
    "nose_tip": 4,
    "nose_base": SUBNASAL,
    "upper_lip_outer": 0,
    "upper_lip_inner": INNER_UPPER_LIP,
    "lower_lip_inner": INNER_LOWER_LIP,
    "lower_lip_outer": 17,
    "chin": 199,
    "chin_lower": CHIN,
}
LOWER_NAMES = ("mouth_corner", "upper_lip", "lower_lip", "chin")


@dataclass(frozen=True)
class Landmarks:
    """mediapipe's 468 landmarks on the rig."""

    triangles: np.ndarray  # (468, 3)
    weights: np.ndarray  # (468, 3) barycentric
    ibug: np.ndarray  # (68,) which of them are iBUG's

    @property
    def nearest(self) -> np.ndarray:
        """(468,) the vertex closest to each."""
        return self.triangles[np.arange(len(self.triangles)), self.weights.argmax(1)]

    def on(self, head: np.ndarray) -> np.ndarray:
        """(468, 3) where they lie on a head."""
        return np.einsum("lc,lcx->lx", self.weights, head[self.triangles])

    def inner_lips(self, head: np.ndarray) -> np.ndarray:
        """(2, 3) upper and lower inner lip on the midline."""
        return self.on(head)[[INNER_UPPER_LIP, INNER_LOWER_LIP]]

    def gap(self, head: np.ndarray) -> float:
        """Height between those two."""
        upper, lower = self.inner_lips(head)
        return float(upper[1] - lower[1])


def find_landmarks(rig: Rig) -> Landmarks:
    """The measured landmarks on the shipped triangles.

    The landmarks were measured on MakeHuman's own triangles; each goes to the nearest point of the
    refined skin. Both are compared with the jaw open, so that upper and lower lip stay apart.
    """
    data = json.loads((FACE_FOLDER / "landmarks_on_base_mesh.json").read_text())
    coarse = rig.coarse
    place = {int(v): i for i, v in enumerate(coarse.base_index)}
    old = np.array([[place[v] for v in row] for row in data["tri"]])
    jaw = ARKIT_NAMES.index("jawOpen")
    measured = np.einsum(
        "lc,lcx->lx", np.array(data["bary"]), (coarse.average + 0.6 * coarse.deltas[jaw])[old]
    )
    skin = np.flatnonzero((rig.part == SKIN)[rig.triangles].all(1))
    surface = (rig.average + 0.6 * rig.deltas[jaw])[rig.triangles[skin]]  # (t, 3, 3)
    near = np.asarray(KDTree(surface.mean(1)).query(measured, 60)[1])  # by centroid, then exactly
    flat = np.repeat(measured, near.shape[1], axis=0)
    points = closest_point(surface[near.ravel()], flat).reshape(*near.shape, 3)
    best = np.linalg.norm(points - measured[:, None], axis=2).argmin(1)
    nearest = near[np.arange(len(near)), best]
    corners = rig.triangles[skin[nearest]]
    weights = points_to_barycentric(surface[nearest], points[np.arange(len(near)), best])
    return Landmarks(
        corners.astype(np.int32), weights.astype(np.float32), np.array(data["ibug68_from_mp"])
    )


def lower_mask(wheel: Wheel, rig: Rig) -> tuple[np.ndarray, np.ndarray]:
    """M_lower (V,) and the region of each vertex: 0 R_lower, 1 band, 2 R_upper (paper App. B.3)."""
    head, part = rig.average, rig.part
    jaw = np.linalg.norm(rig.shape("jawOpen"), axis=1)
    mouth = np.max([np.linalg.norm(rig.shape(n), axis=1) for n in MOUTH_SHAPES], axis=0)
    lips = _on_vertices(wheel, rig, "lips") > 0.5
    inside = _on_vertices(wheel, rig, "inside-mouth") > 0.5
    near_lips = KDTree(head[lips]).query(head)[0] < 8
    region = np.full(len(head), BAND, np.uint8)
    region[(head[:, 1] > -22) | (mouth < 0.5)] = R_UPPER
    below_cheeks = head[:, 1] < np.interp(np.abs(head[:, 0]), (20, 35, 60), (-60, -62, -48))
    region[inside | near_lips | ((jaw > 5) & below_cheeks)] = R_LOWER
    for name in ("teeth_upper", "teeth_lower", "tongue"):
        region[part == PART_NAMES.index(name)] = R_LOWER
    for name in ("eye_left", "eye_right", "lashes"):
        region[part == PART_NAMES.index(name)] = R_UPPER
    distance = KDTree(head[region == R_LOWER]).query(head)[0] / 10  # cm
    mask = np.where(region == R_UPPER, 0.0, 1 / (1 + BETA * distance))
    return mask, region


MOUTH_SHAPES = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "mouthFunnel", "mouthPucker")


def mouth_contacts(rig: Rig, landmarks: Landmarks) -> tuple[np.ndarray, np.ndarray]:
    """The edge of the upper front teeth and the middle of the lower lip that meets it."""
    head, part = rig.average, rig.part
    teeth = np.flatnonzero(part == PART_NAMES.index("teeth_upper"))
    front = teeth[(np.abs(head[teeth, 0]) < 10) & (head[teeth, 2] > head[teeth, 2].max() - 8)]
    edge = front[head[front, 1] < head[front, 1].min() + 1.5]
    lip = landmarks.inner_lips(head)[1]
    skin = part == PART_NAMES.index("skin")
    below = rig.shape("jawOpen")[:, 1] < -20
    rim = np.flatnonzero(skin & below & (np.linalg.norm(head - lip, axis=1) < 7))
    return edge.astype(np.int32), rim.astype(np.int32)


def keypoint_sets(
    rig: Rig, landmarks: Landmarks, region: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each set its vertices, which of them are upper, and their names."""
    outside = _outside_vertices(rig, landmarks)
    ours = {}
    for name, landmark in RIGHT_SIDE.items():
        ours[f"{name}_right"] = outside[landmark]
    for number, vertex in enumerate(_brow_vertices(rig, landmarks), 1):
        ours[f"brow_{number}_right"] = vertex
    for name in list(ours):
        ours[name.replace("_right", "_left")] = rig.mirror[ours[name]]
    for name, landmark in MIDDLE.items():
        inner = name.endswith("_inner")
        ours[name] = _to_midline(rig, (landmarks.nearest if inner else outside)[landmark])
    names = np.array(list(ours))
    upper = ~np.array([name.startswith(LOWER_NAMES) for name in ours])
    sets = {"ours": (np.array(list(ours.values()), np.int32), upper, names)}
    ibug = np.r_[outside[landmarks.ibug[:60]], landmarks.nearest[landmarks.ibug[60:]]]
    ibug_upper = np.zeros(68, bool)
    ibug_upper[17:48] = True  # brows, nose, eyes; the jaw line and the mouth are lower
    ibug_names = np.array([f"ibug_{i + 1}" for i in range(68)])
    sets["ibug68"] = (ibug.astype(np.int32), ibug_upper, ibug_names)
    dense = _spread(rig, DENSE)
    dense_names = np.array([f"dense_{i}" for i in range(len(dense))])
    sets["dense"] = (dense.astype(np.int32), region[dense] != R_LOWER, dense_names)
    return sets


def _outside_vertices(rig: Rig, landmarks: Landmarks) -> np.ndarray:
    """(468,) for each landmark the nearest vertex that faces outwards, never inside a fold."""
    normals = vertex_normals(rig.average, rig.triangles)
    places, vertices = landmarks.on(rig.average), np.zeros(len(landmarks.weights), int)
    corners = np.isin(np.arange(len(vertices)), MOUTH_CORNERS)
    places[corners] += np.sign(places[corners, :1]) * [2.5, 0, 0] + [0, 0, 1.5]
    for which, facing in ((~corners, FACING), (corners, FACING_AT_CORNERS)):
        own = np.flatnonzero((rig.part == SKIN) & (normals[:, 2] > facing))
        vertices[which] = own[KDTree(rig.average[own]).query(places[which])[1]]
    return vertices


def _brow_vertices(rig: Rig, landmarks: Landmarks) -> np.ndarray:
    """(5,) vertices evenly along the right brow; mediapipe's own landmarks crowd at its ends."""
    line = landmarks.on(rig.average)[list(BROW)]
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
    even = np.linspace(0, length[-1], len(BROW))
    points = np.stack([np.interp(even, length, line[:, k]) for k in range(3)], 1)
    own = np.flatnonzero(rig.part == SKIN)
    return own[KDTree(rig.average[own]).query(points)[1]]


def _to_midline(rig: Rig, vertex: int) -> int:
    """The vertex of the midline nearest to one that should lie on it."""
    middle = np.flatnonzero(
        (rig.mirror == np.arange(len(rig.mirror))) & (rig.part == rig.part[vertex])
    )
    motion = np.abs(rig.deltas[:, middle] - rig.deltas[:, [vertex]]).sum((0, 2))
    apart = np.linalg.norm(rig.average[middle] - rig.average[vertex], axis=1)
    return int(middle[np.argmin(apart + 0.02 * motion)])


def _spread(rig: Rig, count: int) -> np.ndarray:
    """Farthest-point sampling of the front of the face, from the tip of the nose outwards."""
    head = rig.average
    facing = vertex_normals(head, rig.triangles)[:, 2] > 0
    _, y, z = head.T
    front = (rig.part == SKIN) & ~rig.ears & facing & (z > -45) & (y > -115) & (y < 70)
    front = np.flatnonzero(front & np.isin(np.arange(len(head)), shown_in(rig, atlas.HEAD)))
    chosen = [int(head[front, 2].argmax())]
    distance = np.full(len(front), np.inf)
    while len(chosen) < min(count, len(front)):
        distance = np.minimum(
            distance, np.linalg.norm(head[front] - head[front[chosen[-1]]], axis=1)
        )
        chosen.append(int(distance.argmax()))
    return np.sort(front[chosen])


def _on_vertices(wheel: Wheel, rig: Rig, name: str) -> np.ndarray:
    """(V,) the brightest value of one of MPFB's region pictures around each vertex."""
    own = rig.base_uv[:, 0, 0] >= 0
    values = np.zeros(len(rig.average))
    marked = look_up(wheel.mask(name), rig.base_uv[own])
    np.maximum.at(values, rig.triangles[own], marked[:, None])
    return values
