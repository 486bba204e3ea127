"""One face out of all that were found: the largest that persists through the clip.

Place in the flow: ``landmarker`` finds faces in each frame -> here -> ``tracking``.
"""

import numpy as np

from kmspeaker.reference.face_graph import Detection

LINK_FRAMES = 15
"""A face not seen for more frames than this has to be recognised anew."""
RETURN_APARTNESS = 2.0
"""How far from where it left, against frame to frame, a face may come back (``_apartness``)."""
MAX_OPEN, MAX_SEEDS = 32, 8
"""Pieces looked at when linking and when chaining; more are flicker."""

Piece = dict[int, Detection]
"""One face in some of the frames, in their order."""


def follow_largest(detections: list[list[Detection]]) -> list[Detection | None]:
    """The face that is largest over the whole clip, in each frame; None where it is not seen.

    Faces are linked from frame to frame by place and size into pieces, and pieces that can continue
    each other into chains; the chain with the largest sum of sizes is followed.
    """
    pieces: list[Piece] = []
    for frame, faces in enumerate(detections):
        recent = [piece for piece in pieces[-MAX_OPEN:] if frame - _last(piece) <= LINK_FRAMES]
        pairs = sorted(
            (_apartness(piece[_last(piece)], face), i, j)
            for i, piece in enumerate(recent)
            for j, face in enumerate(faces)
        )
        linked, placed = set(), set()
        for apartness, i, j in pairs:
            if apartness < 1 and i not in linked and j not in placed:
                recent[i][frame] = faces[j]
                linked.add(i)
                placed.add(j)
        pieces += [{frame: face} for j, face in enumerate(faces) if j not in placed]
    pieces.sort(key=_total_size, reverse=True)
    chains = [_chain(seed, pieces) for seed in pieces[:MAX_SEEDS]]
    largest = max(chains, key=_total_size, default={})
    return [largest.get(frame) for frame in range(len(detections))]


def _chain(seed: Piece, pieces: list[Piece]) -> Piece:
    """The seed and every piece, largest first, that is the same face at another time."""
    links, chain = [seed], dict(seed)
    for piece in pieces:
        if chain.keys() & piece.keys():
            continue
        # The neighbour in time, and the frames in which the two come closest.
        gaps = [max(_first(piece) - _last(link), _first(link) - _last(piece)) for link in links]
        link = links[int(np.argmin(gaps))]
        if _first(piece) > _last(link):
            apartness = _apartness(link[_last(link)], piece[_first(piece)])
        else:
            apartness = _apartness(piece[_last(piece)], link[_first(link)])
        if apartness < RETURN_APARTNESS:
            links.append(piece)
            chain |= piece
    return chain


def _first(piece: Piece) -> int:
    return next(iter(piece))  # frames enter in order


def _last(piece: Piece) -> int:
    return next(reversed(piece))


def _total_size(piece: Piece) -> float:
    return sum(face.size for face in piece.values())


def _apartness(one: Detection, other: Detection) -> float:
    """Below 1 where two detections of neighbouring frames can be the same face."""
    size = max(one.size, other.size)
    moved = float(np.linalg.norm(one.centre - other.centre)) / (0.6 * size)
    grown = abs(np.log(one.size / other.size)) / np.log(1.6)
    return float(max(moved, grown))
