"""A clip piece by piece, so that what is worked out of each frame is never held for all of them.

Ten minutes of landmarks take 100 MB, and a single step of the fit would take that several times.
"""

from collections.abc import Iterator

PIECE = 256
"""Frames worked on together: each needs some 100 kB meanwhile."""


def pieces(frames: int) -> Iterator[slice]:
    """All frames of a clip, in their order."""
    for start in range(0, frames, PIECE):
        yield slice(start, min(start + PIECE, frames))
