"""Every file that holds sound becomes the same mono samples; every other one, a sentence."""

import struct
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from tones import SECONDS, sine, wav_of, write

from kmspeaker.errors import InputError
from kmspeaker.examples import load_examples
from kmspeaker.media.audio import Sound, load_sound, write_wav
from kmspeaker.media.mono import mono


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "recording.wav"
    write_wav(path, Sound(sine(16_000).astype(np.float32), 16_000))
    return path


@pytest.mark.parametrize(
    ("name", "rate", "codec", "layout", "format", "tolerance"),
    [
        ("a.wav", 44_100, "pcm_s16le", "stereo", "s16", 1e-3),
        ("a.wav", 8_000, "pcm_u8", "mono", "u8", 2e-2),
        ("a.wav", 192_000, "pcm_s32le", "stereo", "s32", 1e-3),
        ("a.wav", 48_000, "pcm_f64le", "mono", "dbl", 1e-3),
        ("a.wav", 48_000, "pcm_s64le", "mono", "s64", 1e-3),
        ("a.wav", 48_000, "pcm_s16le", "5.1", "s16", 1e-3),
        ("a.flac", 22_050, "flac", "mono", "s16", 1e-3),
        ("a.mp3", 44_100, "libmp3lame", "stereo", "fltp", 3e-2),
        ("a.ogg", 48_000, "libopus", "stereo", "flt", 3e-2),
        ("a.webm", 48_000, "libopus", "mono", "flt", 3e-2),
        ("a.m4a", 44_100, "aac", "stereo", "fltp", 3e-2),
        ("a.mkv", 44_100, "aac", "mono", "fltp", 3e-2),
    ],
)
def test_whatever_the_file_the_tone_is_the_same_in_the_same_place(
    tmp_path: Path, name: str, rate: int, codec: str, layout: str, format: str, tolerance: float
):
    count = av.AudioLayout(layout).nb_channels
    path = write(tmp_path / name, [sine(rate)] * count, rate, codec, layout, format)
    sound = load_sound(path, sample_rate=16_000)
    assert sound.sample_rate == 16_000 and sound.samples.dtype == np.float32
    assert abs(sound.seconds - SECONDS) < 0.06  # lossy codecs fill their last frame
    inner = slice(1_600, 14_400)
    error = sound.samples[inner] - sine(16_000)[inner]
    assert np.sqrt(np.mean(error**2)) < tolerance


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 47_999, 96_000])
def test_resampling_keeps_place_pitch_and_length(rate: int):
    sound = Sound(sine(48_000).astype(np.float32), 48_000).resampled(rate)
    assert len(sound) == round(rate * SECONDS)
    inner = slice(len(sound) // 10, -len(sound) // 10)
    assert np.abs(sound.samples[inner] - sine(rate)[inner]).max() < 1e-3


def test_resampling_to_the_same_rate_changes_nothing():
    sound = Sound(sine(16_000).astype(np.float32), 16_000)
    assert sound.resampled(16_000) is sound


def test_written_sound_is_read_back(recording: Path):
    sound = load_sound(recording, sample_rate=16_000)
    assert sound.seconds == SECONDS
    assert np.abs(sound.samples - sine(16_000)).max() < 1e-4


def test_nothing_is_left_where_writing_fails(tmp_path: Path):
    sound = Sound(sine(16_000).astype(np.float32), 16_000)
    with pytest.raises(InputError, match="Cannot write"):
        write_wav(tmp_path / "no" / "such" / "folder.wav", sound)
    (tmp_path / "taken.wav").mkdir()
    with pytest.raises(InputError, match="Cannot write"):
        write_wav(tmp_path / "taken.wav", sound)
    assert [path.name for path in tmp_path.iterdir()] == ["taken.wav"]


def test_silence_is_sound(tmp_path: Path):
    path = tmp_path / "silence.wav"
    write_wav(path, Sound(np.zeros(16_000, np.float32), 16_000))
    assert not load_sound(path).samples.any()


def test_samples_beyond_full_scale_are_scaled_down_together(tmp_path: Path):
    tone = 8 * sine(16_000)
    path = write(tmp_path / "loud.wav", [tone], 16_000, "pcm_f32le", "mono", "flt")
    samples = load_sound(path, sample_rate=16_000).samples
    assert np.allclose(samples, tone / np.abs(tone).max(), atol=1e-3)


@pytest.mark.parametrize("starts_with", ["sound", "picture"])
def test_time_zero_is_the_first_picture(tmp_path: Path, starts_with: str):
    """A click 0.5 s after the first picture is found there, whichever of the two begins first."""
    rate, lead = 48_000, 0.32
    click = np.zeros(rate, np.float32)
    sound_start = 0.0 if starts_with == "sound" else lead
    picture_start = lead if starts_with == "sound" else 0.0
    click[round((picture_start + 0.5 - sound_start) * rate)] = 0.9
    path = tmp_path / "video.mkv"
    with av.open(path, "w") as out:
        video = out.add_stream("mpeg4", rate=25, width=64, height=48, pix_fmt="yuv420p")
        audio = out.add_stream("pcm_s16le", rate=rate, layout="mono")
        for k in range(25):
            picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
            picture.pts = round((picture_start + k / 25) * 1000)
            picture.time_base = Fraction(1, 1000)
            out.mux(video.encode(picture))
        out.mux(video.encode(None))
        for k in range(0, rate, 1000):
            pcm = (click[k : k + 1000] * 32767).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(pcm, "s16", "mono")
            frame.sample_rate = rate
            frame.pts = round(sound_start * rate) + k
            frame.time_base = Fraction(1, rate)
            out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    found = np.abs(load_sound(path).samples).argmax() / rate
    assert found == pytest.approx(0.5, abs=0.002)


def test_the_sound_of_a_video_is_as_long_as_the_video(speaking_clip: Path):
    with av.open(str(speaking_clip)) as video:
        seconds = float((video.duration or 0) / av.time_base)
    assert load_sound(speaking_clip).seconds == pytest.approx(seconds, abs=0.1)


def test_speech_is_read_at_any_rate():
    path = load_examples()["delighted"].speech
    low, high = load_sound(path, sample_rate=16_000), load_sound(path, sample_rate=48_000)
    assert low.seconds == pytest.approx(high.seconds, abs=1e-4)
    again = high.resampled(16_000).samples
    assert np.corrcoef(low.samples, again)[0, 1] > 0.999


# What cannot be used.


def test_what_is_no_sound_is_refused_in_one_sentence(tmp_path: Path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "letter.mp4").write_text("Dear reader,\n" * 100)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:10,\nrecording.wav\n#EXT-X-ENDLIST\n")
    (tmp_path / "list.wav").write_text("ffconcat version 1.0\nfile recording.wav\n")
    write_wav(tmp_path / "recording.wav", Sound(np.zeros(16_000, np.float32), 16_000))
    for name, sentence in {
        "missing.wav": "Cannot read",
        "": "Cannot read",
        "empty.wav": "is empty",
        "letter.mp4": "not sound or video",
        "list.m3u8": "not sound or video",
        "list.wav": "not sound or video",
    }.items():
        with pytest.raises(InputError, match=sentence) as caught:
            load_sound(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_video_without_sound_is_refused(tmp_path: Path):
    path = tmp_path / "mute.mp4"
    with av.open(path, "w") as out:
        stream = out.add_stream("mpeg4", rate=25, width=64, height=48, pix_fmt="yuv420p")
        for _ in range(25):
            picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    with pytest.raises(InputError, match="without a sound track"):
        load_sound(path)


def test_a_tenth_of_a_second_is_refused(tmp_path: Path):
    path = tmp_path / "short.wav"
    write_wav(path, Sound(sine(16_000, 0.1).astype(np.float32), 16_000))
    with pytest.raises(InputError, match=r"Got 0\.10 s .* at least 0\.4 s"):
        load_sound(path)


def test_half_an_hour_is_refused_with_the_limit_and_its_option(tmp_path: Path):
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 1, 8_000, 0, "NONE", ""))
        for _ in range(30):
            out.writeframes(bytes([128]) * 8_000 * 60)
    with pytest.raises(InputError, match=r"more than 600 s .* --max-seconds"):
        load_sound(path)


def test_the_limit_can_be_raised(tmp_path: Path):
    path = tmp_path / "long.wav"
    write_wav(path, Sound(np.zeros(8_000 * 30, np.float32), 8_000))
    with pytest.raises(InputError, match="more than 29 s"):
        load_sound(path, max_seconds=29.0)
    assert load_sound(path, max_seconds=30.0).seconds == 30


def test_reading_stops_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What a file claims to hold is never believed: only what was heard is kept."""
    path = tmp_path / "long.wav"
    write_wav(path, Sound(np.zeros(16_000 * 20, np.float32), 16_000))
    heard = []
    monkeypatch.setattr(
        "kmspeaker.media.audio.mono",
        lambda frame, *how: heard.append(frame.samples) or mono(frame, *how),
    )
    with pytest.raises(InputError, match="more than 2 s"):
        load_sound(path, max_seconds=2.0)
    assert sum(heard) < 3 * 16_000


PCM = (sine(16_000) * 32767).astype("<i2").tobytes()


@pytest.mark.parametrize("rate", [1, 10_000_000])
def test_rates_that_no_recorder_has_are_refused(tmp_path: Path, rate: int):
    path = tmp_path / "rate.wav"
    path.write_bytes(wav_of(PCM, rate=rate))
    with pytest.raises(InputError, match=rf"at {rate} Hz, 4000 to 768000 is needed"):
        load_sound(path)


@pytest.mark.parametrize(
    ("name", "codec", "layout"),
    [("a.wav", "pcm_s16le", "mono"), ("a.flac", "flac", "mono"), ("a.m4a", "aac", "mono")],
)
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, name: str, codec: str, layout: str):
    format = "fltp" if codec == "aac" else "s16"
    noise = np.random.default_rng(0).standard_normal(48_000 * 4) * 0.1
    path = write(tmp_path / name, [noise], 48_000, codec, layout, format)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="cut off"):
        load_sound(path)


PLACEHOLDERS = (0, 44, 4096, 10**9, 2 * 10**9, 2**31 - 1, 2**32 - 37, 2**32 - 1)


@pytest.mark.parametrize("length", PLACEHOLDERS)
def test_a_wav_written_before_its_length_was_known_is_all_read(tmp_path: Path, length: int):
    path = tmp_path / "streamed.wav"
    for riff in (length, min(length + 36, 2**32 - 1), None):
        path.write_bytes(wav_of(PCM, riff, length))
        sound = load_sound(path, sample_rate=16_000)
        assert sound.seconds == SECONDS
        assert np.abs(sound.samples - sine(16_000)).max() < 1e-3


def test_what_follows_the_sound_in_a_wav_is_not_heard(tmp_path: Path):
    path = tmp_path / "tagged.wav"
    for pcm in (PCM, PCM + b"\0"):  # an odd length, of which some programs fill up the last byte
        path.write_bytes(wav_of(pcm) + struct.pack("<4sI", b"LIST", 4_000) + b"INFO" * 1_000)
        assert load_sound(path).seconds == SECONDS


@pytest.mark.parametrize("length", [None, 0, 2 * 10**9, 2**32 - 1])
def test_several_wavs_in_one_file_are_one_sound(tmp_path: Path, length: int | None):
    other = (sine(8_000, 0.5) * 32767).astype("<i2").tobytes()
    path = tmp_path / "joined.wav"
    path.write_bytes(wav_of(PCM, length, length) * 2 + wav_of(other, length, length, rate=8_000))
    sound = load_sound(path, sample_rate=16_000)
    assert sound.seconds == 2.5
    tone = np.concatenate([sine(16_000), sine(16_000), sine(16_000, 0.5)])
    close = np.abs(sound.samples - tone) < 1e-2
    assert np.mean(close) > 0.999  # but where one ends and the next begins


def test_a_video_that_was_cut_off_is_refused(tmp_path: Path, example_video: Path):
    path = tmp_path / "cut.mp4"
    whole = example_video.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cut off"):
        load_sound(path)
