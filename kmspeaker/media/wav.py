"""What the header of a WAV file is worth: programs that stream write it before they know.

Lengths are those of the sound where they can be; every other is a placeholder, and the sound goes
on to the end. Several files one after the other are as many parts.
"""

import mmap
import re
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

from kmspeaker.errors import InputError
from kmspeaker.media.container import Span

MOST_PARTS = 1_000
"""Files in one, each of which takes a thousandth of a second to open: ten minutes of speech in
sentences, or less in breaths."""
MOST_CHUNKS = 10_000
"""That may come before the sound."""
_BEGINNING = re.compile(rb"(?:RIFF|RIFX|RF64|BW64).{4}WAVE", re.DOTALL)
_CHUNK_NAME = re.compile(rb"[ -~]{4}")


@dataclass(frozen=True)
class WavPart:
    """One WAV file, which may be a part of the file on disk."""

    span: Span
    stated: float | None
    """Seconds by its header, where there are more of them than of sound."""
    endless: bool
    """Whether sound goes on behind where the header ends it."""


def wav_parts(path: Path) -> list[WavPart]:
    """The WAV files that a file consists of; none where it is no WAV file, or cannot be read.

    Raises:
        InputError: More than ``MOST_PARTS``.
    """
    try:
        with path.open("rb") as file:
            if not _BEGINNING.match(file.read(12)):
                return []
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                found = islice(_BEGINNING.finditer(content), MOST_PARTS + 1)
                starts = [match.start() for match in found]
                if len(starts) > MOST_PARTS:
                    raise InputError(
                        f"Got {path.name} made of more than {MOST_PARTS} WAV files; "
                        "join them into one."
                    )
                return [_part(content, span) for span in pairwise([*starts, len(content)])]
    except OSError:
        return []


def _part(content: mmap.mmap, span: Span) -> WavPart:
    """Walk the chunks to the one with the sound; each begins with its name and its length."""
    position, stop = span
    big = content[position : position + 4] == b"RIFX"
    long = content[position : position + 4] in (b"RF64", b"BW64")  # its length stands elsewhere
    position, bytes_a_second = position + 12, 0
    for _ in range(MOST_CHUNKS):
        if position + 8 > stop:
            break
        name, length = _chunk(content, position, big=big)
        position += 8
        if name == b"fmt ":
            field = content[position + 8 : position + 12]
            bytes_a_second = int.from_bytes(field, "big" if big else "little")
        if name == b"data":
            end = position + length
            short = end > stop and not long and bytes_a_second > 0
            ended = end >= stop - 8 or any(
                _CHUNK_NAME.fullmatch(follows) and after + 8 + more <= stop
                for after in (end, end + 1)  # lengths are even, or a byte is put behind them
                for follows, more in [_chunk(content, after, big=big)]
            )
            return WavPart(span, length / bytes_a_second if short else None, not (ended or long))
        position += length + length % 2
    return WavPart(span, None, endless=False)


def _chunk(content: mmap.mmap, position: int, *, big: bool) -> tuple[bytes, int]:
    header = content[position : position + 8]
    return header[:4], int.from_bytes(header[4:], "big" if big else "little")
