"""Speech folders are read or refused by name, and varied speech stays in its place."""

import numpy as np
import pytest

from kmspeaker.corpus.speech.voices import (
    apply_codec,
    augment,
    change_pitch,
    change_speed,
    read_utterances,
)
from kmspeaker.errors import InputError
from kmspeaker.media.audio import SAMPLE_RATE


def test_augmented_speech_is_as_long_and_in_the_same_place():
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[8000] = 0.5
    for seed in range(12):
        heard = augment(np.random.default_rng(seed), click)
        assert len(heard) == len(click) and np.abs(heard).max() <= 1
        quiet = np.abs(heard[:7900]).max()
        assert np.abs(heard[7900:8100]).max() > quiet
    assert len(change_speed(click, 1.25)) == SAMPLE_RATE / 1.25


@pytest.mark.parametrize("factor", [0.87, 1.0, 1.15])
def test_another_pitch_keeps_everything_in_its_place(factor):
    times = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    spoken = (times > 0.5) & (times < 1.5)
    voice = sum(np.sin(2 * np.pi * 150 * n * times) / n for n in range(1, 9)) * spoken * 0.3
    heard = change_pitch(voice.astype(np.float32), factor)
    assert len(heard) == len(voice)
    loud = np.flatnonzero(np.abs(heard) > 0.05) / SAMPLE_RATE
    assert (loud[0], loud[-1]) == pytest.approx((0.5, 1.5), abs=0.015)
    spectrum = np.abs(np.fft.rfft(heard[SAMPLE_RATE * 6 // 10 :][: SAMPLE_RATE * 8 // 10]))
    lowest = (60 + np.argmax(spectrum[60:180])) / 0.8
    assert lowest == pytest.approx(150 * factor, rel=0.02)


def test_a_telephone_line_is_coarse_and_keeps_its_time():
    speech = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE).astype(np.float32).clip(-1, 1)
    heard = apply_codec(speech)
    assert 60 < len(np.unique(heard)) < 256
    noise = np.std(heard - speech) / np.std(speech)
    assert 0.005 < noise < 0.05
    assert np.abs(apply_codec(np.zeros(9, np.float32))).max() == 0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a\tsomeone\t1.0\tword\t", "without phones"),
        ("a\tsomeone\t1.0\tword\tQQ:0:1", "QQ"),
        ("a\tsomeone\t1.0", "3 columns"),
    ],
)
def test_speech_that_cannot_be_used_is_told_by_its_clip(tmp_path, row, message):
    folder = tmp_path / "cathy"
    folder.mkdir()
    (folder / "clips.tsv").write_text(f"clip\tspeaker\tseconds\ttext\tphones\n{row}\n")
    with pytest.raises(InputError, match=rf"(?s)\ba\b.*{message}|{message}.*\(a\)"):
        read_utterances(tmp_path)


def test_speech_of_unknown_licence_is_refused_until_it_is_named(tmp_path):
    folder = tmp_path / "ours"
    folder.mkdir()
    (folder / "clips.tsv").write_text("clip\tspeaker\tseconds\ttext\tphones\nx\ty\t1\tz\tAA:0:1\n")
    with pytest.raises(InputError, match="LICENCE"):
        read_utterances(tmp_path)
    (folder / "LICENCE").write_text("CC0-1.0\n")
    assert read_utterances(tmp_path)[0].licence == "CC0-1.0"
