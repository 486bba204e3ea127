"""HeadAudio (MIT, npm ``@met4citizen/headaudio``), run as in a browser.

Gaussian prototypes of cepstra choose one of Oculus's visemes, which its node eases in and out. Its
author's own table puts those on ARKit's shapes (``visemes``). The speech is heard 100 ms late, as
its manual says it should be played, to make up for the time it needs.

Its ``aa`` never shows: ``headaudio.mjs`` 0.1.0 takes a viseme's number for whether there is one
(``if (viseme)``), and the number of ``aa`` is 0. The mouth keeps what came before. It is measured
as it is.
"""

from kmspeaker.evaluation.peers.node import BROWSER_RATE, NodePackage, curves_of, run_script
from kmspeaker.evaluation.peers.peer import Peer, frames_of, on_arkit
from kmspeaker.evaluation.peers.visemes import OCULUS
from kmspeaker.face.rig import Weights
from kmspeaker.media.audio import Sound

PACKAGE = NodePackage("@met4citizen/headaudio", "0.1.0")
DELAY = 0.1
"""Seconds, of the manual's ``DelayNode``."""
PREFIX = "viseme_"


def curves(sound: Sound, fps: float) -> Weights:
    """The mouth as HeadAudio moves it.

    Raises:
        InputError: It is not installed, or fails.
    """
    frames = frames_of(sound, fps)
    answer = run_script("headaudio.mjs", PACKAGE, sound, BROWSER_RATE, fps, frames, DELAY)
    own = curves_of(answer, frames)
    return on_arkit({name.removeprefix(PREFIX): curve for name, curve in own.items()}, OCULUS)


PEER = Peer(
    name="headaudio",
    curves=curves,
    version=PACKAGE.installed,
    note="HeadAudio: its most open viseme, aa, never shows, by a mistake in its version 0.1.0.",
)
