import dataclasses

import numpy as np
import pytest
import torch
from tiny_model import TINY, awake, some_weights

from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_INDEX, UPPER_SHAPES, FaceModel
from kmspeaker.model.network import KMSpeaker
from kmspeaker.model.sampling import generate, global_style_of
from kmspeaker.reference.performance import Performance

WINDOW = TINY.window_frames


@pytest.fixture(scope="module")
def model(face: FaceModel) -> KMSpeaker:
    return awake(face=face)


def speech(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, TINY.d_speech)).astype(np.float32)


@pytest.fixture(scope="module")
def style() -> Performance:
    return Performance.from_weights(some_weights(50), TINY.fps)


@pytest.mark.parametrize("frames", [1, WINDOW - 1, WINDOW, WINDOW + 1, 100])
@pytest.mark.parametrize("follows", [False, True])
def test_weights_are_playable_and_as_many_as_the_speech(model, face, style, frames, follows):
    weights = generate(model, face, speech(frames), style, style if follows else None)
    assert weights.shape == (frames, 52) and weights.dtype == np.float32
    assert weights.min() >= 0 and weights.max() <= 1
    close, jaw = ARKIT_INDEX["mouthClose"], ARKIT_INDEX["jawOpen"]
    assert (weights[:, close] <= weights[:, jaw]).all()


def test_the_same_seed_gives_the_same_motion_and_another_seed_another(model, face, style):
    first, again, other = (generate(model, face, speech(40), style, seed=s) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_without_noise_below_seeds_differ_above(model, face, style):
    """The lower face begins without noise; some of the upper one's may still reach it."""

    def apart(lower_noise: float, upper_noise: float = 1.0) -> tuple[float, float]:
        other = awake(face=face)
        other.config = dataclasses.replace(
            other.config, lower_noise=lower_noise, upper_noise=upper_noise, steps=1
        )
        one, two = (generate(other, face, speech(40), style, seed=s) for s in (1, 2))
        moved = np.abs(one - two).mean(axis=0)
        return float(moved[UPPER_SHAPES].mean()), float(moved[~UPPER_SHAPES].mean())

    noisy, calm = apart(1.0), apart(0.0)
    assert calm[1] < noisy[1] and calm[0] > 1e-4
    assert apart(0.0, upper_noise=2.0)[0] > 1.2 * calm[0]


def test_two_calls_do_not_affect_each_other(model, face, style):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    alone = generate(model, face, speech(40), style)
    generate(
        model,
        face,
        speech(30, seed=1),
        Performance.from_weights(some_weights(30, seed=5), 60.0),
        style,
        seed=9,
    )
    assert np.array_equal(generate(model, face, speech(40), style), alone)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_without_a_face_to_follow_localization_is_stylization(model, face, style):
    away = dataclasses.replace(style, present=np.zeros(len(style), bool))
    localized = generate(model, face, speech(40), style, away)
    assert np.allclose(localized, generate(model, face, speech(40), style), atol=1e-4)


def test_a_performance_ends_where_it_ends(model, face, style):
    """The frames beyond its end follow the style alone, whatever its length."""
    short = Performance.from_weights(style.weights[:10], style.fps)
    padded = Performance(
        weights=np.concatenate([short.weights, some_weights(40, seed=3)]),
        fps=style.fps,
        present=np.arange(50) < 10,
        bridged=np.zeros(50, bool),
        head=np.zeros((50, 3), np.float32),
        doubtful=np.zeros(50, bool),
    )
    first, second = (generate(model, face, speech(40), style, p) for p in (short, padded))
    assert np.allclose(first, second, atol=1e-4)


def test_the_global_style_hardly_knows_when_things_happen(model, face, style):
    """Whole windows in another order are the same style."""
    weights = some_weights(2 * WINDOW)
    swapped = np.concatenate([weights[WINDOW:], weights[:WINDOW]])
    first, second = (
        global_style_of(model, face, Performance.from_weights(w, TINY.fps))
        for w in (weights, swapped)
    )
    assert torch.allclose(first, second, atol=1e-5)


def test_frames_without_a_face_do_not_matter_to_the_global_style(model, face):
    weights = some_weights(WINDOW)
    present = np.arange(WINDOW) < WINDOW - 6
    seen = dataclasses.replace(Performance.from_weights(weights, TINY.fps), present=present)
    other = weights.copy()
    other[~present] = 0.9
    unseen = dataclasses.replace(seen, weights=other)
    assert torch.allclose(
        global_style_of(model, face, seen), global_style_of(model, face, unseen), atol=1e-5
    )


def test_what_does_not_fit_the_model_is_refused(model, face, style):
    with pytest.raises(InputError, match=r"whisper-tiny\.en"):
        generate(model, face, np.zeros((10, TINY.d_speech + 1), np.float32), style)
    with pytest.raises(InputError, match="steps"):
        generate(model, face, speech(10), style, steps=0)
    nobody = dataclasses.replace(style, present=np.zeros(len(style), bool))
    with pytest.raises(InputError, match="without a face"):
        generate(model, face, speech(10), nobody)
    stranger = awake(dataclasses.replace(model.config, rig="another"))
    with pytest.raises(InputError, match="another face rig"):
        generate(stranger, face, speech(10), style)
