"""``python -m kmspeaker.training.bench CORPUS -o RUNS``: trains what ours is compared with.

One after the other, each in its own folder of RUNS, each going on from where it was stopped.
"""

import argparse
import dataclasses
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from kmspeaker.corpus.store import Corpus
from kmspeaker.errors import InputError
from kmspeaker.training.baselines import BaselineOptions, train_baseline

BASELINES: Mapping[str, BaselineOptions] = {
    name: BaselineOptions(name, **settings)
    for name, settings in {
        "msmd": {"learning_rate": 1e-3},
        "diffposetalk": {"learning_rate": 1e-3},
        "mimic": {"learning_rate": 1e-3},
        "meshtalk": {"learning_rate": 1e-3},
    }.items()
}
"""Each with the learning rate that its validation curve asked for."""


def main(arguments: list[str] | None = None) -> int:
    """Train; 2 if an argument cannot be used."""
    options = _parser().parse_args(arguments)
    try:
        names = options.systems.split(",") if options.systems else list(BASELINES)
        for name in names:
            if name not in BASELINES:
                raise InputError(f"Got the system {name!r}; choose among {', '.join(BASELINES)}.")
        corpus = Corpus.open(options.corpus)
        deadline = time.monotonic() + 60 * options.minutes
        for name in names:
            left = (deadline - time.monotonic()) / 60
            if left <= 0:
                sys.stdout.write(f"{name}: no time is left; run the same again.\n")
                continue
            asked = BASELINES[name]
            if options.steps is not None:
                asked = dataclasses.replace(asked, steps=options.steps)
            folder = train_baseline(corpus, options.runs / name, asked, minutes=left)
            sys.stdout.write(f"{name} is in {folder}.\n")
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kmspeaker.training.bench", description=__doc__)
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="folder of the corpus")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="RUNS", dest="runs", help="their folder"
    )
    parser.add_argument("--systems", help=f"some of {','.join(BASELINES)}")
    parser.add_argument("--steps", type=int, help="of each, instead of its own number")
    parser.add_argument("--minutes", type=float, default=math.inf, help="for all together")
    return parser


if __name__ == "__main__":
    sys.exit(main())
