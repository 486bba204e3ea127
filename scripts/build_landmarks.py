"""Measure where mediapipe's 468 landmarks lie on the head: ``build_landmarks.py``.

Eight people are drawn from 21 sides, at rest and with the jaw open, and FaceLandmarker reads each
picture. What it finds is taken to the skin beneath, which for all people is the same triangle of
the one mesh; the robust mean over people and sides is the landmark, measured with the jaw open on
the lips, so that upper and lower are not mixed up. Writes ``assets/face/landmarks.json``, which
``build_face.py`` reads (run that first, then this, then that again), and prints the error of
reprojection, also on sides and expressions that were not used: with ``--check`` only that.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from emotions import posed
from scipy.spatial import KDTree
from trimesh.triangles import closest_point, points_to_barycentric

from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.head_pose import turn_head
from kmspeaker.face.landmarks import CONTOUR, COUNT, LIPS, OUTER_EYES
from kmspeaker.face.rig import FACE_FOLDER, PART_NAMES, FaceModel
from kmspeaker.reference.landmarker import detect_faces

PEOPLE = ("clara", "mei", "amara", "ingrid", "noah", "kenji", "malik", "victor")
CHECKED = ("sofia", "hana", "karim", "samuel")
"""People who are only checked on."""
SIDES = [
    *((yaw, pitch) for yaw in (-40, -20, 0, 20, 40) for pitch in (-14, 0, 14)),
    *((-30, 0), (-10, 6), (10, -6), (30, 0), (-10, -6), (10, 6)),
]
"""Degrees."""
OTHER_SIDES = [(-25, 8), (-14, -9), (0, 7), (14, -9), (25, 8)]
SIZE = 720
PICTURE_MM = 320.0  # what a picture shows of the head's plane from top to bottom
JAW_OPEN = 0.6
FACING_POWER = 4
"""Skin that is seen at a slant says less: its cosine counts by this power."""
ROUNDS = 6
FAR_OFF = 6.0  # pixels; pictures further off than that count less
SPREAD = 3.5
"""mm; findings further from the middle of all hardly count."""
EXPRESSIONS = {
    "smile": {"mouthSmile": 0.9, "cheekSquint": 0.6},
    "surprise": {"browInnerUp": 0.9, "browOuterUp": 0.9, "eyeWide": 0.8, "jawOpen": 0.5},
    "anger": {"browDown": 1.0, "noseSneer": 0.5, "mouthPress": 0.5},
    "sadness": {"browInnerUp": 0.9, "mouthFrown": 0.8},
    "disgust": {"noseSneer": 0.9, "mouthUpperUp": 0.6},
    "jaw": {"jawOpen": 0.8},
    "round": {"mouthPucker": 0.9},
    "shut": {"eyeBlink": 1.0},
}


@dataclass(frozen=True)
class View:
    """One picture of a head and what was found in it."""

    pose: str
    head: np.ndarray  # (V, 3) as it was turned, mm
    drawn: np.ndarray  # (V, 3) in the picture: pixels, and depth in mm
    points: np.ndarray  # (468, 2) the landmarks that were found, pixels


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure mediapipe's landmarks on the head.")
    parser.add_argument("--face", type=Path, default=FACE_FOLDER)
    parser.add_argument("--check", action="store_true", help="only print the errors")
    options = parser.parse_args()
    face = FaceModel.load(options.face)
    if not options.check:
        triangles, weights = measure(face)
        write(face, triangles, weights, options.face / "landmarks.json")
    else:
        triangles, weights = face.landmark_triangles, face.landmark_weights
    print_errors(face, triangles, weights)


def measure(face: FaceModel) -> tuple[np.ndarray, np.ndarray]:
    """(468, 3) triangles of vertices and barycentric weights in them."""
    average = np.mean([face.neutral(name) for name in face.identities], axis=0)
    lips = np.isin(np.arange(COUNT), LIPS)
    corners = np.zeros((COUNT, 3), np.int32)
    weights = np.zeros((COUNT, 3))
    for jaw, chosen in ((0.0, ~lips), (JAW_OPEN, lips)):
        pose = posed({"jawOpen": jaw})
        seen = [view for name in PEOPLE for view in views(face, name, {"": pose}, SIDES)]
        surface = average + (pose @ face.deltas.reshape(52, -1)).reshape(-1, 3)
        found = [hits(face, view) for view in seen]
        for landmark in np.flatnonzero(chosen).tolist():
            own = [hit for each in found if (hit := each[landmark]) is not None]
            at = on_skin(face, surface, middle_of(own, surface))
            for _ in range(ROUNDS):
                at = on_skin(face, surface, nearer(at, landmark, seen, surface))
            corners[landmark], weights[landmark] = at
    return corners, weights


def middle_of(found: list[tuple[np.ndarray, np.ndarray, float]], surface: np.ndarray) -> np.ndarray:
    """(3,) the robust mean of what lies under a landmark in all pictures."""
    places = np.array([bary @ surface[corner] for corner, bary, _ in found])
    trust = np.array([facing for *_, facing in found]) ** FACING_POWER
    middle = np.median(places, axis=0)
    for _ in range(5):
        away = np.linalg.norm(places - middle, axis=1)
        share = trust * np.exp(-0.5 * (away / SPREAD) ** 2) + 1e-9
        middle = share @ places / share.sum()
    return middle


def nearer(
    at: tuple[np.ndarray, np.ndarray], landmark: int, seen: list[View], surface: np.ndarray
) -> np.ndarray:
    """(3,) a step in the plane of the triangle towards the least error of reprojection."""
    corner, bary = at
    edges = np.array([view.drawn[corner[1:], :2] - view.drawn[corner[0], :2] for view in seen])
    off = np.array([view.points[landmark] - bary @ view.drawn[corner, :2] for view in seen])
    trust = 1 / (1 + (np.linalg.norm(off, axis=1) / FAR_OFF) ** 2)
    normal = np.einsum("v,vix,vjx->ij", trust, edges, edges)
    step = np.linalg.solve(normal, np.einsum("v,vix,vx->i", trust, edges, off))
    return bary @ surface[corner] + step @ (surface[corner[1:]] - surface[corner[0]])


def views(
    face: FaceModel,
    identity: str,
    poses: dict[str, np.ndarray],
    sides: list[tuple[int, int]],
) -> list[View]:
    """Draw a person and look for the landmarks; pictures without a found face are left out."""
    shots = [(name, np.radians([yaw, pitch, 0])) for yaw, pitch in sides for name in poses]
    found = []
    with HeadRenderer(face, identity, SIZE, SIZE, yaw=0.0) as renderer:
        pictures = ((k / 10, renderer.frame(poses[n], a)) for k, (n, a) in enumerate(shots))
        for (name, angles), (_, _, faces) in zip(shots, detect_faces(pictures), strict=True):
            if not faces:
                print(f"{identity} {name} {np.degrees(angles).round()}: no face found")
                continue
            head = turn_head(face.vertices(poses[name][None], identity)[0], angles)
            drawn = renderer.project(head)
            found.append(View(name, head, drawn, faces[0].landmarks[:COUNT, :2]))
    return found


def hits(face: FaceModel, view: View) -> list[tuple[np.ndarray, np.ndarray, float] | None]:
    """Under each landmark the skin's triangle, weights in it and cosine; None where is none."""
    skin = face.faces[face.part[face.faces[:, 0]] == PART_NAMES.index("skin")]
    a, b, c = (view.drawn[skin[:, k], :2] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    front = area < -1e-6  # the picture's y points down
    skin, a, b, c, area = skin[front], a[front], b[front], c[front], area[front]
    u, v, w = (view.head[skin[:, k]] for k in range(3))
    across = np.cross(v - u, w - u)
    facing = across[:, 2] / np.linalg.norm(across, axis=1)
    depth = view.drawn[skin, 2]
    near = np.asarray(KDTree((a + b + c) / 3).query(view.points, 40)[1])
    found: list[tuple[np.ndarray, np.ndarray, float] | None] = []
    for point, k in zip(view.points, near, strict=True):
        p = point - a[k]
        v = (p[:, 0] * (c - a)[k, 1] - p[:, 1] * (c - a)[k, 0]) / area[k]
        w = ((b - a)[k, 0] * p[:, 1] - (b - a)[k, 1] * p[:, 0]) / area[k]
        inside = np.flatnonzero((v >= 0) & (w >= 0) & (v + w <= 1))
        if not len(inside):
            found.append(None)
            continue
        bary = np.stack([1 - v - w, v, w], 1)[inside]
        first = int((bary * depth[k[inside]]).sum(1).argmin())
        own = k[inside[first]]
        found.append((skin[own], bary[first], max(float(facing[own]), 0.02)))
    return found


def on_skin(
    face: FaceModel, surface: np.ndarray, place: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The closest point of the skin: its triangle's vertices and weights."""
    skin = face.faces[face.part[face.faces[:, 0]] == PART_NAMES.index("skin")]
    near = np.asarray(KDTree(surface[skin].mean(1)).query(place, 60)[1])
    points = closest_point(surface[skin[near]], np.repeat(place[None], len(near), 0))
    best = int(np.linalg.norm(points - place, axis=1).argmin())
    bary = points_to_barycentric(surface[skin[near[best]]][None], points[best][None])[0]
    return skin[near[best]], np.clip(bary, 0, 1)


def write(face: FaceModel, corners: np.ndarray, weights: np.ndarray, path: Path) -> None:
    """By ICT-FaceKit's numbers of vertices, which stay whatever of the mesh is kept."""
    with np.load(face.folder / "rig.npz", allow_pickle=False) as rig:
        source = rig["source_vertices"]
    data = {"triangles": source[corners].tolist(), "weights": np.round(weights, 5).tolist()}
    path.write_text(json.dumps(data) + "\n")


def print_errors(face: FaceModel, corners: np.ndarray, weights: np.ndarray) -> None:
    """Mean distance of found from drawn landmarks, % of the eyes' outer corners' distance."""
    inner = ~np.isin(np.arange(COUNT), CONTOUR)
    lips = np.isin(np.arange(COUNT), LIPS)
    poses = {"neutral": posed({}), **{name: posed(each) for name, each in EXPRESSIONS.items()}}
    print(f"{'':10} {'':9} all  inside  lips  (mean, % of the distance between the eyes' corners)")
    for people, sides, title in (
        (PEOPLE, SIDES, "measured"),
        (PEOPLE, OTHER_SIDES, "other sides"),
        (CHECKED, OTHER_SIDES, "others"),
    ):
        errors: dict[str, list] = {name: [] for name in poses}
        chosen = {"neutral": poses["neutral"]} if sides is SIDES else poses
        for identity in people:
            for view in views(face, identity, chosen, sides):
                drawn = np.einsum("lc,lcx->lx", weights, view.drawn[corners])[:, :2]
                marks = np.einsum("lc,lcx->lx", weights, view.head[corners])
                right, left = marks[list(OUTER_EYES)]
                span = np.linalg.norm(right - left) * SIZE / PICTURE_MM
                errors[view.pose].append(100 * np.linalg.norm(view.points - drawn, axis=1) / span)
        for name in chosen:
            mean = np.mean(errors[name], axis=0)
            print(
                f"{title:11} {name:9} {mean.mean():.2f}  {mean[inner].mean():.2f}  "
                f"{mean[lips].mean():.2f}"
            )


if __name__ == "__main__":
    main()
