"""Uploads are opened here and nowhere else: by content, from one list of formats, never by a name.

FFmpeg reads from an opened file and may open nothing itself, so that no upload can reach another
file or the network.
"""

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import av
import av.error
from av.container import InputContainer

from kmspeaker.errors import InputError

FORMATS = (
    *("wav", "w64", "aiff", "caf", "au", "flac", "mp3", "aac", "ac3", "eac3", "amr", "ape", "wv"),
    *("tta", "ogg", "mov", "matroska", "avi", "asf", "flv", "mpeg", "mpegts", "mpegvideo", "mxf"),
    *("dv", "ivf", "gif"),
)
"""What people record and export; what only names other files or draws text is not among them."""
MOST_PIXELS = 4096 * 2304
"""Of a picture as stored: a decoder holds up to 18, and 4K with ten bits makes 28 MB of each."""
MOST_SAMPLES = 2**18
"""Of one channel in one packet: a second at most rates."""
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*")
"""How files of single pictures begin."""
MOST_BOXES = 100_000
"""A video of hours in pieces of a tenth of a second; beyond them nobody looks."""

Needed = Literal["sound", "video"]
_NOT_THIS = {
    "sound": ("not sound or video", "give a WAV, MP3, OGG, FLAC, MP4 or WebM file"),
    "video": ("not a video", "give an MP4, MOV, WebM, MKV or AVI file"),
}
Span = tuple[int, int]
"""First byte of a part of a file, and the byte after its last."""


@contextmanager
def open_media(
    path: Path, needed: Needed, *, span: Span | None = None, options: dict[str, str] | None = None
) -> Iterator[InputContainer]:
    """Open a file, or the bytes ``span`` of it, for reading; ``options`` are FFmpeg's.

    Raises:
        InputError: No such file, empty, nothing on ``FORMATS``, cut off before anything can be
            read of it, or broken where the caller reads it.
    """
    not_this, give = _NOT_THIS[needed]
    with ExitStack() as stack:
        try:
            if path.stat().st_size == 0:
                raise InputError(f"Got {path.name}, which is empty; {give}.")
            file = stack.enter_context(path.open("rb"))
            container = stack.enter_context(
                av.open(
                    _Part(file, *span) if span else file,
                    "r",
                    metadata_errors="ignore",
                    options={
                        "max_pixels": str(MOST_PIXELS),
                        "max_samples": str(MOST_SAMPLES),
                        **(options or {}),
                    },
                    container_options={
                        "format_whitelist": ",".join(FORMATS),
                        "protocol_whitelist": "none",
                    },
                )
            )
        except InputError:
            raise
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            if ends_early(path):
                raise InputError(
                    f"Got {path.name} cut off near its start; copy or download the whole file "
                    "again."
                ) from error
            what = "a single picture" if _is_picture(path) else not_this
            raise InputError(f"Got {path.name}, which is {what}; {give}.") from error
        except OSError as error:
            raise InputError(f"Cannot read {path} ({error.strerror or error}); {give}.") from error
        try:
            yield container
        except (av.error.FFmpegError, OSError, MemoryError, OverflowError) as error:
            raise InputError(
                f"Got {path.name}, which cannot be read to its end ({error}); export it again."
            ) from error


def ends_early(path: Path) -> bool:
    """Whether an MP4, Matroska or AVI file lacks bytes that it says it has.

    Lengths in seconds cannot tell: a cut made without encoding leaves those of before.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] == b"\x1a\x45\xdf\xa3":
            return _matroska_end(file) > size
        if start[:4] == b"RIFF" and start[8:] == b"AVI ":
            return 8 + int.from_bytes(start[4:8], "little") > size
        if start[4:8] not in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            return False
        return _boxes_end_early(file, size)


def _boxes_end_early(file: BinaryIO, size: int) -> bool:
    """Of MP4, whose boxes begin with four bytes of length and four of kind."""
    described, position = False, 0
    for _ in range(MOST_BOXES):
        file.seek(position)
        header = file.read(16)
        length, kind = int.from_bytes(header[:4]), header[4:8]
        if length == 1:  # too long for four bytes
            length = int.from_bytes(header[8:])
        described |= kind == b"moov"
        if kind in (b"moov", b"moof", b"mdat") and position + length > size:
            return True
        position += length
        if length < 8 or position >= size:  # a length of 0 is all the rest
            break
    return not described


def _matroska_end(file: BinaryIO) -> int:
    """The byte after the segment that has everything; 0 where it states no length."""
    file.seek(4)
    file.seek(_number(file), io.SEEK_CUR)
    if file.read(4) != b"\x18\x53\x80\x67":
        return 0
    length = _number(file)
    return file.tell() + length if length else 0


def _number(file: BinaryIO) -> int:
    """EBML's: leading zeros of the first byte count further bytes; all ones say unknown, here 0."""
    first = file.read(1)
    if not first or not first[0]:
        return 0
    further = 8 - first[0].bit_length()
    bits = 7 * (further + 1)
    number = int.from_bytes(first + file.read(further)) & (2**bits - 1)
    return 0 if number == 2**bits - 1 else number


def _is_picture(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(12)
    return start.startswith(PICTURES) or (start[:4] == b"RIFF" and start[8:] == b"WEBP")


class _Part(io.RawIOBase):
    """Some bytes of a file as a file."""

    def __init__(self, file: BinaryIO, start: int, stop: int) -> None:
        self.file, self.start, self.stop = file, start, stop
        file.seek(start)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        data = self.file.read(min(len(buffer), max(0, self.stop - self.file.tell())))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: self.start, io.SEEK_CUR: self.file.tell(), io.SEEK_END: self.stop}
        return self.file.seek(max(self.start, base[whence] + offset)) - self.start

    def tell(self) -> int:
        return self.file.tell() - self.start
