"""The ZIP holds every format, whole, and its manifest says what each file is."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas
import pygltflib
import pytest
from takes import moving_take

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.errors import InputError
from kmspeaker.export import FORMATS, provenance, save_animation
from kmspeaker.face.rig import ARKIT_NAMES, FaceModel


@pytest.fixture(scope="module")
def animation(face: FaceModel) -> FaceAnimation:
    return moving_take(face, frames=3)


@pytest.fixture(scope="module")
def unpacked(animation: FaceAnimation, face: FaceModel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("zip")
    told: list[float] = []
    files = save_animation(animation, face, folder / "take.zip", progress=told.append)
    assert files == (folder / "take.zip",) and list(folder.iterdir()) == list(files)
    assert told == sorted(told) and told[-1] == 1
    with zipfile.ZipFile(folder / "take.zip") as archive:
        assert archive.testzip() is None
        assert len(set(archive.namelist())) == len(archive.namelist())
        archive.extractall(folder)
    return folder


def test_the_manifest_lists_every_file_with_its_hash(
    unpacked: Path, animation: FaceAnimation, face: FaceModel
):
    told = json.loads((unpacked / "manifest.json").read_text())
    assert provenance(animation).items() <= told.items()
    assert told["controls"]["style_strength"] == 1.0
    assert {"head", "motion", "speech"} <= told["licences"].keys()
    assert told["licences"]["head"] == face.credit(animation.identity)
    assert {"take.jpg", "take.hair.png"} <= told["files"].keys(), "what the USD names"
    assert told["versions"]["numpy"] == np.__version__
    assert set(told["files"]) == {p.name for p in unpacked.iterdir()} - {
        "take.zip",
        "manifest.json",
    }
    for name, facts in told["files"].items():
        content = (unpacked / name).read_bytes()
        assert facts["bytes"] == len(content)
        assert facts["sha256"] == hashlib.sha256(content).hexdigest()
    assert {Path(name).suffix for name in told["files"]} >= set(FORMATS) - {".zip"}


def test_each_file_opens_in_a_program_of_others(unpacked: Path, animation: FaceAnimation):
    glb: Any = pygltflib.GLTF2().load(str(unpacked / "take.glb"))
    assert glb.meshes[0].extras["targetNames"] == list(ARKIT_NAMES)
    with np.load(unpacked / "take.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["weights"], animation.weights)
    table = pandas.read_csv(unpacked / "take.csv")
    assert len(table) == len(animation)
    np.testing.assert_allclose(table["JawOpen"], animation.weights[:, 17], atol=1e-3)
    for name in ("take.mp4", "take.wav"):
        with av.open(str(unpacked / name)) as opened:
            assert opened.streams.audio
    assert json.loads((unpacked / "take.csv.json").read_text())["seed"] == animation.seed
    Usd = pytest.importorskip("pxr.Usd", reason="needs usd-core of requirements-dev.txt")
    assert Usd.Stage.Open(str(unpacked / "take.usda")).GetDefaultPrim().GetName() == "Head"


def test_a_stop_leaves_nothing(animation: FaceAnimation, face: FaceModel, tmp_path: Path):
    def stop(fraction: float) -> None:
        if fraction > 0:
            raise InputError("Stopped.")

    with pytest.raises(InputError, match="Stopped"):
        save_animation(animation, face, tmp_path / "take.zip", progress=stop)
    assert list(tmp_path.iterdir()) == []
