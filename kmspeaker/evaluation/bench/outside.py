"""Other people's lip sync as an entrant: it hears the sound and gives lips alone.

Place in the flow: ``run`` enters the peers that ``Bench.systems`` names, beside the systems that
``Pipeline.load`` knows.
"""

from collections.abc import Sequence

from kmspeaker.errors import InputError
from kmspeaker.evaluation.bench.answers import Ask
from kmspeaker.evaluation.bench.trials import FPS, Trial
from kmspeaker.evaluation.peers import PEERS
from kmspeaker.face.rig import Weights
from kmspeaker.reference.performance import Performance


def ask_peer(name: str) -> Ask:
    """How a peer is asked: its curves of the trial's sound, whatever the style, once."""
    peer = PEERS[name]

    def ask(trial: Trial, style: Performance) -> Sequence[Weights]:
        del style
        if trial.sound is None:
            raise InputError(f"Got features without their sound, which {name} needs.")
        return [peer.curves(trial.sound, FPS)]

    return ask


def notes(systems: Sequence[str]) -> list[str]:
    """What must be known of the peers among some systems, a sentence each."""
    return [PEERS[name].note for name in systems if name in PEERS]
