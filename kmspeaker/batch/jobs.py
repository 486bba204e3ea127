"""Pairs of a speech and a performance, as a folder or a spreadsheet lists them.

Place in the flow: ``batch.run`` makes an animation of each. What makes the whole list unusable (no
such column, no pairs) is an ``InputError``; what is wrong with one pair is kept with it, so that it
does not stop the others.
"""

import csv
import difflib
import io
import re
import unicodedata
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

from kmspeaker.animation.animation import Use
from kmspeaker.animation.controls import DEFAULTS, NEUTRAL, Controls
from kmspeaker.errors import InputError


def _endings(names: str) -> frozenset[str]:
    return frozenset(f".{name}" for name in names.split())


SOUNDS = _endings(
    "wav mp3 flac ogg oga opus m4a m4b m4r aac wma aif aiff aifc amr awb caf au snd mka weba 3ga "
    "ac3 eac3 dts ape mp2 rf64 bwf spx tta w64 wv sph voc"
)
VIDEOS = _endings(
    "mp4 m4v mov qt webm mkv avi mpg mpeg 3gp 3g2 flv f4v wmv asf ogv ts mts m2ts vob mxf dv"
)
PERFORMANCES = VIDEOS | {".npz", ".csv"}
"""In a folder only the ending tells a speech from a performance; a spreadsheet takes any file."""
SPEECH_FOLDER, PERFORMANCE_FOLDER = "speech", "performance"
COLUMNS = ("speech", "performance", "name", "use", "identity", "seed", "second", *DEFAULTS)
"""What a spreadsheet may have; it needs the first two."""
SEPARATORS: Mapping[str, str] = {".csv": ",;\t", ".tsv": "\t"}
NAME_LENGTH = 80
Files = dict[str, list[Path]]
"""By their stem."""
REPORTS = ("report.csv", "report.json")
"""What ``batch.run`` writes beside the pairs' folders; no pair may be called so."""


@dataclass(frozen=True)
class PairOptions:
    """How the animation of a pair is made."""

    use: Use = "localize"
    identity: str | None = None
    """The first head where None."""
    seed: int = 0
    controls: Controls = NEUTRAL
    second: Path | None = None
    """Whose style ``controls.style_mix`` blends in."""


DEFAULT_OPTIONS = PairOptions()
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
    options: PairOptions = DEFAULT_OPTIONS
    fault: str = ""
    """Why no animation can be made of it, in one sentence."""


def read_pairs(jobs: Path, options: PairOptions = DEFAULT_OPTIONS) -> tuple[Pair, ...]:
    """The pairs of a folder or a spreadsheet, in its order.

    A folder has files of equal stem, ``x.wav`` and ``x.mp4``, or two folders ``speech`` and
    ``performance`` with such files. A spreadsheet (.csv, .tsv) has one of ``COLUMNS`` in each
    column; empty cells and missing columns mean what ``options`` says, and paths are relative to
    its folder.

    Raises:
        InputError: No such file, not such a table, a column that is unknown, or no pairs.
    """
    try:
        pairs = _read_folder(jobs, options) if jobs.is_dir() else _read_table(jobs, options)
    except OSError as error:
        raise InputError(
            f"Cannot read {jobs} ({error.strerror or error}); give a folder or a .csv of pairs."
        ) from error
    names: set[str] = set(REPORTS)
    return tuple(replace(pair, name=_unique(safe_name(pair.name), names)) for pair in pairs)


def safe_name(name: str) -> str:
    """The name without what could lead elsewhere or trouble a shell: letters, digits, ``_ . -``."""
    plain = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", name))
    return plain.strip("._-")[:NAME_LENGTH].rstrip("._-") or "pair"


def _unique(name: str, names: set[str]) -> str:
    """The name, with a number where ``names`` has it; disks may not tell cases apart."""
    free, number = name, 1
    while free.casefold() in names:
        number += 1
        free = f"{name}-{number}"
    names.add(free.casefold())
    return free


def _read_folder(folder: Path, options: PairOptions) -> Iterator[Pair]:
    speech_folder, performance_folder = folder / SPEECH_FOLDER, folder / PERFORMANCE_FOLDER
    if speech_folder.is_dir() and performance_folder.is_dir():
        speeches, other_speeches = _by_stem(speech_folder, SOUNDS | VIDEOS)
        performances, other_performances = _by_stem(performance_folder, PERFORMANCES)
    else:
        speeches, other_speeches = _by_stem(folder, SOUNDS)
        performances, other_performances = _by_stem(folder, PERFORMANCES)
    if not speeches and not performances:
        raise InputError(
            f"There are no pairs in {folder}; put in speech and performance of equal name, such as "
            f"hello.wav and hello.mp4, or the two folders {SPEECH_FOLDER} and {PERFORMANCE_FOLDER}."
        )
    for stem in sorted({*speeches, *performances}):
        speech, performance = speeches.get(stem, []), performances.get(stem, [])
        fault = _fault(stem, "speech", speech, other_speeches.get(stem, [])) or _fault(
            stem, "performance", performance, other_performances.get(stem, [])
        )
        first = speech[0] if speech else folder
        yield Pair(stem, stem, first, performance[0] if performance else folder, options, fault)


def _by_stem(folder: Path, endings: Container[str]) -> tuple[Files, Files]:
    """The files of these endings by their stem, and likewise the others."""
    wanted: Files = {}
    others: Files = {}
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(".") and path.name not in REPORTS and path.is_file():
            kind = wanted if path.suffix.lower() in endings else others
            kind.setdefault(path.stem, []).append(path)
    return wanted, others


def _fault(stem: str, what: str, files: Sequence[Path], others: Sequence[Path]) -> str:
    """What is wrong where there is not one file of a kind; ``others`` have the stem, no more."""
    if len(files) > 1:
        return f"Got more than one {what} of the name {stem} ({_names(files)}); leave one."
    if files:
        return ""
    strange = [path for path in others if path.suffix.lower() not in SOUNDS | PERFORMANCES]
    if strange:
        return (
            f"There is no {what} of the name {stem}, and no ending that batch knows on "
            f"{_names(strange)}; list the pair in a .csv, which may name any file, or put one "
            "beside it."
        )
    if what == "speech" and len(others) > 1:
        return (
            f"There is no speech of the name {stem}, since {_names(others)} are performances by "
            f"their endings; part them into the folders {SPEECH_FOLDER} and "
            f"{PERFORMANCE_FOLDER}, or put one beside them."
        )
    return f"There is no {what} of the name {stem}; put one beside it."


def _names(files: Sequence[Path]) -> str:
    return " and ".join(path.name for path in files)


def _read_table(path: Path, options: PairOptions) -> Iterator[Pair]:
    if not path.exists():
        raise InputError(f"There is no {path}; give a folder or a .csv of pairs.")
    if path.suffix.lower() not in SEPARATORS:
        raise InputError(
            f"Got {path.name}; give a folder, or a spreadsheet saved as .csv in UTF-8 "
            "(in Excel: Save As, CSV UTF-8)."
        )
    rows = _rows(path)
    header = _header(path, rows[0] if rows else ())
    listed = [(number, row) for number, row in enumerate(rows[1:], 2) if any(map(str.strip, row))]
    if not listed:
        raise InputError(f"There are no rows below the header of {path.name}; list some pairs.")
    return (_read_row(path.parent, header, number, row, options) for number, row in listed)


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


def _read_row(
    folder: Path, header: Sequence[str], number: int, cells: Sequence[str], options: PairOptions
) -> Pair:
    stripped = [cell.strip() for cell in cells]
    named = {name: cell for name, cell in zip(header, stripped, strict=False) if cell}
    speech, performance = (folder / named.get(name, "") for name in COLUMNS[:2])
    name = named.get("name") or speech.stem
    pair = Pair(f"row {number}", name, speech, performance, options)
    try:
        if any(stripped[len(header) :]):
            raise InputError("Got more cells than there are columns; quote those with commas.")
        for needed in COLUMNS[:2]:
            if needed not in named:
                raise InputError(f"There is no {needed}; name a file.")
        own = _read_options(folder, named, options)
        for file in (speech, performance, own.second):
            if file is not None and not file.is_file():
                raise InputError(f"There is no file {file}; name one that is there.")
        return replace(pair, options=own)
    except InputError as error:
        return replace(pair, fault=str(error))


def _read_options(folder: Path, cells: Mapping[str, str], options: PairOptions) -> PairOptions:
    """What the cells of a row say, by column, and ``options`` for the columns it leaves out."""
    use = cells.get("use", options.use).lower()
    if use not in get_args(Use):
        raise InputError(f"Got use {use!r}; choose one of {', '.join(get_args(Use))}.")
    seed = cells.get("seed", str(options.seed))
    if not seed.isdecimal():
        raise InputError(f"Got seed {seed!r}; give a whole number from 0.")
    controls = {name: cells[name] for name in DEFAULTS if name in cells}
    return PairOptions(
        use=cast(Use, use),
        identity=cells.get("identity", options.identity),
        seed=int(seed),
        controls=Controls.read({**options.controls.changed(), **controls}),
        second=folder / cells["second"] if "second" in cells else options.second,
    )
