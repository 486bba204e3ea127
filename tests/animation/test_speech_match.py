"""The same words are known in another take, at another pace, through noise; others are not."""

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from kmspeaker.animation.speech_match import SAME_WORDS, align_speech
from kmspeaker.examples import load_examples
from kmspeaker.media.audio import SAMPLE_RATE, Sound, load_sound


@pytest.fixture(scope="module")
def speech() -> Sound:
    return load_sound(load_examples()["delighted"].speech, sample_rate=SAMPLE_RATE)


def spoken_faster(sound: Sound, pace: float) -> Sound:
    """As by a smaller and quicker person: pace and pitch together."""
    return Sound(sound.samples, round(SAMPLE_RATE * pace)).resampled(SAMPLE_RATE)


def test_a_recording_goes_with_itself_moment_by_moment(speech: Sound):
    found = align_speech(speech, speech)
    assert found.likeness == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(found.places, found.moments, atol=1e-6)
    assert found.line == pytest.approx((0, 1), abs=1e-3)


def test_a_later_beginning_is_found_through_noise(speech: Sound):
    samples = np.random.default_rng(0).normal(0, 0.01, len(speech) + 8_000).astype(np.float32)
    samples[6_400:-1_600] += 0.3 * speech.samples  # 0.4 s later, quieter
    found = align_speech(speech, Sound(samples, SAMPLE_RATE))
    assert found.same
    shift, rate = found.line
    assert shift == pytest.approx(-0.4, abs=0.03) and rate == pytest.approx(1, abs=0.01)
    assert np.isnan(found.place(np.array([-1.0, 60.0]))).all()


@pytest.mark.parametrize("pace", [0.8, 1.25])
def test_another_pace_is_followed(speech: Sound, pace: float):
    found = align_speech(speech, spoken_faster(speech, pace))
    assert found.same
    assert found.line[1] == pytest.approx(1 / pace, abs=0.03)
    middle = np.array([2.0, 3.0])
    np.testing.assert_allclose(found.place(middle), middle / pace, atol=0.08)


def test_other_words_backward_words_and_silence_are_not_the_same(speech: Sound):
    backward = Sound(np.ascontiguousarray(speech.samples[::-1]), SAMPLE_RATE)
    silence = Sound(np.zeros(SAMPLE_RATE * 3, np.float32), SAMPLE_RATE)
    short = Sound(speech.samples[: SAMPLE_RATE // 2], SAMPLE_RATE)
    suspicious = load_sound(load_examples()["suspicious"].speech, sample_rate=SAMPLE_RATE)
    for other in (backward, silence, suspicious):
        assert not align_speech(speech, other).same
        assert not align_speech(short, other).same


def test_real_people_s_sentences_are_told_apart_with_room_to_spare(shared: Path):
    """One question is asked in two of the clips."""
    clips = sorted((shared / "data/clips").glob("LipReadingQuiz_*.mp4"))[:12]
    said = {clip.stem: load_sound(clip, sample_rate=SAMPLE_RATE) for clip in clips}
    pairs = [(a, b, align_speech(said[a], said[b]).likeness) for a, b in pairwise(said)]
    same = {b: likeness for a, b, likeness in pairs if b.startswith(a)}
    others = [likeness for a, b, likeness in pairs if not b.startswith(a)]
    assert list(same) == ["LipReadingQuiz_what_fish_do_you_prefer_166"]
    assert min(same.values()) > SAME_WORDS + 0.1
    assert max(others) < SAME_WORDS - 0.05
    noise = np.random.default_rng(0)
    for sound in list(said.values())[:3]:
        loud = float(np.sqrt((sound.samples**2).mean() / 10))  # 10 dB below
        noisy = sound.samples + noise.normal(0, loud, len(sound)).astype(np.float32)
        found = align_speech(sound, spoken_faster(Sound(noisy, SAMPLE_RATE), 1.1))
        assert found.likeness > SAME_WORDS + 0.05


def test_ten_seconds_are_compared_in_a_third_of_a_second(speech: Sound):
    long = Sound(np.tile(speech.samples, 2)[: 10 * SAMPLE_RATE], SAMPLE_RATE)
    align_speech(long, long)
    started = time.process_time()
    align_speech(long, long)
    assert time.process_time() - started < 1.0, "a third of it on a machine at rest"
