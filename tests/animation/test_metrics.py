"""What is read off a take: nothing where nothing differs, the right number where it is known."""

from dataclasses import replace

import numpy as np
import pytest
from takes import moving_take

from kmspeaker.animation.metrics import (
    MEASURES,
    closures,
    correlation,
    curve,
    inspect,
    jitter,
    kept_closures,
    read_at,
    rows,
    spectrogram,
    upper_error,
    waveform,
)
from kmspeaker.examples import load_examples
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.media.audio import Sound, load_sound
from kmspeaker.reference.performance import Performance

FPS = 30.0


@pytest.fixture(scope="module")
def speech() -> Sound:
    """Real speech of two seconds."""
    sound = load_sound(load_examples()["delighted"].speech, sample_rate=16_000)
    return Sound(sound.samples[8_000:40_000], 16_000)


def opening(*heights: float) -> np.ndarray:
    """Lips at each height for three frames."""
    return np.repeat(np.array(heights, np.float64), 3)


def test_curves_are_zero_at_rest_and_move_with_their_shapes(face: FaceModel):
    assert rows(face).shape == (len(MEASURES), 52)
    for name, shape, sign in (
        ("lips", "jawOpen", 1),
        ("brows", "browInnerUp", 1),
        ("brows", "browDownLeft", -1),
        ("eyes", "eyeBlinkLeft", -1),
        ("eyes", "eyeWideRight", 1),
    ):
        weights = np.zeros((2, 52), np.float32)
        weights[1, ARKIT_INDEX[shape]] = 1
        rest, moved = curve(face, weights, name)
        assert rest == 0
        assert sign * moved > 1, f"{shape} moves {name} by {moved:.2f} mm"
    assert curve(face, weights, "eyeWideRight").tolist() == [0, 1]


def test_the_lip_curve_is_the_rigs_own_gap_above_rest(face: FaceModel):
    weights = moving_take(face).weights
    still = face.lip_gap(np.zeros((1, 52), np.float32), "clara")
    np.testing.assert_allclose(
        curve(face, weights, "lips"), face.lip_gap(weights, "clara") - still, atol=1e-4
    )


def test_a_closure_opens_closes_and_opens_again():
    assert closures(opening(3, 0, 3)) == [(3, 5)]
    assert closures(opening(0, 3, 0)) == [], "lips that stay closed at the ends close nothing"
    assert closures(opening(3, 1, 3)) == [], "half closed is not closed"
    assert closures(opening(3, 0.2, 1, 0.2, 3)) == [(3, 11)], "trembling is one closure"
    assert len(closures(opening(*[3, 0] * 5, 3))) == 5


def test_lost_frames_interrupt_a_closure():
    assert closures(opening(3, 0, np.nan, 3)) == []
    assert closures(opening(3, np.nan, 0, 3)) == []
    assert closures(np.full(4, np.nan)) == []


def test_closures_are_kept_within_two_frames():
    wanted = opening(3, 0, 3, 0, 3, 0, 3)
    assert kept_closures(wanted, wanted, FPS) == (3, 3)
    assert kept_closures(np.roll(wanted, 2), wanted, FPS) == (3, 3)
    assert kept_closures(opening(3, 0, 3, 1, 3, 0, 3), wanted, FPS) == (2, 3)
    assert kept_closures(np.full(len(wanted), np.nan), wanted, FPS) == (0, 3), (
        "unknown lips keep nothing"
    )


def test_jitter_is_the_size_of_noise_and_nothing_on_a_smooth_path(face: FaceModel):
    time = np.linspace(0, 1, 400)[:, None]
    smooth = np.zeros((400, 52), np.float32)
    smooth[:, [ARKIT_INDEX["jawOpen"]]] = time * (1 - time)
    present = np.ones(400, bool)
    assert jitter(face, smooth, present) < 1e-3
    noise = np.random.default_rng(0).normal(0, 0.01, 400).astype(np.float32)
    rough = smooth.copy()
    rough[:, ARKIT_INDEX["jawOpen"]] += noise
    moved = face.landmark_deltas()[ARKIT_INDEX["jawOpen"]]
    lips = moved[[61, 0, 291, 17, 13, 14, 78, 308, 37, 267, 84, 314]]
    size = 0.01 * np.sqrt((lips**2).sum(axis=1).mean())
    assert jitter(face, rough, present) == pytest.approx(size, rel=0.15)
    assert jitter(face, rough, np.zeros(400, bool)) == 0, "lost frames do not count"


def test_the_upper_error_is_none_of_the_lower_faces(face: FaceModel):
    take = moving_take(face)
    wanted = Performance.from_weights(take.weights, FPS)
    assert upper_error(face, take.weights, wanted) == 0
    lips, brow = take.weights.copy(), take.weights.copy()
    lips[:, ARKIT_INDEX["mouthFunnel"]] = 1
    brow[:, ARKIT_INDEX["browInnerUp"]] = 1
    by_lips, by_brow = (upper_error(face, weights, wanted) for weights in (lips, brow))
    assert by_lips is not None and by_brow is not None
    assert by_brow > 4 * by_lips
    lost = replace(wanted, present=np.zeros(len(take), bool))
    assert upper_error(face, take.weights, lost) is None


def test_reading_at_frames_gives_back_what_was_there():
    values = np.arange(6.0)
    frames = np.arange(6.0)
    assert read_at(values, frames).tolist() == values.tolist()
    assert read_at(values, frames[:3] + 0.5).tolist() == [0.5, 1.5, 2.5]
    assert np.isnan(read_at(values, frames[:2] - 2)).all()
    assert np.isnan(read_at(values, frames[:3] + 5.5)).all()
    assert np.isnan(read_at(values, np.array([np.nan]))).all()


def test_correlation_ignores_height_scale_and_what_is_unknown():
    one = np.sin(np.arange(50.0))
    other = 5 - 3 * one
    other[10:20] = np.nan
    assert correlation(one, other) == pytest.approx(-1)
    assert np.isnan(correlation(one, np.zeros(50)))
    assert np.isnan(correlation(one, np.full(50, np.nan)))


def test_a_take_that_is_its_performance_has_no_error(face: FaceModel, speech: Sound):
    take = replace(moving_take(face), use="localize", sound=speech)
    numbers = inspect(face, take, Performance.from_weights(take.weights, FPS), speech)
    assert numbers.follows == pytest.approx(1)
    assert numbers.upper_error == pytest.approx(0, abs=1e-6)
    assert numbers.jitter == numbers.own_jitter
    assert numbers.closures > 0
    assert numbers.closures == numbers.own_closures
    assert numbers.kept is not None and numbers.kept[0] == numbers.kept[1] > 0


def test_a_performance_that_begins_later_follows_as_well(face: FaceModel, speech: Sound):
    take = replace(moving_take(face), sound=speech)
    late = Performance.from_weights(
        np.concatenate([np.tile(take.weights[:1], (6, 1)), take.weights]), FPS
    )
    sound = Sound(np.concatenate([np.zeros(3_200, np.float32), speech.samples]), 16_000)
    numbers = inspect(face, take, late, sound)
    assert numbers.alignment is not None
    assert numbers.alignment.place(np.array([1.0])) == pytest.approx(1.2, abs=0.011)
    assert numbers.follows == pytest.approx(1, abs=0.02)


def test_what_means_nothing_is_none(face: FaceModel, speech: Sound):
    take = replace(moving_take(face), sound=speech)
    performance = Performance.from_weights(take.weights, FPS)
    silent = inspect(face, take, performance, None)
    assert silent.alignment is silent.follows is silent.kept is silent.upper_error is None
    others = inspect(face, take, performance, Sound(np.zeros(32_000, np.float32), 16_000))
    assert others.follows is others.kept is None
    lost = replace(performance, present=np.zeros(len(take), bool))
    nothing = inspect(face, take, lost, speech)
    assert nothing.own_jitter is nothing.own_closures is nothing.follows is None


def test_pictures_of_a_sound_are_as_long_as_it_and_compact(speech: Sound):
    picture, wave = spectrogram(speech), waveform(speech)
    assert picture.shape == (40, 100)
    assert picture.max() == 255
    assert len(np.unique(picture)) <= 32
    assert wave.shape == (400, 2)
    assert np.abs(wave).max() == 127
    assert (spectrogram(Sound(np.zeros(16_000, np.float32), 16_000)) <= 255).all()
    assert (waveform(Sound(np.zeros(16_000, np.float32), 16_000)) == 0).all()
