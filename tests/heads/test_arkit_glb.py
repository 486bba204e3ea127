"""A GLB with ARKit's targets is read, however they are spelt; others are refused."""

from pathlib import Path
from typing import Any

import pytest
from arkit_head import a_head

from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES
from kmspeaker.heads.arkit_glb import LEAST_SHAPES, ArkitHead


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
        (["jawOpen"] * 6001, {}, "damaged"),
        (list(ARKIT_NAMES), {"nodes": [{}] * 10_001}, "10,001 nodes"),
    ],
)
def test_other_glbs_are_refused_in_a_sentence(
    tmp_path: Path, names: list, extra: dict[str, Any], says: str
):
    with pytest.raises(InputError) as error:
        ArkitHead.read(a_head(tmp_path / "other.glb", names, **extra))
    assert says in str(error.value) and str(error.value).endswith(".")


def test_a_better_spelt_target_keeps_the_shape_to_itself(tmp_path: Path):
    names = ["old_jawOpen", *ARKIT_NAMES, "jawOpen.001", "mouthLeft_smile"]
    head = ArkitHead.read(a_head(tmp_path / "twice.glb", names, copies=1))
    assert head.missing == ()
    assert head.shapes[0] == (None, *ARKIT_INDEX.values(), None, None)
