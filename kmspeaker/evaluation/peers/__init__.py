"""Outside peers on the bench: other people's lip sync, run as itself on the same speech.

Place in the flow: ``bench`` asks each for its curves of a sound (``PEERS[name].curves``), which are
ARKit weights of the mouth alone. No peer comes with the program: ``openfacefx`` is an extra of pip
(``requirements-peers.txt``), the others are fetched by
``python -m kmspeaker.evaluation.peers install``. Each file says whose mapping puts a peer's own
shapes on ARKit's.
"""

from collections.abc import Mapping

from kmspeaker.evaluation.peers import headaudio, openfacefx, rhubarb, wlipsync
from kmspeaker.evaluation.peers.peer import Peer

PEERS: Mapping[str, Peer] = {
    peer.name: peer for peer in (openfacefx.PEER, rhubarb.PEER, wlipsync.PEER, headaudio.PEER)
}
