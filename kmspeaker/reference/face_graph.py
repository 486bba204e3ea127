"""mediapipe's FaceLandmarker: the faces that one look at a picture, or at a part of it, shows.

Place in the flow: ``face_search`` decides where to look -> here.
"""

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES
from kmspeaker.media.video_reader import Frame
from kmspeaker.reference.pose_solver import LANDMARKER, solve_pose

MAX_FACES = 4
"""More than one also keeps mediapipe from smoothing its landmarks over time, which would lag."""


@dataclass(frozen=True)
class Detection:
    """One face in one frame."""

    landmarks: Float32[np.ndarray, "478 3"]
    """x right and y down from the upper left corner, z away from the camera, all in pixels."""
    scores: Float32[np.ndarray, " 52"]
    """mediapipe's blendshape scores in ``rig.ARKIT_NAMES`` order; it has none for tongueOut."""
    pose: Float32[np.ndarray, "4 4"]
    """From mediapipe's canonical face to the camera (y up, z towards the viewer, cm)."""

    @property
    def centre(self) -> Float32[np.ndarray, " 2"]:
        """Middle of the landmarks' box."""
        return (self.landmarks[:, :2].min(axis=0) + self.landmarks[:, :2].max(axis=0)) / 2

    @property
    def size(self) -> float:
        """Longer side of the landmarks' box."""
        return float(np.ptp(self.landmarks[:, :2], axis=0).max())


@dataclass(frozen=True)
class Region:
    """A part of a picture, pixels."""

    left: int
    top: int
    width: int
    height: int

    def cut(self, frame: Frame) -> UInt8[np.ndarray, "part_height part_width 3"]:
        """What of the picture it shows."""
        rows = slice(self.top, self.top + self.height)
        return np.ascontiguousarray(frame[rows, self.left : self.left + self.width])


class FaceGraph:
    """A running FaceLandmarker; close it.

    Args:
        follow: Whether a look begins where the one before saw faces, as in the frames of a video:
            it then holds on to a head that turns away. Otherwise each look stands alone.

    Raises:
        InputError: The model file, or a library that mediapipe needs, is missing.
    """

    def __init__(self, *, follow: bool) -> None:
        if not LANDMARKER.is_file():
            raise InputError(
                f"Got no {LANDMARKER.name} in {LANDMARKER.parent}; reinstall the program."
            )
        import mediapipe
        from mediapipe.tasks.python import vision
        from mediapipe.tasks.python.core.base_options import BaseOptions

        mode = vision.RunningMode.VIDEO if follow else vision.RunningMode.IMAGE
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(
                model_asset_path=str(LANDMARKER), delegate=BaseOptions.Delegate.CPU
            ),
            running_mode=mode,
            num_faces=MAX_FACES,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        self._image = lambda pixels: mediapipe.Image(mediapipe.ImageFormat.SRGB, pixels)
        self._follow = follow
        self._timestamp = 0
        with _quiet_native_log():
            try:
                self._landmarker = vision.FaceLandmarker.create_from_options(options)
            except OSError as error:  # the native library, or one that it needs
                raise InputError(
                    f"Cannot start the face tracker ({error}); install the packages of "
                    "packages.txt."
                ) from error
            self._detect(np.zeros((64, 64, 3), np.uint8), 0)  # its first frame writes notices

    def close(self) -> None:
        """Free it."""
        self._landmarker.close()

    def look(
        self, frame: Frame, seconds: float = 0.0, region: Region | None = None
    ) -> list[Detection]:
        """The faces, in pixels of the whole frame; where a region is given, those that it shows."""
        height, width = frame.shape[:2]
        part = region or Region(0, 0, width, height)
        result = self._detect(part.cut(frame), round(seconds * 1000))
        scale = np.array([part.width, part.height, part.width], np.float32)
        corner = np.array([part.left, part.top, 0], np.float32)
        faces = []
        for points, categories, pose in zip(
            result.face_landmarks,
            result.face_blendshapes,
            result.facial_transformation_matrixes,
            strict=True,
        ):
            landmarks = np.array([(p.x, p.y, p.z) for p in points], np.float32) * scale + corner
            whole = np.asarray(pose, np.float32)
            if region is not None:  # mediapipe took its middle for the camera's
                whole = solve_pose(landmarks, width, height)
            faces.append(Detection(landmarks, _scores(categories), whole))
        return faces

    def _detect(self, pixels: UInt8[np.ndarray, "height width 3"], milliseconds: int):
        if not self._follow:
            return self._landmarker.detect(self._image(pixels))
        self._timestamp = max(self._timestamp + 1, milliseconds)  # must rise strictly
        return self._landmarker.detect_for_video(self._image(pixels), self._timestamp)


def _scores(categories: list) -> Float32[np.ndarray, " 52"]:
    scores = np.zeros(len(ARKIT_NAMES), np.float32)
    for category in categories:
        index = ARKIT_INDEX.get(category.category_name)
        if index is not None:  # "_neutral" is no shape
            scores[index] = category.score
    return scores


_log_lock = threading.Lock()
_NATIVE_NOTICES = (b"INFO: ", b"WARNING: All log messages before absl", b"I0000 ", b"W0000 ")
"""How lines begin that the C++ side writes when it starts and that no setting silences."""


@contextmanager
def _quiet_native_log() -> Iterator[None]:
    """Keep the C++ side's start-up notices off standard error; whatever else comes is passed on."""
    with _log_lock, tempfile.TemporaryFile() as held:
        saved = os.dup(2)
        try:
            os.dup2(held.fileno(), 2)
            yield
        finally:
            os.dup2(saved, 2)
            held.seek(0)
            for line in held:
                if not line.startswith(_NATIVE_NOTICES):
                    os.write(2, line)
            os.close(saved)
