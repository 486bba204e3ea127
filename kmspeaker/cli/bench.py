"""``kmspeaker bench``: speed and memory on this machine."""

import argparse

from kmspeaker.cli.options import Commands, add_model


def add_parser(commands: Commands) -> None:
    """The command and its options."""
    bench = commands.add_parser("bench", help="measure speed and memory on this machine")
    bench.add_argument("--json", action="store_true", help="print every figure with its unit")
    bench.add_argument(
        "--browser", action="store_true", help="also measure the stage, in Chromium, for a minute"
    )
    bench.add_argument("--runs", type=int, default=5, help="each figure is the median of this many")
    add_model(bench)
    bench.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    from kmspeaker.benchmark import run_bench
    from kmspeaker.web.benchmark import page_figures, stage_figures

    further = [page_figures]
    if options.browser:
        further.append(lambda pipeline, runs: stage_figures(options.model))
    run_bench(
        options.model,
        device=options.device,
        runs=options.runs,
        as_json=options.json,
        further=further,
    )
