"""Where to look for faces in a frame: in the whole, where one was, and in tiles of it.

Place in the flow: ``landmarker`` gives the frames of a video -> here -> ``face_graph``.

mediapipe's detector sees 128 x 128 pixels of whatever it is shown. In a wide picture it finds a
face of a tenth of the width in half of the frames at best, so smaller ones are looked for in tiles,
and then in a region around them. Ours; ``python -m scripts.measure_detection`` measures it.
"""

import numpy as np

from kmspeaker.media.video_reader import Frame
from kmspeaker.reference.face_graph import Detection, FaceGraph, Region

TILES = (1.0, 0.5)
"""Sides of the square tiles, of the picture's shorter side. They overlap by half."""
LEAST_TILE = 96
"""Pixels; smaller tiles show no face."""
SMALL = 0.2
"""Of the picture's shorter side: smaller faces are always looked at from close by."""
AROUND = 3.0
"""Sides of the region around a face, of the face's size."""
MARGIN = 0.35
"""Of the face's size that the region must show on each side of it; else it moves."""
LARGEST_WAIT = 1.0
"""Seconds between two searches in tiles, where they find nothing: they cost two dozen looks."""
SHORTEST_WAIT = 0.125
HIDDEN = 0.5
"""Seconds that a large face may be away before tiles are searched: such gaps are bridged."""


class FaceSearch:
    """Finds faces in the frames of one video, in their order; close it."""

    def __init__(self) -> None:
        """Start mediapipe.

        Raises:
            InputError: It cannot start, see ``FaceGraph``.
        """
        self._whole = FaceGraph(follow=True)
        self._close: FaceGraph | None = None  # only where faces are small
        self._followed: Detection | None = None
        self._region: Region | None = None
        self._wait = 0.0
        self._due = -np.inf
        """Seconds from which on tiles may be searched."""

    def close(self) -> None:
        """Free what was started."""
        self._whole.close()
        if self._close is not None:
            self._close.close()

    def faces(self, seconds: float, frame: Frame) -> list[Detection]:
        """The faces of a frame, the largest one first."""
        height, width = frame.shape[:2]
        found = self._whole.look(frame, seconds)
        if self._looks_close(found, min(width, height)):
            close = self._look_around(frame)
            found = close + [face for face in found if not _among(face, close)]
        if not found and seconds >= self._due:
            found = self._search(frame)
            self._wait = 0.0 if found else min(max(2 * self._wait, SHORTEST_WAIT), LARGEST_WAIT)
            self._due = seconds + self._wait
        found.sort(key=lambda face: face.size, reverse=True)
        if found:
            self._follow(found[0], seconds, width, height)
        return found

    def _looks_close(self, found: list[Detection], side: int) -> bool:
        """Whether the region around the face of the frames before is worth a look."""
        if self._followed is None or self._region is None:
            return False
        return self._followed.size < SMALL * side or not _among(self._followed, found)

    def _follow(self, face: Detection, seconds: float, width: int, height: int) -> None:
        """Remember where the largest face is, and keep the region steady around it."""
        self._followed, self._wait = face, 0.0
        side = round(AROUND * face.size)
        if side >= min(width, height):  # the whole picture shows it as well
            self._region, self._due = None, seconds + HIDDEN
            return
        self._due = seconds
        if self._region is None or not _shows(self._region, face):
            corner = np.round(face.centre - side / 2).astype(int)
            left, top = np.clip(corner, 0, (width - side, height - side)).tolist()
            self._region = Region(left, top, side, side)

    def _look_around(self, frame: Frame) -> list[Detection]:
        assert self._region is not None
        return self._graph().look(frame, region=self._region)

    def _search(self, frame: Frame) -> list[Detection]:
        """What the largest tiles show that show a face at all; each face once."""
        height, width = frame.shape[:2]
        for share in TILES:
            side = round(share * min(width, height))
            if side < LEAST_TILE:
                break
            found: list[Detection] = []
            for tile in _tiles(width, height, side):
                seen = self._graph().look(frame, region=tile)
                found += [face for face in seen if not _among(face, found)]
            if found:
                return found
        return []

    def _graph(self) -> FaceGraph:
        if self._close is None:
            self._close = FaceGraph(follow=False)
        return self._close


def _tiles(width: int, height: int, side: int) -> list[Region]:
    """Squares that overlap by half at least and cover the picture."""

    def starts(length: int) -> list[int]:
        count = 1 + int(np.ceil(2 * (length - side) / side))
        return np.round(np.linspace(0, length - side, count)).astype(int).tolist()

    return [Region(x, y, side, side) for y in starts(height) for x in starts(width)]


def _among(face: Detection, others: list[Detection]) -> bool:
    """Whether a face is one of the others, seen a little differently."""
    return any(
        np.linalg.norm(face.centre - other.centre) < 0.5 * max(face.size, other.size)
        for other in others
    )


def _shows(region: Region, face: Detection) -> bool:
    """Whether the region is as large as is needed, and shows enough to each side of the face."""
    low = np.array([region.left, region.top]) + MARGIN * face.size
    high = np.array([region.left + region.width, region.top + region.height]) - MARGIN * face.size
    places = face.landmarks[:, :2]
    inside = (places.min(axis=0) > low).all() and (places.max(axis=0) < high).all()
    return bool(inside and 0.75 < region.width / (AROUND * face.size) < 1.5)
