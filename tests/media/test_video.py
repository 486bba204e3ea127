"""Laws of video in and out: what is written is read back, upright, at its true times."""

import ast
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from kmspeaker.errors import InputError
from kmspeaker.media import container
from kmspeaker.media.audio import Sound, load_sound, write_wav
from kmspeaker.media.video_reader import MAX_SIDE, frames_at, probe_video, read_frames
from kmspeaker.media.video_writer import write_video

RED, GREEN, BLUE, BLACK = (220, 20, 20), (20, 200, 20), (20, 20, 220), (0, 0, 0)


def quarters(width: int = 160, height: int = 96) -> np.ndarray:
    """Red and black above, green and blue below: every turn and mirroring looks different."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[: height // 2, : width // 2] = RED
    frame[height // 2 :, : width // 2] = GREEN
    frame[height // 2 :, width // 2 :] = BLUE
    return frame


def corners(frame: np.ndarray) -> str:
    """The colours of the four quarters by their first letters, row by row."""
    height, width = frame.shape[:2]
    names = dict(zip("RGBK", (RED, GREEN, BLUE, BLACK), strict=True))
    places = [(y, x) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    return "".join(
        min(names, key=lambda n: np.abs(frame[place].astype(int) - names[n]).sum())
        for place in places
    )


def encode(path: Path, times: list[float], frame: np.ndarray, **stream_settings: object) -> Path:
    """A video with frames at the given times, each darker than the one before."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", 30)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = *frame.shape[:2], "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for name, value in stream_settings.items():
            setattr(stream.codec_context, name, value)
        for k, seconds in enumerate(times):
            picture = VideoFrame.from_ndarray(frame - np.minimum(frame, 5 * k).astype(np.uint8))
            picture.pts, picture.time_base = round(seconds * 1000), Fraction(1, 1000)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    tone = np.sin(np.arange(48_000 * 2) * 0.05).astype(np.float32) / 2
    write_video(path, [quarters()] * 50, 25.0, Sound(tone, 48_000))
    return path


def test_what_is_written_is_read_back(clip: Path) -> None:
    frames = list(read_frames(clip))
    assert [round(seconds * 25, 3) for seconds, _ in frames] == list(range(50))
    assert all(corners(frame) == "RKGB" for _, frame in frames)
    assert all(frame.flags.c_contiguous for _, frame in frames)
    assert load_sound(clip).seconds == pytest.approx(2, abs=0.05)


def test_the_header_says_the_same_as_the_frames(clip: Path) -> None:
    info = probe_video(clip)
    assert (info.width, info.height, info.frames, info.rotation) == (160, 96, 50, 0)
    assert info.seconds == pytest.approx(2)
    assert info.has_sound


def test_an_odd_side_gets_one_more_pixel(tmp_path: Path) -> None:
    write_video(tmp_path / "odd.mp4", [quarters(161, 97)] * 3, 30.0)
    assert next(read_frames(tmp_path / "odd.mp4"))[1].shape == (98, 162, 3)
    assert not probe_video(tmp_path / "odd.mp4").has_sound


def test_a_video_plays_before_it_is_loaded(clip: Path) -> None:
    content = clip.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize(
    ("degrees", "mirrored", "seen"),
    [
        *((0, False, "RKGB"), (90, False, "KBRG"), (180, False, "BGKR"), (270, False, "GRBK")),
        *((0, True, "KRBG"), (90, True, "BKGR"), (180, True, "GBRK"), (270, True, "RGKB")),
    ],
)
def test_frames_stand_upright(
    clip: Path, tmp_path: Path, degrees: int, mirrored: bool, seen: str
) -> None:
    path = tmp_path / "turned.mp4"
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(degrees, hflip=mirrored)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    frame = next(read_frames(path))[1]
    info = probe_video(path)
    assert corners(frame) == seen
    assert frame.shape[:2] == (info.height, info.width)
    assert (info.width > info.height) == (degrees % 180 == 0)


def test_times_are_the_true_ones_of_a_variable_rate(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.1, 0.3, 0.31, 0.9]
    path = encode(tmp_path / "variable.mkv", [0.5 + t for t in times], quarters())
    assert [seconds for seconds, _ in read_frames(path)] == pytest.approx(times, abs=1e-3)


def test_pixels_become_square(tmp_path: Path) -> None:
    path = encode(tmp_path / "wide.mp4", [0, 0.1], quarters(), sample_aspect_ratio=Fraction(3, 2))
    assert next(read_frames(path))[1].shape == (96, 240, 3)


def test_large_frames_are_scaled_down(tmp_path: Path) -> None:
    path = encode(tmp_path / "large.mp4", [0, 0.1], quarters(2560, 1440))
    assert next(read_frames(path))[1].shape == (720, MAX_SIDE, 3)


def test_the_content_counts_and_not_the_name(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mkv", [0, 0.1, 0.2], quarters()).rename(tmp_path / "notes.txt")
    assert len(list(read_frames(path))) == 3


def test_a_recording_without_a_length_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "live.webm"
    with av.open(str(path), "w", format="webm", options={"live": "1"}) as out:
        stream = out.add_stream("libvpx", 20, options={"cpu-used": "8"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for _ in range(30):
            out.mux(stream.encode(VideoFrame.from_ndarray(quarters())))
        out.mux(stream.encode(None))
    assert probe_video(path).seconds == pytest.approx(1.5, abs=0.01)
    assert probe_video(path).frames == 30


def _cut(clip: Path, path: Path) -> None:
    content = clip.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])


def _sound_only(clip: Path, path: Path) -> None:
    write_wav(path, load_sound(clip))


def _tiny(clip: Path, path: Path) -> None:
    encode(path, [0, 0.1], quarters(32, 32))


BAD = {
    "empty": (lambda clip, path: path.write_bytes(b""), "empty"),
    "text": (lambda clip, path: path.write_text("not a video\n" * 99), "not a video"),
    "zeros": (lambda clip, path: path.write_bytes(bytes(9999)), "not a video"),
    "header only": (lambda clip, path: path.write_bytes(clip.read_bytes()[:500]), "cut off"),
    "cut": (_cut, "cut off after"),
    "picture": (
        lambda clip, path: Image.fromarray(quarters()).save(path, "PNG"),
        "single picture",
    ),
    "playlist": (
        lambda clip, path: path.write_text(f"ffconcat version 1.0\nfile {clip}\n"),
        "playlist|not a video",
    ),
    "sound": (_sound_only, "without a picture track"),
    "tiny": (_tiny, "32x32 pixels"),
    "missing": (lambda clip, path: None, "No such file"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_sentence(clip: Path, tmp_path: Path, kind: str) -> None:
    make, says = BAD[kind]
    path = tmp_path / "input.mp4"
    make(clip, path)
    with pytest.raises(InputError, match=says) as caught:
        list(read_frames(path))
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_a_long_video_is_refused_before_it_is_decoded(clip: Path) -> None:
    with pytest.raises(InputError, match=r"more than 1\.5 s .* limit"):
        next(read_frames(clip, max_seconds=1.5))


def test_more_pixels_than_memory_allows_are_refused(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kmspeaker.media.video_reader.MOST_PIXELS", 160 * 96 - 1)
    with pytest.raises(InputError, match=r"160x96 pixels, at most .* million"):
        next(read_frames(clip))


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
@pytest.mark.parametrize("starts_with", ["sound", "picture"])
def test_tracks_that_begin_apart_are_not_cut_off(
    tmp_path: Path, kind: str, starts_with: str
) -> None:
    """As in a clip trimmed without encoding, whose picture begins at the next key frame."""
    path, rate = tmp_path / f"trimmed.{kind}", 48_000
    sound_start, picture_start = (0.0, 0.9) if starts_with == "sound" else (0.9, 0.0)
    with av.open(str(path), "w") as out:
        video = out.add_stream("mpeg4", rate=25, width=64, height=48, pix_fmt="yuv420p")
        audio = out.add_stream("aac", rate=rate, layout="mono")
        for k in range(50):
            picture = VideoFrame.from_ndarray(quarters(64, 48))
            picture.pts = round((picture_start + k / 25) * 1000)
            picture.time_base = Fraction(1, 1000)
            out.mux(video.encode(picture))
        out.mux(video.encode(None))
        for k in range(0, round((picture_start + 2 - sound_start) * rate), 1024):
            frame = AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = round(sound_start * rate) + k
            out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    assert len(list(read_frames(path))) == 50
    assert probe_video(path).seconds == pytest.approx(2, abs=0.05)
    assert load_sound(path).seconds == pytest.approx(2, abs=0.06)


def test_a_colon_belongs_to_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg would take ``dub`` for a protocol."""
    monkeypatch.chdir(tmp_path)
    for name in ("dub:de.mp4", "./face:overlay.mp4", "file:a.mp4", "http:b.mp4"):
        write_video(name, [quarters()] * 3, 25.0)
        assert len(list(read_frames(name))) == 3
    assert len(list(tmp_path.iterdir())) == 4


def test_only_one_module_opens_what_people_give() -> None:
    folder = Path(container.__file__).parent
    reading = [
        path.name
        for path in sorted(folder.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "av.open"
        if "w" not in [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
    ]
    assert reading == ["container.py"]


def test_nothing_is_left_where_writing_failed(tmp_path: Path) -> None:
    def frames() -> Iterator[np.ndarray]:
        yield quarters()
        raise RuntimeError("the renderer broke")

    with pytest.raises(RuntimeError, match="broke"):
        write_video(tmp_path / "out.mp4", frames(), 30.0)
    with pytest.raises(InputError, match="no frames"):
        write_video(tmp_path / "out.mp4", [], 30.0)
    with pytest.raises(InputError, match="Cannot write"):
        write_video(tmp_path / "absent" / "out.mp4", [quarters()], 30.0)
    assert not list(tmp_path.iterdir())


def test_frames_at_shows_what_a_player_shows() -> None:
    pictures = [np.full((2, 2, 3), k, np.uint8) for k in range(4)]
    timed = zip((0.0, 0.1, 0.35, 0.4), pictures, strict=True)
    assert [int(f[0, 0, 0]) for f in frames_at(timed, 10.0)] == [0, 1, 1, 1, 3]
    assert not list(islice(frames_at([], 10.0), 1))
