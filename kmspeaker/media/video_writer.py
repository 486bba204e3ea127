"""Video out: frames and sound become H.264 and AAC in an MP4 that plays while it loads."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
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
    with (
        replacing(Path(path)) as unfinished,
        av.open(  # "file:", or FFmpeg takes what is before a colon in a name for a protocol
            f"file:{unfinished}", "w", format="mp4", container_options={"movflags": "+faststart"}
        ) as container,
    ):
        container.metadata["comment"] = comment
        _encode(container, frames, fps, sound)


def _encode(
    container: OutputContainer, frames: Iterable[Frame], fps: float, sound: Sound | None
) -> None:
    rate = Fraction(fps).limit_denominator(100_000)
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise InputError("Got no frames to write; a video needs at least one.")
    height, width = (side + side % 2 for side in first.shape[:2])
    video = container.add_stream("libx264", rate, options={"crf": "18", "preset": "veryfast"})
    assert isinstance(video, VideoStream)
    video.width, video.height, video.pix_fmt = width, height, "yuv420p"
    video.time_base = 1 / rate
    video.codec_context.colorspace = Colorspace.ITU709
    video.codec_context.color_range = ColorRange.MPEG
    track = None
    if sound is not None:
        track = container.add_stream("aac", sound.sample_rate, layout="mono")
        assert isinstance(track, AudioStream)
    written = 0
    for index, frame in enumerate(_with_first(first, iterator)):
        padding = ((0, height - frame.shape[0]), (0, width - frame.shape[1]), (0, 0))
        picture = VideoFrame.from_ndarray(
            np.ascontiguousarray(np.pad(frame, padding, mode="edge")), "rgb24"
        ).reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
        picture.pts, picture.time_base = index, 1 / rate
        container.mux(video.encode(picture))
        if sound is not None and track is not None:
            until = min(len(sound), round((index + 1) / rate * sound.sample_rate))
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


def _with_first(first: Frame, rest: Iterator[Frame]) -> Iterator[Frame]:
    yield first
    yield from rest
