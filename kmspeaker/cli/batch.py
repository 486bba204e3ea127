"""``kmspeaker batch``: dub many pairs."""

import argparse
from pathlib import Path

from kmspeaker.cli.options import (
    Commands,
    add_controls,
    add_generation,
    add_max_seconds,
    add_model,
    add_quiet,
    add_reference_fps,
    add_workers,
    controls_of,
    stopped,
)
from kmspeaker.progress import progress_bar, say


def add_parser(commands: Commands) -> None:
    """The command and its options."""
    batch = commands.add_parser(
        "batch",
        help="dub many pairs; run it again to go on",
        description="Make a take of every pair of speech and performance; what a spreadsheet's row "
        "asks comes before the options. Run it again to go on where it was stopped.",
    )
    batch.add_argument(
        "pairs",
        type=Path,
        metavar="PAIRS",
        help="a folder of x.wav and x.mp4, or a .csv with the columns speech and performance",
    )
    batch.add_argument("-o", "--output", type=Path, required=True, help="folder to write to")
    batch.add_argument(
        "--format", nargs="+", default=[".glb"], metavar="ENDING", help="default .glb"
    )
    batch.add_argument("--use", choices=("localize", "stylize"), default="localize")
    add_generation(batch)
    add_workers(batch)
    add_model(batch)
    add_max_seconds(batch)
    add_reference_fps(batch)
    add_quiet(batch)
    add_controls(batch)
    batch.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Dub the pairs; 3 where some could not be made."""
    from kmspeaker.batch.jobs import PairOptions
    from kmspeaker.batch.run import Outcome, Settings, run_batch
    from kmspeaker.export import check_drawable
    from kmspeaker.parallel import Workers

    pair_options = PairOptions(
        use=options.use,
        identity=options.identity,
        seed=options.seed,
        controls=controls_of(options),
        second=options.second,
    )
    settings = Settings(
        model=options.model,
        device=options.device,
        formats=tuple(f".{ending.lstrip('.').lower()}" for ending in options.format),
        steps=options.steps,
        max_seconds=options.max_seconds,
        reference_fps=options.reference_fps,
    )
    for ending in settings.formats:
        check_drawable(ending)

    def report_failure(outcome: Outcome) -> None:
        if outcome.error:
            say(f"kmspeaker: {outcome.place}: {outcome.error}")

    try:
        with progress_bar("batch", quiet=options.quiet) as progress:
            report = run_batch(
                options.pairs,
                options.output,
                options=pair_options,
                settings=settings,
                workers=Workers(options.jobs, options.ray),
                progress=progress,
                on_outcome=report_failure,
            )
    except KeyboardInterrupt:
        return stopped()
    print(report.line())
    return 3 if report.count("failed") else 0
