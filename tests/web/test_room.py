"""What all visitors together take of the machine: counted, bounded, and told to whom it cost."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from visit import Page, visitor

from kmspeaker.web.errors import Stopped
from kmspeaker.web.limits import Limits
from kmspeaker.web.room import Room, array_ids, disk_of, memory_of
from kmspeaker.web.service import job
from kmspeaker.web.session import DOWNLOADS_KEPT, OVERHEAD
from kmspeaker.web.sessions import Sessions


@dataclass(frozen=True)
class Kept:
    array: np.ndarray
    more: object = None


def test_an_array_is_counted_once_with_all_that_it_keeps_alive():
    array = np.zeros(1000, np.float32)
    assert memory_of([Kept(array, {"same": [array, array[:10]]}), (array,)]) == 4000
    assert memory_of([Kept(array[:1])]) == 4000, "a view keeps the whole"
    assert memory_of([Kept(array, b"12345"), None, "text", Path("x"), 3]) == 4005
    assert memory_of([Kept(array, np.zeros(2, np.float32))], array_ids([array])) == 8
    around: list = [array]
    around.append(around)
    assert memory_of([around]) == 4000


def test_files_and_folders_are_counted_and_what_is_gone_counts_nothing(tmp_path: Path):
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "a").write_bytes(b"123")
    (tmp_path / "b").write_bytes(b"45")
    assert disk_of([tmp_path / "folder", tmp_path / "b", tmp_path / "gone"]) == 5


def made(page: Page, *names: str) -> dict[str, Path]:
    """Each visitor has a take, in this order; their folders."""
    for name in names:
        page.generate(name, speech=page.speech(f"{name}.wav"), video=page.video(f"{name}.mp4"))
        time.sleep(0.002)
    return {name: page.session(name).folder for name in names}


@pytest.mark.parametrize("what", ["memory", "disk"])
def test_who_was_away_for_longest_makes_room_and_is_told_once_they_come_back(
    tmp_path: Path, what: str
):
    page = Page(tmp_path)
    made(page, "measure")
    page.sessions.make_room(page.session("measure"))
    one = {"memory": page.session("measure").memory, "disk": page.session("measure").disk}[what]
    page.handlers.leave(visitor("measure"))
    page.sessions._room = Room(**{what: round(2.5 * one)})
    folders = made(page, "first", "second")
    page.handlers.export(".csv", None, "clara", visitor("first"))  # now the second is older
    folders |= made(page, "third")
    assert not folders["second"].exists()
    assert not (page.uploads / "second.wav").exists()
    assert folders["first"].is_dir() and folders["third"].is_dir()
    with pytest.raises(gr.Error, match=r"used it for longest.*deleted"):
        page.handlers.export(".csv", None, "clara", visitor("second"))
    with pytest.raises(gr.Error, match="no take to download"):
        page.handlers.export(".csv", None, "clara", visitor("second"))
    assert page.handlers.export(".csv", None, "clara", visitor("third"))


def test_who_comes_back_with_files_is_told_beside_their_work(tmp_path: Path):
    page = Page(tmp_path)
    made(page, "one")
    page.sessions._room = Room(disk=1)
    made(page, "two")
    with pytest.warns(UserWarning, match="deleted to make room"):
        page.generate("one")
    fields = page.fields(speech=str(page.uploads / "gone.wav"))
    page.sessions.of("three").uploads.add(page.uploads / "x.wav")
    page.generate("two")
    with pytest.raises(gr.Error, match="deleted to make room"):
        page.handlers.check(fields, visitor("three"))


def test_nobody_who_waits_for_work_makes_room(tmp_path: Path):
    page = Page(tmp_path)
    folders = made(page, "busy", "idle")
    page.session("idle")
    page.session("busy").jobs.add("work")  # type: ignore[arg-type]
    page.session("idle")
    page.sessions._room = Room(memory=1)
    page.sessions.make_room()
    assert folders["busy"].is_dir() and not folders["idle"].exists()


def test_alone_over_the_limit_ones_own_oldest_takes_go(tmp_path: Path):
    page = Page(tmp_path)
    fields = page.fields(count=4)
    page.handlers.generate(fields, visitor("one"))
    page.sessions.make_room(page.session("one"))
    page.sessions._room = Room(memory=page.session("one").memory + 100)
    page.handlers.generate(page.fields(speech=fields.speech, video=fields.video), visitor("one"))
    session = page.session("one")
    assert 1 <= len(session.takes) < 5 and "take-5" in session.takes
    assert session.memory <= page.sessions._room.memory
    page.sessions._room = Room(memory=1, disk=1)
    page.sessions.make_room(session)
    assert list(session.takes) == ["take-5"], "the newest stays"


def test_what_cannot_fit_is_refused_before_it_is_written(tmp_path: Path):
    page = Page(tmp_path)
    folders = made(page, "one")
    page.sessions._room = Room(disk=page.sessions.weights()[1] + 5_000_000)
    with pytest.raises(gr.Error, match=r"would take .* MB, and all visitors .* choose another"):
        page.handlers.export(".zip", None, "clara", visitor("one"))
    assert not list(folders["one"].glob("download-*"))
    assert page.handlers.export(".csv", None, "clara", visitor("one"))


def test_a_visitors_newest_downloads_are_kept(tmp_path: Path):
    page = Page(tmp_path)
    made(page, "one")
    paths = [
        Path(page.handlers.export(".csv", None, "clara", visitor("one")))
        for _ in range(DOWNLOADS_KEPT + 3)
    ]
    assert [path.exists() for path in paths] == [False] * 3 + [True] * DOWNLOADS_KEPT


def test_uploads_that_nothing_is_made_of_go_first_where_the_folder_is_the_pages_own(tmp_path: Path):
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    for alone in (False, True):
        sessions = Sessions(tmp_path / f"{alone}", uploads, room=Room(disk=900), alone=alone)
        files = [uploads / f"{k}" for k in range(4)]
        for age, path in enumerate(files):
            path.write_bytes(b"x" * 400)
            os.utime(path, (when := time.time() - 1000 + age, when))
        session = sessions.of("one")
        session.uploads.add(files[0])
        files[3].touch()  # just uploaded
        sessions.make_room(session)
        assert [path.exists() for path in files] == [True, not alone, True, True]


def test_an_empty_page_weighs_something_and_its_end_is_no_news(tmp_path: Path):
    sessions = Sessions(tmp_path, tmp_path / "uploads", room=Room(memory=10 * OVERHEAD))
    for number in range(30):
        session = sessions.of(f"{number}")
        sessions.make_room(session)
    assert len(list(tmp_path.iterdir())) == 10
    assert sessions.of("0").notice == ""


def test_other_work_than_takes_is_counted_too(tmp_path: Path):
    page = Page(tmp_path, limits=Limits(takes=1))
    made(page, "one")
    who = visitor("one")
    for _ in range(2):
        page.handlers.export(".csv", None, "clara", who)
    page.handlers.follow(page.video("again.mp4"), "clara", True, who)
    again = r"does 3 jobs beside takes in 10 minutes .* room again in \d+ min"
    for work in (
        lambda: page.handlers.export(".csv", None, "clara", who),
        lambda: page.handlers.export_shown({"shown": ["take-1"], "identity": "clara"}, who),
        lambda: page.handlers.follow(page.video("more.mp4"), "clara", True, who),
        lambda: page.handlers.say_neutral(0.0, "clara", who),
        lambda: page.handlers.take_voice(page.speech(), True, who),
    ):
        with pytest.raises(gr.Error, match=again):
            work()
    assert len(page.speaker.read) == 2
    made(page, "two")


def test_what_gradio_leaves_and_nobody_used_is_swept_away(tmp_path: Path):
    sessions = Sessions(tmp_path / "visitors", tmp_path, alone=True)
    ages = {"empty": 100, "being written": 1, "old": 400, "recent": 100, "claimed": 5000}
    for name, age in ages.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"x" if name[:2] in ("ol", "re", "cl") else b"")
        os.utime(tmp_path / name / "file", (when := time.time() - age, when))
    elsewhere = tmp_path.parent / "elsewhere"
    elsewhere.touch()
    sessions.claim("one", [tmp_path / "claimed" / "file", elsewhere])
    sessions.sweep()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"recent", "being written", "claimed", "visitors"}
    sessions.close("one")
    assert not (tmp_path / "claimed").exists() and elsewhere.exists()


def test_who_left_during_the_work_is_no_fault(tmp_path: Path):
    page = Page(tmp_path)
    session = page.session()
    with pytest.raises(Stopped), job(session):
        page.handlers.leave(visitor("one"))
        (session.folder / "file").write_bytes(b"")
    with pytest.raises(FileNotFoundError), job(page.session("two")):
        (tmp_path / "nowhere" / "file").write_bytes(b"")
