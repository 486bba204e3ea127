"""Where things are on the head: landmarks, keypoints, and the lower and upper masks."""

import json
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from trimesh.triangles import closest_point, points_to_barycentric

from facebuild.atlas import look_up
from facebuild.coarse import SKIN
from facebuild.rig import Rig
from facebuild.wheel import Wheel
from kmspeaker.face import ARKIT_NAMES, FACE_FOLDER, INNER_LOWER_LIP, INNER_UPPER_LIP, PART_NAMES

BETA = 1.0  # paper App. B.3
LOWER, BAND, UPPER = 0, 1, 2
DENSE = 1660

# mediapipe landmarks on the subject's right, each named once; the left ones are their mirror images.
RIGHT_SIDE = {
    "brow_1": 70,
    "brow_2": 63,
    "brow_3": 105,
    "brow_4": 66,
    "brow_5": 107,
    "lid_outer": 33,
    "lid_upper_outer": 160,
    "lid_upper_inner": 158,
    "lid_inner": 133,
    "lid_lower_inner": 153,
    "lid_lower_outer": 144,
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
    "mouth_corner": 61,
}
MIDDLE = {
    "nose_bridge_1": 168,
    "nose_bridge_2": 197,
    "nose_bridge_3": 5,
    "nose_tip": 4,
    "nose_base": 2,
    "upper_lip_outer": 0,
    "upper_lip_inner": 13,
    "lower_lip_inner": 14,
    "lower_lip_outer": 17,
    "chin": 199,
    "chin_lower": 152,
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
    near = cKDTree(surface.mean(1)).query(measured, 60)[1]  # by centroid, then exactly
    flat = np.repeat(measured, near.shape[1], axis=0)
    points = closest_point(surface[near.ravel()], flat).reshape(*near.shape, 3)
    best = np.linalg.norm(points - measured[:, None], axis=2).argmin(1)
    found = near[np.arange(len(near)), best]
    corners = rig.triangles[skin[found]]
    weights = points_to_barycentric(surface[found], points[np.arange(len(near)), best])
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
    near_lips = cKDTree(head[lips]).query(head)[0] < 8
    region = np.full(len(head), BAND, np.uint8)
    region[(head[:, 1] > -22) | (mouth < 0.5)] = UPPER
    below_cheeks = head[:, 1] < np.interp(np.abs(head[:, 0]), (20, 35, 60), (-60, -62, -48))
    region[inside | near_lips | ((jaw > 5) & below_cheeks)] = LOWER
    for name in ("teeth_upper", "teeth_lower", "tongue"):
        region[part == PART_NAMES.index(name)] = LOWER
    for name in ("eye_left", "eye_right", "lashes"):
        region[part == PART_NAMES.index(name)] = UPPER
    distance = cKDTree(head[region == LOWER]).query(head)[0] / 10  # cm
    mask = np.where(region == UPPER, 0.0, 1 / (1 + BETA * distance))
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
    corner = landmarks.nearest
    ours = {}
    for name, landmark in RIGHT_SIDE.items():
        ours[f"{name}_right"] = corner[landmark]
        ours[f"{name}_left"] = rig.mirror[corner[landmark]]
    for name, landmark in MIDDLE.items():
        ours[name] = _to_midline(rig, corner[landmark])
    names = np.array(list(ours))
    upper = ~np.array([name.startswith(LOWER_NAMES) for name in ours])
    sets = {"ours": (np.array(list(ours.values()), np.int32), upper, names)}
    ibug_upper = np.zeros(68, bool)
    ibug_upper[17:48] = True  # brows, nose, eyes; the jaw line and the mouth are lower
    ibug_names = np.array([f"ibug_{i + 1}" for i in range(68)])
    sets["ibug68"] = (corner[landmarks.ibug].astype(np.int32), ibug_upper, ibug_names)
    dense = _spread(rig, DENSE)
    dense_names = np.array([f"dense_{i}" for i in range(len(dense))])
    sets["dense"] = (dense.astype(np.int32), region[dense] != LOWER, dense_names)
    return sets


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
    skin = rig.part == PART_NAMES.index("skin")
    front = np.flatnonzero(skin & (head[:, 2] > -35) & (head[:, 1] > -125))
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
