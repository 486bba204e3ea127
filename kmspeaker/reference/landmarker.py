"""The faces in each frame of a video, found while the next frames decode.

Place in the flow: ``media.video_reader`` -> here, by ``face_search`` -> ``tracking``, which follows
one face through the frames.
"""

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

from kmspeaker.media.video_reader import Frame
from kmspeaker.reference.face_graph import Detection
from kmspeaker.reference.face_search import FaceSearch

FRAMES_AHEAD = 8
"""Decoded frames that may wait for the landmarker."""

T = TypeVar("T")


def detect_faces(
    frames: Iterable[tuple[float, Frame]],
) -> Iterator[tuple[float, tuple[int, int], list[Detection]]]:
    """Yield ``(seconds, (width, height), faces)`` for each frame; the next ones decode meanwhile.

    Raises:
        InputError: The model file of the landmarker is missing, or reading the frames fails.
    """
    with contextlib.closing(FaceSearch()) as search:
        for seconds, frame in _prefetch(frames):
            height, width = frame.shape[:2]
            yield seconds, (width, height), search.faces(seconds, frame)


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
