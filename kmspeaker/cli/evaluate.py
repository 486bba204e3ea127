"""``kmspeaker evaluate``: systems beside each other, and what of real people survives in one."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kmspeaker.cli.options import (
    Commands,
    add_model,
    add_quiet,
    add_workers,
    require_suffix,
    stopped,
)
from kmspeaker.errors import InputError
from kmspeaker.progress import say

if TYPE_CHECKING:
    from kmspeaker.corpus.people import Use
    from kmspeaker.evaluation.expression_clips import Clip


def add_parser(commands: Commands) -> None:
    """The command and its options."""
    evaluate = commands.add_parser(
        "evaluate",
        help="measure systems beside each other, or one on clips of real people",
        description="Without MEASURE: ask every system the same, and write one report with tables, "
        "figures and pictures. Run it again to go on where it was stopped.",
    )
    _add_bench(evaluate)
    measures = evaluate.add_subparsers(metavar="MEASURE")
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


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--systems",
        metavar="NAMES",
        help="models as --model names them elsewhere, held,copied,linear,blend, and other people's "
        "openfacefx,rhubarb,wlipsync,headaudio for the protocol people; the first is tested "
        "against the others (default: all that are here, but for other people's)",
    )
    parser.add_argument(
        "--protocol",
        metavar="NAMES",
        help="some of matching,localization,cross,people,expression (default: all but the last)",
    )
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help="whose test split is used")
    parser.add_argument(
        "--clips", type=Path, nargs="+", default=[], metavar="FOLDER", help="folders of videos"
    )
    parser.add_argument(
        "--tracks", type=Path, metavar="FOLDER", help="keeps their face tracks between runs"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="of the report")
    parser.add_argument(
        "--sequences", type=int, metavar="N", help="trials of a protocol (default 60)"
    )
    parser.add_argument("--pairs", type=int, metavar="N", help="of localization (default 100)")
    parser.add_argument("--seeds", type=int, metavar="N", help="takes of a trial (default 3)")
    parser.add_argument("--no-pictures", action="store_true", help="draw no heads")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    add_workers(parser)
    add_quiet(parser)
    parser.set_defaults(run=run_bench)


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


def run_bench(options: argparse.Namespace) -> int:
    """Measure all systems and write the report; 2 where something of it could not be measured."""
    # Before VTK: each brings an LLVM of its own, and only in this order both work.
    import torch._dynamo  # noqa: F401

    from kmspeaker.evaluation.bench.run import run_bench
    from kmspeaker.evaluation.bench.wanted import Bench, default_systems
    from kmspeaker.parallel import Workers

    if options.output is None:
        raise InputError("Got no folder for the report; name one with -o.")
    given = {"sequences": options.sequences, "pairs": options.pairs}
    if options.seeds is not None:
        given["seeds"] = tuple(range(options.seeds))
    bench = Bench(
        systems=tuple(options.systems.split(",")) if options.systems else default_systems(),
        protocols=tuple(options.protocol.split(",")) if options.protocol else (),
        corpus=options.corpus,
        clips=tuple(options.clips),
        tracks=options.tracks,
        device=options.device,
        pictures=not options.no_pictures,
        **{name: value for name, value in given.items() if value is not None},
    )
    try:
        outcome = run_bench(
            bench,
            options.output,
            workers=Workers(options.jobs, options.ray),
            tell=lambda line: None if options.quiet else say(line),
            tell_fault=lambda line: say(f"kmspeaker: {line}"),
        )
    except KeyboardInterrupt:
        return stopped()
    missing = f", {len(outcome.faults)} not measured" if outcome.faults else ""
    print(f"{outcome.page}{missing}")
    return 2 if outcome.faults else 0


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
