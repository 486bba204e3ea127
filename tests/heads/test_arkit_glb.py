"""A GLB with ARKit's targets, however they are spelt, plays our weights; others are refused."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pygltflib
import pytest
from arkit_head import a_head
from takes import moving_take

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.errors import InputError
from kmspeaker.export import provenance, save_animation
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES, FaceModel
from kmspeaker.heads.arkit_glb import LEAST_SHAPES, OwnHead, arkit_shape, read_own, save_on_own
from kmspeaker.heads.mesh import write_neutral

SPELLINGS = (
    str,
    str.upper,
    lambda name: name.replace("Left", "_L").replace("Right", "_R"),
    lambda name: name.replace("Left", "L").replace("Right", "R"),
    lambda name: name.replace("Left", ".l").replace("Right", ".r"),
    lambda name: f"Head.{name}",
    lambda name: f"blendShape1:{name.replace('Left', '_left').replace('Right', '_right')}",
)


@pytest.fixture(scope="module")
def animation(face: FaceModel) -> FaceAnimation:
    return moving_take(face, frames=20)


@pytest.mark.parametrize("spell", SPELLINGS)
def test_every_spelling_means_the_same_shape(spell: Any):
    assert [arkit_shape(spell(name)) for name in ARKIT_NAMES] == list(range(52))


def test_other_names_mean_none_and_halves_their_whole():
    for name in ("viseme_aa", "", "_L", "jaw", "mouthOpen", "left", "."):
        assert arkit_shape(name) is None
    assert arkit_shape("browInnerUp_L") == arkit_shape("browInnerUpRight")
    assert arkit_shape("cheekPuff_R") == ARKIT_INDEX["cheekPuff"]


def test_weights_at_every_frame_are_ours_and_the_rest_stays(
    animation: FaceAnimation, tmp_path: Path
):
    names = ["smirk", *reversed([name.replace("Left", "_L") for name in ARKIT_NAMES])]
    names.remove("tongueOut")
    head = OwnHead.read(a_head(tmp_path / "mine.glb", names))
    assert head.missing == ("tongueOut",)
    document: Any = pygltflib.GLTF2().load(str(head.write(animation, tmp_path / "spoken.glb")))
    blob = document.binary_blob()

    def values(index: int) -> np.ndarray:
        accessor = document.accessors[index]
        view = document.bufferViews[accessor.bufferView]
        return np.frombuffer(blob, "<f4", accessor.count, view.byteOffset)

    spoken, spin = document.animations
    assert spin.name == "spin" and [c.target.node for c in spoken.channels] == [0, 1]
    for channel in spoken.channels:
        sampler = spoken.samplers[channel.sampler]
        assert channel.target.path == "weights"
        np.testing.assert_allclose(values(sampler.input), np.arange(20) / 30, atol=1e-6)
        played = values(sampler.output).reshape(20, len(names))
        assert not played[:, 0].any(), "smirk is none of ARKit's"
        np.testing.assert_array_equal(played[:, 1:], animation.weights[:, 50::-1])
    assert document.asset.extras == {"title": "mine", "kmspeaker": provenance(animation)}
    assert (tmp_path / "spoken.glb").read_bytes().find(head.glb.binary[:400]) > 0


def test_our_own_export_can_be_spoken_again(
    animation: FaceAnimation, face: FaceModel, tmp_path: Path
):
    path, _ = save_animation(animation, face, tmp_path / "take.glb")
    head = OwnHead.read(path)
    assert head.missing == ()
    again = OwnHead.read(head.write(animation, tmp_path / "again.glb"))
    assert len(again.glb.document["animations"]) == 2


def test_the_khronos_validator_has_no_complaint(animation: FaceAnimation, tmp_path: Path):
    cache = Path(os.environ.get("KMSPEAKER_CACHE", Path.home() / ".cache" / "kmspeaker"))
    modules = cache / "node" / "node_modules"
    if shutil.which("node") is None or not (modules / "gltf-validator").is_dir():
        if os.environ.get("CI"):
            pytest.fail("CI must have node and the Khronos validator; run scripts/setup.sh.")
        pytest.skip("needs node and the Khronos validator, which scripts/setup.sh installs")
    head = OwnHead.read(a_head(tmp_path / "mine.glb", list(ARKIT_NAMES)))
    path = head.write(animation, tmp_path / "spoken.glb")
    script = (
        "const [modules, file] = process.argv.slice(1);"
        "require(modules + '/gltf-validator').validateBytes("
        "new Uint8Array(require('fs').readFileSync(file)))"
        ".then((report) => console.log(JSON.stringify(report)));"
    )
    answer = subprocess.run(
        ["node", "-e", script, str(modules), str(path)], capture_output=True, text=True, check=True
    )
    messages = json.loads(answer.stdout)["issues"]["messages"]
    assert [m for m in messages if m["severity"] == 0] == []


def test_a_file_is_read_for_what_it_holds_and_takes_are_saved_on_it(
    animation: FaceAnimation, face: FaceModel, tmp_path: Path
):
    head = read_own(a_head(tmp_path / "mine.glb", list(ARKIT_NAMES)), face)
    assert isinstance(head, OwnHead)
    (path,) = save_on_own(animation, head, tmp_path / "spoken.glb")
    assert OwnHead.read(path).glb.document["animations"][0]["name"] == animation.use
    with pytest.raises(InputError, match=r"saved as \.glb"):
        save_on_own(animation, head, tmp_path / "spoken.mp4")
    write_neutral(face, "mei", tmp_path / "mine.obj")
    own = read_own(tmp_path / "mine.obj", face)
    assert isinstance(own, FaceModel)
    csv, _ = save_on_own(animation, own, tmp_path / "spoken.csv")
    assert csv.is_file()
    with pytest.raises(InputError, match="morph targets"):
        read_own(a_head(tmp_path / "other.glb", ["smile"]), face)


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
        OwnHead.read(a_head(tmp_path / "other.glb", names, **extra))
    assert says in str(error.value) and str(error.value).endswith(".")
