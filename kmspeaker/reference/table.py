"""A table of text, as trackers and spreadsheet programs of any country save it.

Place in the flow: file -> rows of cells, for ``live_link``. Rows come one by one, and what is too
large is refused before it is parsed.
"""

import codecs
import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TextIO

from kmspeaker.errors import InputError

SEPARATORS = (",", ";", "\t")
MAX_LINE = 4096
"""Characters; the app's own lines have some 900, and 63 numbers in full precision 1,300."""
ROW_BYTES = 2000
"""As the app writes it a row takes 850, in UTF-16 twice that."""
MAX_COLUMNS = 256
"""Four times as many as the app writes; each cell takes time, even an empty one."""
_CHUNK = 1 << 20


def encoding_of(start: bytes) -> str:
    """The text encoding of a file that begins like this: UTF-16 with or without its mark, or UTF-8.

    Args:
        start: At least four bytes, where the file has as many.
    """
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if start[1:4:2] == b"\0\0" and start[0]:
        return "utf-16-le"
    if start[0:3:2] == b"\0\0" and start[1]:
        return "utf-16-be"
    return "utf-8-sig"


def read_rows(path: Path, *, max_rows: float) -> Iterator[list[str]]:
    """The rows of a table, its header first; empty lines are passed over.

    The separator is the one of ``SEPARATORS`` that makes most columns of the header. A first line
    ``sep=;``, which spreadsheet programs write for each other, is passed over too.

    Args:
        path: The file.
        max_rows: Longer ones are refused, before the first row is parsed.

    Raises:
        InputError: No such file, no text, no separator, too many rows, a line longer than
            ``MAX_LINE``, or a row of more than ``MAX_COLUMNS``.
    """
    try:
        encoding = _refuse_large(path, max_rows)
        with path.open(newline="", encoding=encoding) as file:
            lines = (line for line in _lines(file, path) if line.strip())
            header = next(lines, "")
            if header.lower().startswith("sep="):
                header = next(lines, "")
            if not header:
                raise InputError(f"Got {path.name}, which is empty; give a Live Link Face CSV.")
            separator = max(SEPARATORS, key=header.count)
            if separator not in header:
                raise InputError(
                    f"Got {path.name}, whose columns are not separated by commas, semicolons or "
                    "tabs; save it again with one of these."
                )
            for row in csv.reader(chain([header], lines), delimiter=separator):
                if len(row) > MAX_COLUMNS:
                    raise InputError(
                        f"Got {path.name} with {len(row):,} values in a row, at most {MAX_COLUMNS} "
                        "are read; a Live Link Face CSV has 63, so export it again."
                    )
                yield row
    except OSError as error:
        raise InputError(
            f"Cannot read {path} ({error.strerror or error}); give a Live Link Face CSV."
        ) from error
    except (UnicodeError, csv.Error) as error:
        raise InputError(
            f"Got {path.name}, which is no CSV text; give a Live Link Face CSV."
        ) from error


def _refuse_large(path: Path, max_rows: float) -> str:
    """Count lines and bytes without parsing them; returns the encoding."""
    lines, size, encoding = 0, 0, ""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            encoding = encoding or encoding_of(chunk)
            lines += max(chunk.count(b"\n"), chunk.count(b"\r"))
            size += len(chunk)
            if lines > max_rows + 1 or size > (max_rows + 1) * ROW_BYTES + MAX_LINE:
                most = f"{max_rows:.0f} rows" if lines > max_rows + 1 else f"{size >> 20} MiB"
                raise InputError(
                    f"Got more than {most} in {path.name}, which is over the limit; give a shorter "
                    "one or raise the limit with --max-seconds."
                )
    return encoding or "utf-8"


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    while line := file.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE:
            raise InputError(
                f"Got {path.name} with a line of more than {MAX_LINE} characters; a Live Link Face "
                "CSV has about 900 in each, so export it again."
            )
        yield line
