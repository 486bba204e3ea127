"""Laws of the copy for browsers: made only where it is needed, and in step with its source."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from kmspeaker.errors import InputError
from kmspeaker.media.audio import Sound, load_sound
from kmspeaker.media.video_copy import MAX_HEIGHT, browser_suffix, write_browser_copy
from kmspeaker.media.video_reader import probe_video, read_frames
from kmspeaker.media.video_writer import write_video

TIMES = [0.0, 0.04, 0.1, 0.3, 0.31, 0.9]
RATE = 48_000


def encode(
    path: Path, kind: str, pix_fmt: str, size: tuple[int, int] = (160, 96), codec: str = "aac"
) -> Path:
    """Frames at ``TIMES``, each as grey as it is late, with a tone."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(kind, 100)
        assert isinstance(stream, VideoStream)
        (stream.width, stream.height), stream.pix_fmt = size, pix_fmt
        tone = out.add_stream(codec, RATE, layout="mono")
        assert isinstance(tone, AudioStream)
        for k, seconds in enumerate(TIMES):
            grey = np.full((size[1], size[0], 3), 40 + 30 * k, np.uint8)
            picture = VideoFrame.from_ndarray(grey).reformat(format=pix_fmt)
            picture.pts, picture.time_base = round(seconds * 100), Fraction(1, 100)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
        samples = np.sin(np.arange(RATE) * 0.05).astype(np.float32)[None] / 2
        for start in range(0, RATE - 1024, 1024):
            frame = AudioFrame.from_ndarray(
                np.ascontiguousarray(samples[:, start : start + 1024]), "flt", "mono"
            )
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            out.mux(tone.encode(frame))
        out.mux(tone.encode(None))
    return path


UNSHOWN = {
    "old.avi": ("mpeg4", "yuv420p"),
    "phone.mov": ("libx265", "yuv420p"),
    "editor.mov": ("prores_ks", "yuv422p10le"),
    "broadcast.mp4": ("libx264", "yuv422p"),
    "named.mp4": ("mpeg4", "yuv420p"),
}


@pytest.mark.parametrize("name", UNSHOWN)
def test_what_no_browser_shows_gets_a_copy_that_keeps_every_frame_in_its_place(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = encode(tmp_path / name, *UNSHOWN[name])
    assert browser_suffix(source) is None
    copy, told = tmp_path / "copy.mp4", []
    write_browser_copy(source, copy, progress=told.append)
    assert browser_suffix(copy) == ".mp4"
    before, after = list(read_frames(source)), list(read_frames(copy))
    assert [time for time, _ in after] == pytest.approx([time for time, _ in before], abs=1e-3)
    for (_, one), (_, other) in zip(before, after, strict=True):
        assert other.shape == one.shape
        assert abs(float(one.mean()) - float(other.mean())) < 4
    assert load_sound(copy).seconds == pytest.approx(load_sound(source).seconds, abs=0.1)
    assert told == sorted(told)
    assert told[-1] == 1
    content = copy.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat"), "it plays while it loads"


def test_the_content_says_what_browsers_show_and_not_the_name(tmp_path: Path) -> None:
    write_video(tmp_path / "plain.mp4", [np.zeros((96, 160, 3), np.uint8)] * 3, 25.0)
    named = (tmp_path / "plain.mp4").rename(tmp_path / "plain.avi")
    assert browser_suffix(named) == ".mp4"
    assert (
        browser_suffix(encode(tmp_path / "live.webm", "libvpx", "yuv420p", codec="libopus"))
        == ".webm"
    )
    with pytest.raises(InputError, match="not a video"):
        (tmp_path / "text.mp4").write_text("not a video\n" * 99)
        browser_suffix(tmp_path / "text.mp4")


def test_a_copy_is_small(tmp_path: Path) -> None:
    source = encode(tmp_path / "large.avi", "mpeg4", "yuv420p", (1282, 722))
    write_browser_copy(source, tmp_path / "copy.mp4")
    info = probe_video(tmp_path / "copy.mp4")
    assert info.height == MAX_HEIGHT
    assert info.width / info.height == pytest.approx(1282 / 722, rel=0.005)


def test_sound_is_no_condition(tmp_path: Path) -> None:
    write_video(tmp_path / "mute.mp4", [np.zeros((96, 160, 3), np.uint8)] * 3, 25.0)
    write_browser_copy(tmp_path / "mute.mp4", tmp_path / "copy.mp4")
    assert not probe_video(tmp_path / "copy.mp4").has_sound
    tone = Sound(np.zeros(RATE, np.float32), RATE)
    write_video(tmp_path / "heard.mp4", [np.zeros((96, 160, 3), np.uint8)] * 3, 25.0, tone)
    write_browser_copy(tmp_path / "heard.mp4", tmp_path / "copy.mp4")
    assert probe_video(tmp_path / "copy.mp4").has_sound
