"""``kmspeaker identities``: list the heads."""

import argparse

from kmspeaker.cli.options import Commands


def add_parser(commands: Commands) -> None:
    """The command and its options."""
    identities = commands.add_parser("identities", help="list the heads")
    identities.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print each with a description."""
    from kmspeaker.face.rig import FaceModel

    del options
    face = FaceModel.load()
    width = max(map(len, face.identities))
    for identity in face.identities:
        print(f"{identity:<{width}}  {face.people[identity].description}")
