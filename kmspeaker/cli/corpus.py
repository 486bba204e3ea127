"""``kmspeaker corpus build``: make the data a model is trained on."""

import argparse
from pathlib import Path

from kmspeaker.cli.options import Commands, add_quiet, add_workers, stopped
from kmspeaker.progress import progress_bar


def add_parser(commands: Commands) -> None:
    """The command and its options."""
    corpus = commands.add_parser("corpus", help="make the data a model is trained on")
    steps = corpus.add_subparsers(required=True, metavar="STEP")
    build = steps.add_parser("build", help="build a corpus; run it again to resume")
    build.add_argument("config", type=Path, help="what it is made of, .toml")
    build.add_argument("-o", "--output", type=Path, required=True, help="folder of the corpus")
    add_workers(build)
    add_quiet(build)
    build.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Build, or go on building."""
    from kmspeaker.corpus.build import build
    from kmspeaker.corpus.config import read_config
    from kmspeaker.parallel import Workers

    config, workers = read_config(options.config), Workers(options.jobs, options.ray)
    try:
        with progress_bar("corpus", quiet=options.quiet) as progress:
            report = build(config, options.output, workers=workers, progress=progress)
    except KeyboardInterrupt:
        return stopped()
    for line in report.lines():
        print(line)
    return 0
