"""What keeps visitors apart and leaves room for others: limits, stopping, leaving, forgetting."""

import sys
import threading
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import gradio as gr
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from speaker import FakeSpeaker
from visit import Page, visitor

from kmspeaker.errors import InputError
from kmspeaker.limits import TAKES_WINDOW
from kmspeaker.web import sessions as sessions_module
from kmspeaker.web.limits import Limits, RateLimit, check_speech, spoken_time
from kmspeaker.web.session import TAKES_KEPT
from kmspeaker.web.sessions import Sessions


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page(tmp_path)


def long_4k_video(path: Path, *, seconds: int = 600, fps: int = 30) -> Path:
    """A real one, quickly: every packet holds the same black picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 3840, 2160, "yuv420p", 1
        frame = VideoFrame.from_ndarray(np.zeros((2160, 3840, 3), np.uint8), "rgb24")
        packets = [*stream.encode(frame), *stream.encode(None)]
        data = bytes(packets[0])
        for k in range(seconds * fps):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, fps)
            packet.pts = packet.dts = k
            packet.duration, packet.is_keyframe = 1, True
            container.mux_one(packet)
    return path


def test_ten_minutes_of_4k_are_refused_at_once_with_the_length_that_would_do(page: Page):
    video = str(long_4k_video(page.uploads / "holiday.mp4"))
    started = time.process_time()
    with pytest.raises(gr.Error, match=r"10 minutes of 3840 x 2160 .* up to 2 min 41 s"):
        page.handlers.follow(video, "clara", True, visitor("one"))
    with pytest.raises(gr.Error, match="3840 x 2160"):
        page.handlers.check(page.fields(video=video), visitor("one"))
    assert time.process_time() - started < 5
    assert page.speaker.read == []


def test_longer_speech_than_the_page_takes_is_refused_by_its_header(page: Page):
    limits = Limits(max_seconds=2.0)
    speech = page.speech(seconds=9)
    with pytest.raises(InputError, match="9 seconds of speech, this page takes up to 2 seconds"):
        check_speech(Path(speech), limits)
    assert "2 seconds and 200 MB" in limits.sentence()


def test_files_that_a_restarted_server_lost_are_asked_for_again(page: Page):
    gone = str(page.uploads / "gone.wav")
    with pytest.raises(gr.Error, match="speech is not on this server any more"):
        page.generate(speech=gone)
    with pytest.raises(gr.Error, match="reference is not on this server any more"):
        page.generate(video=gone)


def test_each_visitor_has_a_number_of_takes_and_is_told_when_there_is_room_again():
    now = [0.0]
    rate = RateLimit(3, clock=lambda: now[0])
    rate.count("a", 2)
    now[0] = 60.0
    rate.count("a")
    with pytest.raises(InputError, match=r"makes 3 takes in 10 minutes .* again in 9 minutes"):
        rate.count("a")
    with pytest.raises(InputError, match="again in 10 minutes"):
        rate.check("a", 3)
    with pytest.raises(InputError, match="ask for fewer"):
        rate.check("a", 4)
    rate.count("b", 3)
    now[0] = TAKES_WINDOW + 1
    rate.count("a", 2)
    with pytest.raises(InputError):
        rate.count("a")


def test_too_many_takes_are_refused_before_any_work(tmp_path: Path):
    page = Page(tmp_path, limits=Limits(takes=2))
    page.generate(count=2)
    for _ in range(2):  # being refused costs no turn
        with pytest.raises(gr.Error, match="there is room again in 10 minutes"):
            page.handlers.check(page.fields(), visitor("one"))
    with pytest.raises(gr.Error, match="room again"):
        page.generate()
    assert len(page.speaker.calls) == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 second"), (45.0, "45 seconds"), (600.0, "10 minutes"), (158.0, "2 min 38 s")],
)
def test_times_are_said_as_people_say_them(seconds: float, text: str):
    assert spoken_time(seconds) == text


def test_nothing_a_visitor_uploads_is_read_before_they_agree(page: Page):
    with pytest.raises(gr.Error, match="tick the box"):
        page.handlers.follow(page.video(), "clara", False, visitor("one"))
    with pytest.raises(gr.Error, match="tick the box"):
        page.generate(consent=False)
    assert page.speaker.read == []
    page.handlers.play_example("delighted", visitor("one"))


def started(target, *arguments) -> tuple[threading.Thread, list[BaseException]]:
    """Run it elsewhere, and keep what it raises."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            target(*arguments)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


@pytest.mark.parametrize("what", ["generation", "tracking"])
def test_stop_stops_the_work_itself(tmp_path: Path, what: str):
    page = Page(tmp_path, FakeSpeaker(steps=500, step_seconds=0.01))
    fields, who = page.fields(), visitor("one")
    if what == "generation":
        page.speaker.steps = 1
        page.handlers.follow(fields.video, "clara", True, who)
        page.speaker.steps = 500
        thread, raised = started(page.handlers.generate, fields, who)
    else:
        thread, raised = started(page.handlers.follow, fields.video, "clara", True, who)
    while not page.session().jobs:
        time.sleep(0.01)
    time.sleep(0.05)
    page.handlers.cancel(visitor("another"))
    assert thread.is_alive() and not raised
    page.handlers.cancel(who)
    thread.join(2)
    assert not thread.is_alive()
    assert isinstance(raised[0], gr.Error) and "Stopped" in raised[0].message
    assert not page.session().takes and not page.session().jobs


def test_leaving_during_generation_stops_it_and_leaves_nothing(tmp_path: Path):
    page = Page(tmp_path, FakeSpeaker(steps=500, step_seconds=0.01))
    folder = page.session().folder
    thread, _ = started(page.handlers.generate, page.fields(), visitor("one"))
    while not page.session().jobs:
        time.sleep(0.01)
    page.handlers.leave(visitor("one"))
    thread.join(2)
    assert not thread.is_alive()
    assert not folder.exists() and not list(page.uploads.iterdir())


def test_two_uploads_at_once_from_one_visitor_end_in_one_whole_reference(tmp_path: Path):
    page = Page(tmp_path, FakeSpeaker(steps=5, step_seconds=0.01))
    videos = [page.video(f"{k}.mp4") for k in range(2)]
    threads = [
        started(page.handlers.follow, video, "clara", True, visitor("one")) for video in videos
    ]
    for thread, raised in threads:
        thread.join()
        assert not raised
    session = page.session()
    assert session.current is not None and str(session.current.source) in videos
    assert len(session.references) == 2
    assert all(path.is_file() for r in session.references.values() for path in r.files)


def test_a_second_tab_is_a_visit_of_its_own(page: Page):
    page.generate("one")
    stage, *_ = page.generate("the same person's other tab")
    assert len(page.session("one").takes) == 1
    other = page.session("the same person's other tab").folder
    assert Path(stage["sound"]).parent == other != page.session("one").folder
    page.handlers.leave(visitor("one"))
    assert Path(stage["sound"]).is_file()


def test_one_visitor_leaving_does_not_take_the_file_that_another_uploaded_too(page: Page):
    speech = page.speech()
    page.generate("one", speech=speech)
    page.generate("two", speech=speech)
    page.handlers.leave(visitor("one"))
    assert Path(speech).is_file()
    page.handlers.leave(visitor("two"))
    assert not Path(speech).exists()


def test_callers_without_a_session_share_nothing(page: Page):
    assert page.sessions.of(None) is not page.sessions.of(None)


def test_after_an_hour_a_visit_is_forgotten_even_if_nobody_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    sessions = Sessions(tmp_path, tmp_path / "uploads")
    folder = sessions.of("one").folder
    sessions.watch(every=0.02)
    time.sleep(0.1)
    assert folder.is_dir()
    monkeypatch.setattr(sessions_module, "LONGEST_STAY", 0.0)
    deadline = time.monotonic() + 5
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not folder.exists()


def test_the_newest_takes_are_kept_and_the_files_of_older_ones_deleted(page: Page):
    fields = page.fields()
    stage = {}
    for seed in range(0, TAKES_KEPT + 4, 4):
        stage, *_ = page.handlers.generate(
            page.fields(speech=fields.speech, video=fields.video, seed=seed, count=4),
            visitor("one"),
        )
    keys = [head["key"] for head in stage["heads"]]
    assert keys == [f"take-{k}" for k in range(5, TAKES_KEPT + 5)] + ["reference"]
    assert stage["shown"] == [f"take-{k}" for k in range(TAKES_KEPT + 1, TAKES_KEPT + 5)]
    kept = {Path(head["motion"]) for head in stage["heads"]}
    assert set(page.session().folder.glob("take-*")) == {p for p in kept if "take-" in p.name}
    assert len(list(page.session().folder.glob("speech-*"))) == TAKES_KEPT // 4


def test_gpus_are_borrowed_for_as_long_as_the_clip_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    borrowed: list[int] = []

    def lend(duration):
        def lending(function):
            def called(*arguments):
                borrowed.append(duration(*arguments))
                return function(*arguments)

            return called

        return lending

    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=lend))
    page = Page(tmp_path)
    page.generate()
    page.generate(speech=page.speech("long.wav", seconds=60), count=2)
    assert borrowed == [10, 22]
