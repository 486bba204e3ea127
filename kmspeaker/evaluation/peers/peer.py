"""What a peer is, and how curves of its own shapes become ARKit weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES, Weights, without_side
from kmspeaker.media.audio import Sound

Shapes = Mapping[str, Mapping[str, float]]
"""For each of a peer's own shapes the ARKit shapes it is made of; without a side, both sides."""


@dataclass(frozen=True)
class Peer:
    """Somebody else's lip sync."""

    name: str
    """In tables and after ``--systems``."""
    curves: Callable[[Sound, float], Weights]
    """Of a sound, one row for each of its frames (``frames_of``), the mouth's shapes alone.

    Raises ``InputError`` where the peer is not installed or cannot be run.
    """
    version: Callable[[], str]
    """Of the package that is installed; raises ``InputError`` where there is none."""
    note: str
    """What whoever reads its figures must know."""


def frames_of(sound: Sound, fps: float) -> int:
    """How many frames a sound has."""
    return max(1, round(sound.seconds * fps))


def on_arkit(curves: Mapping[str, Float64[np.ndarray, " frames"]], shapes: Shapes) -> Weights:
    """The sum of a peer's shapes, each times its curve, within [0, 1].

    Args:
        curves: Of the peer's own shapes, one or more.
        shapes: What they are made of; a shape that is not in it moves nothing.
    """
    (frames,) = {len(curve) for curve in curves.values()}
    weights = np.zeros((frames, len(ARKIT_NAMES)))
    for name, curve in curves.items():
        for target, part in shapes.get(name, {}).items():
            for column in columns_of(target):
                weights[:, column] += part * curve
    return weights.clip(0.0, 1.0).astype(np.float32)


def columns_of(target: str) -> list[int]:
    """Of an ARKit shape, or of both sides of one that is named without a side."""
    if target in ARKIT_INDEX:
        return [ARKIT_INDEX[target]]
    columns = [k for k, name in enumerate(ARKIT_NAMES) if without_side(name) == target]
    assert columns, target
    return columns
