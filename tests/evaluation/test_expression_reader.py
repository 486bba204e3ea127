"""A reader of faces: what it says depends on the face alone, and our heads are faces to it."""

import sys

import numpy as np
import pytest

from kmspeaker.errors import InputError
from kmspeaker.evaluation import expression_reader
from kmspeaker.evaluation.expression_reader import (
    EMOTIONS,
    detect_apart,
    read_expression,
    read_pictures,
    upright,
)
from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.reference.landmarker import Detection

SMILE = {
    **{"mouthSmile": 0.95, "cheekSquint": 0.9, "eyeSquint": 0.35, "mouthUpperUp": 0.35},
    **{"mouthLowerDown": 0.2},
}


@pytest.fixture(scope="module")
def heads(face: FaceModel) -> tuple[np.ndarray, np.ndarray]:
    """Clara at rest and smiling, from the front."""
    smiling = np.zeros(52, np.float32)
    for name, value in SMILE.items():
        smiling[[ARKIT_INDEX[f"{name}{side}"] for side in ("Left", "Right")]] = value
    with HeadRenderer(face, "clara", 384, 384, yaw=0.0) as renderer:
        return renderer.frame(np.zeros(52, np.float32)), renderer.frame(smiling)


@pytest.fixture(scope="module")
def faces(heads: tuple[np.ndarray, np.ndarray]) -> list[Detection]:
    found = [each for _, each in detect_apart(heads) if each is not None]
    assert len(found) == 2
    return found


def test_a_head_at_rest_reads_neutral_and_a_smiling_one_happy(heads, faces):
    for picture, found, emotion in zip(heads, faces, ("neutral", "happy"), strict=True):
        reading = read_expression(picture, found.landmarks)
        assert reading.sum() == pytest.approx(1) and reading.min() >= 0
        assert EMOTIONS[reading.argmax()] == emotion


def test_a_face_reads_the_same_upright_and_lying_on_its_side(heads, faces):
    points = faces[1].landmarks
    lying = np.ascontiguousarray(np.rot90(heads[1]))
    turned = np.stack([points[:, 1], heads[1].shape[1] - points[:, 0]], axis=1)
    standing = upright(heads[1], points).astype(float)
    assert np.abs(upright(lying, turned).astype(float) - standing).mean() < 0.5
    one, other = read_expression(heads[1], points), read_expression(lying, turned)
    assert np.abs(one - other).max() < 0.05


def test_a_picture_does_not_know_the_one_before(heads, faces):
    rest, smile = heads
    _, after, nothing = read_pictures([smile, rest, rest * 0])
    (alone,) = read_pictures([rest])
    assert after is not None and alone is not None and nothing is None
    assert np.array_equal(after, alone)


def test_without_the_extra_a_sentence_says_how_to_get_it(monkeypatch):
    expression_reader.networks.cache_clear()
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(InputError, match=r"pip install 'kmspeaker\[evaluation\]'"):
        expression_reader.networks()


def test_without_its_files_a_sentence_says_so(monkeypatch, tmp_path):
    expression_reader.networks.cache_clear()
    monkeypatch.setattr(expression_reader, "FOLDER", tmp_path)
    with pytest.raises(InputError, match=r"no face_api.safetensors"):
        expression_reader.networks()
