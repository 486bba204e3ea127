"""How much of the machine a visitor's things take: arrays in memory, files on disk."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kmspeaker.limits import SERVER_DISK_MB, SERVER_MEMORY_MB

_MB = 1_000_000


@dataclass(frozen=True)
class Room:
    """Of all visitors together, in bytes."""

    memory: int = SERVER_MEMORY_MB * _MB
    disk: int = SERVER_DISK_MB * _MB


def memory_of(things: Iterable[Any], shared: frozenset[int] = frozenset()) -> int:
    """Bytes of the arrays that dataclasses, mappings and sequences hold; each is counted once.

    Args:
        things: Whatever is kept.
        shared: What ``array_ids`` says of arrays that are there anyway.
    """
    return sum(size for key, size in _buffers(things).items() if key not in shared)


def array_ids(things: Iterable[Any]) -> frozenset[int]:
    """Names of the arrays that ``things`` hold, as long as they live."""
    return frozenset(_buffers(things))


def disk_of(paths: Iterable[Path]) -> int:
    """Bytes of files, and of everything in folders; what is gone meanwhile counts nothing."""
    total = 0
    for path in paths:
        try:
            files = path.rglob("*") if path.is_dir() else [path]
            total += sum(file.stat().st_size for file in files if file.is_file())
        except OSError:
            continue
    return total


def _buffers(things: Iterable[Any]) -> dict[int, int]:
    """Bytes of each buffer by its identity."""
    found: dict[int, int] = {}
    seen: set[int] = set()
    left = list(things)
    while left:
        thing = left.pop()
        if isinstance(thing, np.ndarray):
            while isinstance(thing.base, np.ndarray):  # a view keeps the whole
                thing = thing.base
            found[id(thing)] = thing.nbytes
        elif isinstance(thing, bytes | bytearray):
            found[id(thing)] = len(thing)
        elif isinstance(thing, str | Path) or id(thing) in seen:
            continue
        else:
            seen.add(id(thing))
            left += _parts(thing)
    return found


def _parts(thing: Any) -> list[Any]:
    if isinstance(thing, dict):
        return list(thing.values())
    if isinstance(thing, list | tuple | set | frozenset):
        return list(thing)
    if is_dataclass(thing) and not isinstance(thing, type):
        kept = getattr(thing, "__dict__", None)  # what was computed once and kept is there too
        return list(kept.values()) if kept else [getattr(thing, f.name) for f in fields(thing)]
    return []
