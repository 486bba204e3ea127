"""Where things are on the head: landmarks, keypoints, and the lower and upper masks."""

import json

import numpy as np
from facebuild.rig import Rig
from facebuild.wheel import Wheel
from scipy.spatial import cKDTree

from kmspeaker.face import FACE_FOLDER, INNER_LOWER_LIP, PART_NAMES

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


def landmark_places(rig: Rig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangles (468, 3), barycentric weights (468, 3) and iBUG's 68 of the 468."""
    data = json.loads((FACE_FOLDER / "landmarks_on_base_mesh.json").read_text())
    place = {int(v): i for i, v in enumerate(rig.base_index)}
    triangles = np.array([[place[v] for v in row] for row in data["tri"]], np.int32)
    return triangles, np.array(data["bary"], np.float32), np.array(data["ibug68_from_mp"])


def lower_mask(wheel: Wheel, rig: Rig) -> tuple[np.ndarray, np.ndarray]:
    """M_lower (V,) and the region of each vertex: 0 R_lower, 1 band, 2 R_upper (paper App. B.3)."""
    head, part = rig.average, rig.part
    jaw = np.linalg.norm(rig.shape("jawOpen"), axis=1)
    mouth = np.max([np.linalg.norm(rig.shape(n), axis=1) for n in MOUTH_SHAPES], axis=0)
    lips = _on_vertices(wheel, rig, wheel.mask("lips")) > 0.5
    inside = _on_vertices(wheel, rig, wheel.mask("inside-mouth")) > 0.5
    near_lips = cKDTree(head[lips]).query(head)[0] < 8
    region = np.full(len(head), BAND, np.uint8)
    skin = part == PART_NAMES.index("skin")
    nose_base = head[skin & (np.abs(head[:, 0]) < 3), :][:, 2].argmax()
    del nose_base
    region[(head[:, 1] > -22) | (mouth < 0.5)] = UPPER
    region[inside | near_lips | (jaw > 5)] = LOWER
    for name in ("teeth_upper", "teeth_lower", "tongue"):
        region[part == PART_NAMES.index(name)] = LOWER
    for name in ("eye_left", "eye_right", "lashes"):
        region[part == PART_NAMES.index(name)] = UPPER
    distance = cKDTree(head[region == LOWER]).query(head)[0] / 10  # cm
    mask = np.where(region == UPPER, 0.0, 1 / (1 + BETA * distance))
    return mask, region


MOUTH_SHAPES = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "mouthFunnel", "mouthPucker")


def mouth_contacts(
    rig: Rig, triangles: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The edge of the upper front teeth and the middle of the lower lip that meets it."""
    head, part = rig.average, rig.part
    teeth = np.flatnonzero(part == PART_NAMES.index("teeth_upper"))
    front = teeth[(np.abs(head[teeth, 0]) < 10) & (head[teeth, 2] > head[teeth, 2].max() - 8)]
    edge = front[head[front, 1] < head[front, 1].min() + 1.5]
    lip = (head[triangles[INNER_LOWER_LIP]] * weights[INNER_LOWER_LIP, :, None]).sum(0)
    skin = part == PART_NAMES.index("skin")
    below = rig.shape("jawOpen")[:, 1] < -20
    rim = np.flatnonzero(skin & below & (np.linalg.norm(head - lip, axis=1) < 7))
    return edge.astype(np.int32), rim.astype(np.int32)


def keypoint_sets(
    rig: Rig,
    triangles: np.ndarray,
    weights: np.ndarray,
    ibug: np.ndarray,
    region: np.ndarray,
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each set its vertices, which of them are upper, and their names."""
    corner = triangles[np.arange(len(triangles)), weights.argmax(1)]  # nearest vertex
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
    sets["ibug68"] = (corner[ibug].astype(np.int32), ibug_upper, ibug_names)
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


def _on_vertices(wheel: Wheel, rig: Rig, picture: np.ndarray) -> np.ndarray:
    """The brightest value of a region picture at any of a vertex's texture places."""
    height, width = picture.shape
    uv = wheel.mesh.uv[rig.quad_uv]
    rows = np.clip(((1 - uv[..., 1]) * height).astype(int), 0, height - 1)
    columns = np.clip((uv[..., 0] * width).astype(int), 0, width - 1)
    values = np.zeros(len(rig.base_index))
    np.maximum.at(values, rig.quads, picture[rows, columns])
    return values
