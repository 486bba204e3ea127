"""wLipSync (MIT, npm ``wlipsync``), uLipSync in WebAssembly, run as in a browser.

It compares cepstra of the sound with those of calibrated vowels, and each vowel's curve times the
volume is meant for the five vowels of a VRM head, as its example does. VRM's vowels are Oculus's
(aa, ih, ou, ee, oh), which ``visemes`` puts on ARKit's shapes.

The package has no calibration of its own ("a profile is required"): ``wlipsync.json`` was made by
``scripts/calibrate_wlipsync.py`` from the vowels of one woman that the package ``pylipsync`` (MIT,
another port of uLipSync) brings for this purpose. It has fifteen entries, because version 1.3.1
compares no more coefficients than there are entries.
"""

from importlib.resources import as_file, files

from kmspeaker.evaluation.peers.node import BROWSER_RATE, NodePackage, curves_of, run_script
from kmspeaker.evaluation.peers.peer import Peer, Shapes, frames_of, on_arkit
from kmspeaker.evaluation.peers.visemes import OCULUS
from kmspeaker.face.rig import Weights
from kmspeaker.media.audio import Sound

PACKAGE = NodePackage("wlipsync", "1.3.1")
VOWELS: Shapes = {
    vowel: OCULUS[viseme]
    for vowel, viseme in {"A": "aa", "I": "I", "U": "U", "E": "E", "O": "O"}.items()
}


def curves(sound: Sound, fps: float) -> Weights:
    """The mouth as wLipSync moves it.

    Raises:
        InputError: It is not installed, or fails.
    """
    frames = frames_of(sound, fps)
    with as_file(files("kmspeaker.evaluation.peers") / "wlipsync.json") as profile:
        answer = run_script("wlipsync.mjs", PACKAGE, sound, BROWSER_RATE, fps, frames, profile)
    return on_arkit(curves_of(answer, frames), VOWELS)


PEER = Peer(
    name="wlipsync",
    curves=curves,
    version=PACKAGE.installed,
    note="wLipSync: calibrated on one woman's vowels, for it comes without a profile.",
)
