"""``python -m kmspeaker.evaluation.peers [install]``: which peers are here, and fetch npm's.

Without ``install`` nothing is fetched. OpenFaceFX comes by pip: ``requirements-peers.txt``.
"""

import argparse
import sys

from kmspeaker.errors import InputError
from kmspeaker.evaluation.peers import PEERS, headaudio, rhubarb, wlipsync
from kmspeaker.evaluation.peers.node import install

PACKAGES = (rhubarb.PACKAGE, wlipsync.PACKAGE, headaudio.PACKAGE)


def main() -> int:
    """Install if asked, and list."""
    parser = argparse.ArgumentParser(prog="python -m kmspeaker.evaluation.peers")
    parser.add_argument("what", nargs="?", choices=("install",), help="fetch the npm packages")
    try:
        if parser.parse_args().what == "install":
            install(PACKAGES)
    except InputError as error:
        sys.stderr.write(f"kmspeaker.evaluation.peers: {error}\n")
        return 2
    for peer in PEERS.values():
        try:
            sys.stdout.write(f"{peer.name} {peer.version()}\n")
        except InputError as error:
            sys.stdout.write(f"{peer.name}: {error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
