"""A shape's name is found whatever a program puts around it, and no other name is taken for it."""

import random
import re
from collections.abc import Callable

import pytest

from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES
from kmspeaker.heads.shape_names import arkit_shape, arkit_shapes

Spell = Callable[[str], str]


def side(left: str, right: str) -> Spell:
    """The side behind, written otherwise."""
    return lambda name: re.sub("Left$", left, re.sub("Right$", right, name))


def side_first(left: str, right: str) -> Spell:
    def spell(name: str) -> str:
        own = re.fullmatch("(.*)(Left|Right)", name)
        return name if own is None else {"Left": left, "Right": right}[own[2]] + own[1]

    return spell


def snake(name: str) -> str:
    return "_".join(re.findall("[A-Z]?[a-z]+", name))


def any_case(name: str) -> str:
    chance = random.Random(name)
    return "".join(chance.choice((letter.lower(), letter.upper())) for letter in name)


SIDES: tuple[Spell, ...] = (
    *(str, side("_L", "_R"), side("L", "R"), side(".l", ".r"), side("_left", "_right")),
    *(side(" (Left)", " (Right)"), side("(L)", "(R)"), side(" [l]", " [r]"), side("-Lt", "-Rt")),
    *(side_first("L_", "R_"), side_first("left.", "right."), side_first("(L) ", "(R) ")),
)
CASES: tuple[Spell, ...] = (
    *(str, str.upper, str.lower, snake, any_case, lambda name: snake(name).upper()),
    *(lambda name: snake(name).lower().replace("_", "-"), lambda name: snake(name).title()),
)
AROUND = (
    *("{}", "ARKit_{}", "head_geo_{}", "Head_blendShape1.{}", "ns:Face:{}", "Body|{}", "face-{}"),
    *("{}.001", "{}_2", "01 {}", "A25_{}", "{}_geo", "{}.Shape", "{} copy", "bs.{}_mesh.002"),
)


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("spell", range(len(SIDES) + len(CASES)))
def test_every_spelling_means_the_same_shape(spell: int, around: str):
    how = (*SIDES, *CASES)[spell]
    names = [around.format(how(name)) for name in ARKIT_NAMES]
    assert arkit_shapes(names) == tuple(range(52)), names


def test_what_stands_before_a_dot_may_mean_anything_but_a_shape():
    assert arkit_shape("EyeRight.eyeBlinkLeft") == ARKIT_INDEX["eyeBlinkLeft"]
    for name in ("mouthClose.jawOpen", "L.jawOpen", "smile.mouth.L"):
        assert arkit_shape(name) is None


@pytest.mark.parametrize(
    "name",
    [
        *("viseme_aa", "", "_L", "jaw", "mouth", "mouthOpen", "left", ".", "Basis", "leftover"),
        *("mouthLeft_smile", "mouthLeftCorner", "mouthCornerPullL", "L_mouth_corner", "jawDrop"),
        *("jawOpenLeft", "jawOpenExtreme", "jawOpen_mouthClose", "mouthSmile", "eyeBlink"),
        *("mouth_open_L", "smile_mouthLeft", "eyeBlinkLeft_eyeWideLeft", "eyeBlinkLeft_R"),
        *("browdownleftish", "mouthPucker_L", "jawOpen" * 20, "mouthLowerLipDepressL"),
    ],
)
def test_other_names_mean_none(name: str):
    assert arkit_shape(name) is None


def test_halves_are_their_whole_unless_it_is_there():
    whole = ARKIT_INDEX["browInnerUp"]
    assert arkit_shapes(["browInnerUp_L", "browInnerUpRight"]) == (whole, whole)
    assert arkit_shapes(["browInnerUp_L", "browInnerUpRight", "browInnerUp"]) == (None, None, whole)
    assert arkit_shape("R_cheekPuff") == ARKIT_INDEX["cheekPuff"]


def test_of_two_the_better_spelt_counts_or_the_first():
    jaw = ARKIT_INDEX["jawOpen"]
    assert arkit_shapes(["x_jawOpen", "jawOpen.001", "JawOpen", "jawOpen"]) == (*[None] * 3, jaw)
    assert arkit_shapes(["Jaw_Open", "jawopen"]) == (jaw, None)
    assert arkit_shapes(["mouthLeft_smile", "mouthLeft_geo"]) == (None, ARKIT_INDEX["mouthLeft"])
