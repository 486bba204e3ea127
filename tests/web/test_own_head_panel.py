"""A visitor's own head: worn on the stage, exported, and theirs alone."""

import gzip
import json
from pathlib import Path

import av
import gradio as gr
import numpy as np
import pytest
import trimesh
from speaker import FakeSpeaker
from takes import moving_take

from kmspeaker.errors import InputError
from kmspeaker.export import save_animation
from kmspeaker.face.rig import FaceModel
from kmspeaker.heads.arkit_glb import ArkitHead
from kmspeaker.web.limits import Limits
from kmspeaker.web.models import Models
from kmspeaker.web.page.own_head_panel import OwnHeads
from kmspeaker.web.service import Service
from kmspeaker.web.session import Session, Stop
from kmspeaker.web.session_files import write_takes
from kmspeaker.web.sessions import Sessions
from kmspeaker.web.stage_value import stage_value

SLIDERS = {"age": 70, "gender": 1, "european": 0, "asian": 1, "african": 0.5, "weight": -0.5}


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    return Sessions(tmp_path / "visitors", tmp_path / "uploads")


@pytest.fixture
def own(face: FaceModel, sessions: Sessions) -> OwnHeads:
    return OwnHeads(Service(Models(FakeSpeaker()), Limits()), sessions)


@pytest.fixture
def visitor() -> gr.Request:
    return gr.Request(session_hash="visitor")


@pytest.fixture
def session(face: FaceModel, sessions: Sessions) -> Session:
    session = sessions.of("visitor")
    write_takes(session, [moving_take(face, frames=3)], None, ["small · seed 7"])
    return session


def test_everybody_on_the_stage_wears_the_sculpted_head(
    own: OwnHeads, session: Session, sessions: Sessions, visitor: gr.Request, face: FaceModel
):
    name, stage, message = own.sculpt(stage_value(session, "clara"), SLIDERS, visitor)
    assert name.startswith("own-") and "70" in message
    assert stage["identity"] == name and {head["identity"] for head in stage["heads"]} == {name}
    files = stage["identities"][name]
    assert Path(files["neutral"]).is_relative_to(session.folder)
    assert Path(files["texture"]).is_file()
    assert stage_value(session, name)["identities"] == stage["identities"], "later takes too"
    assert sessions.of("another").face is None and name not in face.identities
    with pytest.raises(gr.Error, match="no origin"):
        own.sculpt(stage, SLIDERS | {"asian": 0, "african": 0}, visitor)


def test_a_take_is_exported_on_the_own_head(
    own: OwnHeads, session: Session, visitor: gr.Request, face: FaceModel
):
    name, *_ = own.sculpt(stage_value(session, "clara"), SLIDERS, visitor)
    service = Service(Models(FakeSpeaker()), Limits())
    (path,) = service.export(session, session.take().animation, ".npz", name, None, Stop())
    with np.load(path) as arrays:
        assert session.face is not None and str(arrays["identity"]) == name
        expected = session.face.vertices(session.take().animation.weights, name)
        np.testing.assert_array_equal(arrays["vertices"], expected)


def test_the_heads_on_the_stage_are_one_video(session: Session):
    service = Service(Models(FakeSpeaker()), Limits())
    (take,) = session.takes
    path = service.export_shown(session, [take, "keypoints"], "mei", None, Stop())
    with av.open(str(path)) as video:
        comment = json.loads(video.metadata["comment"])
        assert comment["identity"] == "mei" and video.streams.audio
        assert (video.streams.video[0].width, video.streams.video[0].height) == (1920, 1080)
    with pytest.raises(InputError, match="nobody on the stage"):
        service.export_shown(session, ["reference"], "mei", None, Stop())


def test_what_the_page_gives_to_sculpt_from_it_takes_back(
    own: OwnHeads, session: Session, visitor: gr.Request, tmp_path: Path
):
    mesh_file = own.template("mei", visitor)
    mesh = trimesh.load_mesh(mesh_file, process=False, maintain_order=True)
    assert len(mesh.faces) > 19_000
    name, stage, message = own.upload(stage_value(session, "clara"), mesh_file, visitor)
    assert name in stage["identities"] and "Wearing" in message


def test_a_glb_with_targets_is_worn_and_takes_are_saved_on_it(
    own: OwnHeads, session: Session, visitor: gr.Request, face: FaceModel, tmp_path: Path
):
    with pytest.raises(gr.Error, match="no head of yours"):
        own.save(None, visitor)
    glb, _ = save_animation(moving_take(face, frames=2), face, tmp_path / "mine.glb")
    name, stage, message = own.upload(stage_value(session, "clara"), str(glb), visitor)
    assert name.startswith("own-") and {head["identity"] for head in stage["heads"]} == {name}
    assert "Wearing your head" in message
    for file in stage["identities"][name].values():
        assert Path(file).is_relative_to(session.folder), "nothing of the upload is served"
    assert b"glTF" not in gzip.decompress(Path(stage["identities"][name]["body"]).read_bytes())
    saved = ArkitHead.read(Path(own.save(None, visitor)))
    assert len(saved.glb.document["animations"]) == 2

    service = Service(Models(FakeSpeaker()), Limits())
    (path,) = service.export(session, session.take().animation, ".glb", name, None, Stop())
    assert len(ArkitHead.read(path).glb.document["animations"]) == 2
    assert service.export(session, session.take().animation, ".csv", name, None, Stop())[
        0
    ].is_file()
    for export in (
        lambda: service.export(session, session.take().animation, ".mp4", name, None, Stop()),
        lambda: service.export_shown(session, [*session.takes], name, None, Stop()),
    ):
        with pytest.raises(InputError, match="GLB or CSV only"):
            export()
    name, stage, _ = own.upload(stage, None, visitor)
    assert session.head is None and name in face.identities and stage["identities"] == {}


def test_a_glb_that_is_too_much_to_show_is_kept_all_the_same(
    own: OwnHeads,
    session: Session,
    visitor: gr.Request,
    face: FaceModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("kmspeaker.heads.glb_geometry.MOST_VERTICES", 1000)
    glb, _ = save_animation(moving_take(face, frames=2), face, tmp_path / "mine.glb")
    before = stage_value(session, "clara")
    name, stage, message = own.upload(before, str(glb), visitor)
    assert (name, stage) == ("clara", before)
    assert "is kept" in message and "1,000 vertices" in message
    assert Path(own.save(None, visitor)).is_file()


@pytest.mark.parametrize("name", ["../../etc/passwd.obj", "<b>x</b>.glb", "head.fbx"])
def test_other_files_are_refused_in_a_sentence(
    own: OwnHeads, session: Session, visitor: gr.Request, tmp_path: Path, name: str
):
    path = tmp_path / Path(name).name
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(gr.Error, match="Got "):
        own.upload(stage_value(session, "clara"), str(path), visitor)
    assert session.face is None and session.head is None
