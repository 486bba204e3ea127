"""The command line: the library's public calls, one subcommand and one file each.

Exit codes: 0 done, 2 the input cannot be used (one sentence on standard error), 3 some pairs of a
batch could not be made (a sentence for each), 130 interrupted.
"""

import argparse
import sys
from collections.abc import Sequence

from kmspeaker.cli import app, batch, bench, capture, corpus, evaluate, generate, identities, track
from kmspeaker.errors import InputError

COMMANDS = (track, capture, generate, batch, identities, bench, corpus, evaluate, app)
"""In the order of ``--help``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code."""
    options = build_parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except InputError as error:
        print(f"kmspeaker: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("kmspeaker: stopped; nothing was written.", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The subcommands and their options."""
    parser = argparse.ArgumentParser(
        prog="kmspeaker",
        description="Animate a 3D face from speech in the style of a reference performance.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    return parser
