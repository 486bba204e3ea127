"""The faces in each frame of a video: mediapipe's FaceLandmarker, frame by frame.

Place in the flow: ``media.video_reader`` -> here -> ``tracking``, which follows one face through
the frames.
"""

import contextlib
import os
import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float32

from kmspeaker.assets import ASSETS
from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES
from kmspeaker.media.video_reader import Frame

LANDMARKER = ASSETS / "tracking" / "face_landmarker.task"
MAX_FACES = 4
"""More than one also keeps mediapipe from smoothing its landmarks over time, which would lag."""
FRAMES_AHEAD = 8
"""Decoded frames that may wait for the landmarker."""

T = TypeVar("T")


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


def detect_faces(
    frames: Iterable[tuple[float, Frame]],
) -> Iterator[tuple[float, tuple[int, int], list[Detection]]]:
    """Yield ``(seconds, (width, height), faces)`` for each frame; the next ones decode meanwhile.

    Raises:
        InputError: The model file of the landmarker is missing, or reading the frames fails.
    """
    if not LANDMARKER.is_file():
        raise InputError(f"Got no {LANDMARKER.name} in {LANDMARKER.parent}; reinstall the program.")
    import mediapipe
    from mediapipe.tasks.python import vision
    from mediapipe.tasks.python.core.base_options import BaseOptions

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(
            model_asset_path=str(LANDMARKER), delegate=BaseOptions.Delegate.CPU
        ),
        running_mode=vision.RunningMode.VIDEO,
        num_faces=MAX_FACES,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    with _quiet_native_log():
        try:
            landmarker = vision.FaceLandmarker.create_from_options(options)
        except OSError as error:  # the native library, or one that it needs
            raise InputError(
                f"Cannot start the face tracker ({error}); install the packages of packages.txt."
            ) from error
        warm_up = np.zeros((64, 64, 3), np.uint8)  # the graph writes its notices on its first frame
        landmarker.detect_for_video(mediapipe.Image(mediapipe.ImageFormat.SRGB, warm_up), 0)
    with landmarker:
        timestamp = 0
        for seconds, frame in _prefetch(frames):
            timestamp = max(timestamp + 1, round(seconds * 1000))  # must rise strictly
            image = mediapipe.Image(mediapipe.ImageFormat.SRGB, np.ascontiguousarray(frame))
            result = landmarker.detect_for_video(image, timestamp)
            height, width = frame.shape[:2]
            scale = np.array([width, height, width], np.float32)
            faces = [
                Detection(
                    np.array([(p.x, p.y, p.z) for p in landmarks], np.float32) * scale,
                    _scores(categories),
                    np.asarray(pose, np.float32),
                )
                for landmarks, categories, pose in zip(
                    result.face_landmarks,
                    result.face_blendshapes,
                    result.facial_transformation_matrixes,
                    strict=True,
                )
            ]
            yield seconds, (width, height), faces


def _scores(categories: list) -> Float32[np.ndarray, " 52"]:
    scores = np.zeros(len(ARKIT_NAMES), np.float32)
    for category in categories:
        index = ARKIT_INDEX.get(category.category_name)
        if index is not None:  # "_neutral" is no shape
            scores[index] = category.score
    return scores


def _prefetch(items: Iterable[T]) -> Iterator[T]:
    """The same items, made by a thread a few steps ahead; its error is raised here."""
    waiting: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(FRAMES_AHEAD)
    stopped = threading.Event()

    def put(item: T | None, error: BaseException | None = None) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put((item, error), timeout=0.1)
                return

    def work() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:
            put(None, error)

    thread = threading.Thread(target=work, name="decode", daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        stopped.set()
        thread.join()


_log_lock = threading.Lock()


@contextlib.contextmanager
def _quiet_native_log() -> Iterator[None]:
    """Keep the C++ side's start-up notices, which no setting silences, off standard error."""
    with _log_lock:
        saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(nowhere)
