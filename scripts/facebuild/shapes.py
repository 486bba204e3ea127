"""The 52 ARKit shapes from the scans', and what the scans do not have: gaze and the tongue."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from scipy.spatial.transform import Rotation

from facebuild import ict
from facebuild.ict import Scans
from facebuild.topology import EYE_LEFT, EYE_RIGHT, TONGUE, Topology, sphere
from kmspeaker.face.interpolation import smoothstep
from kmspeaker.face.rig import ARKIT_NAMES

GAZE_ANGLE: Mapping[str, float] = MappingProxyType({"In": 30, "Out": 30, "Up": 25, "Down": 25})
"""How far the eyeball turns at weight 1, degrees."""
GAIN: Mapping[str, float] = MappingProxyType(
    {
        "browDown": 1.7,
        "browInnerUp": 1.5,
        "browOuterUp": 1.35,
        "eyeWide": 1.4,
        "mouthFrown": 1.6,
        "mouthUpperUp": 1.15,
        "mouthLowerDown": 1.3,
        "mouthStretch": 1.2,
        "mouthPucker": 1.25,
        "mouthFunnel": 1.6,
        "mouthShrugLower": 1.15,
    }
)
"""How much larger than its scan a shape is: the scanned actor's 1 is less than a stranger's face
shows when mediapipe scores it 1 (``docs/face.md`` has the table)."""
ALSO: Mapping[str, tuple[tuple[str, float], ...]] = MappingProxyType(
    {
        "cheekSquint": (("cheekRaiser", 0.5),),
        # The scanned funnel bares too little of the teeth to be told from a pucker.
        "mouthFunnel": (
            *(("mouthUpperUp_L", 0.4), ("mouthUpperUp_R", 0.4)),
            *(("mouthLowerDown_L", 0.6), ("mouthLowerDown_R", 0.6), ("mouthPucker", -0.05)),
        ),
    }
)
"""What else of the scans a shape holds."""
TONGUE_OUT = (34.0, 17.0, -10.0)
"""How far the tip of the tongue comes forward, its middle rises, and its end hangs, mm."""


def arkit_shapes(scans: Scans, topology: Topology) -> np.ndarray:
    """(52, V, 3) displacements at weight 1, mm; eyeballs turn, the tongue comes out."""
    deltas = np.zeros((len(ARKIT_NAMES), len(topology.part), 3))
    for k, name in enumerate(ARKIT_NAMES):
        for scan, gain in scans_of(name):
            deltas[k] += gain * (topology.blend @ scans.shapes[scan])
    for side, part in (("Left", EYE_LEFT), ("Right", EYE_RIGHT)):
        ball = topology.part == part
        directions = eyeball(scans, topology, side)
        for way in GAZE_ANGLE:
            turned = directions @ gaze(way, side).T - directions
            deltas[ARKIT_NAMES.index(f"eyeLook{way}{side}"), ball] = turned
    tongue = topology.part == TONGUE
    deltas[ARKIT_NAMES.index("tongueOut"), tongue] = _tongue_out(
        (topology.blend @ scans.neutral)[tongue]
    )
    return deltas


def scans_of(name: str) -> list[tuple[str, float]]:
    """Which scans, and how much of each, make an ARKit shape."""
    if name == "tongueOut":
        return []
    stem, sides = name, [""]
    for side in ("Left", "Right"):
        if name.endswith(side) and name not in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            stem, sides = name.removesuffix(side), [f"_{side[0]}"]
    if name in ("browInnerUp", "cheekPuff"):
        sides = ["_L", "_R"]
    gain = GAIN.get(stem, 1.0)
    parts = [(stem, 1.0), *ALSO.get(stem, ())]
    return [
        (part if part[-2:] in ("_L", "_R") else part + side, gain * share)
        for part, share in parts
        for side in sides
    ]


def eyeball(scans: Scans, topology: Topology, side: str) -> np.ndarray:
    """(n, 3) an eyeball's vertices about its centre, mm; the same for everyone."""
    low, high = ict.EYES[side]
    centre = sphere(scans.neutral[low:high])[0]
    part = EYE_LEFT if side == "Left" else EYE_RIGHT
    return scans.neutral[topology.source[topology.part == part]] - centre


def gaze(way: str, side: str) -> np.ndarray:
    """Rotation of an eyeball for ``In``, ``Out``, ``Up`` or ``Down`` at weight 1."""
    angle = GAZE_ANGLE[way]
    if way in ("Up", "Down"):
        return Rotation.from_euler("x", -angle if way == "Up" else angle, degrees=True).as_matrix()
    # The left eye lies at +x: outwards is towards +x.
    outwards = (way == "Out") == (side == "Left")
    return Rotation.from_euler("y", angle if outwards else -angle, degrees=True).as_matrix()


def _tongue_out(tongue: np.ndarray) -> np.ndarray:
    """Displacement of the tongue's vertices: the further forward, the further out and down."""
    z = tongue[:, 2]
    share = smoothstep((z - np.percentile(z, 5)) / (z.max() - np.percentile(z, 5)))
    forward, rise, hang = TONGUE_OUT
    moved = np.zeros_like(tongue)
    moved[:, 2] = forward * share
    moved[:, 1] = rise * np.sin(np.pi * share / 1.3) + hang * share**6
    return moved
