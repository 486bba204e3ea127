"""``kmspeaker evaluate expression``: what of real people's expressions survives."""

import argparse
import sys
from pathlib import Path

from kmspeaker.cli.options import Commands, add_model, require_suffix
from kmspeaker.errors import InputError


def add_parser(commands: Commands) -> None:
    """The command and its options."""
    evaluate = commands.add_parser("evaluate", help="measure on clips of real people")
    measures = evaluate.add_subparsers(required=True, metavar="MEASURE")
    expression = measures.add_parser(
        "expression", help="what of an expression survives tracking, retargeting and the model"
    )
    expression.add_argument(
        "--clips", type=Path, nargs="+", required=True, metavar="FOLDER", help="folders of videos"
    )
    expression.add_argument(
        "--tracks", type=Path, metavar="FOLDER", help="keeps their face tracks between runs"
    )
    expression.add_argument("--only", help="some of reader,roundtrip,retrieval")
    expression.add_argument("--stages", help="some of real,scores,retarget,stylize,localize")
    expression.add_argument(
        "--heads", nargs="+", metavar="NAME", help="whose heads the reader sees (three by default)"
    )
    expression.add_argument(
        "--frames", type=int, help="frames of each clip that the reader sees (default 6)"
    )
    expression.add_argument(
        "--speech", type=Path, help="what takes say (default: a bundled example)"
    )
    expression.add_argument("--json", type=Path, metavar="OUT", help="write the figures here")
    add_model(expression)
    expression.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Measure, print each table as it is done, and write the figures."""
    # Before VTK: each brings an LLVM of its own, and only in this order both work.
    import torch._dynamo  # noqa: F401

    from kmspeaker.evaluation import expression
    from kmspeaker.evaluation.expression_clips import Takes, find_clips
    from kmspeaker.evaluation.report import table, write_json
    from kmspeaker.examples import load_examples
    from kmspeaker.face.rig import FaceModel
    from kmspeaker.media.audio import load_sound
    from kmspeaker.pipeline import Pipeline

    if options.json is not None:
        require_suffix(options.json, ".json")
        if not options.json.absolute().parent.is_dir():
            raise InputError(f"Got no folder {options.json.parent} to write the figures into.")
    speech = options.speech or load_examples()["delighted"].speech
    parts = expression.measure(
        find_clips(options.clips),
        FaceModel.load(),
        tracks=options.tracks,
        only=options.only.split(",") if options.only else expression.MEASURES,
        stages=options.stages.split(",") if options.stages else expression.STAGES,
        heads=options.heads or expression.HEADS,
        frames=expression.FRAMES if options.frames is None else options.frames,
        takes=Takes(
            lambda: Pipeline.load(options.model, device=options.device), load_sound(speech)
        ),
        on_part=lambda name, part: print(table(name, part), file=sys.stdout, flush=True),
    )
    if options.json is not None:
        write_json(parts, options.json)
