"""The lips' opening is the mean of the network's and of a linear reading of the speech."""

import numpy as np
import pytest

from kmspeaker.face.rig import ARKIT_INDEX, UPPER_SHAPES
from kmspeaker.model.linear_reading import with_context
from kmspeaker.model.opening import FREE, blend_opening, fit_opening

JAW, FRAMES, DIM = ARKIT_INDEX["jawOpen"], 400, 6


@pytest.fixture(scope="module")
def talk(face):
    """Speech of which one feature, two frames later, is how far the jaw opens."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(FRAMES, DIM)).astype(np.float32)
    weights = np.full((FRAMES, 52), 0.1, np.float32)
    weights[:, JAW] = 0.5 + 0.1 * np.roll(features[:, 3], 2)
    return features, weights


@pytest.fixture(scope="module")
def reading(talk, face):
    fitted = fit_opening([talk], face.lip_opening)
    assert fitted is not None
    return fitted


def test_what_opens_lips_is_found_with_its_delay_and_its_shape(talk, reading, face):
    slope, direction = reading
    assert np.argmax(np.abs(slope)) == 3  # two frames before, in the first of five
    assert direction @ face.lip_opening == pytest.approx(1)
    assert np.argmax(np.abs(direction)) == JAW


def test_without_a_share_nothing_changes_and_with_all_of_it_lips_follow_the_reading(
    talk, reading, face
):
    features, _ = talk
    rng = np.random.default_rng(1)
    weights = np.full((FRAMES, 52), 0.1)
    weights[:, JAW] = 0.6 + 0.05 * rng.normal(size=FRAMES)
    slope, direction = reading

    def blended(share: float) -> np.ndarray:
        return blend_opening(weights, features, slope, direction, face.lip_opening, share)

    assert np.array_equal(blended(0.0), weights)
    followed = blended(1.0)
    opening, before = followed @ face.lip_opening, weights @ face.lip_opening
    assert before.min() > FREE  # so that nothing holds the reading back
    assert np.corrcoef(opening, with_context(features) @ reading[0])[0, 1] > 0.999
    assert opening.mean() == pytest.approx(before.mean())
    assert opening.std() == pytest.approx(before.std())
    assert np.array_equal(followed[:, UPPER_SHAPES], weights[:, UPPER_SHAPES])


def test_closed_lips_stay_closed_and_still_ones_still(talk, reading, face):
    features, _ = talk
    weights = np.zeros((FRAMES, 52))
    weights[::2, JAW] = 0.5
    slope, direction = reading
    blended = blend_opening(weights, features, slope, direction, face.lip_opening, share=0.5)
    assert np.array_equal(blended[1::2], weights[1::2])
    still = np.full((FRAMES, 52), 0.2)
    calm = blend_opening(still, features, slope, direction, face.lip_opening, share=0.5)
    assert np.array_equal(calm, still)


def test_without_natural_talk_there_is_no_reading(face):
    assert fit_opening([], face.lip_opening) is None
    silent = np.zeros((50, DIM), np.float32), np.zeros((50, 52), np.float32)
    assert fit_opening([silent], face.lip_opening) is None
