"""The reference on the page: what is neutral, where the fit is in doubt, and what is taken away."""

import shutil
from dataclasses import replace
from pathlib import Path

import av
import gradio as gr
import numpy as np
import pytest
from av.video.frame import VideoFrame
from packed_arrays import unpack_arrays
from speaker import FakeSpeaker, made_up_track

from kmspeaker.examples import FOLDER, load_examples
from kmspeaker.export import FORMATS
from kmspeaker.media.audio import load_sound
from kmspeaker.media.video_copy import browser_suffix
from kmspeaker.media.video_reader import read_frames
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.tracking import BRIDGED, LOST, SEEN, FaceTrack
from kmspeaker.web.handlers import Handlers, PageFields
from kmspeaker.web.limits import Limits
from kmspeaker.web.models import Models
from kmspeaker.web.packing import DOUBTFUL, reference_arrays
from kmspeaker.web.page.facts import reference_facts
from kmspeaker.web.service import Service
from kmspeaker.web.session import Session
from kmspeaker.web.session_files import write_reference
from kmspeaker.web.sessions import Sessions

VISITOR = gr.Request(session_hash="one visitor")
SPEECH = FOLDER / "delighted.wav"


@pytest.fixture
def speaker() -> FakeSpeaker:
    return FakeSpeaker()


@pytest.fixture
def sessions(tmp_path: Path) -> Sessions:
    return Sessions(tmp_path / "visitors", tmp_path)


@pytest.fixture
def handlers(speaker: FakeSpeaker, sessions: Sessions) -> Handlers:
    return Handlers(Service(Models(speaker), Limits()), sessions, load_examples())


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return Path(shutil.copyfile(FOLDER / "delighted.mp4", tmp_path / "face.mp4"))


@pytest.fixture
def session(handlers: Handlers, sessions: Sessions, video: Path) -> Session:
    """A visitor who gave a video and nothing else."""
    handlers.follow(str(video), "clara", True, VISITOR)
    return sessions.of("one visitor")


def test_a_reference_stands_on_the_stage_and_can_be_downloaded_before_any_take(
    handlers: Handlers, video: Path
):
    stage, _, _, take_list, _ = handlers.follow(str(video), "clara", True, VISITOR)
    assert stage["shown"] == ["reference"] and stage["reference"]["neutral"] is None
    assert take_list == gr.update(choices=[("Reference: captured", "reference")], value="reference")


@pytest.mark.parametrize("suffix", [each for each in FORMATS if each not in (".mp4", ".zip")])
def test_its_own_performance_is_saved_in_every_format(
    handlers: Handlers, session: Session, suffix: str
):
    path = Path(handlers.export(suffix, "reference", "karim", VISITOR))
    assert path.name == f"km-speaker_capture_karim{suffix}" and path.stat().st_size > 1000


def test_it_is_saved_with_the_sound_of_the_video(handlers: Handlers, session: Session):
    glb = Path(handlers.export(".glb", "reference", "clara", VISITOR))
    heard, own = load_sound(glb.with_suffix(".wav")), load_sound(FOLDER / "delighted.mp4")
    seconds = len(session.references["reference"].performance) / 30
    assert heard.seconds == pytest.approx(seconds)
    np.testing.assert_allclose(heard.samples, own.samples[: len(heard)], atol=1e-3)


def test_a_moment_that_is_called_neutral_is_kept_by_the_saved_track_until_it_is_forgotten(
    handlers: Handlers, session: Session
):
    before = session.references["reference"].files
    stage, *_, take_list = handlers.say_neutral(0.5, "clara", VISITOR)
    assert stage["shown"] == ["reference"] and list(session.references) == ["reference"]
    assert stage["reference"]["neutral"] == "Neutral: the face at 0.50 s."
    assert take_list["choices"] == [("Reference: captured · neutral at 0.50 s", "reference")]
    saved = FaceTrack.load(handlers.export_track(VISITOR)).neutral
    at_that_moment = made_up_track().with_neutral_at(0.5).neutral
    assert saved is not None and at_that_moment is not None
    assert np.array_equal(saved.landmarks, at_that_moment.landmarks)
    # The files of the earlier fit are gone; the video is there still.
    assert {path for path in before if path.exists()} == {Path(stage["reference"]["video"])}
    stage, *_ = handlers.say_neutral(None, "clara", VISITOR)
    assert stage["reference"]["neutral"] is None
    assert FaceTrack.load(handlers.export_track(VISITOR)).neutral is None


def test_takes_follow_the_fit_on_show_and_keep_theirs(
    handlers: Handlers, session: Session, speaker: FakeSpeaker, video: Path
):
    fields = PageFields(str(SPEECH), str(video), identity="clara", consent=True)
    handlers.generate(fields, VISITOR)
    stage, *_ = handlers.say_neutral(0.5, "clara", VISITOR)
    assert stage["shown"] == ["reference-2"] and len(speaker.read) == 1
    assert session.takes["take-1"].reference is session.references["reference"]
    handlers.generate(fields, VISITOR)
    assert session.takes["take-2"].reference is session.references["reference-2"]
    assert all(path.exists() for each in session.references.values() for path in each.files)


@pytest.mark.parametrize(
    ("moment", "says"), [(1.5, "no face at the neutral moment"), (99.0, "inside it")]
)
def test_a_moment_that_cannot_be_neutral_is_a_notice_and_changes_nothing(
    handlers: Handlers, session: Session, moment: float, says: str
):
    before = session.current
    with pytest.raises(gr.Error, match=says):
        handlers.say_neutral(moment, "clara", VISITOR)
    assert session.current is before


def test_without_a_picture_there_is_no_moment_to_choose(
    handlers: Handlers, session: Session, sessions: Sessions
):
    assert session.current is not None
    session.current = replace(session.current, face_track=None)
    with pytest.raises(gr.Error, match="give a video"):
        handlers.say_neutral(0.5, "clara", VISITOR)
    with pytest.raises(gr.Error, match="give a video first"):
        handlers.say_neutral(0.5, "clara", gr.Request(session_hash="nobody"))


def doubted(performance: Performance) -> Performance:
    return replace(performance, doubtful=np.arange(len(performance)) < 60)


def test_frames_in_doubt_are_marked_and_counted_where_the_face_is_seen(
    session: Session, speaker: FakeSpeaker
):
    reference = session.references["reference"]
    performance, track = doubted(reference.performance), made_up_track()
    status = unpack_arrays(reference_arrays(performance, track, speaker.face))["status"]
    assert (status[:30] == DOUBTFUL).all()
    assert (status[30:60] == LOST).all() and (status[60:] == SEEN).all()
    recorded = unpack_arrays(reference_arrays(performance, None, speaker.face))["status"]
    assert (recorded[:60] == DOUBTFUL).all() and (recorded[60:] == SEEN).all()
    bridged = replace(performance, bridged=performance.doubtful)
    recorded = unpack_arrays(reference_arrays(bridged, None, speaker.face))["status"]
    assert (recorded[:60] == BRIDGED).all()
    assert "the fit in doubt in 67%" in reference_facts(replace(reference, performance=performance))
    assert "doubt" not in reference_facts(reference)
    assumed = replace(reference, notes=("Weights are read as <percent>.",))
    assert "Weights are read as &lt;percent&gt;." in reference_facts(assumed)


def test_the_stage_alone_is_saved_as_a_video_with_the_references_sound(
    handlers: Handlers, session: Session, monkeypatch: pytest.MonkeyPatch
):
    given = {}

    def save(animations, labels, face, path, progress, nameless):
        assert not nameless
        given.update(animations=animations, labels=labels)
        return path

    monkeypatch.setattr("kmspeaker.web.service.save_comparison", save)
    handlers.export_shown({"shown": ["reference", "keypoints"], "identity": "mei"}, VISITOR)
    (animation,) = given["animations"]
    assert given["labels"] == ["Reference"]
    assert (animation.use, animation.identity) == ("capture", "mei")
    assert np.abs(animation.sound.samples).max() > 0.1
    with pytest.raises(gr.Error, match="nobody on the stage"):
        handlers.export_shown({"shown": ["keypoints"], "identity": "mei"}, VISITOR)


def test_a_video_that_browsers_do_not_show_is_kept_as_a_copy_that_they_do(
    session: Session, speaker: FakeSpeaker, tmp_path: Path
):
    """MPEG-4 in an AVI, under the name of what browsers do show."""
    source = tmp_path / "old.mp4"
    with av.open(str(source), "w", format="avi") as out:
        stream = out.add_stream("mpeg4", 30, width=64, height=48, pix_fmt="yuv420p")
        for shade in range(15):
            out.mux(stream.encode(VideoFrame.from_ndarray(np.full((48, 64, 3), shade, np.uint8))))
        out.mux(stream.encode(None))
    told: list[float] = []
    kept = write_reference(
        session, speaker.reference(source), source, 0.0, speaker.face, told.append
    )
    assert kept.video in kept.files  # and is counted and deleted with them
    assert kept.video is not None
    assert browser_suffix(kept.video) == ".mp4"
    times = [[time for time, _ in read_frames(path)] for path in (source, kept.video)]
    np.testing.assert_allclose(times[0], times[1], atol=1e-3)
    assert told[-1] == 1


def test_a_replaced_reference_leaves_no_files(session: Session, speaker: FakeSpeaker, video: Path):
    old = session.references["reference"]
    again = write_reference(session, speaker.reference(video), video, 0.0, speaker.face)
    session.keep(replace(again, key="reference"))
    assert not any(path.exists() for path in old.files)
    assert all(path.exists() for path in again.files)
