"""Live Link Face: the CSV that Apple's face capture writes on a phone, in and out.

Place in the flow: file -> ``Performance``, beside ``retarget``; and animation -> file. Such a file
has a time code, the 52 ARKit weights and nine angles of head and eyes in every row.
"""

import csv
import re
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Float64

from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_NAMES
from kmspeaker.limits import MAX_SECONDS
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.tracking import MAX_GAP

HEAD_COLUMNS = ("HeadYaw", "HeadPitch", "HeadRoll")
EYE_COLUMNS = tuple(
    f"{side}Eye{angle}" for side in ("Left", "Right") for angle in ("Yaw", "Pitch", "Roll")
)
WEIGHT_COLUMNS = tuple(name[0].upper() + name[1:] for name in ARKIT_NAMES)
COLUMNS = ("Timecode", "BlendShapeCount", *WEIGHT_COLUMNS, *HEAD_COLUMNS, *EYE_COLUMNS)
"""In the app's own order."""

TIMECODE_BASE = 60
"""The app counts sixtieths of a second whatever the frame rate."""
MAX_RATE = 240.0
"""Rows that follow faster than this many a second are passed over."""
USUAL_RATES = (24000 / 1001, 24, 25, 30000 / 1001, 30, 48, 50, 60000 / 1001, 60)
TIMECODE = re.compile(r"(\d+):(\d+):(\d+)(?:[:;](\d+(?:\.\d+)?)|(\.\d+))?$")
DAY = 24 * 3600.0


def read_live_link(
    path: Path | str, fps: float | None = None, *, max_seconds: float = MAX_SECONDS
) -> Performance:
    """Read a Live Link Face CSV; columns are found by name, whatever their order.

    Rows without a face (``BlendShapeCount`` 0) and missing rows are gaps: up to
    ``tracking.MAX_GAP`` they are bridged. Weights outside [0, 1] are clipped.

    Args:
        path: The file.
        fps: The rate of the result; the file's own when not given.
        max_seconds: Longer ones are refused.

    Raises:
        InputError: No such file, not such a CSV, columns missing, a value that is no number, or
            too long.
    """
    path = Path(path)
    header, rows = _read_rows(path)
    column = {name.strip().lower(): k for k, name in enumerate(header)}
    missing = [name for name in ("Timecode", *WEIGHT_COLUMNS) if name.lower() not in column]
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if missing[5:] else "")
        raise InputError(
            f"Got {path.name} without the columns {shown}; "
            "a Live Link Face CSV with its time code and all 52 weights is needed."
        )
    rows = [row for row in rows if _has_face(row, column)]
    times = _seconds([row[column["timecode"]] for row in rows], path)
    keep = np.append(True, np.diff(np.maximum.accumulate(times)) > 1 / MAX_RATE)[: len(rows)]
    if keep.sum() < 2:
        raise InputError(
            f"Got {path.name} with {keep.sum()} frames of a face; at least two are needed."
        )
    if times[keep][-1] > max_seconds:
        raise InputError(
            f"Got {times[keep][-1]:.0f} s of performance in {path.name}, the limit is "
            f"{max_seconds:g} s; give a shorter one or raise the limit with --max-seconds."
        )
    weights = _read_numbers(rows, [column[name.lower()] for name in WEIGHT_COLUMNS], path)
    head = np.zeros((len(rows), 3))
    if all(name.lower() in column for name in HEAD_COLUMNS):
        head = _read_numbers(rows, [column[name.lower()] for name in HEAD_COLUMNS], path)
    return _resample(times[keep], weights[keep], head[keep], fps)


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


def _read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except OSError as error:
        raise InputError(
            f"Cannot read {path} ({error.strerror or error}); give a Live Link Face CSV."
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"Got {path.name}, which is no CSV text; give a Live Link Face CSV."
        ) from error
    if not rows:
        raise InputError(f"Got {path.name}, which is empty; give a Live Link Face CSV.")
    return rows[0], rows[1:]


def _has_face(row: list[str], column: dict[str, int]) -> bool:
    """False for the short rows that the app writes while it sees no face."""
    count = column.get("blendshapecount")
    if count is not None and len(row) > count and row[count].strip() == "0":
        return False
    weights = (column[name.lower()] for name in WEIGHT_COLUMNS)
    return len(row) > column["timecode"] and any(row[k].strip() for k in weights if k < len(row))


def _read_numbers(
    rows: list[list[str]], columns: list[int], path: Path
) -> Float64[np.ndarray, "rows columns"]:
    try:
        values = np.array([[float(row[k]) for k in columns] for row in rows])
    except (ValueError, IndexError) as error:
        raise InputError(
            f"Got {path.name} with a missing value or one that is no number; export it again."
        ) from error
    if not np.isfinite(values).all():
        raise InputError(f"Got {path.name} with NaN or infinite values; export it again.")
    return values


def _seconds(codes: list[str], path: Path) -> Float64[np.ndarray, " rows"]:
    """Seconds from the first row: of ``HH:MM:SS:FF.mmm`` (frames) or ``HH:MM:SS.mmm``."""
    matched = [TIMECODE.match(code.strip()) for code in codes]
    matches = [match for match in matched if match]
    if len(matches) < len(codes):
        bad = codes[[match is None for match in matched].index(True)]
        raise InputError(
            f"Got {path.name} with the time code {bad!r}; "
            "HH:MM:SS:FF.mmm or HH:MM:SS.mmm is needed."
        )
    whole = np.array([[int(part) for part in match.groups()[:3]] for match in matches])
    whole = whole.reshape(-1, 3)
    counted = np.array([float(match[4] or 0) for match in matches])
    fraction = np.array([float(match[5] or 0) for match in matches])
    times = whole @ (3600.0, 60.0, 1.0) + counted / _timecode_base(counted, whole[:, 2]) + fraction
    times += DAY * np.cumsum(np.append(0, np.diff(times) < -DAY / 2))  # past midnight
    return times - times[:1]


def _timecode_base(counted: np.ndarray, seconds: np.ndarray) -> int:
    """Frames to a second: the app's own, or what the largest count shows of other writers."""
    largest = counted.max(initial=0)
    if len(np.unique(seconds)) > 2 and largest < TIMECODE_BASE / 2:
        return next(base for base in (24, 25, 30) if largest < base)
    return TIMECODE_BASE if largest < TIMECODE_BASE else 2 * TIMECODE_BASE


def _timecode(seconds: float) -> str:
    thousandths = round(seconds * TIMECODE_BASE * 1000)
    whole, counted = divmod(thousandths, TIMECODE_BASE * 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}:{counted // 1000:02}.{counted % 1000:03}"


def _resample(
    times: Float64[np.ndarray, " rows"],
    weights: Float64[np.ndarray, "rows 52"],
    head: Float64[np.ndarray, "rows 3"],
    fps: float | None,
) -> Performance:
    interval = float(np.median(np.diff(times)))
    if fps is None:
        usual = min(USUAL_RATES, key=lambda rate: abs(rate * interval - 1))
        fps = float(usual) if abs(usual * interval - 1) < 0.01 else 1 / interval
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
        values: Float64[np.ndarray, "rows channels"],
    ) -> Float32[np.ndarray, "f channels"]:
        return np.stack([np.interp(frames, times, channel) for channel in values.T], axis=1).astype(
            np.float32
        )

    present = known | (gap <= MAX_GAP + interval)
    return Performance(
        weights=at_frames(weights.clip(0, 1)),
        fps=fps,
        present=present,
        bridged=present & ~known,
        head=at_frames(head - np.median(head, axis=0)),
        doubtful=np.zeros(len(frames), bool),
    )
