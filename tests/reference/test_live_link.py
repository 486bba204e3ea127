"""Laws of the Live Link Face CSV: our files read back the same, the app's own files read."""

import csv
import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recordings import APP_HEADER, write_capture

from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_INDEX
from kmspeaker.reference.live_link import read_live_link, read_with_notes, write_live_link
from kmspeaker.reference.load import kind_of
from kmspeaker.reference.performance import Performance

RATES = (24.0, 24000 / 1001, 25.0, 30000 / 1001, 30.0, 50.0, 60.0, 12.5)


@pytest.fixture(scope="module")
def weights() -> np.ndarray:
    return np.random.default_rng(0).random((200, 52)).astype(np.float32)


@pytest.fixture
def capture(example_performance: Performance, tmp_path: Path) -> Path:
    """As the app writes it; without a face for one second."""
    present = np.ones(len(example_performance), bool)
    present[60:90] = False
    path = tmp_path / "capture.csv"
    write_capture(path, replace(example_performance, present=present))
    return path


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("frames", [2, 7, 200])
def test_what_is_written_is_read_back(
    weights: np.ndarray, tmp_path: Path, fps: float, frames: int
) -> None:
    path = tmp_path / "out.csv"
    write_live_link(path, weights[:frames], fps)
    performance = read_live_link(path)
    assert performance.fps == pytest.approx(fps)
    assert len(performance) == frames
    assert np.allclose(performance.weights, weights[:frames], atol=1e-6)
    assert performance.present.all()
    assert not performance.bridged.any()


def test_head_angles_are_read_back_about_their_median(weights: np.ndarray, tmp_path: Path) -> None:
    head = np.random.default_rng(1).normal(0.2, 0.1, (200, 3))
    write_live_link(tmp_path / "out.csv", weights, 30.0, head=head)
    performance = read_live_link(tmp_path / "out.csv")
    assert np.allclose(performance.head, head - np.median(head, axis=0), atol=1e-5)


def test_our_columns_are_those_of_the_app(weights: np.ndarray, tmp_path: Path) -> None:
    write_live_link(tmp_path / "out.csv", weights, 30.0)
    header, first, *_ = (tmp_path / "out.csv").read_text().splitlines()
    assert header == APP_HEADER
    assert first.split(",")[:2] == ["00:00:00:00.000", "61"]


def test_a_capture_of_the_app_reads_as_it_is(
    capture: Path, example_performance: Performance
) -> None:
    performance = read_live_link(capture)
    assert performance.fps == 30
    assert len(performance) == len(example_performance)
    assert np.flatnonzero(~performance.present).tolist() == list(range(60, 90))
    present = performance.present
    np.testing.assert_allclose(
        performance.weights[present], example_performance.weights[present], atol=1e-3
    )


def test_real_captures_of_the_app_are_read(shared: Path, tmp_path: Path) -> None:
    """One of a minute, and one in which the face is away for nine seconds and more."""
    whole, interrupted = (
        unpacked(shared / f"data/capture/livelink/{name}.csv.gz", tmp_path)
        for name in ("facial", "S88-001")
    )
    performance = read_live_link(whole)
    rows = list(csv.DictReader(whole.open()))
    assert performance.fps == 30
    assert performance.seconds == pytest.approx(63.8, abs=0.1)
    assert performance.present.all()
    for name, column in (("jawOpen", "JawOpen"), ("mouthLeft", "MouthLeft")):
        mean = performance.weights[:, ARKIT_INDEX[name]].mean()
        assert mean == pytest.approx(np.mean([float(row[column]) for row in rows]), abs=1e-3)
    performance = read_live_link(interrupted)
    assert 9 < np.sum(~performance.present) / performance.fps < 10


def unpacked(packed: Path, folder: Path) -> Path:
    path = folder / packed.stem
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    return path


def _edited(path: Path, change: Callable[[list[list[str]]], list[list[str]]]) -> Path:
    rows = change(list(csv.reader(path.open(newline=""))))
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_columns_are_found_by_name(weights: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write_live_link(path, weights, 30.0)
    order = np.random.default_rng(2).permutation(63)
    _edited(path, lambda rows: [[row[k].upper() for k in order] for row in rows])
    assert np.allclose(read_live_link(path).weights, weights, atol=1e-6)


def test_short_gaps_are_bridged_and_long_ones_are_not_present(
    weights: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "out.csv"
    write_live_link(path, weights, 30.0)
    _edited(path, lambda rows: rows[:31] + rows[41:101] + rows[131:])
    performance = read_live_link(path)
    assert len(performance) == 200
    assert np.flatnonzero(performance.bridged).tolist() == list(range(30, 40))
    assert np.flatnonzero(~performance.present).tolist() == list(range(100, 130))


@pytest.mark.parametrize(
    ("code", "fps"),
    [
        (lambda k: f"00:00:{k // 30:02}:{k % 30:02}", 30),
        (lambda k: f"10:59:{k // 25:02}:{k % 25:02}.000", 25),
        (lambda k: f"00:01:{k // 50:02}.{k % 50 * 20:03}", 50),
        (
            lambda k: f"{23 if k < 90 else 0}:{59 if k < 90 else 0}:{(57 + k // 30) % 60}:{k % 30}",
            30,
        ),
    ],
    ids=["thirtieths", "twenty-fifths", "milliseconds", "past midnight"],
)
def test_other_time_codes(
    weights: np.ndarray, tmp_path: Path, code: Callable[[int], str], fps: float
) -> None:
    path = tmp_path / "out.csv"
    write_live_link(path, weights, 30.0)
    _edited(path, lambda rows: [rows[0], *([code(k), *row[1:]] for k, row in enumerate(rows[1:]))])
    performance = read_live_link(path)
    assert performance.fps == pytest.approx(fps)
    assert len(performance) == 200


def test_weights_are_clipped_and_those_far_over_one_are_said(
    weights: np.ndarray, tmp_path: Path
) -> None:
    for scale, said in ((1.5, 0), (3, 1)):
        write_live_link(tmp_path / "out.csv", scale * weights - 0.1, 30.0)
        reading = read_with_notes(tmp_path / "out.csv")
        expected = (scale * weights - 0.1).clip(0, 1)
        assert np.allclose(reading.performance.weights, expected, atol=1e-6)
        assert len(reading.notes) == said


def test_one_wild_value_is_said_and_changes_no_other(weights: np.ndarray, tmp_path: Path) -> None:
    write_live_link(tmp_path / "out.csv", weights, 30.0)
    _edited(tmp_path / "out.csv", _with(9, 20, "70"))
    reading = read_with_notes(tmp_path / "out.csv")
    assert "1 weights are over 1.5, up to 70" in reading.notes[0]
    weights = weights.copy()
    weights[8, 18] = 1
    assert np.allclose(reading.performance.weights, weights, atol=1e-6)


@pytest.mark.parametrize("most", [10, 100])
def test_weights_in_percent_are_read_as_weights_and_said(
    weights: np.ndarray, tmp_path: Path, caplog: pytest.LogCaptureFixture, most: float
) -> None:
    write_live_link(tmp_path / "out.csv", most * weights, 30.0)
    reading = read_with_notes(tmp_path / "out.csv")
    assert np.allclose(reading.performance.weights, weights * most / 100, atol=1e-6)
    assert "percent" in reading.notes[0]
    assert caplog.messages == list(reading.notes)


def test_percent_of_a_face_that_mostly_rests_is_recognised(tmp_path: Path) -> None:
    weights = np.zeros((200, 52))
    weights[100:110, ARKIT_INDEX["mouthSmileLeft"]] = 80
    write_live_link(tmp_path / "out.csv", weights, 30.0)
    assert read_live_link(tmp_path / "out.csv").weights.max() == pytest.approx(0.8)


@pytest.mark.parametrize("middle", [0, -90, 179])
@pytest.mark.parametrize("reach", [3, 20])
def test_head_angles_in_degrees_are_recognised_and_said(
    weights: np.ndarray, tmp_path: Path, reach: float, middle: float
) -> None:
    head = reach * np.sin(np.arange(200)[:, None] / 20 + [0, 1, 2])
    wrapped = (head + middle + 180) % 360 - 180
    write_live_link(tmp_path / "out.csv", weights, 30.0, head=wrapped)
    reading = read_with_notes(tmp_path / "out.csv")
    expected = np.radians(head - np.median(head, axis=0))
    assert np.allclose(reading.performance.head, expected, atol=1e-4)
    assert "degrees" in reading.notes[0]


def test_radians_that_pass_half_a_turn_do_not_jump(weights: np.ndarray, tmp_path: Path) -> None:
    head = 0.3 * np.sin(np.arange(200)[:, None] / 20 + [0, 1, 2])
    wrapped = (head + 2 * np.pi) % (2 * np.pi) - np.pi
    write_live_link(tmp_path / "out.csv", weights, 30.0, head=wrapped)
    reading = read_with_notes(tmp_path / "out.csv")
    assert np.allclose(reading.performance.head, head - np.median(head, axis=0), atol=1e-5)
    assert reading.notes == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("separator", "comma", "first"),
    [
        (",", False, ""),
        (";", False, ""),
        (";", True, ""),
        (";", True, "sep=;\r\n"),
        ("\t", False, ""),
        ("\t", True, ""),
        (",", True, ""),
    ],
)
def test_a_table_of_any_spreadsheet_is_the_same_performance(
    weights: np.ndarray, tmp_path: Path, separator: str, comma: bool, first: str, encoding: str
) -> None:
    path = tmp_path / "out.csv"
    write_live_link(path, weights, 30.0)
    header, *rows = csv.reader(path.open(newline=""))
    rows = [[cell.replace(".", ",") if comma else cell for cell in row] for row in rows]
    with path.open("w", newline="", encoding=encoding) as file:
        file.write(first)
        csv.writer(file, delimiter=separator).writerows([header, *rows])
    assert kind_of(path) == "csv"
    reading = read_with_notes(path)
    assert np.allclose(reading.performance.weights, weights, atol=1e-6)
    assert reading.performance.fps == 30
    assert reading.notes == ()


def test_what_separates_the_columns_is_named_where_it_cannot_be(
    weights: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "out.csv"
    write_live_link(path, weights, 30.0)
    plain = path.read_text()
    path.write_text(plain.replace(",", "|"))
    with pytest.raises(InputError, match="commas, semicolons or tabs"):
        read_live_link(path)
    header, *rows = plain.splitlines()
    path.write_text("\n".join([header, *(row.replace(".", ",") for row in rows)]))
    with pytest.raises(InputError, match="decimals have commas"):
        read_live_link(path)


def test_a_file_without_the_tongue_is_read_and_that_is_said(
    weights: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "out.csv"
    write_live_link(path, weights, 30.0)
    tongue = path.read_text().splitlines()[0].split(",").index("TongueOut")
    _edited(path, lambda rows: [row[:tongue] + row[tongue + 1 :] for row in rows])
    reading = read_with_notes(path)
    expected = weights.copy()
    expected[:, ARKIT_INDEX["tongueOut"]] = 0
    assert np.allclose(reading.performance.weights, expected, atol=1e-6)
    assert "TongueOut" in reading.notes[0]


def test_a_rate_that_is_named_stands_for_the_time_codes(
    weights: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "out.csv"
    write_live_link(path, weights, 30.0)
    _edited(path, lambda rows: [rows[0], *([str(k), *row[1:]] for k, row in enumerate(rows[1:]))])
    with pytest.raises(InputError, match="rows a second"):
        read_live_link(path)
    performance = read_live_link(path, rate=25.0)
    assert (performance.fps, len(performance)) == (25, 200)
    assert np.allclose(performance.weights, weights, atol=1e-6)
    with pytest.raises(InputError, match="give from 1 to 240"):
        read_live_link(path, rate=0.0)


def test_gaps_in_every_second_are_said(weights: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write_live_link(path, weights, 30.0)
    _edited(path, lambda rows: [rows[0], *(row for k, row in enumerate(rows[1:]) if k % 30 < 22)])
    reading = read_with_notes(path)
    assert reading.performance.fps == 30
    assert "missing in most seconds" in reading.notes[0]


def _with(row: int, column: int, value: str) -> Callable[[list[list[str]]], list[list[str]]]:
    def change(rows: list[list[str]]) -> list[list[str]]:
        rows[row][column] = value
        return rows

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda rows: [row[:10] + row[12:] for row in rows],
            "without the columns EyeLookDownRight",
        ),
        (lambda rows: [row[:2] for row in rows], "EyeBlinkLeft.* and 47 more"),
        (_with(5, 20, "nan"), "NaN"),
        (_with(5, 20, "inf"), "NaN or infinite"),
        (_with(5, 20, "much"), "no number"),
        (_with(5, 20, ""), "missing value"),
        (_with(5, 0, "noon"), "time code 'noon'"),
        (lambda rows: rows[:2], "at least two"),
        (lambda rows: rows[:1], "at least two"),
        (lambda rows: [], "empty"),
        (_with(-1, 0, "05:00:00:00.000"), "the limit is"),
    ],
)
def test_a_bad_file_is_one_sentence(
    weights: np.ndarray,
    tmp_path: Path,
    change: Callable[[list[list[str]]], list[list[str]]],
    says: str,
) -> None:
    path = tmp_path / "bad.csv"
    write_live_link(path, weights, 30.0)
    _edited(path, change)
    with pytest.raises(InputError, match=says) as caught:
        read_live_link(path)
    assert str(caught.value).endswith(".")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="no CSV"):
        read_live_link(tmp_path / "bad.csv")
    with pytest.raises(InputError, match="No such file"):
        read_live_link(tmp_path / "absent.csv")


def test_what_is_far_too_large_is_refused_before_it_is_read(
    weights: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "out.csv"
    write_live_link(path, weights, 60.0)
    with pytest.raises(InputError, match="more than 120 rows"):
        read_live_link(path, max_seconds=1.0)
    with pytest.raises(InputError, match="more than 100 rows"):
        read_live_link(path, max_seconds=2.0, rate=50.0)
    _edited(path, lambda rows: [rows[0], *(row + [""] * 200 for row in rows[1:])])
    with pytest.raises(InputError, match="263 values in a row, at most 256"):
        read_live_link(path)
