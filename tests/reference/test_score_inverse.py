"""Laws of the score inverse: nothing for nothing, and what it plays is answered with what was."""

import numpy as np
import pytest

from kmspeaker.face.rig import ARKIT_INDEX
from kmspeaker.reference import score_inverse
from kmspeaker.reference.score_inverse import AMPLITUDE, ScoreInverse
from tests.reference.filmed import acted


@pytest.fixture(scope="module")
def inverse() -> ScoreInverse:
    return ScoreInverse.load()


def test_a_face_at_rest_does_nothing(inverse: ScoreInverse) -> None:
    assert inverse.weights(np.zeros((1, 52))).max() < 0.05
    assert np.abs(inverse.answer(np.zeros((1, 52)))).max() == 0


@pytest.mark.parametrize(
    "name", ["mouthSmile", "browInnerUp", "browDown", "jawOpen", "mouthPucker"]
)
def test_what_is_played_is_answered_with_what_was_scored(inverse: ScoreInverse, name: str) -> None:
    """Along the curve of a shape: steep and flat parts alike."""
    answered = inverse.answer(acted(**{name: np.linspace(0, 0.7, 15)}).astype(np.float64))
    again = inverse.answer(inverse.weights(answered / AMPLITUDE))
    own = [k for n, k in ARKIT_INDEX.items() if n.startswith(name)]
    assert np.abs(again - answered)[:, own].max() < 0.12
    assert np.all(np.diff(again[:, own], axis=0) > -0.03)


def test_shapes_without_a_score_come_with_their_company(inverse: ScoreInverse) -> None:
    smile = acted(mouthSmile=np.array([0.8]), cheekSquint=np.array([0.7])).astype(np.float64)
    sneer = acted(
        noseSneer=np.array([0.8]), mouthUpperUp=np.array([0.5]), browDown=np.array([0.7])
    ).astype(np.float64)
    raised = inverse.weights(inverse.answer(smile))[0]
    wrinkled = inverse.weights(inverse.answer(sneer))[0]
    cheek, nose = ARKIT_INDEX["cheekSquintLeft"], ARKIT_INDEX["noseSneerLeft"]
    assert raised[cheek] > 0.25 > raised[nose]
    assert wrinkled[nose] > 0.25


def test_weights_stay_within_bounds_whatever_is_scored(inverse: ScoreInverse) -> None:
    change = np.random.default_rng(0).uniform(-1, 1, (200, 52))
    weights = inverse.weights(change)
    assert np.isfinite(weights).all()
    assert ((weights >= 0) & (weights <= 1)).all()


def test_the_rise_is_that_of_the_answer(inverse: ScoreInverse) -> None:
    at = np.random.default_rng(1).uniform(0, 1, (1, 52))
    step = 1e-6
    for k in (3, 17, 41):
        moved = at.copy()
        moved[0, k] += step
        rise = (inverse.answer(moved) - inverse.answer(at))[0] / step
        assert np.allclose(inverse.answer.jacobian(at)[0, k], rise, atol=1e-4)


def test_it_is_small_and_bundled() -> None:
    assert score_inverse.SCORE_INVERSE.stat().st_size < 120_000
