"""What the page's buttons do for a visitor: what they return, keep, refuse and forget."""

import shutil
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from speaker import FakeSpeaker
from test_web import unpacked

from kmspeaker.audio import Sound, write_wav
from kmspeaker.errors import InputError
from kmspeaker.examples import FOLDER, load_examples
from kmspeaker.face import ARKIT_INDEX
from kmspeaker.performance import steady
from kmspeaker.web.catalogue import file_name, take_facts
from kmspeaker.web.handlers import Asked, Handlers
from kmspeaker.web.models import Models
from kmspeaker.web.neighbour import Limits
from kmspeaker.web.service import Service, whole_seed
from kmspeaker.web.sessions import Sessions

RATE = 16_000


@pytest.fixture
def speaker() -> FakeSpeaker:
    return FakeSpeaker()


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    folder = tmp_path / "uploads"
    folder.mkdir()
    return folder


@pytest.fixture
def sessions(tmp_path: Path, uploads: Path) -> Sessions:
    return Sessions(tmp_path / "visitors", uploads)


@pytest.fixture
def handlers(speaker: FakeSpeaker, sessions: Sessions) -> Handlers:
    return Handlers(Service(Models(speaker), Limits()), sessions, load_examples())


@pytest.fixture
def speech(uploads: Path) -> Path:
    path = uploads / "my secret name.wav"
    tone = 0.5 * np.sin(np.arange(2 * RATE) * 0.1).astype(np.float32)
    tone[:RATE] = 0
    write_wav(path, Sound(tone, RATE))
    return path


@pytest.fixture
def video(uploads: Path) -> Path:
    path = uploads / "my secret face.mp4"
    shutil.copyfile(FOLDER / "delighted.mp4", path)
    return path


VISITOR = gr.Request(session_hash="one visitor")
OTHER = gr.Request(session_hash="another visitor")


def generate(handlers: Handlers, speech: Path, video: Path, who=VISITOR, **changed):
    settings = {"identity": "clara", "consent": True} | changed
    return handlers.generate(Asked(str(speech), str(video), **settings), who)


def test_generating_returns_files_of_the_visitors_own_folder_named_after_nothing_of_theirs(
    handlers: Handlers, sessions: Sessions, speech: Path, video: Path
):
    stage, about_reference, about_take, _ = generate(handlers, speech, video)
    folder = sessions.of("one visitor").folder
    head = next(head for head in stage["heads"] if head["key"] in stage["shown"])
    paths = [head["motion"], stage["sound"], stage["reference"]["data"]]
    paths.append(stage["reference"]["video"])
    for path in map(Path, paths):
        assert path.is_file() and path.parent == folder
        assert "secret" not in str(path)
    back = unpacked(Path(head["motion"]).read_bytes())
    jaw = back["weights"].reshape(-1, 52)[:, ARKIT_INDEX["jawOpen"]]
    assert jaw[:29].max() == 0 and jaw[31:].min() > 0
    assert "fake@00000000" in about_take and "times faster" in about_take
    assert "face seen in 100%" in about_reference


def test_a_reference_is_read_once_for_many_takes(
    handlers: Handlers, speaker: FakeSpeaker, speech: Path, video: Path
):
    handlers.follow(str(video), "clara", True, VISITOR)
    generate(handlers, speech, video)
    generate(handlers, speech, video, seed=1)
    assert len(speaker.read) == 1


def test_taking_the_reference_away_leaves_an_empty_stage(handlers: Handlers, video: Path):
    shown, *_ = handlers.follow(str(video), "clara", True, VISITOR)
    assert shown["reference"] is not None
    shown, text, *_ = handlers.follow(None, "clara", True, VISITOR)
    assert (shown["shown"], shown["reference"], shown["sound"], text) == ([], None, None, "")


@pytest.mark.parametrize(
    ("changed", "missing", "says"),
    [
        ({}, "speech", "no speech yet"),
        ({}, "video", "no face to follow yet"),
        ({"identity": "clarra"}, None, "clara"),
        ({"use": "sing"}, None, "sing"),
        ({"seed": -1}, None, "seed -1"),
    ],
)
def test_what_cannot_be_used_becomes_a_notice(handlers, speech, video, changed, missing, says):
    given = {"speech": str(speech), "video": str(video), "identity": "clara", "consent": True}
    asked = Asked(**(given | changed | ({missing: None} if missing else {})))
    with pytest.raises(gr.Error, match=says):
        handlers.check(asked, VISITOR)
    with pytest.raises(gr.Error, match=says):
        handlers.generate(asked, VISITOR)


def test_a_notice_shows_a_file_name_as_text_and_not_as_html(handlers, uploads: Path, video: Path):
    path = uploads / "<img src=x onerror=alert(1)>.wav"
    path.write_bytes(b"")
    with pytest.raises(gr.Error) as caught:
        generate(handlers, path, video)
    assert "<img" not in caught.value.message and "&lt;img" in caught.value.message


def test_a_fault_of_ours_says_so_without_a_stack_trace(handlers, speaker, speech, video):
    def broken(*unused, **also_unused):
        raise RuntimeError("cublas exploded at 0x7f")

    speaker.take = broken
    with pytest.raises(gr.Error) as caught:
        generate(handlers, speech, video)
    assert "cublas" not in caught.value.message and not caught.value.print_exception


def test_leaving_deletes_what_a_visitor_gave_and_got_and_nothing_else(
    handlers: Handlers, sessions: Sessions, speech: Path, video: Path, tmp_path: Path
):
    bundled = tmp_path / "bundled.wav"
    bundled.write_bytes(speech.read_bytes())
    generate(handlers, speech, video)
    generate(handlers, bundled, video, who=OTHER)
    mine, others = sessions.of("one visitor").folder, sessions.of("another visitor").folder
    assert mine != others and len(mine.name) >= 32
    handlers.leave(VISITOR)
    assert not mine.exists() and others.exists()
    assert not speech.exists()
    handlers.leave(OTHER)
    assert not others.exists() and bundled.exists()
    handlers.leave(OTHER)


def test_downloads_are_of_the_head_on_show(handlers: Handlers, speech: Path, video: Path):
    with pytest.raises(gr.Error, match="no take"):
        handlers.export(".csv", None, "clara", VISITOR)
    generate(handlers, speech, video, seed=7)
    path = Path(handlers.export(".npz", None, "karim", VISITOR))
    with np.load(path) as file:
        assert str(file["identity"]) == "karim"
        assert str(file["model"]) == "fake@00000000"
    assert "karim" in path.name and "seed7" in path.name
    assert Path(handlers.export(".csv", None, "karim", VISITOR)).stat().st_size > 1000
    assert Path(handlers.export_track(VISITOR)).suffix == ".npz"
    with pytest.raises(gr.Error, match="exe"):
        handlers.export(".exe", None, "karim", VISITOR)


def test_a_models_name_cannot_lead_a_download_elsewhere(speaker: FakeSpeaker):
    sound = Sound(np.zeros(RATE, np.float32), RATE)
    speaker.model_name = "../../owner/repo@main@12345678"
    name = file_name(speaker.stylize(sound, steady(np.zeros((3, 52), np.float32), 30.0)))
    assert "/" not in name and "owner-repo@main@12345678" in name


def test_the_facts_of_a_take_are_text_even_if_a_model_is_named_like_markup(speaker: FakeSpeaker):
    speaker.model_name = "<b>x</b>@1"
    sound = Sound(np.zeros(RATE, np.float32), RATE)
    take = speaker.stylize(sound, steady(np.zeros((3, 52), np.float32), 30.0))
    assert "<b>x" not in take_facts([take], 0.5)


def test_an_empty_seed_field_is_zero():
    assert whole_seed(None) == 0
    with pytest.raises(InputError, match="seed"):
        whole_seed(2**40)
