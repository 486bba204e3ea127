"""Laws of a face at rest: what is held is no anatomy, and anatomy is no expression."""

from dataclasses import replace

import numpy as np
import pytest

from kmspeaker.face.identity_modes import IdentityModes
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.reference.at_rest import EXPRESSION, RESTING, resting_scores
from kmspeaker.reference.head_alignment import to_shape
from kmspeaker.reference.neutral import NeutralFace
from kmspeaker.reference.retarget import fit_clip, retarget
from kmspeaker.reference.score_inverse import ScoreInverse
from tests.reference.filmed import acted, filmed

HELD = {"mouthSmile": 0.8, "cheekSquint": 0.6, "browInnerUp": 0.8, "browOuterUp": 0.7}
SHOWN = ("mouthSmileLeft", "mouthSmileRight", "browInnerUp", "browOuterUpLeft")


@pytest.fixture(scope="module")
def grimace() -> np.ndarray:
    """One expression from the first frame to the last, while the jaw talks."""
    jaw = 0.2 * np.clip(np.sin(np.arange(75) / 3), 0, 1)
    return acted(jawOpen=jaw, **{name: np.full(75, value) for name, value in HELD.items()})


@pytest.mark.parametrize("person", [0, 4, 8])
def test_an_expression_that_never_ends_is_kept(
    face: FaceModel, grimace: np.ndarray, person: int
) -> None:
    found = retarget(filmed(face, grimace, face.identities[person]), face).weights
    inverse = ScoreInverse.load()
    wanted, shown = (
        inverse.answer(w.astype(np.float64)).mean(axis=0)[[ARKIT_INDEX[n] for n in SHOWN]]
        for w in (grimace, found)
    )
    assert (shown > 0.6 * wanted).all()


@pytest.mark.parametrize("person", [1, 5, 9])
def test_people_at_rest_stay_at_rest(face: FaceModel, person: int) -> None:
    """Also those whose scores at rest are not the population's."""
    track = filmed(face, np.zeros((45, 52), np.float32), face.identities[person])
    scores = track.scores.copy()
    scores[:, ARKIT_INDEX["browInnerUp"]] += 0.08
    scores[:, [ARKIT_INDEX["eyeSquintLeft"], ARKIT_INDEX["eyeSquintRight"]]] += 0.06
    weights = retarget(replace(track, scores=scores), face).weights.mean(axis=0)
    expressive = [
        k
        for name, k in ARKIT_INDEX.items()
        if name.startswith(("brow", "cheek", "nose", "mouth", "eyeSquint", "eyeWide"))
    ]
    assert weights[expressive].max() < 0.2
    assert weights[expressive].mean() < 0.04


def test_a_named_neutral_is_what_expressions_are_measured_against(
    face: FaceModel, grimace: np.ndarray
) -> None:
    track = filmed(face, grimace, face.identities[2])
    smile = ARKIT_INDEX["mouthSmileLeft"]
    kept = retarget(track, face).weights[:, smile].mean()
    # "I always look like this": of the grimace nothing is left.
    as_ever = NeutralFace(track.landmarks[0], track.scores[0])
    assert retarget(replace(track, neutral=as_ever), face).weights[:, smile].mean() < 0.3 * kept
    # At rest elsewhere: all of it is there.
    calm = filmed(face, np.zeros((5, 52), np.float32), face.identities[2])
    at_rest = NeutralFace(calm.landmarks[0], calm.scores[0])
    assert retarget(replace(track, neutral=at_rest), face).weights[:, smile].mean() > 0.9 * kept


def test_a_clip_moves_resting_scores_only_so_far() -> None:
    """However long it lasts and however much it shows."""
    name = "browInnerUp"
    mean, deviation = RESTING[name]
    for shown in (0.0, 1.0):
        scores = np.zeros((1000, 52))
        scores[:, ARKIT_INDEX[name]] = shown
        moved = abs(resting_scores(scores)[ARKIT_INDEX[name]] - mean)
        assert moved <= deviation**2 / EXPRESSION + 1e-6
    scores[:, ARKIT_INDEX[name]] = mean + 0.01
    assert np.isclose(resting_scores(scores)[ARKIT_INDEX[name]], mean + 0.01, atol=1e-4)


def test_the_identity_of_a_clip_is_the_persons(face: FaceModel) -> None:
    """From so far away that there is no perspective, which looks like anatomy."""
    person = face.identities[8]
    still = np.zeros((1, 52), np.float32)
    far_away = filmed(face, np.zeros((30, 52), np.float32), person, distance=1e5)
    fit = fit_clip(far_away, face)
    own = face.landmarks(still, person)[0]
    modes = IdentityModes.load(face.folder)
    found = modes.average + np.tensordot(fit.at_rest.identity, modes.modes, axes=1)

    def off(shape: np.ndarray) -> float:
        """Pose and size are the camera's."""
        apart = to_shape(own.astype(np.float64), shape) - own
        return float(np.sqrt(np.mean(apart[:, :2] ** 2)))

    assert off(found) < 0.75 * off(modes.average)


def test_identity_modes_find_their_own_coefficients(face: FaceModel) -> None:
    modes = IdentityModes.load(face.folder)
    drawn = np.random.default_rng(0).normal(size=len(modes.modes))
    shape = modes.average + np.tensordot(drawn, modes.modes, axes=1)
    found, likely = modes.most_likely(shape, np.full((468, 3), 0.01))
    assert np.allclose(likely, shape, atol=0.05)
    assert np.corrcoef(found, drawn)[0, 1] > 0.99
    nothing, average = modes.most_likely(shape, np.full((468, 3), 1e6))
    assert np.abs(nothing).max() < 1e-3
    assert np.allclose(average, modes.average, atol=0.01)
