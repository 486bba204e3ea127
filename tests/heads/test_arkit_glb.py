"""A GLB with ARKit's targets is read, however they are spelt; others are refused."""

from pathlib import Path
from typing import Any

import pytest
from arkit_head import a_head

from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES
from kmspeaker.heads.arkit_glb import LEAST_SHAPES, ArkitHead, arkit_shape

SPELLINGS = (
    str,
    str.upper,
    lambda name: name.replace("Left", "_L").replace("Right", "_R"),
    lambda name: name.replace("Left", "L").replace("Right", "R"),
    lambda name: name.replace("Left", ".l").replace("Right", ".r"),
    lambda name: f"Head.{name}",
    lambda name: f"blendShape1:{name.replace('Left', '_left').replace('Right', '_right')}",
)


@pytest.mark.parametrize("spell", SPELLINGS)
def test_every_spelling_means_the_same_shape(spell: Any):
    assert [arkit_shape(spell(name)) for name in ARKIT_NAMES] == list(range(52))


def test_other_names_mean_none_and_halves_their_whole():
    for name in ("viseme_aa", "", "_L", "jaw", "mouthOpen", "left", "."):
        assert arkit_shape(name) is None
    assert arkit_shape("browInnerUp_L") == arkit_shape("browInnerUpRight")
    assert arkit_shape("cheekPuff_R") == ARKIT_INDEX["cheekPuff"]


@pytest.mark.parametrize(
    ("names", "extra", "says"),
    [
        ([], {}, "0 of ARKit's 52"),
        (["smile", "frown"], {}, "0 of ARKit's 52"),
        (list(ARKIT_NAMES[:LEAST_SHAPES]), {"meshes": []}, "0 of ARKit's 52"),
        (list(ARKIT_NAMES[:10]), {}, "10 of ARKit's 52"),
        ([n for n in ARKIT_NAMES if n != "jawOpen"], {}, "missing: jawOpen)"),
        (list(ARKIT_NAMES), {"nodes": [{}]}, "0 of ARKit's 52"),
        (list(ARKIT_NAMES), {"nodes": [{"mesh": "0"}, {"mesh": []}]}, "0 of ARKit's 52"),
        (list(ARKIT_NAMES), {"images": [{"uri": "../secret.png"}]}, "other files"),
        (list(ARKIT_NAMES), {"extensionsRequired": ["EXT_meshopt_compression"]}, "compression"),
        ([3] * 52, {}, "damaged"),
    ],
)
def test_other_glbs_are_refused_in_a_sentence(
    tmp_path: Path, names: list, extra: dict[str, Any], says: str
):
    with pytest.raises(InputError) as error:
        ArkitHead.read(a_head(tmp_path / "other.glb", names, **extra))
    assert says in str(error.value) and str(error.value).endswith(".")
