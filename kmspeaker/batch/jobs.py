"""Pairs of a speech and a performance, as a folder or a spreadsheet lists them.

Place in the flow: ``batch`` makes a take of each. What makes the whole list unusable (no such
column, no pairs) is an ``InputError``; what is wrong with one pair is kept with it, so that it does
not stop the others.
"""

import csv
import difflib
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

from kmspeaker.animation.animation import Use
from kmspeaker.animation.controls import DEFAULTS, NEUTRAL, Controls
from kmspeaker.errors import InputError

SOUNDS = frozenset((".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac", ".wma", ".aiff"))
VIDEOS = frozenset((".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg"))
PERFORMANCES = VIDEOS | {".npz", ".csv"}
SPEECH_FOLDER, PERFORMANCE_FOLDER = "speech", "performance"
COLUMNS = ("speech", "performance", "name", "use", "identity", "seed", "second", *DEFAULTS)
"""What a spreadsheet may have; it needs the first two."""
SEPARATORS: Mapping[str, str] = {".csv": ",;\t", ".tsv": "\t"}
NAME_LENGTH = 80
REPORTS = ("report.csv", "report.json")
"""What ``batch`` writes beside the pairs' folders; no pair may be called so."""


@dataclass(frozen=True)
class Wish:
    """What is asked of every pair whose row does not ask otherwise."""

    use: Use = "localize"
    identity: str | None = None
    """The first head where None."""
    seed: int = 0
    controls: Controls = NEUTRAL
    second: Path | None = None
    """Whose style ``controls.style_mix`` blends in."""


PLAIN = Wish()
"""A dub by the first head."""


@dataclass(frozen=True)
class Pair:
    """One speech to be said with one performance."""

    place: str
    """Where it is listed: ``row 3``, or the stem of its files."""
    name: str
    """Of its folder: safe as a file's name, and no other pair's."""
    speech: Path
    performance: Path
    wish: Wish = PLAIN
    fault: str = ""
    """Why no take of it can be made, in one sentence."""


def read_pairs(jobs: Path, wish: Wish = PLAIN) -> tuple[Pair, ...]:
    """The pairs of a folder or a spreadsheet, in its order.

    A folder has files of equal stem, ``x.wav`` and ``x.mp4``, or two folders ``speech`` and
    ``performance`` with such files. A spreadsheet (.csv, .tsv) has one of ``COLUMNS`` in each
    column; empty cells and missing columns ask for what ``wish`` does, and paths are relative to
    its folder.

    Raises:
        InputError: No such file, not such a table, a column that is unknown, or no pairs.
    """
    try:
        pairs = _of_folder(jobs, wish) if jobs.is_dir() else _of_table(jobs, wish)
    except OSError as error:
        raise InputError(
            f"Cannot read {jobs} ({error.strerror or error}); give a folder or a .csv of pairs."
        ) from error
    taken: set[str] = set(REPORTS)
    return tuple(replace(pair, name=_unique(safe_name(pair.name), taken)) for pair in pairs)


def safe_name(name: str) -> str:
    """The name without what could lead elsewhere or trouble a shell: letters, digits, ``_ . -``."""
    plain = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", name))
    return plain.strip("._-")[:NAME_LENGTH].rstrip("._-") or "pair"


def _unique(name: str, taken: set[str]) -> str:
    """The name, with a number where another pair has it; disks may not tell cases apart."""
    free, number = name, 1
    while free.casefold() in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free.casefold())
    return free


def _of_folder(folder: Path, wish: Wish) -> Iterator[Pair]:
    speeches, performances = folder / SPEECH_FOLDER, folder / PERFORMANCE_FOLDER
    if speeches.is_dir() and performances.is_dir():
        spoken = _by_stem(speeches, SOUNDS | VIDEOS)
        shown = _by_stem(performances, PERFORMANCES)
    else:
        spoken, shown = _by_stem(folder, SOUNDS), _by_stem(folder, PERFORMANCES)
    if not spoken and not shown:
        raise InputError(
            f"There are no pairs in {folder}; put in speech and performance of equal name, such as "
            f"hello.wav and hello.mp4, or the two folders {SPEECH_FOLDER} and {PERFORMANCE_FOLDER}."
        )
    for stem in sorted({*spoken, *shown}):
        speech, performance = spoken.get(stem, []), shown.get(stem, [])
        fault = _fault(stem, "speech", speech) or _fault(stem, "performance", performance)
        first = speech[0] if speech else folder
        yield Pair(stem, stem, first, performance[0] if performance else folder, wish, fault)


def _by_stem(folder: Path, endings: Iterable[str]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        shown = not path.name.startswith(".") and path.name not in REPORTS
        if shown and path.suffix.lower() in endings and path.is_file():
            found.setdefault(path.stem, []).append(path)
    return found


def _fault(stem: str, what: str, files: Sequence[Path]) -> str:
    if not files:
        return f"There is no {what} of the name {stem}; put one beside it."
    if len(files) > 1:
        names = " and ".join(path.name for path in files)
        return f"Got more than one {what} of the name {stem} ({names}); leave one."
    return ""


def _of_table(path: Path, wish: Wish) -> Iterator[Pair]:
    if not path.exists():
        raise InputError(f"There is no {path}; give a folder or a .csv of pairs.")
    if path.suffix.lower() not in SEPARATORS:
        raise InputError(
            f"Got {path.name}; give a folder, or a spreadsheet saved as .csv in UTF-8 "
            "(in Excel: Save As, CSV UTF-8)."
        )
    rows = _rows(path)
    header = _header(path, rows[0] if rows else ())
    filled = [(number, row) for number, row in enumerate(rows[1:], 2) if any(map(str.strip, row))]
    if not filled:
        raise InputError(f"There are no rows below the header of {path.name}; list some pairs.")
    return (_of_row(path.parent, header, number, row, wish) for number, row in filled)


def _rows(path: Path) -> list[list[str]]:
    try:
        text = path.read_text("utf-8-sig")
        first = text.partition("\n")[0]
        separator = max(SEPARATORS[path.suffix.lower()], key=first.count)
        return list(csv.reader(io.StringIO(text), delimiter=separator, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"Got {path.name}, which does not read as a table ({error}); save it as CSV in UTF-8."
        ) from error


def _header(path: Path, cells: Sequence[str]) -> tuple[str, ...]:
    header = tuple(re.sub(r"\W+", "_", cell.strip().lower()) for cell in cells)
    for name in header:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, 1)
            meant = f"did you mean {near[0]}? Known" if near else "known"
            raise InputError(
                f"Got the column {name!r} in {path.name}; {meant} are {', '.join(COLUMNS)}."
            )
        if header.count(name) > 1:
            raise InputError(f"Got the column {name} twice in {path.name}; leave one.")
    for needed in COLUMNS[:2]:
        if needed not in header:
            raise InputError(
                f"There is no column {needed} in {path.name}; its first row must name the columns, "
                "speech and performance among them."
            )
    return header


def _of_row(
    folder: Path, header: Sequence[str], number: int, cells: Sequence[str], wish: Wish
) -> Pair:
    stripped = [cell.strip() for cell in cells]
    given = {name: cell for name, cell in zip(header, stripped, strict=False) if cell}
    speech, performance = (folder / given.get(name, "") for name in COLUMNS[:2])
    name = given.get("name") or speech.stem
    pair = Pair(f"row {number}", name, speech, performance, wish)
    try:
        if any(stripped[len(header) :]):
            raise InputError("Got more cells than there are columns; quote those with commas.")
        for needed in COLUMNS[:2]:
            if needed not in given:
                raise InputError(f"There is no {needed}; name a file.")
        asked = _wish(folder, given, wish)
        for file in (speech, performance, asked.second):
            if file is not None and not file.is_file():
                raise InputError(f"There is no file {file}; name one that is there.")
        return replace(pair, wish=asked)
    except InputError as error:
        return replace(pair, fault=str(error))


def _wish(folder: Path, given: Mapping[str, str], wish: Wish) -> Wish:
    use = given.get("use", wish.use).lower()
    if use not in get_args(Use):
        raise InputError(f"Got use {use!r}; choose one of {', '.join(get_args(Use))}.")
    seed = given.get("seed", str(wish.seed))
    if not seed.isdecimal():
        raise InputError(f"Got seed {seed!r}; give a whole number from 0.")
    asked = {name: given[name] for name in DEFAULTS if name in given}
    return Wish(
        use=cast(Use, use),
        identity=given.get("identity", wish.identity),
        seed=int(seed),
        controls=Controls.read({**wish.controls.changed(), **asked}),
        second=folder / given["second"] if "second" in given else wish.second,
    )
