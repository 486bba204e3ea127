"""Arrays of an ``.npz`` from strangers: sizes are looked at before anything is unpacked.

``numpy.load`` reads whatever a file says; here a file that unpacks to far more than it is, lies
about its sizes, or holds anything but numbers and words is refused. Reading never runs code.
"""

import struct
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

TIMES_PACKED = 8
"""Largest ratio of what arrays take to the file: measured numbers hardly compress."""
SPARE = 2**20
"""Bytes that any file may unpack to, however small."""
_MOST_ENTRIES, _MOST_DIRECTORY = 64, 2**14
"""Files in the ZIP, and bytes of their list: each entry of it becomes an object of 1 kB."""
_LONGEST_HEADER = 1024
"""Bytes of an array's description; numpy writes 128."""
_END, _END_SIZE = b"PK\5\6", 22
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_KINDS = "biufU"
"""Booleans, numbers, words."""


def read_npz(
    path: Path, names: Collection[str], optional: Collection[str] = (), *, most_bytes: int
) -> dict[str, np.ndarray]:
    """Some arrays of a file, by name; they cannot be written to.

    Args:
        path: What ``numpy.savez`` or ``savez_compressed`` wrote.
        names: The arrays that must be there.
        optional: Those that are read where they are there.
        most_bytes: Of all these arrays together.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no such file, is damaged, or unpacks to more than it may.
        KeyError: An array is missing.
    """
    with path.open("rb") as file:
        size = _check_directory(file)
        try:
            with zipfile.ZipFile(file) as archive:
                there = {*archive.namelist()}
                wanted = [*names, *(name for name in optional if f"{name}.npy" in there)]
                entries = {name: archive.getinfo(f"{name}.npy") for name in wanted}
                most = min(most_bytes, TIMES_PACKED * size + SPARE)
                if sum(entry.file_size for entry in entries.values()) > most:
                    raise ValueError("unpacks to more than it may")
                return {name: _array(archive, entry) for name, entry in entries.items()}
        except OSError:
            raise
        except KeyError:
            raise
        except Exception as error:  # zipfile and numpy raise whatever they come across
            raise ValueError(str(error)) from error


def _check_directory(file: BinaryIO) -> int:
    """The file's size; its last bytes say how long the list of its entries is."""
    size = file.seek(0, 2)
    if size < _END_SIZE:
        raise ValueError("no ZIP")
    file.seek(size - _END_SIZE)
    mark, *numbers = struct.unpack("<4s4H2LH", file.read(_END_SIZE))
    _, _, _, entries, directory, _, comment = numbers
    if mark != _END or comment or entries > _MOST_ENTRIES or directory > _MOST_DIRECTORY:
        raise ValueError("no ZIP as numpy writes it")
    return size


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    if entry.compress_type not in _PACKINGS:
        raise ValueError("packed in an unusual way")
    with archive.open(entry) as file:
        if npy.read_magic(file) != (1, 0):
            raise ValueError("no array of a version that is known")
        shape, fortran, dtype = npy.read_array_header_1_0(file, max_header_size=_LONGEST_HEADER)
        count = 1
        for side in shape:  # Python's numbers do not overflow
            count *= side
        size = count * dtype.itemsize
        if dtype.kind not in _KINDS or min(shape, default=0) < 0 or size > entry.file_size:
            raise ValueError("an array of no numbers, or larger than the file")
        content = file.read(size + 1)
        if len(content) != size:
            raise ValueError("an array of another size than it says")
    flat = np.frombuffer(content, dtype) if size else np.zeros(count, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")
