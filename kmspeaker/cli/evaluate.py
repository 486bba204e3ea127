"""``kmspeaker evaluate``: a model, and what of real people survives in it."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kmspeaker.cli.options import Commands, add_model, require_suffix
from kmspeaker.errors import InputError

if TYPE_CHECKING:
    from kmspeaker.corpus.people import Use
    from kmspeaker.evaluation.expression_clips import Clip


def add_parser(commands: Commands) -> None:
    """The command and its options."""
    evaluate = commands.add_parser("evaluate", help="measure on clips of real people")
    measures = evaluate.add_subparsers(required=True, metavar="MEASURE")
    expression = measures.add_parser(
        "expression", help="what of an expression survives tracking, retargeting and the model"
    )
    _add_clips(expression)
    expression.add_argument("--only", help="some of reader,roundtrip,retrieval")
    expression.add_argument("--stages", help="some of real,scores,retarget,stylize,localize")
    expression.add_argument(
        "--heads", nargs="+", metavar="NAME", help="whose heads the reader sees (three by default)"
    )
    expression.add_argument(
        "--frames", type=int, help="frames of each clip that the reader sees (default 6)"
    )
    expression.set_defaults(run=run_expression)
    people = measures.add_parser(
        "people", help="how a model's lips and styles move beside those of real people"
    )
    _add_clips(people)
    people.add_argument("--only", help="some of talk,matching,style")
    people.add_argument(
        "--recordings",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="folders of Live Link Face files, as references beside the clips",
    )
    people.add_argument(
        "--ridge",
        type=Path,
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="folders of other people's talk, on which a ridge regression is fitted as a rival",
    )
    people.set_defaults(run=run_people)


def _add_clips(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--clips", type=Path, nargs="+", required=True, metavar="FOLDER", help="folders of videos"
    )
    parser.add_argument(
        "--tracks", type=Path, metavar="FOLDER", help="keeps their face tracks between runs"
    )
    parser.add_argument("--speech", type=Path, help="what takes say (default: a bundled example)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures here")
    add_model(parser)


def _check_json(path: Path | None) -> None:
    if path is not None:
        require_suffix(path, ".json")
        if not path.absolute().parent.is_dir():
            raise InputError(f"Got no folder {path.parent} to write the figures into.")


def run_people(options: argparse.Namespace) -> None:
    """Measure, print each table as it is done, and write the figures."""
    from kmspeaker.corpus.people import use_of
    from kmspeaker.evaluation import people
    from kmspeaker.evaluation.expression_clips import find_clips
    from kmspeaker.evaluation.report import table, write_json
    from kmspeaker.examples import load_examples
    from kmspeaker.media.audio import load_sound
    from kmspeaker.pipeline import Pipeline

    _check_json(options.json)
    speech = options.speech or load_examples()["delighted"].speech
    known = ("training", "left_out")

    def use(clip: "Clip") -> "Use | None":
        return use_of(clip.path.parent.name, clip.path.name)

    parts = people.measure(
        Pipeline.load(options.model, device=options.device),
        [clip for clip in find_clips(options.clips) if use(clip) not in known],
        load_sound(speech),
        recordings=options.recordings,
        others=[clip for clip in find_clips(options.ridge) if use(clip) in (None, "training")]
        if options.ridge
        else [],
        tracks=options.tracks,
        only=options.only.split(",") if options.only else people.MEASURES,
        on_part=lambda name, part: print(table(name, part), file=sys.stdout, flush=True),
    )
    if options.json is not None:
        write_json(parts, options.json)


def run_expression(options: argparse.Namespace) -> None:
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

    _check_json(options.json)
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
