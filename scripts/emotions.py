"""Six emotions posed by hand on the head: for pictures, and for a reader to name."""

from collections.abc import Mapping

import numpy as np

from kmspeaker.face.rig import ARKIT_INDEX

EMOTIONS: Mapping[str, Mapping[str, float]] = {
    "happy": {
        **{"mouthSmile": 0.95, "cheekSquint": 0.9, "eyeSquint": 0.35, "mouthUpperUp": 0.35},
        **{"mouthLowerDown": 0.2, "jawOpen": 0.08},
    },
    "sad": {
        **{"browInnerUp": 1.0, "browDown": 0.3, "mouthFrown": 1.0, "eyeSquint": 0.3},
        **{"mouthShrugLower": 0.6, "eyeLookDown": 0.25, "eyeBlink": 0.15},
    },
    "angry": {
        **{"browDown": 1.0, "noseSneer": 0.45, "eyeSquint": 0.5, "eyeWide": 0.3},
        **{"mouthFrown": 0.3, "mouthPress": 0.7, "mouthShrugLower": 0.3, "jawForward": 0.3},
    },
    "fearful": {
        **{"browInnerUp": 1.0, "browOuterUp": 0.6, "browDown": 0.4, "eyeWide": 1.0},
        **{"mouthStretch": 1.0, "jawOpen": 0.3, "mouthLowerDown": 0.6, "mouthFrown": 0.2},
    },
    "disgusted": {
        **{"noseSneer": 1.0, "mouthUpperUp": 0.6, "browDown": 0.7, "eyeSquint": 0.6},
        **{"mouthFrown": 0.4, "cheekSquint": 0.5, "mouthShrugLower": 0.3},
    },
    "surprised": {
        **{"browInnerUp": 1.0, "browOuterUp": 1.0, "eyeWide": 1.0, "jawOpen": 0.55},
        **{"mouthFunnel": 0.15},
    },
}
"""At full strength; names without a side mean both."""


def posed(shapes: Mapping[str, float]) -> np.ndarray:
    """(52,) ARKit weights; names without a side mean both."""
    weights = np.zeros(52, np.float32)
    for name, value in shapes.items():
        for side in ("",) if name in ARKIT_INDEX else ("Left", "Right"):
            weights[ARKIT_INDEX[name + side]] = value
    return weights
