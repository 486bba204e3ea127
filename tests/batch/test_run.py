"""A batch goes on where it was stopped, and one bad pair is only told."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from kmspeaker.batch import run as batch_module
from kmspeaker.batch.jobs import PairOptions
from kmspeaker.batch.run import RECORD, Outcome, Report, Settings, run_batch
from kmspeaker.cli import main
from kmspeaker.errors import InputError
from kmspeaker.examples import FOLDER
from kmspeaker.media.audio import Sound, load_sound, write_wav
from kmspeaker.media.video_writer import write_video
from kmspeaker.parallel import Workers
from kmspeaker.reference.live_link import COLUMNS, read_live_link, write_live_link

QUICK = Settings(formats=(".csv",), steps=1)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs: bundled speech, and brows that rise."""
    folder = tmp_path_factory.mktemp("jobs")
    sound = load_sound(FOLDER / "delighted.wav")
    second = sound.sample_rate
    weights = np.zeros((60, 52), np.float32)
    for name, start in (("hello", 0), ("again", second)):
        write_wav(
            folder / f"{name}.wav",
            Sound(sound.samples[start : start + second].copy(), second),
        )
        weights[:, 43] = np.linspace(0, 0.8, 60)
        write_live_link(folder / f"{name}.csv", weights, 30.0)
    return folder


@pytest.fixture(scope="module")
def done(jobs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The batch of these pairs, made here."""
    output = tmp_path_factory.mktemp("done") / "out"
    report = run_batch(jobs, output, settings=QUICK)
    assert report.count("made") == 2
    return output


def contents(output: Path) -> dict[str, bytes]:
    """Every file of every pair."""
    return {str(p.relative_to(output)): p.read_bytes() for p in sorted(output.glob("*/*"))}


def states(report: Report) -> list[str]:
    return [outcome.state for outcome in report.outcomes]


def test_each_pair_gets_a_folder_and_a_line_in_the_report(done: Path):
    assert sorted(path.name for path in done.iterdir()) == [
        "again",
        "hello",
        "report.csv",
        "report.json",
    ]
    performance = read_live_link(done / "hello/hello.csv")
    assert len(performance) == 30
    assert json.loads((done / "hello" / RECORD).read_text())["use"] == "localize"
    with (done / "report.csv").open(encoding="utf-8") as file:
        again, hello = csv.DictReader(file)
    assert (again["name"], hello["name"], hello["state"]) == ("again", "hello", "made")
    assert hello["files"] == "hello/hello.csv hello/hello.csv.json"
    assert json.loads((done / "report.json").read_text())[1]["seconds"] == 1.0


@pytest.mark.parametrize("place", ["processes", "ray"])
def test_the_same_bits_wherever_the_work_is_done(
    place: str, jobs: Path, done: Path, tmp_path: Path
):
    if place == "ray":
        pytest.importorskip("ray", reason="needs Ray of requirements-train.txt")
    workers = Workers(1, ray="local") if place == "ray" else Workers(2)
    run_batch(jobs, tmp_path / "out", settings=QUICK, workers=workers)
    assert contents(tmp_path / "out") == contents(done)


def test_what_was_made_in_the_same_way_is_kept(
    jobs: Path, done: Path, monkeypatch: pytest.MonkeyPatch
):
    before = {path: path.stat().st_mtime_ns for path in done.glob("*/*")}
    monkeypatch.setattr(batch_module.Pipeline, "load", None)  # nobody may be put to work
    assert states(run_batch(jobs, done, settings=QUICK)) == ["kept", "kept"]
    assert before == {path: path.stat().st_mtime_ns for path in done.glob("*/*")}


def copied(done: Path, folder: Path) -> Path:
    return shutil.copytree(done, folder / "copy")


def test_what_is_damaged_or_asked_otherwise_is_made_anew(jobs: Path, done: Path, tmp_path: Path):
    output, whole = copied(done, tmp_path), contents(done)
    (output / "hello/hello.csv").write_text("half")
    (output / ".unfinished-1234").mkdir()
    assert states(run_batch(jobs, output, settings=QUICK)) == ["kept", "made"]
    assert contents(output) == whole and not list(output.glob(".*"))
    report = run_batch(jobs, output, settings=QUICK, options=PairOptions(seed=1))
    assert states(report) == ["made", "made"]
    assert contents(output)["hello/hello.csv"] != whole["hello/hello.csv"]


def test_a_batch_that_was_stopped_goes_on(jobs: Path, done: Path, tmp_path: Path):
    output = tmp_path / "out"

    def stop(outcome: Outcome) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(jobs, output, settings=QUICK, on_outcome=stop)
    assert [row["name"] for row in json.loads((output / "report.json").read_text())] == ["again"]
    assert states(run_batch(jobs, output, settings=QUICK)) == ["kept", "made"]
    assert contents(output) == contents(done)


def test_a_write_that_fails_leaves_the_former_files(
    jobs: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    output = copied(done, tmp_path)

    def full(take, face, path: Path) -> None:
        path.write_text("half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(batch_module, "save_animation", full)
    report = run_batch(jobs, output, settings=QUICK, options=PairOptions(seed=1))
    assert states(report) == ["failed", "failed"]
    assert "No space left" in report.outcomes[0].error
    assert contents(output) == contents(done) and not list(output.glob(".*"))


def test_one_bad_pair_does_not_stop_the_rest(
    jobs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    blank = tmp_path / "blank.mp4"
    write_video(blank, (np.full((120, 160, 3), 90, np.uint8) for _ in range(30)), 25.0, None)
    rows = [
        "speech,performance,name,identity",
        f"{jobs}/absent.wav,{jobs}/hello.csv,,",
        f"{jobs}/hello.wav,{blank},,",
        f"{jobs}/hello.wav,{jobs}/hello.csv,,nobody",
        f"{jobs}/hello.wav,{jobs}/hello.csv,../../escape,",
        f"{jobs}/hello.wav,{tmp_path}/untimed.csv,untimed,",
    ]
    _, *timed = (jobs / "hello.csv").read_text().splitlines()
    untimed = [",".join([str(k), *row.split(",")[1:]]) for k, row in enumerate(timed)]
    (tmp_path / "untimed.csv").write_text("\n".join([",".join(COLUMNS), *untimed]))
    (tmp_path / "jobs.csv").write_text("\n".join(rows))
    output = tmp_path / "deep" / "out"
    arguments = ["batch", tmp_path / "jobs.csv", "-o", output, "--format", "CSV", "--steps", "1"]
    assert main([*map(str, arguments), "--reference-fps", "30"]) == 3
    printed = capsys.readouterr()
    assert "2 made, 0 kept, 3 failed" in printed.out and "Traceback" not in printed.err
    for sentence in (
        "row 2: There is no file",
        "row 3: Got no face in any",
        "row 4: Got identity 'nobody'",
    ):
        assert f"kmspeaker: {sentence}" in printed.err
    said = (output / "escape/escape.csv").read_text()
    assert (output / "untimed/untimed.csv").read_text() == said
    assert not (tmp_path / "escape").exists() and not list(output.glob(".*"))
    with (output / "report.csv").open(encoding="utf-8") as file:
        assert [row["state"] for row in csv.DictReader(file)] == [*["failed"] * 3, "made", "made"]


def test_folders_of_others_are_left_alone(jobs: Path, done: Path, tmp_path: Path):
    output = copied(done, tmp_path)
    (output / "hello/notes.txt").write_text("mine")
    (output / "again" / RECORD).unlink()
    report = run_batch(jobs, output, settings=QUICK, options=PairOptions(seed=1))
    assert states(report) == ["failed", "failed"] and "move it away" in report.outcomes[0].error
    assert (output / "hello/notes.txt").read_text() == "mine"


def test_what_no_pair_could_be_made_with_is_refused_at_once(jobs: Path, done: Path, tmp_path: Path):
    output = tmp_path / "out"
    with pytest.raises(InputError, match="choose another folder"):
        run_batch(jobs, jobs)
    with pytest.raises(InputError, match="bundled name"):
        run_batch(jobs, output, settings=Settings(model="absent"))
    with pytest.raises(InputError, match="no pairs"):
        run_batch(done, output)
    with pytest.raises(InputError, match=r"Got the format '\.fbx'"):
        Settings(formats=(".fbx",))
    with pytest.raises(InputError, match="Cannot make the folder"):
        run_batch(jobs, jobs / "hello.wav")
    assert not output.exists()
    with (
        batch_module._lock_folder(done, jobs),
        pytest.raises(InputError, match="Another batch is at work"),
    ):
        run_batch(jobs, done, settings=QUICK)
