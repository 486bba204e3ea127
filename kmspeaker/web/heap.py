"""Memory that visitors' work no longer needs goes back to the machine.

Place in the flow: ``serve`` and ``sessions`` call it. The C library keeps what is freed, for each
of the many threads that a server works in, for later; with many visitors that is hundreds of
megabytes that nothing uses.
"""

import ctypes
import sys
from functools import cache

ARENAS = 2
"""Heaps that threads share; the C library's own choice is eight for each processor."""
_ARENA_MAX = -8
"""``M_ARENA_MAX`` of ``malloc.h``."""


def share_heaps() -> None:
    """Let threads share a few heaps, from now on; does nothing where that is not known."""
    library = _glibc()
    if library is not None:
        library.mallopt(_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Return what is free to the machine, which takes milliseconds; likewise."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL("libc.so.6")
        return library if library.malloc_trim and library.mallopt else None
    except (OSError, AttributeError):
        return None
