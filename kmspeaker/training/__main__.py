"""``python -m kmspeaker.training CORPUS -o RUN``: one command, which goes on after a kill."""

import argparse
import os
import sys
from pathlib import Path

from kmspeaker.errors import InputError


def build_parser() -> argparse.ArgumentParser:
    """The options of a training run."""
    parser = argparse.ArgumentParser(
        prog="python -m kmspeaker.training",
        description="Train a model on a corpus. Run again with the same options to go on; start it "
        "with torchrun for several GPUs.",
    )
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="folder of the corpus")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="RUN", dest="run")
    parser.add_argument(
        "--from",
        type=Path,
        metavar="MODEL_FOLDER",
        dest="start",
        help="begin from a trained model instead of random weights",
    )
    parser.add_argument("--size", help="small, base or paper (default: small)")
    parser.add_argument("--steps", help="steps to train")
    parser.add_argument("--batch", help="windows a step")
    parser.add_argument("--seed", help="of weights, batches and noise")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument(
        "--as-paper", action="store_true", help="the paper's values of every option not given"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="settings",
        help="any other option of kmspeaker/training/options.py; may be given many times",
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Train; 2 if what was given cannot be used."""
    given = build_parser().parse_args(arguments)
    from kmspeaker.corpus.store import Corpus
    from kmspeaker.training.loop import train
    from kmspeaker.training.options import PAPER, TrainingOptions

    settings = dict(setting.partition("=")[::2] for setting in given.settings)
    for name in ("size", "steps", "batch", "seed"):
        if (value := getattr(given, name)) is not None:
            settings[name] = value
    try:
        options = TrainingOptions.read(settings, PAPER if given.as_paper else TrainingOptions())
        folder = train(
            Corpus.open(given.corpus), given.run, options, device=given.device, start=given.start
        )
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if os.environ.get("RANK", "0") == "0":  # the others of torchrun need not say it too
        sys.stdout.write(f"The model is in {folder}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
