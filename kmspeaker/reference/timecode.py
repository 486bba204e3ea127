"""Time codes: the seconds that a clock of any convention shows.

Place in the flow: the time code column of ``live_link`` -> seconds. What a count counts is found
in the file itself, where one second turns into the next. Limits and rules are ours.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from kmspeaker.errors import InputError

APP_BASE = 60
"""The app counts sixtieths of a second whatever the frame rate."""
CLOCK_BASES = (48, 50, APP_BASE, 100, 120, 10**3, 10**6, 10**9)
"""Counts to a second of clocks that do not count the frames one by one."""
DROP_BASES = (30, 60, 120)
"""Drop-frame codes leave ``base // 15`` numbers out each minute, but for every tenth."""
RATES = (10.0, 120.0)
"""Rows a second that are believed."""
USUAL_RATES = (24000 / 1001, 24, 25, 30000 / 1001, 30, 48, 50, 60000 / 1001, 60)
NAME_THE_RATE = "say how many rows a second it has with --reference-fps"
"""What a user can do about a clock that does not tell."""
CODE = re.compile(
    r"(\d{1,3})[:;](\d{1,2})[:;](\d{1,2})(?:([:;.])(\d{1,9})(?:\.(\d{1,9}))?)?$", re.ASCII
)
"""``HH:MM:SS``, then ``:FF``, ``;FF`` or ``.fraction``; after a count a fraction or an index."""
NUMBER = re.compile(r"-?\d{1,18}(?:\.\d{1,18})?(?:e-\d{1,2})?$", re.ASCII | re.IGNORECASE)
NUMBER_UNITS = {1.0: "seconds", 1e3: "milliseconds", 1e6: "microseconds", 1e9: "nanoseconds"}
DAY = 24 * 3600


@dataclass(frozen=True)
class Clock:
    """When each row was, and what had to be assumed to tell."""

    times: Float64[np.ndarray, " rows"]
    """Seconds from the first row; not always in order."""
    notes: tuple[str, ...] = ()
    """Sentences for the user, without a name of the file."""


def read_clock(codes: Sequence[str], name: str) -> Clock:
    """The seconds of time codes, all of one kind.

    Kinds: ``HH:MM:SS:FF`` at any rate, also where ``FF`` wraps within a second, is in milliseconds,
    drops frames, or is followed by a fraction or a row number; ``HH:MM:SS.fraction``; and plain
    numbers, which are seconds or, where only that gives a rate of ``RATES``, milliseconds and so
    on. Decimal commas are points.

    Args:
        codes: One a row, at least two.
        name: Of the file, for errors.

    Raises:
        InputError: A code of no such kind, or codes that show no rate.
    """
    codes = [code.strip().replace(",", ".") for code in codes]
    matches = [match for match in map(CODE.match, codes) if match]
    if len(matches) == len(codes):
        return _of_fractions(matches) if _is_fraction(matches) else _of_counts(matches, name)
    if all(NUMBER.match(code) for code in codes):
        return _of_numbers(np.array([float(code) for code in codes]), name)
    kind = CODE if matches else NUMBER
    bad = next(code for code in codes if not kind.match(code))
    raise InputError(
        f"Got {name} with the time code {bad[:40]!r}; HH:MM:SS:FF, HH:MM:SS.mmm or seconds are "
        "needed in every row."
    )


def rate_of(times: Float64[np.ndarray, " rows"], name: str) -> float:
    """Rows a second, a usual rate where it is within 1% of one.

    Args:
        times: Seconds, increasing.
        name: Of the file, for errors.

    Raises:
        InputError: A rate outside ``RATES``.
    """
    rate = 1 / typical_step(times)
    least, most = RATES
    if not 0.99 * least <= rate <= 1.01 * most:
        raise InputError(
            f"Got {name}, whose time codes make {rate:.3g} frames/s, and {least:g} to {most:g} are "
            f"needed; {NAME_THE_RATE}."
        )
    usual = min(USUAL_RATES, key=lambda usual: abs(usual - rate))
    return float(usual) if abs(usual / rate - 1) < 0.01 else round(rate, 6)


def typical_step(values: Float64[np.ndarray, " rows"]) -> float:
    """The mean step forwards, where none is missing: a rounded clock steps unevenly.

    0 where there is no step forwards.
    """
    steps = np.diff(values)
    steps = steps[steps > 0]
    return float(steps[steps <= 1.5 * np.median(steps)].mean()) if len(steps) else 0.0


def _is_fraction(matches: list[re.Match[str]]) -> bool:
    """True after a point, unless there are always one or two digits: those count frames."""
    if any(match[4] in (":", ";") or match[6] for match in matches):
        return False
    widths = {len(match[5] or "") for match in matches}
    return widths not in ({0}, {1}, {2})


def _of_fractions(matches: list[re.Match[str]]) -> Clock:
    fraction = np.array([float(f"0.{match[5] or 0}") for match in matches])
    times = _whole_seconds(matches) + fraction
    return Clock(times - times[0])


def _of_numbers(numbers: Float64[np.ndarray, " rows"], name: str) -> Clock:
    numbers = numbers - numbers[0]
    step = typical_step(numbers)
    least, most = RATES
    for unit, said in NUMBER_UNITS.items():
        if 0.99 * least <= unit / max(step, 1e-12) <= 1.01 * most:
            notes = () if unit == 1 else (f"The time codes are read as {said}.",)
            return Clock(numbers / unit, notes)
    raise InputError(
        f"Got {name}, whose time codes are numbers {step:.3g} apart and show no rate; "
        f"{NAME_THE_RATE}."
    )


def _whole_seconds(matches: list[re.Match[str]]) -> Int64[np.ndarray, " rows"]:
    """Since midnight, and on past the next."""
    parts = np.array([[int(part) for part in match.groups()[:3]] for match in matches], np.int64)
    whole = parts @ np.array([3600, 60, 1], np.int64)
    return whole + DAY * np.cumsum(np.append(0, np.diff(whole) < -DAY // 2))


def _of_counts(matches: list[re.Match[str]], name: str) -> Clock:
    whole = _whole_seconds(matches)
    count = _unwrapped(np.array([float(match[5] or 0) for match in matches]), whole)
    fraction = np.array([float(f"0.{match[6] or 0}") for match in matches])
    within = np.diff(whole) == 0
    steps = np.diff(count + fraction)[within]
    step = typical_step(np.cumsum(np.append(0.0, np.maximum(steps, 0.0))))
    if not step:
        raise InputError(
            f"Got {name}, whose time codes count whole seconds and show no rate; {NAME_THE_RATE}."
        )
    marked = any(match[4] == ";" for match in matches)
    by_frame = bool(np.mean(np.abs(steps - 1) < 0.1) > 0.9)
    turns = np.flatnonzero(np.diff(whole) == 1)
    notes = ()
    if len(turns):
        turned = (count + fraction)[turns] - (count + fraction)[turns + 1] + step
        base = _base(float(np.median(turned)), step, count.max(), by_frame)
        if marked:  # a file that only shows a minute's turn seems to have fewer
            base = next((drop for drop in DROP_BASES if 0.9 * drop <= base <= drop), base)
    elif count.max() >= 2 * APP_BASE:
        base = next(clock for clock in CLOCK_BASES[-3:] if count.max() < clock)
    elif count.max() < APP_BASE and any(match[6] for match in matches):
        base = APP_BASE
        notes = ("No second ends in the time codes, so they are taken to count sixtieths.",)
    else:
        raise InputError(
            f"Got {name}, in whose time codes no second ends, so they show no rate; "
            f"{NAME_THE_RATE}."
        )

    # What follows the count is a fraction of it or, with some trackers, the number of the row.
    plain, exact = whole * base + count, whole * base + count + fraction
    # The app's sixtieths are the ones that surely have a fraction, so there it wins a draw.
    worse = _jumps(exact, step) - _jumps(plain, step)
    if worse > 0 or (worse == 0 and by_frame and base != APP_BASE):
        exact = plain
    dropped = _dropped_numbers(whole, count, plain, step, base, marked)
    times = exact / base if dropped is None else (exact - dropped) * 1.001 / base
    return Clock(times - times[0], notes)


def _unwrapped(
    count: Float64[np.ndarray, " rows"], whole: Int64[np.ndarray, " rows"]
) -> Float64[np.ndarray, " rows"]:
    """A count that begins again within most seconds, as two digits do at 120 frames/s, goes on."""
    falls = np.append(False, (np.diff(whole) == 0) & (np.diff(count) < -count.max() / 2))
    if 2 * falls.sum() < len(np.unique(whole)):
        return count
    rounds = np.cumsum(falls)
    new = np.append(True, np.diff(whole) != 0)
    return count + (rounds - np.maximum.accumulate(np.where(new, rounds, 0))) * (count.max() + 1)


def _base(turned: float, step: float, largest: float, by_frame: bool) -> int:
    """Counts to a second, by how far the count falls (and a step) where a second turns."""
    nearest = min(CLOCK_BASES, key=lambda clock: abs(clock - turned))
    if not by_frame and abs(nearest - turned) <= 1.01 * step:
        return nearest
    if by_frame or step < 1.5:
        return max(round(turned), 1)
    # Rows are missing at every turn.
    return next((clock for clock in (APP_BASE, *CLOCK_BASES[3:]) if clock > largest), 10**9)


def _jumps(counted: Float64[np.ndarray, " rows"], step: float) -> int:
    return int(np.sum(np.abs(np.diff(counted) - step) > 0.4 * step))


def _dropped_numbers(
    whole: Int64[np.ndarray, " rows"],
    count: Float64[np.ndarray, " rows"],
    counted: Float64[np.ndarray, " rows"],
    step: float,
    base: int,
    marked: bool,
) -> Int64[np.ndarray, " rows"] | None:
    """How many numbers were left out before each row; None where it is no drop-frame code.

    It is one if its mark, the semicolon, or the turn of a minute says so, and no number occurs that
    would be left out.
    """
    if base not in DROP_BASES:
        return None
    drop, minute = base // 15, whole // 60
    leaves_out = minute % 10 != 0
    turn = (np.diff(minute) == 1) & leaves_out[1:]
    seen = np.any(turn & (np.abs(np.diff(counted) - step - drop) < 0.1))
    if np.any(leaves_out & (whole % 60 == 0) & (count < drop)) or not (marked or seen):
        return None
    return drop * (minute - minute // 10)
