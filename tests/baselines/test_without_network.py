"""Rivals without a network do what their names say."""

import numpy as np
import pytest
import torch

from kmspeaker.baselines.without_network import RIVALS, blended
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel, Weights
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.performance import Performance

FPS = 30.0


def moving(seed: int, frames: int = 40) -> Weights:
    """A face that moves above and below."""
    random = np.random.default_rng(seed)
    weights = np.zeros((frames, 52), np.float32)
    for name in ("jawOpen", "browInnerUp", "eyeBlinkLeft", "mouthSmileLeft", "browDownRight"):
        wave = np.sin(np.arange(frames) / 4 + random.uniform(0, 6))
        weights[:, ARKIT_INDEX[name]] = 0.3 + 0.25 * wave
    return weights


@pytest.fixture(scope="module", params=sorted(RIVALS))
def rival(request: pytest.FixtureRequest) -> Pipeline:
    return Pipeline.load(request.param, device="cpu")


def features(frames: int, seed: int = 0) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(size=(frames, 384)).cumsum(axis=0)
    return (steps / 5).astype(np.float32)


@pytest.mark.parametrize("localized", [False, True])
def test_each_rival_gives_playable_weights_as_long_as_the_speech(rival: Pipeline, localized: bool):
    performance = Performance.from_weights(moving(1), FPS)
    style = rival.style_of(performance)
    assert style.shape == (1, *rival.model.style_mean.shape)
    one, other = rival.motion(features(55), style, performance if localized else None, seeds=(0, 1))
    assert one.shape == other.shape == (55, 52) and one.dtype == np.float32
    assert one.min() >= 0 and one.max() <= 1


def test_the_held_pose_stands_still_and_the_copy_moves_as_the_reference():
    performance = Performance.from_weights(moving(1), FPS)
    held, copied = (Pipeline.load(name, device="cpu") for name in ("held", "copied"))
    (still,) = held.motion(features(9), held.style_of(performance))
    (copy,) = copied.motion(features(55), copied.style_of(performance))
    np.testing.assert_allclose(still, np.tile(performance.weights.mean(0), (9, 1)), atol=1e-6)
    np.testing.assert_array_equal(copy[:40], performance.weights)
    np.testing.assert_array_equal(copy[40:], performance.weights[:15])


def test_the_linear_rival_opens_lips_with_the_reading_and_reads_brows_from_keypoints(
    face: FaceModel,
):
    performance = Performance.from_weights(moving(1), FPS)
    linear = Pipeline.load("linear", device="cpu")
    (weights,) = linear.motion(features(40), linear.style_of(performance), performance)
    for name in ("browInnerUp", "browDownRight", "eyeBlinkLeft"):
        read, real = (w[:, ARKIT_INDEX[name]] for w in (weights, performance.weights))
        assert np.corrcoef(read, real)[0, 1] > 0.95
    opening, theirs = (w @ face.lip_opening for w in (weights, performance.weights))
    assert abs(np.corrcoef(opening, theirs)[0, 1]) < 0.7  # the lips say other words
    assert 0.5 < opening.std() / theirs.std() < 1.5


def test_a_blend_of_a_face_with_itself_is_itself_and_of_two_takes_each_half(face: FaceModel):
    one, other = moving(1), moving(2)
    np.testing.assert_allclose(blended(face, one, one), one, atol=1e-4)
    both = blended(face, one, other)
    brow, jaw = ARKIT_INDEX["browInnerUp"], ARKIT_INDEX["jawOpen"]
    np.testing.assert_allclose(both[:, brow], other[:, brow], atol=0.1)
    np.testing.assert_allclose(both[:, jaw], one[:, jaw], atol=0.1)


def test_without_a_performance_a_blend_is_ours():
    blend, ours = (Pipeline.load(name, device="cpu") for name in ("blend", "small"))
    performance = Performance.from_weights(moving(1), FPS)
    style = ours.style_of(performance)
    assert torch.equal(blend.style_of(performance), style)
    np.testing.assert_array_equal(
        blend.motion(features(30), style)[0], ours.motion(features(30), style)[0]
    )


def test_a_rival_says_around_which_weights_it_is_built():
    assert Pipeline.load("held", device="cpu").model_name.startswith("held@")
