"""A GLB with ARKit's targets plays our weights; the rest of the file stays what it was."""

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
from kmspeaker.export import provenance, save_animation, save_on_head
from kmspeaker.export.arkit_glb import write_on_head
from kmspeaker.face.rig import ARKIT_NAMES, FaceModel
from kmspeaker.heads.arkit_glb import ArkitHead
from kmspeaker.heads.load import load_head
from kmspeaker.heads.mesh import write_neutral


@pytest.fixture(scope="module")
def animation(face: FaceModel) -> FaceAnimation:
    return moving_take(face, frames=20)


def test_weights_at_every_frame_are_ours_and_the_rest_stays(
    animation: FaceAnimation, tmp_path: Path
):
    names = ["smirk", *reversed([name.replace("Left", "_L") for name in ARKIT_NAMES])]
    names.remove("tongueOut")
    head = ArkitHead.read(a_head(tmp_path / "mine.glb", names))
    assert head.missing == ("tongueOut",)
    document: Any = pygltflib.GLTF2().load(
        str(write_on_head(animation, head, tmp_path / "spoken.glb"))
    )
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
    head = ArkitHead.read(path)
    assert head.missing == ()
    again = ArkitHead.read(write_on_head(animation, head, tmp_path / "again.glb"))
    assert len(again.glb.document["animations"]) == 2


def test_the_khronos_validator_has_no_complaint(animation: FaceAnimation, tmp_path: Path):
    cache = Path(os.environ.get("KMSPEAKER_CACHE", Path.home() / ".cache" / "kmspeaker"))
    modules = cache / "node" / "node_modules"
    if shutil.which("node") is None or not (modules / "gltf-validator").is_dir():
        if os.environ.get("CI"):
            pytest.fail("CI must have node and the Khronos validator; run scripts/setup.sh.")
        pytest.skip("needs node and the Khronos validator, which scripts/setup.sh installs")
    head = ArkitHead.read(a_head(tmp_path / "mine.glb", list(ARKIT_NAMES)))
    path = write_on_head(animation, head, tmp_path / "spoken.glb")
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


def test_takes_are_saved_on_whatever_head_was_read(
    animation: FaceAnimation, face: FaceModel, tmp_path: Path
):
    head = load_head(a_head(tmp_path / "mine.glb", list(ARKIT_NAMES)), face)
    assert isinstance(head, ArkitHead)
    (path,) = save_on_head(animation, head, tmp_path / "spoken.glb")
    assert ArkitHead.read(path).glb.document["animations"][0]["name"] == animation.use
    with pytest.raises(InputError, match=r"saved as \.glb"):
        save_on_head(animation, head, tmp_path / "spoken.mp4")
    write_neutral(face, "mei", tmp_path / "mine.obj")
    csv, _ = save_on_head(animation, load_head(tmp_path / "mine.obj", face), tmp_path / "take.csv")
    assert csv.is_file()
