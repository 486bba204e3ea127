"""Laws of looking for small faces: they are found, held, and lie where they would in the whole."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from kmspeaker.face.rig import FaceModel
from kmspeaker.media.video_reader import read_frames
from kmspeaker.reference.face_graph import Detection, FaceGraph, Region
from kmspeaker.reference.face_search import LARGEST_WAIT, FaceSearch
from kmspeaker.reference.landmarker import detect_faces
from kmspeaker.reference.pose_solver import solve_pose
from kmspeaker.reference.retarget import retarget
from kmspeaker.reference.tracking import FaceTrack
from scripts.rooms import room

WIDE, HIGH = 1280, 720


@pytest.fixture(scope="module")
def people(example_video) -> list[np.ndarray]:
    """The example's first frames, with the head in 59 % of their width."""
    frames = read_frames(example_video)
    return [frame for (_, frame), _ in zip(frames, range(8), strict=False)]


def in_room(person: np.ndarray, kind: str, side: int, left: int, top: int) -> np.ndarray:
    picture = room(kind, WIDE, HIGH).copy()
    small = Image.fromarray(person).resize((side, side), Image.Resampling.LANCZOS)
    picture[top : top + side, left : left + side] = np.asarray(small)
    return picture


@pytest.fixture(scope="module")
def graph() -> Iterator[FaceGraph]:
    graph = FaceGraph(follow=False)
    yield graph
    graph.close()


@pytest.mark.parametrize("kind", ["bright", "dark"])
def test_a_face_of_a_fourteenth_of_the_width_is_found_and_held(
    kind: str, people: list[np.ndarray], graph: FaceGraph
) -> None:
    side = round(WIDE / 14 / 0.59)
    film = [in_room(person, kind, side, 500 + 9 * k, 200) for k, person in enumerate(people)]
    assert not graph.look(film[0]), "the whole picture alone does not show it"
    found = [faces for _, _, faces in detect_faces((k / 25, f) for k, f in enumerate(film))]
    for k, faces in enumerate(found):
        assert len(faces) == 1
        assert abs(faces[0].centre[0] - (500 + 9 * k + side / 2)) < 0.1 * side
        assert abs(faces[0].centre[1] - (200 + 0.55 * side)) < 0.15 * side


def test_a_part_of_the_picture_says_what_the_whole_says(
    people: list[np.ndarray], graph: FaceGraph, face: FaceModel
) -> None:
    """Landmarks, scores, the head's pose and the weights on our head, near the picture's corner."""
    film = [in_room(person, "bright", 400, 60, 300) for person in people]
    wholes = [graph.look(picture)[0] for picture in film]
    parts = [graph.look(picture, region=Region(20, 240, 460, 480))[0] for picture in film]
    for whole, part in zip(wholes, parts, strict=True):
        off = np.abs(whole.landmarks - part.landmarks)
        assert np.median(off) < 0.004 * whole.size
        assert np.abs(whole.scores - part.scores).mean() < 0.02
        turn = whole.pose[:3, :3] @ np.linalg.inv(part.pose[:3, :3])
        angle = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
        assert angle < 1.5
        moved = np.linalg.norm(whole.pose[:3, 3] - part.pose[:3, 3])
        assert moved < 0.02 * np.linalg.norm(whole.pose[:3, 3])
    weights = [retarget(_track(faces), face).weights for faces in (wholes, parts)]
    assert np.abs(weights[0] - weights[1]).mean() < 0.03
    # As much as the whole picture differs from itself moved by three pixels: 0.4 to 0.5 mm.
    one, other = (face.landmarks(each, "clara") for each in weights)
    assert np.linalg.norm(one - other, axis=2).mean() < 0.7


def _track(faces: list[Detection]) -> FaceTrack:
    return FaceTrack(
        landmarks=np.stack([face.landmarks for face in faces]),
        scores=np.stack([face.scores for face in faces]),
        pose=np.stack([face.pose for face in faces]),
        confidence=np.ones(len(faces), np.float32),
        times=np.arange(len(faces)) / 30,
        width=WIDE,
        height=HIGH,
    )


def test_the_pose_is_mediapipes_own(people: list[np.ndarray], graph: FaceGraph) -> None:
    for picture in (people[0], in_room(people[5], "dark", 500, 700, 100)):
        (found,) = graph.look(picture)
        height, width = picture.shape[:2]
        pose = solve_pose(found.landmarks, width, height)
        np.testing.assert_allclose(pose, found.pose, atol=1e-3)


class _Blind(FaceGraph):
    """Counts looks, and shows a face only in the regions that hold all of it."""

    def __init__(self, face: Detection | None = None) -> None:
        self.face = face
        self.looks = 0

    def look(
        self, frame: np.ndarray, seconds: float = 0.0, region: Region | None = None
    ) -> list[Detection]:
        self.looks += 1
        if self.face is None or region is None:
            return []
        places = self.face.landmarks[:, :2] - np.array((region.left, region.top), np.float32)
        inside = (places > 0) & (places < np.array((region.width, region.height), np.float32))
        return [self.face] if inside.all() else []

    def close(self) -> None:
        pass


def _search(monkeypatch: pytest.MonkeyPatch, close: _Blind) -> tuple[FaceSearch, _Blind]:
    whole = _Blind()
    monkeypatch.setattr(
        "kmspeaker.reference.face_search.FaceGraph", lambda follow: whole if follow else close
    )
    return FaceSearch(), whole


def test_a_film_without_a_face_is_searched_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    close = _Blind()
    search, whole = _search(monkeypatch, close)
    blank = np.zeros((HIGH, WIDE, 3), np.uint8)
    for k in range(300):
        assert search.faces(k / 30, blank) == []
    assert whole.looks == 300
    assert 24 * 10 / LARGEST_WAIT < close.looks < 1.3 * 300  # a look a frame, about


def test_a_face_that_was_found_is_looked_for_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    landmarks = np.zeros((478, 3), np.float32)
    landmarks[:, :2] = np.random.default_rng(0).uniform((600, 300), (680, 380), (478, 2))
    face = Detection(landmarks, np.zeros(52, np.float32), np.eye(4, dtype=np.float32))
    close = _Blind(face)
    search, _ = _search(monkeypatch, close)
    blank = np.zeros((HIGH, WIDE, 3), np.uint8)
    assert search.faces(0.0, blank) == [face]
    searched = close.looks
    for k in range(1, 20):  # it walks to the left, and the region with it
        close.face = replace(face, landmarks=landmarks - np.array((15 * k, 0, 0), np.float32))
        assert search.faces(k / 30, blank) == [close.face]
    assert close.looks == searched + 19, "one look a frame"
    close.face = replace(face, landmarks=landmarks + np.array((500, 0, 0), np.float32))
    assert search.faces(20 / 30, blank) == [close.face], "at once, though it has jumped"
