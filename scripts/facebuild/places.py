"""Where things are on the head: landmarks, keypoints, contacts, and the lower and upper masks."""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import KDTree

from facebuild import ict
from facebuild.head import Head
from facebuild.ict import BadSourceError
from facebuild.topology import SKIN
from kmspeaker.export.normals import vertex_normals
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
from kmspeaker.face.rig import PART_NAMES

BETA = 1.0  # paper App. B.3
DENSE = 1660
# Least z of a normal that counts as facing outwards. The mouth's corners lie in a crease: their
# keypoints sit 3 mm outside.
FACING, FACING_AT_CORNERS = 0.15, 0.6
MOUTH_SHAPES = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "mouthFunnel", "mouthPucker")

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
OUTER_LIPS, EYES_AND_BROWS = slice(48, 60), slice(17, 48)  # of iBUG's points


@dataclass(frozen=True)
class Landmarks:
    """mediapipe's 468 landmarks on the rig."""

    triangles: np.ndarray  # (468, 3)
    weights: np.ndarray  # (468, 3) barycentric

    @classmethod
    def read(cls, path: Path, head: Head) -> "Landmarks":
        """What ``build_landmarks.py`` measured.

        Raises:
            BadSourceError: there is no such file.
        """
        if not path.is_file():
            raise BadSourceError(f"Got no {path}; run build_landmarks.py.")
        data = json.loads(path.read_text())
        corners = head.topology.index(np.array(data["triangles"]))
        weights = np.array(data["weights"], np.float32)
        return cls(corners.astype(np.int32), weights / weights.sum(1, keepdims=True))

    @property
    def nearest(self) -> np.ndarray:
        """(468,) the vertex closest to each."""
        return self.triangles[np.arange(len(self.triangles)), self.weights.argmax(1)]

    def on(self, head: np.ndarray) -> np.ndarray:
        """(468, 3) where they lie on a head."""
        return np.einsum("lc,lcx->lx", self.weights, head[self.triangles])


def lower_mask(head: Head) -> tuple[np.ndarray, np.ndarray]:
    """M_lower (V,) and the region of each vertex: 0 R_lower, 1 band, 2 R_upper (paper App. B.3)."""
    rest, part, topology = head.average, head.part, head.topology
    jaw = np.linalg.norm(head.shape("jawOpen"), axis=1)
    mouth = np.max([np.linalg.norm(head.shape(n), axis=1) for n in MOUTH_SHAPES], axis=0)
    lips = topology.index(tuple(np.array(ict.IBUG)[48:]))
    near_lips = _from_lips(head, lips) < 8
    region = np.full(len(rest), BAND, np.uint8)
    region[(rest[:, 1] > -22) | (mouth < 0.5)] = R_UPPER
    below_cheeks = rest[:, 1] < np.interp(np.abs(rest[:, 0]), (20, 35, 60), (-62, -64, -50))
    inside = topology.between(ict.MOUTH_SOCKET)
    region[inside | near_lips | ((jaw > 5) & below_cheeks)] = R_LOWER
    for name in ("gums", "teeth_upper", "teeth_lower", "tongue"):
        region[part == PART_NAMES.index(name)] = R_LOWER
    for name in ("eye_left", "eye_right", "tears", "lashes"):
        region[part == PART_NAMES.index(name)] = R_UPPER
    distance = KDTree(rest[region == R_LOWER]).query(rest)[0] / 10  # cm
    mask = np.where(region == R_UPPER, 0.0, 1 / (1 + BETA * distance))
    return mask, region


def _from_lips(head: Head, lips: np.ndarray) -> np.ndarray:
    """(V,) distance from the red of the lips, whose outline iBUG's points are, mm."""
    ring = head.average[lips]
    outline = np.concatenate([ring[:12], ring[:1]])
    steps = np.linspace(0, 1, 12)[:, None]
    edge = np.concatenate([a + steps * (b - a) for a, b in itertools.pairwise(outline)])
    return KDTree(np.concatenate([edge, ring])).query(head.average)[0]


def mouth_contacts(head: Head, landmarks: Landmarks) -> tuple[np.ndarray, np.ndarray]:
    """The edge of the upper front teeth and the middle of the lower lip that meets it."""
    rest = head.average
    teeth = np.flatnonzero(head.part == PART_NAMES.index("teeth_upper"))
    front = teeth[(np.abs(rest[teeth, 0]) < 10) & (rest[teeth, 2] > rest[teeth, 2].max() - 8)]
    edge = front[rest[front, 1] < rest[front, 1].min() + 1.5]
    lip = landmarks.on(rest)[INNER_LOWER_LIP]
    below = head.shape("jawOpen")[:, 1] < -15
    skin = (head.part == SKIN) & below
    rim = np.flatnonzero(skin & (np.linalg.norm(rest - lip, axis=1) < 7))
    return edge.astype(np.int32), rim.astype(np.int32)


def keypoint_sets(
    head: Head, landmarks: Landmarks, region: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each set its vertices, which of them are upper, and their names."""
    outside = _outside_vertices(head, landmarks)
    ours = {}
    for name, landmark in RIGHT_SIDE.items():
        ours[f"{name}_right"] = outside[landmark]
    for number, vertex in enumerate(_brow_vertices(head, landmarks), 1):
        ours[f"brow_{number}_right"] = vertex
    for name in list(ours):
        ours[name.replace("_right", "_left")] = head.mirror[ours[name]]
    for name, landmark in MIDDLE.items():
        inner = name.endswith("_inner")
        ours[name] = _to_midline(head, int((landmarks.nearest if inner else outside)[landmark]))
    names = np.array(list(ours))
    upper = ~np.array([name.startswith(LOWER_NAMES) for name in ours])
    sets = {"ours": (np.array(list(ours.values()), np.int32), upper, names)}
    ibug_upper = np.zeros(68, bool)
    ibug_upper[EYES_AND_BROWS] = True  # brows, nose, eyes; the jaw line and the mouth are lower
    ibug_names = np.array([f"ibug_{i + 1}" for i in range(68)])
    sets["ibug68"] = (head.topology.index(ict.IBUG).astype(np.int32), ibug_upper, ibug_names)
    dense = _spread(head, DENSE)
    dense_names = np.array([f"dense_{i}" for i in range(len(dense))])
    sets["dense"] = (dense.astype(np.int32), region[dense] != R_LOWER, dense_names)
    return sets


def _outside_vertices(head: Head, landmarks: Landmarks) -> np.ndarray:
    """(468,) for each landmark the nearest vertex that faces outwards, never inside a fold."""
    normals = vertex_normals(head.average.astype(np.float32), head.triangles)
    places, vertices = landmarks.on(head.average), np.zeros(len(landmarks.weights), int)
    corners = np.isin(np.arange(len(vertices)), MOUTH_CORNERS)
    places[corners] += np.sign(places[corners, :1]) * [2.5, 0, 0] + [0, 0, 1.5]
    face = head.topology.between(ict.FACE)
    for which, facing in ((~corners, FACING), (corners, FACING_AT_CORNERS)):
        own = np.flatnonzero(face & (normals[:, 2] > facing))
        vertices[which] = own[KDTree(head.average[own]).query(places[which])[1]]
    return vertices


def _brow_vertices(head: Head, landmarks: Landmarks) -> np.ndarray:
    """(5,) vertices evenly along the right brow; mediapipe's own landmarks crowd at its ends."""
    line = landmarks.on(head.average)[list(BROW)]
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
    even = np.linspace(0, length[-1], len(BROW))
    points = np.stack([np.interp(even, length, line[:, k]) for k in range(3)], 1)
    own = np.flatnonzero(head.topology.between(ict.FACE))
    return own[KDTree(head.average[own]).query(points)[1]]


def _to_midline(head: Head, vertex: int) -> int:
    """The vertex of the midline nearest to one that should lie on it."""
    middle = np.flatnonzero(
        (head.mirror == np.arange(len(head.mirror))) & (head.part == head.part[vertex])
    )
    motion = np.abs(head.deltas[:, middle] - head.deltas[:, [vertex]]).sum((0, 2))
    apart = np.linalg.norm(head.average[middle] - head.average[vertex], axis=1)
    return int(middle[np.argmin(apart + 0.02 * motion)])


def _spread(head: Head, count: int) -> np.ndarray:
    """Farthest-point sampling of the front of the face, from the tip of the nose outwards."""
    rest = head.average
    facing = vertex_normals(rest.astype(np.float32), head.triangles)[:, 2] > 0
    _, y, z = rest.T
    front = head.topology.between(ict.FACE) & facing & (z > -45) & (y > -115) & (y < 70)
    chosen_from = np.flatnonzero(front)
    chosen = [int(rest[chosen_from, 2].argmax())]
    distance = np.full(len(chosen_from), np.inf)
    while len(chosen) < min(count, len(chosen_from)):
        away = np.linalg.norm(rest[chosen_from] - rest[chosen_from[chosen[-1]]], axis=1)
        distance = np.minimum(distance, away)
        chosen.append(int(distance.argmax()))
    return np.sort(chosen_from[chosen])
