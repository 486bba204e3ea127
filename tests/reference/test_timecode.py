"""Laws of the clock: whatever convention tells the time, it is the same time."""

from collections.abc import Callable

import numpy as np
import pytest

from kmspeaker.errors import InputError
from kmspeaker.reference.timecode import Clock, rate_of, read_clock

RATES = (10, 12, 15, 20, 23, 24, 25, 29, 30, 48, 50, 60, 90, 100, 119, 120)


def hms(second: int) -> str:
    return f"{14 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


def of_rows(code: Callable[[int], str], rows: int) -> Clock:
    return read_clock([code(k) for k in range(rows)], "a.csv")


def counted(rate: int) -> Callable[[int], str]:
    return lambda k: f"{hms(k // rate)}:{k % rate:02}"


@pytest.mark.parametrize("first", [0, 1, 7])
@pytest.mark.parametrize("seconds", [1.8, 6])
@pytest.mark.parametrize("rate", RATES)
def test_frames_are_counted_at_any_rate(rate: int, seconds: float, first: int) -> None:
    rows = round(seconds * rate)
    clock = of_rows(lambda k: counted(rate)(k + first), rows)
    np.testing.assert_allclose(clock.times, np.arange(rows) / rate, atol=1e-9)
    assert clock.notes == ()
    assert rate_of(clock.times, "a.csv") == pytest.approx(rate)


@pytest.mark.parametrize("rows", [90, 2500])
@pytest.mark.parametrize("rate", [rate for rate in RATES if rate != 60])
def test_a_row_number_behind_the_count_is_no_time(rate: int, rows: int) -> None:
    rows = max(rows, 2 * rate)
    clock = of_rows(lambda k: f"{counted(rate)(k)}.{k:03}", rows)
    np.testing.assert_allclose(clock.times, np.arange(rows) / rate, atol=1e-9)


def test_a_fraction_behind_the_count_is_time() -> None:
    """The app's sixtieths, whose fraction drifts; and two rows to each frame of a time code."""
    place = 19.960 + 1.99975 * np.arange(3000)
    clock = of_rows(lambda k: f"{hms(int(place[k] // 60))}:{place[k] % 60:06.3f}", 3000)
    np.testing.assert_allclose(clock.times, (place - place[0]) / 60, atol=2e-5)
    clock = of_rows(lambda k: f"{hms(k // 60)}:{k % 60 // 2:02}.{k % 2 * 500:03}", 200)
    np.testing.assert_allclose(clock.times, np.arange(200) / 60, atol=1e-9)


@pytest.mark.parametrize("rate", [10, 15, 24, 25, 30, 60])
def test_two_digits_behind_a_point_are_frames_or_hundredths(rate: int) -> None:
    """Read as the other they would fall short of every second."""
    clock = of_rows(lambda k: f"{hms(k // rate)}.{k % rate:02}", 3 * rate)
    np.testing.assert_allclose(clock.times, np.arange(3 * rate) / rate, atol=1e-9)
    clock = of_rows(lambda k: f"{hms(k // rate)}.{k % rate * 100 // rate:02}", 3 * rate)
    np.testing.assert_allclose(clock.times, np.arange(3 * rate) / rate, atol=0.0101)


@pytest.mark.parametrize("modulus", [60, 100])
def test_counts_that_wrap_within_a_second_go_on(modulus: int) -> None:
    clock = of_rows(lambda k: f"{hms(k // 120)}:{k % 120 % modulus:02}", 700)
    np.testing.assert_allclose(clock.times, np.arange(700) / 120, atol=1e-9)


@pytest.mark.parametrize("rate", [10, 15, 24, 30, 60, 100, 120])
@pytest.mark.parametrize(
    ("code", "precision"),
    [
        (lambda t: f"{hms(int(t))}:{int(t % 1 * 1000)}.000", 1e-3),
        (lambda t: f"{hms(int(t))}:{int(t % 1 * 1000):03}", 1e-3),
        (lambda t: f"{hms(int(t))}.{int(t % 1 * 1000):03}", 1e-3),
        (lambda t: f"{hms(int(t))},{int(t % 1 * 1000):03}", 1e-3),
        (lambda t: f"{hms(int(t))}.{int(t % 1 * 1e6):06}", 1e-6),
        (lambda t: f"{t:.4f}", 1e-4),
        (lambda t: f"{1.7e9 + t:.6f}", 1e-6),
    ],
    ids=["count", "padded", "point", "comma", "microseconds", "seconds", "epoch"],
)
def test_a_clock_in_seconds_is_read_at_any_rate(
    code: Callable[[float], str], precision: float, rate: int
) -> None:
    clock = of_rows(lambda k: code(k / rate), 3 * rate)
    np.testing.assert_allclose(clock.times, np.arange(3 * rate) / rate, atol=1.01 * precision)
    assert rate_of(clock.times, "a.csv") == pytest.approx(rate, rel=0.01)


def test_plain_numbers_are_in_the_unit_that_makes_a_rate_and_that_is_said() -> None:
    clock = of_rows(lambda k: f"{k * 1000 / 30:.2f}", 90)
    np.testing.assert_allclose(clock.times, np.arange(90) / 30, atol=1e-4)
    assert clock.notes == ("The time codes are read as milliseconds.",)


@pytest.mark.parametrize("mark", [":", ";"])
@pytest.mark.parametrize("base", [30, 60])
@pytest.mark.parametrize("minute", [1, 9, 10])
def test_drop_frame_codes_are_even_across_a_minute(base: int, minute: int, mark: str) -> None:
    """Of each minute but every tenth the first numbers are left out."""
    frames = np.arange(minute * 60 * base - 100, minute * 60 * base + 100)
    codes = []
    for frame in frames:
        tens, rest = divmod(int(frame), 600 * base - 9 * base // 15)
        minutes = 0 if rest < 60 * base else 1 + (rest - 60 * base) // (60 * base - base // 15)
        nominal = int(frame) + base // 15 * (9 * tens + minutes)
        codes.append(f"{hms(nominal // base)}{mark}{nominal % base:02}")
    clock = read_clock(codes, "a.csv")
    steps = np.diff(clock.times)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6)
    assert 1 / steps[0] == pytest.approx(base, rel=2e-3)


@pytest.mark.parametrize(
    "code",
    [
        str,
        lambda k: str(3 * k),
        hms,
        lambda k: f"{hms(k)}:00",
        lambda k: f"{hms(k)}.000",
        lambda k: f"{k / 3.6:.4f}",
        lambda k: f"{hms(int(k / 3.6))}.{int(k / 3.6 % 1 * 1000):03}",
        lambda k: f"{hms(0)}:{k:02}",
        lambda k: "0.0",
        lambda k: hms(0),
        lambda k: f"{hms(k // 240)}:{k % 240:03}",
    ],
)
def test_a_clock_without_a_rate_is_refused_with_what_to_do(code: Callable[[int], str]) -> None:
    with pytest.raises(InputError, match=r"say how many rows a second it has .*\.$"):
        clock = of_rows(code, 50 if code(1).startswith("14:00:00:01") else 600)
        rate_of(np.unique(clock.times), "a.csv")


@pytest.mark.parametrize("bad", ["noon", "", "1" * 5000, "1e400", "00:00:00:" + "1" * 5000, "nan"])
def test_what_is_no_time_code_is_named(bad: str) -> None:
    for good in ("00:00:00:01", "0.5"):
        with pytest.raises(InputError, match="time code") as caught:
            read_clock([good, bad, good], "a.csv")
        assert len(str(caught.value)) < 200
