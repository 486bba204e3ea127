"""What was said to be saved is saved: once, whole, and whoever else is writing."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from postgres import programs, server
from sqlalchemy import text
from studies import a_design, design_of, table

from kmspeaker import __version__
from kmspeaker.errors import InputError
from kmspeaker.study.design import Design
from kmspeaker.study.participants import Participant, hash_of
from kmspeaker.study.schema import HEAD, METADATA
from kmspeaker.study.store import Store, StoreUnavailable


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    binaries = programs()
    if binaries is None:
        pytest.skip("needs Debian's package postgresql, of which there is no server here")
    with server(binaries) as url:
        yield url


@contextmanager
def memory_folder(otherwise: Path) -> Iterator[Path]:
    """A folder whose files are as fast as memory, where there is one: others use the disk too."""
    if not Path("/dev/shm").is_dir():
        yield otherwise
        return
    with TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        with memory_folder(tmp_path) as folder:
            yield f"sqlite:///{folder / 'study.db'}"
        return
    address = request.getfixturevalue("postgres")
    yield address
    from kmspeaker.study.schema import open_engine

    engine = open_engine(address, wait=5)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()


@pytest.fixture
def design() -> Design:
    content = table(systems=2, items=2)
    content["attention"] = [{"after": 1, "instruction": "Poor.", "low": 20, "high": 40}]
    content["questionnaire"] = [
        {"name": "remarks", "text": "Remarks?"},
        {
            "name": "work",
            "text": "Your work?",
            "answer": "choice",
            "choices": ["a", "b"],
            "required": True,
        },
    ]
    return design_of(content)


def rate_all(store: Store, participant: Participant, *, value: float = 50.0) -> int:
    """Everything he is asked; returns how many ratings that were."""
    saved = 0
    for page in store.pages(participant):
        plays = dict.fromkeys(page.stimuli, 1)
        for key in page.rated:
            store.rate(
                participant,
                page.position,
                key,
                value,
                seconds=3.0,
                save=f"{page.position} {key}",
                plays=plays,
            )
            saved += 1
        store.finish_page(participant, page.position)
    return saved


def test_a_whole_session_is_kept_with_all_that_belongs_to_it(url: str, design: Design):
    store = Store(url, design, clock=lambda: 1000.5)
    code, participant = store.join()
    count = rate_all(store, participant)
    with pytest.raises(InputError, match="no answer to the question 'Your work"):
        store.finish(participant)
    store.answer(participant, "remarks", "<b>nice</b>\x00 & 'quoted'; DROP TABLE ratings")
    store.answer(participant, "work", "a")
    completion = store.finish(participant)
    assert store.finish(participant) == completion
    store.close()

    store = Store(url, design)
    again = store.resume(code.lower().replace("-", " "))
    assert (again.id, again.number) == (participant.id, 0)
    assert again.completion_code == completion
    assert store.progress(again).next_page(store.pages(again)) is None
    responses = store.responses()
    assert len(responses.ratings) == len(responses.history) == count == 2 * 3 + 1
    for row in responses.ratings:
        page = store.pages(again)[row["position"]]
        assert row["item"] == page.item
        assert row["kind"] == page.kind
        assert row["place"] == (0 if page.kind == "check" else page.stimuli.index(row["stimulus"]))
        assert row["design_hash"] == design.digest()
        assert row["version"] == __version__
        assert (row["seconds"], row["plays"], row["revision"]) == (3.0, 1, 1)
        assert row["rated_at"] == 1000.5
    words = {row["question"]: row["answer"] for row in responses.answers}
    assert words["remarks"] == "<b>nice</b> & 'quoted'; DROP TABLE ratings"
    store.close()


def test_a_change_replaces_the_rating_and_is_kept_beside_it(url: str, design: Design):
    store = Store(url, design)
    _, participant = store.join()
    for number, value in enumerate((10.0, 90.0, 40.0)):
        store.rate(participant, 0, "system-0", value, seconds=number, save=str(number))
    assert store.progress(participant).ratings[0, "system-0"].value == 40.0
    responses = store.responses()
    assert [row["value"] for row in responses.history] == [10.0, 90.0, 40.0]
    assert [(row["value"], row["revision"]) for row in responses.ratings] == [(40.0, 3)]
    store.close()


def test_two_tabs_and_a_save_sent_twice_count_once(url: str, design: Design):
    tabs = [Store(url, design), Store(url, design)]
    code, participant = tabs[0].join()
    twin = tabs[1].resume(code)
    tabs[0].rate(participant, 0, "system-0", 10, seconds=1, save="a", plays={"system-0": 2})
    sent_again = tabs[0].rate(participant, 0, "system-0", 10, seconds=1, save="a")
    assert sent_again.revision == 1
    with pytest.raises(InputError, match="save of another rating"):
        tabs[1].rate(twin, 0, "system-1", 10, seconds=1, save="a")
    tabs[1].rate(twin, 0, "system-0", 30, seconds=2, save="b", plays={"system-0": 1})
    late = tabs[0].rate(participant, 0, "system-0", 10, seconds=1, save="a")
    assert (late.value, late.revision) == (30, 2)
    (row,) = tabs[0].responses().ratings
    assert (row["value"], row["plays"]) == (30, 2)
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda k: tabs[k % 2].rate(twin, 0, "system-1", k, seconds=k, save=f"c{k}"),
                range(16),
            )
        )
    (row,) = [r for r in tabs[0].responses().ratings if r["stimulus"] == "system-1"]
    assert row["revision"] == 16
    for tab in tabs:
        tab.close()


def test_nobody_goes_on_before_all_is_rated_and_played(design: Design, tmp_path: Path):
    store = Store(f"sqlite:///{tmp_path / 's.db'}", design)
    _, participant = store.join()
    (first, *_) = store.pages(participant)
    with pytest.raises(InputError, match="earlier one is open"):
        store.finish_page(participant, 1)
    for key in first.rated:
        with pytest.raises(InputError, match="rate them all"):
            store.finish_page(participant, 0)
        store.rate(participant, 0, key, 1, seconds=1, save=key)
    with pytest.raises(InputError, match="not played to their end"):
        store.finish_page(participant, 0)
    store.play(participant, 0, dict.fromkeys(first.stimuli, 1), seconds=9)
    store.finish_page(participant, 0)
    with pytest.raises(InputError, match="which is done"):
        store.rate(participant, 0, first.rated[0], 2, seconds=1, save="late")
    progress = store.progress(participant)
    assert progress.next_page(store.pages(participant)) == store.pages(participant)[1]
    with pytest.raises(InputError, match="pages that are still open"):
        store.finish(participant)


def test_ratings_and_answers_that_were_not_asked_for_are_refused(design: Design, tmp_path: Path):
    store = Store(f"sqlite:///{tmp_path / 's.db'}", design)
    _, participant = store.join()
    for position, stimulus, value, sentence in (
        (0, "system-0", 101, "0 to 100"),
        (0, "system-0", float("nan"), "0 to 100"),
        (0, "nobody", 50, "not on page 0"),
        (-1, "system-0", 50, "page -1"),
        (99, "system-0", 50, "page 99"),
    ):
        with pytest.raises(InputError, match=sentence):
            store.rate(participant, position, stimulus, value, seconds=1, save="x")
    with pytest.raises(InputError, match="plays of 'nobody'"):
        store.play(participant, 0, {"nobody": 1}, seconds=1)
    for name, answer, sentence in (
        ("other", "a", "is not asked"),
        ("work", "c", "choose one of a, b"),
        ("work", " ", "no answer"),
        ("remarks", "x" * 2001, "2000 is the most"),
    ):
        with pytest.raises(InputError, match=sentence):
            store.answer(participant, name, answer)
    assert not store.responses().ratings


def test_codes_cannot_be_made_up_and_are_not_kept(design: Design, tmp_path: Path):
    store = Store(f"sqlite:///{tmp_path / 's.db'}", design)
    codes = {store.join()[0] for _ in range(20)}
    assert len({code[:8] for code in codes}) == 20  # 40 of 128 bits already differ
    for forged in ("", "AAAAA-BBBBB", next(iter(codes))[:-1], "' OR 1=1 --"):
        with pytest.raises(InputError, match="belongs to nobody"):
            store.resume(forged)
    store.close()
    kept = (tmp_path / "s.db").read_bytes()
    for code in codes:
        assert code.encode() not in kept
        assert code.replace("-", "").encode() not in kept
        assert hash_of(code).encode() in kept


def test_who_withdraws_is_left_out_and_who_deletes_is_gone(url: str, design: Design):
    store = Store(url, design)
    first, second = store.join(), store.join()
    for _, participant in (first, second):
        rate_all(store, participant)
    store.answer(second[1], "remarks", "remember me")
    store.withdraw(first[1])
    assert {row["participant"] for row in store.responses().ratings} == {1}
    with pytest.raises(InputError, match="has withdrawn"):
        store.rate(first[1], 0, "system-0", 1, seconds=1, save="more")
    assert store.resume(first[0]).withdrawn_at is not None
    store.delete(second[1])
    assert not store.responses().ratings
    with pytest.raises(InputError, match="belongs to nobody"):
        store.resume(second[0])
    with pytest.raises(InputError, match="has withdrawn"):  # another tab of his
        store.delete(second[1])
    third = store.join()[1]
    assert third.number == 1  # so that orders stay balanced
    assert third.id != second[1].id
    assert store.join()[1].number == 2
    store.close()


def test_two_hundred_at_once_lose_no_rating(url: str, design: Design):
    crowd = 200 if url.startswith("sqlite") else 60  # whose writers wait for nobody but themselves
    stores = [Store(url, design), Store(url, design)]  # as two processes would

    def take_part(k: int) -> int:
        store = stores[k % 2]
        participant = store.join()[1]
        key = store.pages(participant)[0].rated[0]
        store.rate(participant, 0, key, participant.number % 101, seconds=1, save=key)
        return participant.number

    with ThreadPoolExecutor(50) as pool:
        numbers = list(pool.map(take_part, range(crowd)))
    assert sorted(numbers) == list(range(crowd))
    rows = stores[0].responses().ratings
    assert [row["participant"] for row in rows] == list(range(crowd))
    assert all(row["value"] == row["participant"] % 101 for row in rows)
    for store in stores:
        store.close()


_WRITER = """
import sys
from studies import a_design
from kmspeaker.study.store import Store
store = Store(sys.argv[1], a_design())
participant = store.resume(sys.argv[2])
for k in range(100_000):
    store.rate(participant, 0, "system-0", k % 101, seconds=k, save=f"{sys.argv[3]} {k}")
    print(k, flush=True)
"""


def test_a_process_killed_while_it_writes_loses_nothing_that_was_saved(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    store = Store(url, a_design())
    code, _ = store.join()
    store.close()
    said = 0
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for attempt, lines in enumerate((5, 23)):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, url, code, str(attempt)],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert writer.stdout is not None
        for _ in range(lines):
            assert writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        said += lines + len(writer.stdout.read().splitlines())
        writer.wait()
        store = Store(url, a_design())
        history = store.responses().history
        assert said <= len(history) <= said + 1  # one may be saved and not yet said
        said = len(history)
        (row,) = store.responses().ratings
        assert row["revision"] == len(history)
        assert row["value"] == history[-1]["value"]
        store.close()


def test_a_locked_database_and_a_full_disk_are_said_and_can_be_tried_again(tmp_path: Path):
    path = tmp_path / "study.db"
    store = Store(f"sqlite:///{path}", a_design(), wait=0.05)
    _, participant = store.join()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="busy") as refused:
        store.rate(participant, 0, "system-0", 10, seconds=1, save="a")
    assert refused.value.reason == "busy"
    other.execute("ROLLBACK")
    other.close()
    store.rate(participant, 0, "system-0", 10, seconds=1, save="a")
    with store._writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    saved = 0
    with pytest.raises(StoreUnavailable, match="disk") as refused:
        for saved in range(1000):
            store.rate(participant, 0, "system-0", 20, seconds=1, save=f"b{saved}")
    assert refused.value.reason == "full"
    with store._reading() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=100000")
    store.rate(participant, 0, "system-0", 30, seconds=1, save=f"b{saved}")
    assert len(store.responses().history) == 1 + saved + 1
    store.close()


def test_a_database_that_cannot_be_reached_is_said(tmp_path: Path):
    with pytest.raises(StoreUnavailable) as refused:
        Store(f"sqlite:///{tmp_path / 'no' / 'folder.db'}", a_design())
    assert refused.value.reason == "gone"
    with pytest.raises(StoreUnavailable) as refused:
        Store(f"postgresql://nobody@/none?host={tmp_path}", a_design(), wait=2)
    assert refused.value.reason == "gone"
    for wrong in ("mysql://root@host/x", "study.db", "secret:word@host"):
        with pytest.raises(InputError, match="sqlite:///FILE") as refused_url:
            Store(wrong, a_design())
        assert "word" not in str(refused_url.value).replace("PASSWORD", "")


def test_another_design_and_a_later_version_are_refused(url: str):
    Store(url, a_design(), stimuli_hash="one").close()
    with pytest.raises(InputError, match="other than the one this database was begun with"):
        Store(url, a_design(items=3))
    with pytest.raises(InputError, match="stimuli other than those"):
        Store(url, a_design(), stimuli_hash="two")
    store = Store(url, a_design(), stimuli_hash="one")
    with store._writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(InputError, match="version 9999"):
        Store(url, a_design())


def test_migrations_make_the_tables_that_the_program_uses(url: str):
    from alembic.autogenerate import compare_metadata
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    store = Store(url, a_design())
    with store._reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    store.close()
    config = Config()
    config.set_main_option("script_location", "kmspeaker.study:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_nothing_in_the_tables_could_say_who_somebody_is():
    columns = {column.name for each in METADATA.tables.values() for column in each.columns}
    assert not columns & {"name", "email", "ip", "address", "agent", "cookie", "user"}
