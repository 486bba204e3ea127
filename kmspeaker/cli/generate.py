"""``kmspeaker stylize`` and ``kmspeaker localize``: one speech and one reference, animated."""

import argparse
import time
from pathlib import Path

from kmspeaker.cli.options import (
    Commands,
    add_controls,
    add_generation,
    add_max_seconds,
    add_model,
    add_neutral,
    add_quiet,
    add_reference_fps,
    controls_of,
    print_written,
)
from kmspeaker.errors import InputError
from kmspeaker.progress import progress_bar, stage_bars


def add_parser(commands: Commands) -> None:
    """The command and its options."""
    for use, reference, summary in (
        ("stylize", "reference", "say SPEECH in the style of REFERENCE"),
        ("localize", "performance", "dub: lips say SPEECH, upper face follows PERFORMANCE"),
    ):
        command = commands.add_parser(use, help=summary, description=f"{summary}.")
        command.add_argument("speech", type=Path, help="audio, or a video with sound")
        command.add_argument(
            reference, type=Path, help="a video, a saved track .npz, or a Live Link Face .csv"
        )
        command.add_argument(
            "-o", "--output", type=Path, required=True, help=".glb .usda .mp4 .csv .npz or .zip"
        )
        command.add_argument(
            "--face",
            type=Path,
            help="a head of your own: a mesh sculpted from ours, or an ARKit GLB",
        )
        add_generation(command)
        add_neutral(command)
        add_model(command)
        add_max_seconds(command)
        add_reference_fps(command)
        add_quiet(command)
        add_controls(command).add_argument(
            "--takes",
            type=int,
            default=1,
            metavar="N",
            help="make N takes with the seeds from SEED on, in one go; each file's name gets its "
            "seed",
        )
        command.set_defaults(run=run, use=use, reference_argument=reference)


def run(options: argparse.Namespace) -> None:
    """Generate and write each animation."""
    from kmspeaker.export import check_writable, save_animation, save_on_head
    from kmspeaker.heads.load import load_head
    from kmspeaker.media.audio import load_sound
    from kmspeaker.pipeline import Pipeline, check_seeds

    check_writable(options.output)
    if options.steps is not None and options.steps < 1:
        raise InputError(f"Got --steps {options.steps}; it must be 1 or more.")
    controls = controls_of(options)
    seeds = range(options.seed, options.seed + options.takes)
    check_seeds(seeds)
    sound = load_sound(options.speech, max_seconds=options.max_seconds)
    with progress_bar("load", quiet=options.quiet) as progress:
        pipeline = Pipeline.load(options.model, device=options.device, progress=progress)
    if options.identity is not None:
        pipeline.face.neutral(options.identity)
    own = None if options.face is None else load_head(options.face, pipeline.face)
    started = time.perf_counter()
    performances = []
    first = getattr(options, options.reference_argument)
    for path, neutral in ((first, options.neutral), (options.second, None)):
        if path is not None:
            with progress_bar("reference", quiet=options.quiet) as progress:
                reference = pipeline.reference(
                    path,
                    progress=progress,
                    max_seconds=options.max_seconds,
                    neutral=neutral,
                    rate=options.reference_fps if path == first else None,
                )
            performances.append(reference.performance)
    referenced = time.perf_counter()
    with stage_bars(quiet=options.quiet) as report:
        animations = pipeline.animate(
            sound,
            performances[0],
            use=options.use,
            identity=options.identity,
            seeds=seeds,
            controls=controls,
            second=performances[1] if options.second is not None else None,
            steps=options.steps,
            progress=report,
        )
    generated = time.perf_counter()
    written: list[Path] = []
    for animation in animations:
        path = options.output
        if options.takes > 1:
            path = path.with_stem(f"{path.stem}-seed{animation.seed}")
        with progress_bar("write", quiet=options.quiet) as progress:
            if own is None:
                written += save_animation(animation, pipeline.face, path, progress=progress)
            else:
                written += save_on_head(animation, own, path, progress=progress)
    stages = {
        "reference": referenced - started,
        **animations[0].stage_seconds,
        "write": time.perf_counter() - generated,
    }
    print_written(written, f"{animations[0].seconds:.1f} s spoken by {animations[0].model}", stages)
