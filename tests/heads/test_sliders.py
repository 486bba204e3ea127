"""Sliders give heads that close their mouths and eyes and keep their teeth, from end to end."""

import random
from dataclasses import fields, replace
from itertools import product

import numpy as np
import pytest

from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_INDEX, PART_NAMES, FaceModel
from kmspeaker.heads.sliders import OWN, Sliders, sculpt
from kmspeaker.model.motion_space import rig_fingerprint

EACH_ORIGIN = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
ENDS = [
    Sliders(age, gender, weight, *origins)
    for age, gender, origins, weight in product(
        (18.0, 90.0), (0.0, 1.0), EACH_ORIGIN, (-1.0, 0.0, 1.0)
    )
]
BETWEEN = [
    Sliders(d.uniform(18, 90), d.random(), d.uniform(-1, 1), d.random(), d.random(), d.random())
    for d in [random.Random(seed) for seed in range(12)]
]


def posed(face: FaceModel, **shapes: float) -> np.ndarray:
    weights = np.zeros((1, 52), np.float32)
    for name, weight in shapes.items():
        weights[0, ARKIT_INDEX[name]] = weight
    return face.vertices(weights, OWN)[0]


@pytest.mark.parametrize("sliders", ENDS + BETWEEN)
def test_lips_lids_and_teeth_are_as_good_as_the_bundled_peoples(face: FaceModel, sliders: Sliders):
    own = sculpt(face, sliders)
    rest = np.zeros((1, 52), np.float32)
    bundled = [float(face.lip_gap(rest, name)[0]) for name in face.identities]
    assert min(bundled) - 0.5 < own.lip_gap(rest, OWN)[0] < max(bundled) + 0.1
    spoken = [float(face.teeth_gap(rest, name)[0]) for name in face.identities]
    assert 0.5 * min(spoken) < own.teeth_gap(rest, OWN)[0] < 1.5 * max(spoken)
    for part in ("eye_left", "eye_right"):  # still a ball, and the lids before it
        ball = own.neutral(OWN)[face.part == PART_NAMES.index(part)]
        centre = own.people[OWN].eye_centers[int(part == "eye_right")]
        clara = face.neutral("clara")[face.part == PART_NAMES.index(part)]
        theirs = clara - face.people["clara"].eye_centers[int(part == "eye_right")]
        assert np.abs(ball - centre - theirs).max() < 0.2
    inside = np.isin(face.part, [PART_NAMES.index(p) for p in ("teeth_upper", "teeth_lower")])
    smiling = posed(own, mouthSmileLeft=1, mouthSmileRight=1)
    lips = own.landmarks(rest, OWN)[0, [13, 14], 2].min()
    assert smiling[inside, 2].max() < lips + 2, "teeth stay behind the lips"


def test_each_slider_moves_the_face_and_only_proportions_of_origins_count(face: FaceModel):
    middle = Sliders(50.0, 0.5, 0.0, 1.0, 1.0, 1.0)
    rest = sculpt(face, middle).neutral(OWN)
    for each in fields(Sliders):
        moved = sculpt(face, replace(middle, **{each.name: float(each.metadata["range"][1])}))
        apart = np.linalg.norm(moved.neutral(OWN) - rest, axis=1).max()
        if each.name in ("european", "asian", "african"):
            assert apart == 0, "all at 1 already"
            less = replace(middle, **{each.name: 0.0})
            apart = np.linalg.norm(sculpt(face, less).neutral(OWN) - rest, axis=1).max()
        assert 1 < apart < 60
    half = replace(middle, european=0.5, asian=0.5, african=0.5)
    np.testing.assert_allclose(sculpt(face, half).neutral(OWN), rest, atol=1e-3)


def test_the_rig_the_models_learnt_and_the_bundled_people_stay_as_they_are(face: FaceModel):
    before = {name: face.neutral(name).copy() for name in face.identities}
    own = sculpt(face, Sliders())
    assert OWN in own.identities and OWN not in face.identities
    assert rig_fingerprint(own, "ours") == rig_fingerprint(face, "ours")
    for name, neutral in before.items():
        np.testing.assert_array_equal(own.neutral(name), neutral)
    assert sculpt(own, Sliders(age=80.0)).identities == own.identities, "takes its own place"
    with pytest.raises(InputError, match="bundled head"):
        sculpt(face, Sliders(), name="clara")


@pytest.mark.parametrize(
    "wrong", [{"age": 5.0}, {"gender": 1.1}, {"weight": float("nan")}, {"european": 0.0}]
)
def test_sliders_beyond_their_ends_are_refused_with_a_sentence(wrong: dict[str, float]):
    with pytest.raises(InputError, match=r"must be from|no origin"):
        Sliders(**wrong)
