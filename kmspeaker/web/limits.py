"""What one visitor may ask of a page that others use too.

Sizes, durations and numbers are checked before any work starts.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import av

from kmspeaker.errors import InputError
from kmspeaker.limits import JOBS_PER_TAKE, MAX_SECONDS, QUEUE, TAKES_WINDOW
from kmspeaker.media.container import open_media
from kmspeaker.media.video_reader import probe_video
from kmspeaker.reference.load import kind_of
from kmspeaker.web.room import Room


@dataclass(frozen=True)
class Limits:
    """Of one page."""

    max_seconds: float = MAX_SECONDS
    """Longer speech or video is refused."""
    max_file_mb: int = 200
    max_picture: float = 4e10
    """Pixels of all frames together: ten minutes of 1920 x 1080 at 30 frames/s."""
    takes: int = 0
    """Takes a visitor may make within ``TAKES_WINDOW``; 0 for any number."""
    queue: int = QUEUE
    """Places for work to wait in; who finds none is asked to come back."""
    waiting: int = 0
    """Of them a visitor's own; 0 for any number."""
    room: Room = field(default_factory=Room)
    """What all visitors' things may take of the machine."""

    @property
    def jobs(self) -> int:
        """Other work than takes, within ``TAKES_WINDOW``; 0 for any amount."""
        return JOBS_PER_TAKE * self.takes

    def waiting_sentence(self) -> str:
        """What is said to a visitor who has no place left."""
        return (
            f"You have {self.waiting} jobs waiting already, as many as each visitor may have; "
            "please ask again when one of them is done, or press Stop."
        )

    def sentence(self) -> str:
        """All of it, for the page."""
        takes = f", {self.takes} takes in {TAKES_WINDOW / 60:g} minutes" if self.takes else ""
        return (
            f"Up to {spoken_time(self.max_seconds)} and {self.max_file_mb} MB a file{takes}. "
            "Video beyond full HD may have to be shorter."
        )


def check_reference(path: Path, limits: Limits) -> None:
    """Read the headers of a reference, if it is a video.

    Raises:
        InputError: No such file, no video, or more than the page reads.
    """
    if not path.is_file():
        raise InputError("The reference is not on this server any more; please give it again.")
    if kind_of(path) != "video":
        return
    info = probe_video(path)
    if info.seconds > limits.max_seconds:
        raise InputError(
            f"Got {spoken_time(info.seconds)} of video, this page reads up to "
            f"{spoken_time(limits.max_seconds)}; cut out the part to follow."
        )
    picture = info.width * info.height * max(info.frames, 1)
    if picture > limits.max_picture:
        longest = info.seconds * limits.max_picture / picture
        raise InputError(
            f"Got {spoken_time(info.seconds)} of {info.width} x {info.height} video, this page "
            f"reads up to {spoken_time(longest)} at that size; cut it shorter or save it smaller."
        )


def check_speech(path: Path, limits: Limits) -> None:
    """Read the stated length of a recording.

    Raises:
        InputError: No such file, or longer than the page reads.
    """
    if not path.is_file():
        raise InputError("The speech is not on this server any more; please give it again.")
    try:
        with open_media(path, "sound") as container:
            seconds = (container.duration or 0) / av.time_base
    except InputError:
        return  # ``load_sound`` says what is wrong with it
    if seconds > limits.max_seconds + 0.5:  # some containers only guess
        raise InputError(
            f"Got {spoken_time(seconds)} of speech, this page takes up to "
            f"{spoken_time(limits.max_seconds)}; cut it or give it in parts."
        )


class RateLimit:
    """How many takes, or how much else, each visitor asked for lately."""

    def __init__(
        self,
        most: int,
        window: float = TAKES_WINDOW,
        clock: Callable[[], float] = time.monotonic,
        *,
        words: tuple[str, str] = ("makes", "takes"),
    ) -> None:
        """Let everyone start; ``most`` 0 lets everyone go on."""
        self._verb, self._things = words
        self._most = most
        self._window = window
        self._clock = clock
        self._times: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def check(self, visitor: str, takes: int = 1) -> None:
        """Refuse what would be too many.

        Raises:
            InputError: It says when there is room again.
        """
        if not self._most:
            return
        if takes > self._most:
            raise InputError(
                f"Got {takes} {self._things} at once, this page {self._verb} {self._most} in "
                f"{spoken_time(self._window)}; ask for fewer."
            )
        with self._lock:
            times = self._recent(visitor)
            over = len(times) + takes - self._most
            if over <= 0:
                return
            wait = times[over - 1] + self._window - self._clock()
        raise InputError(
            f"This page {self._verb} {self._most} {self._things} in {spoken_time(self._window)} "
            "for each visitor, so that others have a turn; there is room again in "
            f"{spoken_time(wait)}."
        )

    def count(self, visitor: str, takes: int = 1) -> None:
        """Remember that takes were started.

        Raises:
            InputError: They are too many.
        """
        if not self._most:
            return
        self.check(visitor, takes)
        with self._lock:
            self._recent(visitor).extend([self._clock()] * takes)

    def _recent(self, visitor: str) -> deque[float]:
        start = self._clock() - self._window
        for name in [name for name, times in self._times.items() if not times or times[-1] < start]:
            del self._times[name]
        times = self._times.setdefault(visitor, deque())
        while times and times[0] < start:
            times.popleft()
        return times


def spoken_time(seconds: float) -> str:
    """``45 seconds``, ``10 minutes``, ``2 min 38 s``."""
    whole = max(1, math.ceil(seconds - 1e-6))
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return f"{rest} second{'s' * (rest != 1)}"
    if not rest:
        return f"{minutes} minute{'s' * (minutes != 1)}"
    return f"{minutes} min {rest} s"
