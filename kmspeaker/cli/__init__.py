"""The command line: the library's public calls, one subcommand and one file each.

Exit codes: 0 done, 2 the input cannot be used (one sentence on standard error), 3 some pairs of a
batch could not be made (a sentence for each), 130 interrupted.
"""

import argparse
import sys
from collections.abc import Sequence

from kmspeaker import __version__
from kmspeaker.cli import (
    app,
    batch,
    bench,
    capture,
    corpus,
    evaluate,
    generate,
    identities,
    study,
    track,
)
from kmspeaker.cli.options import add_quiet
from kmspeaker.errors import InputError

COMMANDS = (track, capture, generate, batch, identities, bench, corpus, evaluate, study, app)
"""In the order of ``--help``."""

_EXAMPLES = """examples:
  kmspeaker stylize speech.wav smiling.mp4 -o take.glb
  kmspeaker app
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
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
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"kmspeaker {__version__}")
    add_quiet(parser)
    parser.set_defaults(quiet=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    return parser
