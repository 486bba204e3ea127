"""Rhubarb Lip Sync (MIT) as the npm package ``rhubarb-lip-sync-wasm`` ports it.

Rhubarb recognises the words (pocketsphinx, no text given) and shows one of nine drawn mouths at a
time. It was made for drawings and gives no numbers: its manual (``README``, "Mouth shapes") says in
words how open, round or pressed each is, and which of two is wider. ``MOUTHS`` puts those words on
ARKit's shapes and keeps that order on our head; the numbers are ours. Mouths switch at once, as
there.
"""

from collections.abc import Sequence

import numpy as np

from kmspeaker.errors import InputError
from kmspeaker.evaluation.peers.node import NodePackage, run_script
from kmspeaker.evaluation.peers.peer import Peer, Shapes, frames_of, on_arkit
from kmspeaker.face.rig import Weights
from kmspeaker.media.audio import SAMPLE_RATE, Sound

PACKAGE = NodePackage("rhubarb-lip-sync-wasm", "0.1.8")
IDLE = "X"
MOUTHS: Shapes = {
    "A": {"mouthPress": 0.3},  # closed, slight pressure between the lips: p, b, m
    "B": {"jawOpen": 0.06, "mouthLowerDown": 0.3, "mouthUpperUp": 0.2},  # slightly open, teeth met
    "C": {"jawOpen": 0.35, "mouthLowerDown": 0.1},  # open: men, bat
    "D": {"jawOpen": 0.7, "mouthLowerDown": 0.1},  # wide open: father
    "E": {
        "jawOpen": 0.22,
        "mouthPucker": 0.3,
        "mouthFunnel": 0.12,
    },  # rounded, no wider than C: off
    "F": {"jawOpen": 0.1, "mouthPucker": 0.9},  # puckered: you, way
    "G": {"jawOpen": 0.05, "mouthRollLower": 0.5, "mouthUpperUp": 0.3},  # teeth on the lip: f, v
    "H": {"jawOpen": 0.5, "tongueOut": 0.2},  # long l: as open as C or more, less than D
    IDLE: {},  # closed and relaxed
}

Cue = tuple[float, str]
"""Seconds from which a mouth is shown."""


def curves(sound: Sound, fps: float) -> Weights:
    """The mouth as Rhubarb shows it.

    Raises:
        InputError: It is not installed, or fails.
    """
    answer = run_script("rhubarb.mjs", PACKAGE, sound, SAMPLE_RATE)
    try:
        cues = [(float(cue["start"]), str(cue["value"])) for cue in answer["mouthCues"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"Got no mouths from {PACKAGE.name}; give a sound of speech.") from error
    return weights_of(cues, frames_of(sound, fps), fps)


def weights_of(cues: Sequence[Cue], frames: int, fps: float) -> Weights:
    """Each mouth until the next begins; before the first, the idle one."""
    starts = np.array([-np.inf, *(start for start, _ in cues)])
    mouths = np.array([IDLE, *(mouth for _, mouth in cues)])
    shown = mouths[np.searchsorted(starts, np.arange(frames) / fps + 1e-9, side="right") - 1]
    return on_arkit({mouth: (shown == mouth).astype(np.float64) for mouth in MOUTHS}, MOUTHS)


PEER = Peer(
    name="rhubarb",
    curves=curves,
    version=PACKAGE.installed,
    note="Rhubarb: nine mouths made for drawings, put on ARKit by the words of its manual.",
)
