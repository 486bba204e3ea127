"""Channels, wild samples and clocks: what a recording asks of its reading."""

from pathlib import Path

import numpy as np
import pytest
from tones import SECONDS, sine, stamped, wav_of, write

from kmspeaker.errors import InputError
from kmspeaker.media.audio import Sound, load_sound


def test_the_bass_channel_is_left_out_and_the_centre_leads(tmp_path: Path):
    rate = 48_000
    silence, tone = np.zeros(rate), sine(rate)
    level = {}
    for at, speaker in enumerate(("FL", "FR", "FC", "LFE", "BL", "BR")):
        channels = [tone if k == at else silence for k in range(6)]
        path = write(tmp_path / f"{speaker}.wav", channels, rate, "pcm_s16le", "5.1", "s16")
        level[speaker] = float(np.abs(load_sound(path).samples).max())
    assert level["LFE"] < 1e-3
    assert level["FC"] > level["FL"] == level["FR"] > level["BL"] == level["BR"] > 0.03


def test_opposite_sides_of_stereo_are_averaged(tmp_path: Path):
    rate = 16_000
    path = write(
        tmp_path / "a.wav", [sine(rate), 0 * sine(rate)], rate, "pcm_s16le", "stereo", "s16"
    )
    assert np.allclose(load_sound(path, sample_rate=rate).samples, sine(rate) / 2, atol=1e-3)


@pytest.mark.parametrize("name", ["a.wav", "a.m4a"])
@pytest.mark.parametrize("gain", [-1.0, -0.8])
def test_of_channels_that_cancel_out_one_is_heard(tmp_path: Path, name: str, gain: float):
    """A microphone's balanced cable in a stereo input has the second channel upside down."""
    codec, format = ("pcm_s16le", "s16") if name == "a.wav" else ("aac", "fltp")
    channels = [sine(48_000), gain * sine(48_000)]
    path = write(tmp_path / name, channels, 48_000, codec, "stereo", format)
    samples = load_sound(path, sample_rate=16_000).samples
    error = (samples[: round(SECONDS * 16_000)] - sine(16_000))[1_600:14_400]
    assert np.sqrt(np.mean(error**2)) < 3e-2


@pytest.mark.parametrize("wild", [np.nan, np.inf, -np.inf, 1e30, -200.0])
@pytest.mark.parametrize("at", [0, 5_000, 15_999])
def test_one_wild_sample_costs_nothing_but_itself(tmp_path: Path, wild: float, at: int):
    tone = sine(16_000).astype("<f4")
    tone[at] = wild
    path = tmp_path / "wild.wav"
    path.write_bytes(wav_of(tone.tobytes(), tag=3, width=4))
    samples = load_sound(path, sample_rate=16_000).samples
    assert np.abs(samples - sine(16_000)).max() < 0.2
    assert np.abs(np.delete(samples - sine(16_000), at)).max() < 1e-3


def test_sound_that_is_mostly_no_numbers_is_refused(tmp_path: Path):
    tone = sine(16_000).astype("<f4")
    tone[::3] = np.nan
    path = tmp_path / "bad.wav"
    path.write_bytes(wav_of(tone.tobytes(), tag=3, width=4))
    with pytest.raises(InputError, match="of 16000 samples NaN, infinite"):
        load_sound(path)
    with pytest.raises(InputError, match="NaN or infinite"):
        Sound(tone.astype(np.float32), 16_000)


@pytest.mark.parametrize("pace", [0.92, 0.999, 1.001, 1.08])
def test_sound_follows_the_clock_of_its_recorder(tmp_path: Path, pace: float):
    """Clicks lie where the time stamps say, and between them nothing was put or taken away."""
    rate, seconds = 16_000, 60
    tone = sine(rate, seconds, 200.0)
    clicks = np.arange(5, 60, 10)
    tone[clicks * rate] = 0.99
    times = [0.02 * k * pace for k in range(50 * seconds)]
    sound = load_sound(stamped(tmp_path / "drift.mkv", tone, rate, times), sample_rate=rate)
    assert sound.seconds == pytest.approx(seconds * pace, abs=0.03)
    for click in clicks * pace:
        window = slice(round((click - 0.05) * rate), round((click + 0.05) * rate))
        found = window.start + np.abs(sound.samples[window]).argmax()
        assert found / rate == pytest.approx(click, abs=0.01)
    blocks = sound.samples[: len(sound) // 160 * 160].reshape(-1, 160)
    assert np.abs(blocks).max(1).min() > 0.4  # no silence


def test_where_packets_are_lost_there_is_silence_and_no_drift(tmp_path: Path):
    rate = 16_000
    times = [0.02 * k + (0.7 if k >= 100 else 0.0) for k in range(200)]
    path = stamped(tmp_path / "lost.mkv", sine(rate, 4.0), rate, times)
    sound = load_sound(path, sample_rate=rate)
    assert sound.seconds == pytest.approx(4.7, abs=1e-3)
    level = [np.abs(sound.samples[round(at * rate) :][:160]).max() for at in (1.9, 2.3, 2.8)]
    assert level == pytest.approx([0.5, 0.0, 0.5], abs=0.01)
