"""Systems beside each other on the page: who there is, what they share, what their takes say."""

from pathlib import Path

import gradio as gr
import pytest
import torch
from speaker import FakeSpeaker

from kmspeaker.baselines import systems
from kmspeaker.baselines.meshtalk import MeshTalk, MeshTalkConfig
from kmspeaker.errors import InputError
from kmspeaker.examples import load_examples
from kmspeaker.export import provenance
from kmspeaker.export.mp4 import MOST_HEADS
from kmspeaker.model.motion_space import rig_fingerprint
from kmspeaker.pipeline import Pipeline
from kmspeaker.web import models, service, stage_value
from kmspeaker.web.errors import Stopped
from kmspeaker.web.limits import Limits
from kmspeaker.web.models import Models, models_to_compare
from kmspeaker.web.page.direct import direct
from kmspeaker.web.service import Order, Service
from kmspeaker.web.session import TAKES_KEPT, Session, Stop
from kmspeaker.web.session_files import file_name

EXAMPLE = load_examples()["delighted"]
RIVALS = ("blend", "blend-no-style", "linear", "held", "copied")


@pytest.fixture(scope="module")
def folder(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with MeshTalk that has learnt nothing."""
    folder = tmp_path_factory.mktemp("systems")
    torch.manual_seed(0)
    rig = rig_fingerprint(pipeline.face, "ours")
    MeshTalk(MeshTalkConfig("meshtalk", rig=rig)).save(folder / "meshtalk", "A card.")
    return folder


@pytest.fixture(scope="module")
def compared(pipeline: Pipeline, folder: Path) -> Models:
    return Models(pipeline, models_to_compare(folder, "cpu"))


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path)


def order(*names: str, seeds: tuple[int, ...] = (0,)) -> Order:
    reference = EXAMPLE.reference.with_suffix(".track.npz")
    return Order(EXAMPLE.speech, reference, "stylize", "clara", seeds, models=names)


def test_ours_stand_first_then_methods_of_others_then_what_needs_no_network(compared: Models):
    assert compared.names[0] == "small"
    assert compared.names[-5:] == RIVALS and "meshtalk" in compared.names[1:-5]
    assert not set(compared.missing) & set(compared.names)
    assert set(compared.missing) < set(systems.BASELINES)


def test_systems_share_the_face_the_encoder_and_our_model_and_all_stay_loaded(compared: Models):
    for name in compared.names:
        system = compared.get(name)
        assert isinstance(system, Pipeline) and compared.get(name) is system
        assert system.face is compared.own.face
        assert system.encoder is compared.get("small").encoder  # pyright: ignore
        assert system.model_name.split("@")[0] == name
    held = compared.get("held")
    assert isinstance(held, Pipeline) and held.model.ours is compared.get("small").model  # pyright: ignore


def test_one_order_gives_a_take_of_every_system_that_says_who_spoke(
    compared: Models, session: Session
):
    page = Service(compared, Limits())
    names = ("small", "meshtalk", "held")
    takes = page.make(session, order(*names), "one", None, Stop())
    assert [take.label for take in takes] == [systems.title(name) for name in names]
    assert len({take.sound for take in takes}) == 1, "one clock"
    for take, name in zip(takes, names, strict=True):
        model = compared.get(name).model_name
        assert provenance(take.animation)["model"] == model
        assert model in file_name(take.animation)


def test_as_many_takes_as_systems_may_be_ordered_and_no_more_than_are_kept(
    compared: Models, session: Session
):
    everyone = 1 + len(systems.TITLES)
    assert everyone <= min(models.LOADED_AT_ONCE, stage_value.MOST_SHOWN, MOST_HEADS)
    assert 2 * everyone <= TAKES_KEPT and service.NAMELESS[-1] == "L"
    page = Service(compared, Limits())
    many = order(*compared.names, seeds=(0, 1, 2, 3))
    with pytest.raises(InputError, match=f"keeps {TAKES_KEPT} takes"):
        page.check(many, "one")
    assert not session.takes


def test_every_take_of_a_comparison_is_counted(compared: Models):
    page = Service(compared, Limits(takes=len(compared.names) - 1))
    with pytest.raises(InputError, match="ask for fewer"):
        page.check(order(*compared.names), "one")


class Broken(FakeSpeaker):
    model_name = "broken@22222222"

    def animate(self, *given, **asked):
        raise InputError("Got broken of another head; use one that was trained on this one.")


def test_who_cannot_speak_is_told_and_the_others_speak(
    session: Session, monkeypatch: pytest.MonkeyPatch
):
    told = []
    monkeypatch.setattr(gr, "Warning", lambda text, title: told.append((title, text)))
    page = Service(Models(FakeSpeaker(), {"broken": lambda own: Broken()}), Limits())
    takes = page.make(session, order("fake", "broken"), "one", None, Stop())
    assert [take.label for take in takes] == ["fake"]
    ((title, text),) = told
    assert title == "broken did not speak" and "another head" in text
    with pytest.raises(InputError, match="another head"):
        page.make(session, order("broken"), "one", None, Stop())
    stop = Stop()
    stop.set()
    with pytest.raises(Stopped):
        page.make(session, order("fake", "broken"), "one", None, stop)


def test_the_panel_names_systems_and_says_which_are_not_installed():
    with gr.Blocks() as page:
        panel = direct(("small", "msmd", "held"), ("mimic", "meshtalk"))
    assert panel.models.choices == [
        ("KM-Speaker (small)", "small"),
        ("MSMD", "msmd"),
        ("The reference's pose, held", "held"),
    ]
    shown = [str(getattr(block, "value", "")) for block in page.blocks.values()]
    (said,) = [text for text in shown if "not installed" in text]
    assert "MIMIC and MeshTalk" in said and "--models FOLDER" in said
    with gr.Blocks() as page:
        direct(("small", "held"))
    assert not [b for b in page.blocks.values() if "not installed" in str(getattr(b, "value", ""))]


def test_a_video_of_the_stage_keeps_names_hidden_only_as_the_stage_does(
    session: Session, monkeypatch: pytest.MonkeyPatch
):
    asked = []

    def note(animations, labels, face, path: Path, *, nameless, progress) -> Path:
        asked.append((labels, nameless))
        return path

    monkeypatch.setattr(service, "save_comparison", note)
    page = Service(Models(FakeSpeaker(), {"held": lambda own: FakeSpeaker()}), Limits())
    takes = page.make(session, order("fake", "held"), "one", None, Stop())
    reference = takes[0].reference
    assert reference is not None
    keys = [takes[1].key, reference.key, takes[0].key]
    for names in (["Head A", "Head B", "Head C"], None, ["Head A", "<b>", "MSMD"]):
        page.export_shown(session, keys, "clara", None, Stop(), names)
    held = "The reference's pose, held"
    assert asked[0] == (["Head A", "Head C", "Head B"], True)
    assert asked[1] == asked[2] == ([held, "fake", "Reference"], False)
