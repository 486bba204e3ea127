"""A video for browsers: whether they show it as it is, and else a small copy that they all show.

The page's stage shows the reference. What a phone or an editor records (HEVC, ProRes, MPEG-4 in
AVI) plays in no or few browsers. What a file is follows from its content, never from its name.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from av.audio.stream import AudioStream
from av.stream import Disposition
from jaxtyping import UInt8
from PIL import Image

from kmspeaker.errors import InputError
from kmspeaker.limits import MAX_SECONDS
from kmspeaker.media.audio import load_sound
from kmspeaker.media.container import open_media
from kmspeaker.media.video_reader import Frame, limit_rate, probe_video, read_frames
from kmspeaker.media.video_writer import write_timed_video
from kmspeaker.progress import Progress

MAX_HEIGHT = 480
"""Of a copy, pixels: as much as the panel beside the stage shows."""
MAX_FPS = 60.0
COPY_BYTES = 200_000
"""A copy takes about so many a second at most."""
_QUALITY = 23
_SHOWN = {".mp4": {"h264", "av1", "vp9"}, ".webm": {"vp8", "vp9", "av1"}}
"""Codecs of pictures that today's browsers decode, by the container."""
_HEARD = {".mp4": {"aac", "mp3", "opus", "flac"}, ".webm": {"opus", "vorbis"}}
_EIGHT_BITS = {"yuv420p", "yuvj420p"}
"""How colours may be stored; no browser decodes H.264 with more bits or finer colours."""


def browser_suffix(path: Path | str) -> str | None:
    """``.mp4`` or ``.webm`` where every browser of today shows the video as it is, else None.

    Raises:
        InputError: It cannot be opened as a video.
    """
    with open_media(Path(path), "video") as container:
        formats = container.format.name.split(",")
        suffix = ".mp4" if "mp4" in formats else ".webm" if "webm" in formats else None
        pictures = [
            stream
            for stream in container.streams.video
            if not stream.disposition & Disposition.attached_pic
        ]
        if suffix is None or not pictures or pictures[0].codec_context is None:
            return None
        context = pictures[0].codec_context
        heard = [
            stream.codec_context.name if stream.codec_context is not None else ""
            for stream in container.streams
            if isinstance(stream, AudioStream)
        ]
        shown = context.name.removeprefix("lib").split("-")[0].replace("dav1d", "av1")
        fits = (
            shown in _SHOWN[suffix]
            and context.pix_fmt in _EIGHT_BITS
            and all(name.removesuffix("float") in _HEARD[suffix] for name in heard[:1])
        )
        return suffix if fits else None


def write_browser_copy(
    source: Path | str,
    path: Path | str,
    *,
    progress: Progress | None = None,
    max_seconds: float = MAX_SECONDS,
) -> None:
    """Write a copy of at most ``MAX_HEIGHT``: H.264 and AAC in an MP4 that plays while it loads.

    Frames keep their times, so what was tracked in the source lies in the right place. It stands
    upright, with square pixels. Where the sound cannot be read it is left out.

    Args:
        source: The video.
        path: The copy.
        progress: Told the fraction done.
        max_seconds: Longer ones are refused.

    Raises:
        InputError: The video cannot be read (``video_reader.read_frames``), or the copy not be
            written.
    """
    info = probe_video(source)
    sound = None
    if info.has_sound:
        with suppress(InputError):  # the picture is what matters here
            sound = load_sound(source, min_seconds=0.0, max_seconds=max(2 * max_seconds, 60.0))

    def small() -> Iterator[tuple[float, Frame]]:
        frames = limit_rate(read_frames(source, max_seconds=max_seconds), MAX_FPS)
        for seconds, frame in frames:
            if progress is not None and info.seconds:
                progress(min(seconds / info.seconds, 1.0))
            yield seconds, _scaled(frame)

    write_timed_video(path, small(), sound, quality=_QUALITY)
    if progress is not None:
        progress(1.0)


def _scaled(frame: Frame) -> UInt8[np.ndarray, "new_height new_width 3"]:
    height, width = frame.shape[:2]
    scale = min(1.0, MAX_HEIGHT / height)
    # Even sides, or the encoder's one more pixel would shift what is drawn over the picture.
    size = (max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2)))
    if size == (width, height):
        return frame
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
