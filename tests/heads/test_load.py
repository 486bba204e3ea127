"""A file is read for what it holds: a mesh of ours, or a head with ARKit's targets."""

from pathlib import Path

import pytest
from arkit_head import a_head

from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_NAMES, FaceModel
from kmspeaker.heads.arkit_glb import ArkitHead
from kmspeaker.heads.load import load_head
from kmspeaker.heads.mesh import write_neutral


def test_a_glb_with_arkits_targets_is_a_head_of_its_own(face: FaceModel, tmp_path: Path):
    head = load_head(a_head(tmp_path / "mine.glb", list(ARKIT_NAMES)), face)
    assert isinstance(head, ArkitHead) and head.missing == ()


def test_a_mesh_sculpted_from_ours_is_one_more_identity(face: FaceModel, tmp_path: Path):
    write_neutral(face, "mei", tmp_path / "mine.obj")
    head = load_head(tmp_path / "mine.obj", face, "mine")
    assert isinstance(head, FaceModel)
    assert head.identities == (*face.identities, "mine")


def test_of_a_glb_that_is_neither_the_missing_targets_are_named(face: FaceModel, tmp_path: Path):
    with pytest.raises(InputError, match="morph targets"):
        load_head(a_head(tmp_path / "other.glb", ["smile"]), face)
