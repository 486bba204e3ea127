"""Live Link Face: the CSV that Apple's face capture writes on a phone, in and out.

Place in the flow: file -> ``table``, ``timecode`` and ``units`` -> ``Performance``, beside
``retarget``; and animation -> file. Such a file has a time code, the 52 ARKit weights and nine
angles of head and eyes in every row. Other programs write it in their own ways: what had to be
assumed is said.
"""

import csv
import logging
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Float64

from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_NAMES
from kmspeaker.limits import MAX_SECONDS
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.table import read_rows
from kmspeaker.reference.timecode import APP_BASE, RATES, Clock, rate_of, read_clock, typical_step
from kmspeaker.reference.tracking import MAX_GAP
from kmspeaker.reference.units import in_radians, in_unit_range

_log = logging.getLogger(__name__)

HEAD_COLUMNS = ("HeadYaw", "HeadPitch", "HeadRoll")
EYE_COLUMNS = tuple(
    f"{side}Eye{angle}" for side in ("Left", "Right") for angle in ("Yaw", "Pitch", "Roll")
)
WEIGHT_COLUMNS = tuple(name[0].upper() + name[1:] for name in ARKIT_NAMES)
COLUMNS = ("Timecode", "BlendShapeCount", *WEIGHT_COLUMNS, *HEAD_COLUMNS, *EYE_COLUMNS)
"""In the app's own order."""
TONGUE = "TongueOut"
"""The one weight that may be missing: ARKit had 51 before it saw tongues."""

MAX_ROWS_PER_SECOND = 240.0
"""Rows that follow faster than this are passed over."""


@dataclass(frozen=True)
class LiveLinkReading:
    """A performance and what had to be assumed to read it."""

    performance: Performance
    notes: tuple[str, ...]
    """Sentences for the user; none for a file as the app writes it."""


def read_live_link(
    path: Path | str,
    fps: float | None = None,
    *,
    max_seconds: float = MAX_SECONDS,
    rate: float | None = None,
) -> Performance:
    """Read a Live Link Face CSV, as ``read_with_notes`` does, whose notes are only logged."""
    return read_with_notes(path, fps, max_seconds=max_seconds, rate=rate).performance


def read_with_notes(
    path: Path | str,
    fps: float | None = None,
    *,
    max_seconds: float = MAX_SECONDS,
    rate: float | None = None,
) -> LiveLinkReading:
    """Read a Live Link Face CSV; columns are found by name, whatever their order.

    Rows without a face (``BlendShapeCount`` 0) and missing rows are gaps: up to
    ``tracking.MAX_GAP`` they are bridged. Weights outside [0, 1] are clipped. Weights from 0 to 100
    and angles in degrees are converted. Every note is logged as a warning, too.

    Args:
        path: The file.
        fps: The rate of the result; the file's own when not given.
        max_seconds: Longer ones are refused.
        rate: Rows a second, for time codes that do not tell; they are then not looked at.

    Raises:
        InputError: No such file, not such a CSV, columns missing, a value that is no number, time
            codes that show no rate, units that are not known, or too long.
    """
    path = Path(path)
    if rate is not None and not 1 <= rate <= MAX_ROWS_PER_SECOND:
        raise InputError(
            f"Got {rate:g} rows a second for {path.name}; give from 1 to {MAX_ROWS_PER_SECOND:g}."
        )
    rows = read_rows(path, max_rows=max_seconds * (rate or RATES[1]))
    faces = _read_faces(next(rows, []), rows, path.name, timed=rate is None)
    if len(faces.rows) < 2:
        raise InputError(_too_few(path.name, len(faces.rows)))
    if rate is None:
        clock = read_clock(faces.codes, path.name)
    else:
        clock = Clock((faces.rows - faces.rows[0]) / rate)
    times = clock.times
    keep = np.append(True, np.diff(np.maximum.accumulate(times)) > 0.999 / MAX_ROWS_PER_SECOND)
    if keep.sum() < 2:
        raise InputError(_too_few(path.name, int(keep.sum())))
    times = times[keep]
    if times[-1] > max_seconds:
        raise InputError(
            f"Got {times[-1]:.0f} s of performance in {path.name}, the limit is "
            f"{max_seconds:g} s; give a shorter one or raise the limit with --max-seconds."
        )
    own = rate_of(times, path.name) if rate is None else rate
    weights, notes_of_weights = in_unit_range(faces.weights[keep], path.name)
    head, notes_of_head = in_radians(faces.head[keep], path.name)
    notes = [*faces.notes, *clock.notes, *notes_of_weights, *notes_of_head]
    if not keep.all():
        notes.append(f"{np.sum(~keep)} rows are left out, as their time codes do not go on.")
    if _has_regular_gaps(times):
        notes.append("Rows are missing in most seconds; check that its time codes are right.")
    notes = tuple(f"{path.name}: {note}" for note in notes)
    for note in notes:
        _log.warning(note)
    return LiveLinkReading(_resample(times, weights, head, own, fps or own), notes)


def write_live_link(
    path: Path | str,
    weights: Float[np.ndarray, "frames 52"],
    fps: float,
    *,
    head: Float[np.ndarray, "frames 3"] | None = None,
) -> None:
    """Write a CSV as Live Link Face does; the eyes' angles, which repeat the weights, are zero.

    Args:
        path: The file, overwritten.
        weights: In ``rig.ARKIT_NAMES`` order.
        fps: Row ``k`` gets the time code of ``k / fps`` seconds.
        head: Yaw, pitch and roll in radians; zero when not given.
    """
    angles = np.zeros((len(weights), 9))
    if head is not None:
        angles[:, :3] = head
    with Path(path).open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for k, row in enumerate(np.concatenate([weights, angles], axis=1)):
            writer.writerow([_timecode(k / fps), row.size, *(f"{value:.10f}" for value in row)])


@dataclass(frozen=True)
class _Faces:
    """The rows that show a face, as they are in the file."""

    rows: Float64[np.ndarray, " faces"]
    """Which of the file's rows, the others included."""
    codes: tuple[str, ...]
    """Time codes; none where they are not asked for."""
    weights: Float32[np.ndarray, "faces 52"]
    head: Float32[np.ndarray, "faces 3"]
    notes: tuple[str, ...]


def _read_faces(header: list[str], rows: Iterator[list[str]], name: str, *, timed: bool) -> _Faces:
    column = {cell.strip().lower(): k for k, cell in enumerate(header)}
    needed = (*(("Timecode",) if timed else ()), *WEIGHT_COLUMNS)
    missing = [needs for needs in needed if needs.lower() not in column]
    if missing and missing != [TONGUE]:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if missing[5:] else "")
        raise InputError(
            f"Got {name} without the columns {shown}; "
            "a Live Link Face CSV with its time code and all 52 weights is needed."
        )
    shapes = [k for k, shape in enumerate(WEIGHT_COLUMNS) if shape not in missing]
    weight_columns = [column[WEIGHT_COLUMNS[k].lower()] for k in shapes]
    turns = all(angle.lower() in column for angle in HEAD_COLUMNS)
    head_columns = [column[angle.lower()] for angle in HEAD_COLUMNS] if turns else []
    used = itemgetter(*weight_columns, *head_columns)
    places, codes, numbers = array("d"), [], array("f")
    for place, row in enumerate(rows):
        if any(row[len(header) :]):
            raise InputError(
                f"Got {name} with {len(row)} values under {len(header)} columns; where decimals "
                "have commas, save it with semicolons or tabs between the columns."
            )
        if _has_face(row, column, weight_columns):
            numbers.extend(_numbers(row, used, name))
            places.append(place)
            if timed:
                codes.append(row[column["timecode"]] if column["timecode"] < len(row) else "")
    table = np.array(numbers, np.float32).reshape(-1, len(weight_columns) + len(head_columns))
    if not np.isfinite(table).all():
        raise InputError(f"Got {name} with NaN or infinite values; export it again.")
    weights = np.zeros((len(places), len(WEIGHT_COLUMNS)), np.float32)
    weights[:, shapes] = table[:, : len(shapes)]
    head = table[:, len(shapes) :] if turns else np.zeros((len(places), 3), np.float32)
    notes = ("It has no TongueOut, so the tongue stays in.",) if missing else ()
    return _Faces(np.array(places), tuple(codes), weights, head, notes)


def _has_face(row: list[str], column: dict[str, int], weight_columns: list[int]) -> bool:
    """False for the short rows that the app writes while it sees no face."""
    count = column.get("blendshapecount")
    if count is not None and len(row) > count and row[count].strip() == "0":
        return False
    return any(row[k].strip() for k in weight_columns if k < len(row))


def _numbers(row: list[str], used: itemgetter, name: str) -> list[float]:
    try:
        return [float(cell) for cell in used(row)]
    except (ValueError, IndexError):
        pass
    try:
        return [float(cell.replace(",", ".")) for cell in used(row)]
    except (ValueError, IndexError) as error:
        raise InputError(
            f"Got {name} with a missing value or one that is no number; export it again."
        ) from error


def _too_few(name: str, frames: int) -> str:
    return f"Got {name} with {frames} frames of a face; at least two are needed."


def _has_regular_gaps(times: Float64[np.ndarray, " rows"]) -> bool:
    """True where most seconds lack a row: a clock that was read wrongly does that."""
    before = times[:-1][np.diff(times) > 1.5 * typical_step(times)]
    return bool(times[-1] > 1 and 2 * len(np.unique(before // 1)) > times[-1])


def _timecode(seconds: float) -> str:
    thousandths = round(seconds * APP_BASE * 1000)
    whole, counted = divmod(thousandths, APP_BASE * 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}:{counted // 1000:02}.{counted % 1000:03}"


def _resample(
    times: Float64[np.ndarray, " rows"],
    weights: Float32[np.ndarray, "rows 52"],
    head: Float32[np.ndarray, "rows 3"],
    own: float,
    fps: float,
) -> Performance:
    """Rows at ``own`` a second and some missing -> frames at ``fps``."""
    interval = 1 / own
    place = times * fps
    on_grid = np.abs(place - np.round(place)) < 0.02  # a time code is rounded
    times = np.where(on_grid, np.round(place), place) / fps
    frames = np.arange(max(1, round((times[-1] + interval) * fps))) / fps
    following = np.clip(np.searchsorted(times, frames - 1e-6), 1, len(times) - 1)
    gap = np.diff(times)[following - 1]
    known = (
        np.abs(frames[:, None] - times[[following - 1, following]].T).min(axis=1) < 0.75 * interval
    )

    def at_frames(
        values: Float32[np.ndarray, "rows channels"],
    ) -> Float32[np.ndarray, "f channels"]:
        sampled = np.empty((len(frames), values.shape[1]), np.float32)
        for channel in range(values.shape[1]):
            sampled[:, channel] = np.interp(frames, times, values[:, channel])
        return sampled

    present = known | (gap <= MAX_GAP + interval)
    return Performance(
        weights=at_frames(weights),
        fps=fps,
        present=present,
        bridged=present & ~known,
        head=at_frames(head - np.median(head, axis=0)),
        doubtful=np.zeros(len(frames), bool),
    )
