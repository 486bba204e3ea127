"""What the page's buttons do for a visitor: what they return, keep, refuse and forget."""

import shutil
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from packed_arrays import unpack_arrays
from speaker import FakeSpeaker

from kmspeaker.animation.controls import DEFAULTS
from kmspeaker.errors import InputError
from kmspeaker.examples import FOLDER, load_examples
from kmspeaker.face.rig import ARKIT_INDEX
from kmspeaker.hub import resolve_model, verify_model
from kmspeaker.limits import DEFAULT_MODEL
from kmspeaker.media.audio import Sound, load_sound, write_wav
from kmspeaker.reference.performance import Performance
from kmspeaker.web.handlers import Handlers, PageFields
from kmspeaker.web.limits import Limits
from kmspeaker.web.models import Models
from kmspeaker.web.page.direct import direct
from kmspeaker.web.page.facts import take_facts
from kmspeaker.web.service import MOST_TAKES, Service, seeds_of
from kmspeaker.web.session_files import file_name, write_takes
from kmspeaker.web.sessions import Sessions
from kmspeaker.web.sound import write_opus

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
    return handlers.generate(PageFields(str(speech), str(video), **settings), who)


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
    back = unpack_arrays(Path(head["motion"]).read_bytes())
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
    complete = {"speech": str(speech), "video": str(video), "identity": "clara", "consent": True}
    fields = PageFields(**(complete | changed | ({missing: None} if missing else {})))
    with pytest.raises(gr.Error, match=says):
        handlers.check(fields, VISITOR)
    with pytest.raises(gr.Error, match=says):
        handlers.generate(fields, VISITOR)


def test_a_notice_shows_a_file_name_as_text_and_not_as_html(handlers, uploads: Path, video: Path):
    path = uploads / "<img src=x onerror=alert(1)>.wav"
    path.write_bytes(b"")
    with pytest.raises(gr.Error) as caught:
        generate(handlers, path, video)
    assert "<img" not in caught.value.message and "&lt;img" in caught.value.message


def test_a_fault_of_ours_says_so_without_a_stack_trace(handlers, speaker, speech, video):
    def broken(*unused, **also_unused):
        raise RuntimeError("cublas exploded at 0x7f")

    speaker.animate = broken
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
    name = file_name(
        speaker.stylize(sound, Performance.from_weights(np.zeros((3, 52), np.float32), 30.0))
    )
    assert "/" not in name and "owner-repo@main@12345678" in name


def test_the_facts_of_a_take_are_text_even_if_a_model_is_named_like_markup(speaker: FakeSpeaker):
    speaker.model_name = "<b>x</b>@1"
    sound = Sound(np.zeros(RATE, np.float32), RATE)
    take = speaker.stylize(sound, Performance.from_weights(np.zeros((3, 52), np.float32), 30.0))
    assert "<b>x" not in take_facts([take], 0.5)


def test_empty_fields_are_one_take_of_seed_zero():
    assert seeds_of(None, None) == (0,)
    assert seeds_of(7.0, 3.0) == (7, 8, 9)
    with pytest.raises(InputError, match="seed"):
        seeds_of(2**40)
    with pytest.raises(InputError, match=f"1 to {MOST_TAKES}"):
        seeds_of(0, MOST_TAKES + 1)


def test_ten_seconds_cost_less_than_150_kilobytes_over_the_wire(
    sessions: Sessions, speaker: FakeSpeaker
):
    speech = load_sound(FOLDER / "delighted.wav")
    sound = Sound(np.tile(speech.samples, 2)[: 10 * speech.sample_rate], speech.sample_rate)
    rest = Performance.from_weights(np.zeros((3, 52), np.float32), 30.0)
    restless = np.cumsum(np.random.default_rng(0).normal(0, 0.03, (300, 52)), axis=0)
    take = replace(
        speaker.stylize(sound, rest), weights=np.clip(np.abs(restless), 0, 1).astype(np.float32)
    )
    (entry,) = write_takes(sessions.of("one"), [take], None, [""])
    assert entry.motion.stat().st_size + entry.sound.stat().st_size < 150_000


def test_compressed_speech_is_as_long_as_the_take_and_in_step_to_a_millisecond(tmp_path: Path):
    sound = load_sound(FOLDER / "delighted.wav")
    write_opus(tmp_path / "speech.webm", sound)
    opus = load_sound(tmp_path / "speech.webm")
    assert abs(opus.seconds - sound.seconds) < 0.002
    spoken = np.abs(sound.samples[4_000:-4_000])
    shifts = range(-960, 961, 12)
    alike = [float(spoken @ np.abs(opus.samples[4_000 + k :][: len(spoken)])) for k in shifts]
    assert abs(shifts[int(np.argmax(alike))]) <= 48


def test_several_seeds_are_one_order_and_stand_beside_each_other(
    handlers: Handlers, speaker: FakeSpeaker, speech: Path, video: Path
):
    stage, _, about, take_list = generate(handlers, speech, video, seed=5, count=3)
    assert speaker.calls[-1]["seeds"] == (5, 6, 7) and len(speaker.calls) == 1
    assert stage["shown"] == ["take-1", "take-2", "take-3"]
    assert [head["detail"] for head in stage["heads"][:3]] == [
        f"fake · seed {k}" for k in (5, 6, 7)
    ]
    assert "3 takes together" in about
    assert [key for _, key in take_list["choices"]] == ["take-3", "take-2", "take-1", "reference"]
    assert take_list["value"] == "take-1"
    stage, *_ = generate(handlers, speech, video, seed=9)
    assert stage["shown"] == ["take-4"] and len(stage["heads"]) == 5
    assert stage["heads"][-1]["label"] == "Reference" and stage["heads"][-1]["repeats"]


def test_a_chosen_earlier_take_is_what_is_downloaded(handlers: Handlers, speech: Path, video: Path):
    generate(handlers, speech, video, seed=5)
    generate(handlers, speech, video, seed=6)
    assert "seed5" in handlers.export(".csv", "take-1", "clara", VISITOR)
    assert "seed6" in handlers.export(".csv", None, "clara", VISITOR)
    with pytest.raises(gr.Error, match="take-9"):
        handlers.export(".csv", "take-9", "clara", VISITOR)


def test_controls_and_the_second_reference_reach_the_model(
    handlers: Handlers, speaker: FakeSpeaker, speech: Path, video: Path, uploads: Path
):
    second = uploads / "second.mp4"
    shutil.copyfile(FOLDER / "suspicious.mp4", second)
    controls = {"style_strength": 1.5, "style_mix": 0.4, "gaze": "reference"}
    stage, *_ = generate(handlers, speech, video, second=str(second), controls=controls)
    call = speaker.calls[-1]
    assert call["controls"].changed() == controls and call["second"] is not None
    assert stage["heads"][0]["detail"].endswith(
        "style strength 1.5 · gaze reference · style mix 0.4"
    )
    assert stage["reference"]["key"] == "reference" and len(stage["heads"]) == 3
    with pytest.raises(gr.Error, match="no second reference"):
        generate(handlers, speech, video, controls={"style_mix": 0.4})
    generate(handlers, speech, video, second=str(second))
    assert speaker.calls[-1]["second"] is None


def test_other_models_speak_too_and_are_loaded_when_first_asked(
    sessions: Sessions, speech: Path, video: Path
):
    own, other = FakeSpeaker(), FakeSpeaker()
    other.model_name = "other@11111111"
    loaded = []

    def load(beside) -> FakeSpeaker:
        assert beside is own
        loaded.append(1)
        return other

    service = Service(Models(own, {"other": load, "fake": load}), Limits())
    handlers = Handlers(service, sessions, load_examples())
    assert service.models.names == ("fake", "other")
    generate(handlers, speech, video)
    assert not loaded
    stage, _, about, _ = generate(handlers, speech, video, models=["fake", "other"], count=2)
    generate(handlers, speech, video, models=["other"])
    assert len(stage["shown"]) == 4 and len(loaded) == 1
    assert [head["label"] for head in stage["heads"] if head["key"] in stage["shown"]] == [
        "fake",
        "fake (2)",
        "other",
        "other (2)",
    ]
    assert "2 systems" in about and "fake@00000000" in about and "other@11111111" in about
    with pytest.raises(gr.Error, match="nobody"):
        generate(handlers, speech, video, models=["nobody"])


def test_an_example_asks_the_model_once_for_all_visitors(handlers: Handlers, speaker: FakeSpeaker):
    first = handlers.play_example("delighted", VISITOR)
    second = handlers.play_example("delighted", OTHER)
    assert len(speaker.calls) == 1 and len(speaker.read) == 1
    assert first[0] == second[0] and first[6]["sound"] != second[6]["sound"]
    assert Path(second[6]["heads"][0]["motion"]).read_bytes() == (
        Path(first[6]["heads"][0]["motion"]).read_bytes()
    )


def test_every_control_is_on_the_page_with_its_default_and_in_plain_words():
    with gr.Blocks():
        panel = direct(("small", "other"))
    assert set(panel.controls) == set(DEFAULTS)
    for name, component in panel.controls.items():
        config = component.get_config()
        assert config["value"] == DEFAULTS[name], name
        assert "Default" in config["info"] and name not in config["label"].split(), name
    assert panel.defaults("small")[: len(DEFAULTS)] == [DEFAULTS[name] for name in panel.controls]


def test_the_bundled_model_is_not_asked_for_the_examples(
    handlers: Handlers, speaker: FakeSpeaker, sessions: Sessions
):
    folder = resolve_model(DEFAULT_MODEL)
    speaker.model_name = f"{folder.name}@{verify_model(folder)[:8]}"
    handlers = Handlers(Service(Models(speaker), Limits()), sessions, load_examples())
    assert handlers.example_takes.complete, "run `python -m scripts.build_example_takes`"
    *_, stage, about_reference, about, _ = handlers.play_example("delighted", VISITOR)
    assert speaker.calls == [] and speaker.read == []
    assert stage["shown"] == ["take-1"] and speaker.model_name in about
    assert "Delighted" in stage["heads"][0]["detail"] and "face seen" in about_reference
    again = handlers.play_example("suspicious", VISITOR)[6]
    assert [head["key"] for head in again["heads"]][-2:] == ["reference", "reference-2"]
