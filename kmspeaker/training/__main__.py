"""``python -m kmspeaker.training CORPUS -o RUN``: one command, which goes on after a kill."""

import argparse
import dataclasses
import math
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
    parser.add_argument(
        "corpus", type=Path, nargs="?", metavar="CORPUS", help="folder of the corpus"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="RUN",
        dest="run",
        help="folder of the checkpoint, the log, the videos and the model",
    )
    parser.add_argument(
        "--measure",
        action="store_true",
        help="instead of training, print how fast this machine trains each size, or the one given",
    )
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
    parser.add_argument(
        "--minutes",
        type=float,
        default=math.inf,
        help="stop after so long, with a checkpoint and a model, even if steps are left",
    )
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
    """Train or measure; 2 if an argument cannot be used."""
    parser = build_parser()
    args = parser.parse_args(arguments)
    if not args.measure and (args.corpus is None or args.run is None):
        parser.error("give a CORPUS and -o RUN, or --measure")
    from kmspeaker.corpus.store import Corpus
    from kmspeaker.model.network import PRESETS
    from kmspeaker.training.loop import train
    from kmspeaker.training.options import PAPER, TrainingOptions
    from kmspeaker.training.throughput import measure

    settings = dict(setting.partition("=")[::2] for setting in args.settings)
    for name in ("size", "steps", "batch", "seed"):
        if (value := getattr(args, name)) is not None:
            settings[name] = value
    try:
        options = TrainingOptions.read(settings, PAPER if args.as_paper else TrainingOptions())
        if args.measure:
            for size in [args.size] if args.size else reversed(PRESETS):
                figures = measure(dataclasses.replace(options, size=size), args.device)
                sys.stdout.write(f"{size}: {figures}\n")
            return 0
        folder = train(
            Corpus.open(args.corpus),
            args.run,
            options,
            device=args.device,
            start=args.start,
            minutes=args.minutes,
        )
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if os.environ.get("RANK", "0") == "0":  # one process of torchrun prints
        sys.stdout.write(f"The model is in {folder}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
