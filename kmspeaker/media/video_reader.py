"""Video in: any file ``media.container`` opens becomes upright RGB frames with their true times.

One frame at a time is in memory. Time zero is the first frame, as it is for the sound of a video
(``media.audio``). What a file is follows from its content, never from its name.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from jaxtyping import UInt8

from kmspeaker.errors import InputError
from kmspeaker.limits import MAX_SECONDS
from kmspeaker.media.container import MOST_PIXELS, ends_early, open_media

MAX_SIDE = 1280
"""Larger pictures are scaled down to this many pixels on the longer side."""
SIDES = (48, 8192)
"""Smallest and largest width or height that is accepted, in stored pixels."""
MAX_MISSING = 0.5
"""Seconds of picture that may be missing against what the container states."""
THREADS = 2
"""Of a decoder; each keeps pictures of its own."""

Frame = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class VideoInfo:
    """What a file says of its picture."""

    width: int
    """Pixels as shown: upright and with square pixels, not yet scaled down."""
    height: int
    seconds: float
    """As stated; counted where the container does not say, as in recordings of a browser."""
    frames: int
    """Stated, counted or estimated from the average rate."""
    rotation: int
    """Degrees counter-clockwise by which stored frames are turned to stand upright."""
    has_sound: bool


def probe_video(path: Path | str) -> VideoInfo:
    """Read the headers and the first frame.

    Raises:
        InputError: As ``read_frames``.
    """
    path = Path(path)
    with open_media(path, "video") as container:
        stream = _video_stream(container, path)
        first = next(_decode(container, stream), None)
        if first is None:
            raise _no_frames(path)
        quarter_turns, _ = _orientation(first)
        width, height = _square_size(first, stream)
        seconds, frames = _stated_seconds(container, stream), stream.frames
        if not seconds:
            seconds, frames = _count_frames(path)
        return VideoInfo(
            *((height, width) if quarter_turns % 2 else (width, height)),
            seconds=seconds,
            frames=frames or round(seconds * float(stream.average_rate or 0)),
            rotation=90 * quarter_turns,
            has_sound=bool(container.streams.audio),
        )


def read_frames(
    path: Path | str, *, max_seconds: float = MAX_SECONDS
) -> Iterator[tuple[float, Frame]]:
    """Yield ``(seconds, frame)`` in the order of showing; the first frame lies at 0 and times rise.

    Frames are upright RGB with square pixels, contiguous, at most ``MAX_SIDE`` on the longer side.
    A damaged packet costs its frames only.

    Raises:
        InputError: No such file, not a video, no frames, cut off, absurdly small or large, or
            longer than ``max_seconds``.
    """
    path = Path(path)
    with open_media(path, "video") as container:
        stream = _video_stream(container, path)
        stated = _stated_seconds(container, stream)
        if stated > max_seconds:
            raise _too_long(path, max_seconds)
        reformatter, size = VideoReformatter(), None
        interval = 1 / float(stream.average_rate or 30)
        origin, seconds = None, None
        for decoded in _decode(container, stream):
            time = decoded.time
            if time is not None:
                origin = time if origin is None else origin
                time -= origin
            if time is None or (seconds is not None and time <= seconds):
                time = 0.0 if seconds is None else seconds + interval  # a broken time stamp
            seconds = time
            if seconds > max_seconds:
                raise _too_long(path, max_seconds)
            size = _scaled_size(decoded, stream) if size is None else size
            yield seconds, _upright(decoded, size, reformatter)
        if seconds is None:
            raise _no_frames(path)
        missing = stated - (seconds + interval)
        if missing > max(MAX_MISSING, 2 * interval) and ends_early(path):
            raise InputError(
                f"Got {path.name} cut off after {seconds:.1f} of {stated:.1f} s; "
                "copy or download the whole file again."
            )


def frames_at(timed_frames: Iterable[tuple[float, Frame]], fps: float) -> Iterator[Frame]:
    """Constant-rate view of timed frames: the picture on show at each ``k / fps``."""
    shown = iter(timed_frames)
    first = next(shown, None)
    if first is None:
        return
    on_show, picture = first
    interval, k = 1 / fps, 0
    for seconds, following in shown:
        while k / fps < seconds - 1e-6:
            yield picture
            k += 1
        interval, on_show, picture = seconds - on_show, seconds, following
    while k / fps < on_show + interval - 1e-6:
        yield picture
        k += 1


def limit_rate(
    timed_frames: Iterable[tuple[float, Frame]], fps: float
) -> Iterator[tuple[float, Frame]]:
    """Pass over frames that come faster than ``fps``."""
    due = 0.0
    for seconds, frame in timed_frames:
        if seconds >= due - 0.1 / fps:
            yield seconds, frame
            due = max(due + 1 / fps, seconds + 0.5 / fps)


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first stream of moving pictures; the cover of a song is none."""
    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:
            continue
        if stream.codec_context is None:
            raise InputError(
                f"Got {path.name} with pictures of a codec that is not known here; "
                "export it as MP4 with H.264."
            )
        stream.thread_type, stream.codec_context.thread_count = "AUTO", THREADS
        stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}  # it may grow on the way
        smallest, largest = SIDES
        width, height = stream.width, stream.height
        if not smallest <= min(width, height) <= max(width, height) <= largest:
            raise InputError(
                f"Got {path.name} of {width}x{height} pixels; "
                f"each side must have {smallest} to {largest}."
            )
        if width * height > MOST_PIXELS:
            raise InputError(
                f"Got {path.name} of {width}x{height} pixels, at most {MOST_PIXELS / 1e6:.1f} "
                "million are read (4K has 8.8); save it smaller."
            )
        return stream
    raise InputError(f"Got {path.name} without a picture track; a video of a face is needed.")


def _decode(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Frames in the order of showing; what cannot be decoded is left out."""
    with contextlib.suppress(av.error.FFmpegError):  # a cut file ends early; the caller sees that
        for packet in container.demux(stream):
            with contextlib.suppress(av.error.FFmpegError):
                yield from cast(list[VideoFrame], packet.decode())


def _stated_seconds(container: InputContainer, stream: VideoStream) -> float:
    """How long the container says the picture is; 0 where it does not, or only guesses."""
    if stream.duration is not None and stream.time_base is not None:
        guessed = "mpeg" in container.format.name  # program and transport streams state nothing
        return 0.0 if guessed else float(stream.duration * stream.time_base)
    # Matroska states where it ends, and sound may begin before the picture.
    start = float((stream.start_time or 0) * (stream.time_base or 0))
    tag = re.fullmatch(
        r"(\d{1,4}):(\d\d):(\d\d(?:\.\d{1,9})?)", stream.metadata.get("DURATION", "")
    )
    if tag:
        hours, minutes, seconds = map(float, tag.groups())
        return max(0.0, 3600 * hours + 60 * minutes + seconds - start)
    alone = not container.streams.audio  # else the length may be that of the sound
    stated = alone and "matroska" in container.format.name and container.duration
    return max(0.0, stated / av.time_base - start) if stated else 0.0


def _count_frames(path: Path) -> tuple[float, int]:
    """Seconds and number of the frames by going through the file, without decoding it."""
    with open_media(path, "video") as container:
        stream = _video_stream(container, path)
        times = []
        with contextlib.suppress(av.error.FFmpegError):
            times = [packet.pts for packet in container.demux(stream) if packet.pts is not None]
    if len(times) < 2 or stream.time_base is None:
        return 0.0, len(times)
    span = float((max(times) - min(times)) * stream.time_base)
    return span * len(times) / (len(times) - 1), len(times)


def _square_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Stored width and height with the pixels made square, by stretching the shorter axis."""
    aspect = float(stream.sample_aspect_ratio or 1) or 1.0
    width, height = frame.width * max(aspect, 1.0), frame.height * max(1 / aspect, 1.0)
    return round(width), round(height)


def _scaled_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    width, height = _square_size(frame, stream)
    scale = min(1.0, MAX_SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _upright(frame: VideoFrame, size: tuple[int, int], reformatter: VideoReformatter) -> Frame:
    width, height = size
    rgb = reformatter.reformat(frame, width=width, height=height, format="rgb24").to_ndarray()
    quarter_turns, mirrored = _orientation(frame)
    rgb = rgb[:, ::-1] if mirrored else rgb
    return np.ascontiguousarray(np.rot90(rgb, quarter_turns))


def _orientation(frame: VideoFrame) -> tuple[int, bool]:
    """Quarter turns counter-clockwise that put the stored frame upright, and a mirroring before.

    From the 3x3 display matrix [a b . c d .] that phones write, x' = a x + c y, y' = b x + d y
    with y down.
    """
    side_data = frame.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return 0, False
    a, b, _, c, d, *_ = np.frombuffer(bytes(side_data), "<i4").astype(float)
    mirrored = bool(a * d - b * c < 0)
    if mirrored:
        a, b = -a, -b
    return round(np.degrees(np.arctan2(-b, a)) / 90) % 4, mirrored


def _no_frames(path: Path) -> InputError:
    return InputError(f"Got {path.name} without a single frame; a video of a face is needed.")


def _too_long(path: Path, max_seconds: float) -> InputError:
    return InputError(
        f"Got more than {max_seconds:g} s of video in {path.name}, which is the limit; "
        "give a shorter clip or raise the limit with --max-seconds."
    )
