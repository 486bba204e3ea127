"""Video out: frames and sound become H.264 and AAC in an MP4 that plays while it loads."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from kmspeaker.errors import InputError
from kmspeaker.media.audio import Sound
from kmspeaker.media.files import replacing
from kmspeaker.media.video_reader import Frame

TICKS = 90_000
"""Of a second: the clock of frames at times of their own."""


def write_video(
    path: Path | str,
    frames: Iterable[Frame],
    fps: float,
    sound: Sound | None = None,
    *,
    comment: str = "",
) -> None:
    """Write H.264 and AAC in an MP4 that plays while it loads; it appears whole or not at all.

    Frames of one size; an odd side gets one more pixel, since the codec halves the colours.
    Sound longer than the picture is cut there. The comment goes into the file's metadata.

    Raises:
        InputError: No frames, or the file cannot be written there.
    """
    rate = Fraction(fps).limit_denominator(100_000)
    with _opened(path, comment) as container:
        _encode(container, enumerate(frames), rate, 1 / rate, "18", sound)


def write_timed_video(
    path: Path | str,
    timed_frames: Iterable[tuple[float, Frame]],
    sound: Sound | None = None,
    *,
    quality: int = 18,
) -> None:
    """As ``write_video``, with frames at times of their own.

    Args:
        path: The file.
        timed_frames: Seconds, rising from 0, and frames of one size.
        sound: What is heard from 0 on.
        quality: libx264's ``crf``: 18 looks as the source does, a larger number is a smaller file.

    Raises:
        InputError: No frames, or the file cannot be written there.
    """
    ticked = ((round(seconds * TICKS), frame) for seconds, frame in timed_frames)
    with _opened(path) as container:
        _encode(container, ticked, Fraction(30), Fraction(1, TICKS), str(quality), sound)


@contextmanager
def _opened(path: Path | str, comment: str = "") -> Iterator[OutputContainer]:
    with (
        replacing(Path(path)) as unfinished,
        av.open(  # "file:", or FFmpeg takes what is before a colon in a name for a protocol
            f"file:{unfinished}", "w", format="mp4", container_options={"movflags": "+faststart"}
        ) as container,
    ):
        container.metadata["comment"] = comment
        yield container


def _encode(
    container: OutputContainer,
    ticked: Iterable[tuple[int, Frame]],
    rate: Fraction,
    tick: Fraction,
    quality: str,
    sound: Sound | None,
) -> None:
    """Frames with their times in ticks of so many seconds; ``rate`` is about how many a second."""
    iterator = iter(ticked)
    first = next(iterator, None)
    if first is None:
        raise InputError("Got no frames to write; a video needs at least one.")
    height, width = (side + side % 2 for side in first[1].shape[:2])
    video = container.add_stream("libx264", rate, options={"crf": quality, "preset": "veryfast"})
    assert isinstance(video, VideoStream)
    video.width, video.height, video.pix_fmt = width, height, "yuv420p"
    video.time_base = video.codec_context.time_base = tick
    video.codec_context.colorspace = Colorspace.ITU709
    video.codec_context.color_range = ColorRange.MPEG
    track = None
    if sound is not None:
        track = container.add_stream("aac", sound.sample_rate, layout="mono")
        assert isinstance(track, AudioStream)
    written = 0
    for ticks, frame in chain([first], iterator):
        padding = ((0, height - frame.shape[0]), (0, width - frame.shape[1]), (0, 0))
        picture = VideoFrame.from_ndarray(
            np.ascontiguousarray(np.pad(frame, padding, mode="edge")), "rgb24"
        ).reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
        picture.pts, picture.time_base = ticks, tick
        container.mux(video.encode(picture))
        if sound is not None and track is not None:
            ends = float(ticks * tick + 1 / rate)
            until = max(written, min(len(sound), round(ends * sound.sample_rate)))
            written = _encode_sound(container, track, sound, written, until)
    container.mux(video.encode(None))
    if track is not None:
        container.mux(track.encode(None))


def _encode_sound(
    container: OutputContainer, track: AudioStream, sound: Sound, start: int, stop: int
) -> int:
    """Encode samples ``start`` to ``stop``; returns where the next call begins."""
    if start == stop:
        return stop
    samples = np.ascontiguousarray(sound.samples[None, start:stop])
    frame = AudioFrame.from_ndarray(samples, "fltp", "mono")
    frame.sample_rate, frame.pts = sound.sample_rate, start
    frame.time_base = Fraction(1, sound.sample_rate)
    container.mux(track.encode(frame))
    return stop
