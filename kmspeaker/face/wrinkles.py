"""Lines that skin folds into: which shapes cause each, and how deep they are at a pose.

Place in the flow: the renderer and the viewer draw them. The scans' shapes carry the large folds;
these are the small ones, heights in a picture (``wrinkles.png``) that grow with their causes. Two
layers, because lines of two causes cross. All of it is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

LAYERS = 2
"""The picture's red and green."""
HEIGHT_RANGE = 1.0
"""mm; what 0 and 255 in the picture are below and above the skin at full depth."""


@dataclass(frozen=True)
class Fold:
    """Lines that come together."""

    layer: int
    causes: Mapping[str, float]
    """How deep each shape at 1 folds them; they add up to at most 1."""


def _pair(
    name: str, layer: int, causes: Mapping[str, float], both: Mapping[str, float] | None = None
) -> dict[str, Fold]:
    """The same on both sides; ``both`` are shapes without a side."""
    return {
        f"{name}_{side.lower()}": Fold(
            layer, {**{f"{shape}{side}": gain for shape, gain in causes.items()}, **(both or {})}
        )
        for side in ("Left", "Right")
    }


FOLDS: Mapping[str, Fold] = {
    **_pair("forehead", 0, {"browOuterUp": 0.7}, {"browInnerUp": 0.5}),
    "glabella": Fold(
        1,
        {"browDownLeft": 0.5, "browDownRight": 0.5, "noseSneerLeft": 0.15, "noseSneerRight": 0.15},
    ),
    **_pair("nose", 1, {"noseSneer": 0.9, "browDown": 0.15}),
    **_pair("crow", 0, {"cheekSquint": 0.6, "mouthSmile": 0.45, "eyeSquint": 0.35}),
    **_pair("under_eye", 0, {"cheekSquint": 0.7, "eyeSquint": 0.5, "mouthSmile": 0.2}),
    **_pair("nasolabial", 0, {"mouthSmile": 0.7, "noseSneer": 0.8, "mouthUpperUp": 0.5}),
    **_pair("bracket", 1, {"mouthSmile": 0.5, "mouthDimple": 0.8, "mouthStretch": 0.6}),
    **_pair("marionette", 1, {"mouthFrown": 0.9, "mouthLowerDown": 0.25}),
    "chin": Fold(1, {"mouthShrugLower": 0.9, "mouthFrownLeft": 0.2, "mouthFrownRight": 0.2}),
}
"""By name; the order of ``FaceModel.fold_masks``."""


def fold_causes(names: tuple[str, ...]) -> Float32[np.ndarray, "folds 52"]:
    """How deep each shape folds each of ``FOLDS``.

    Args:
        names: the shapes, ``rig.ARKIT_NAMES``.
    """
    return np.array(
        [[fold.causes.get(name, 0.0) for name in names] for fold in FOLDS.values()], np.float32
    )


def fold_layers() -> tuple[int, ...]:
    """The layer of each of ``FOLDS``."""
    return tuple(fold.layer for fold in FOLDS.values())
