"""The command line: the library's public calls, one subcommand each.

Exit codes: 0 done, 2 the input cannot be used (one sentence on standard error), 3 some pairs of a
batch could not be made (a sentence for each), 130 interrupted.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from kmspeaker.animation.controls import CHOICES, DEFAULTS, HELP, RANGES, Controls
from kmspeaker.errors import InputError
from kmspeaker.limits import DEFAULT_MODEL, MAX_SECONDS, TAKES
from kmspeaker.progress import progress_bar, say, stage_bars


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code."""
    options = build_parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except InputError as error:
        print(f"kmspeaker: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("kmspeaker: stopped; nothing was written.", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The subcommands and their options."""
    parser = argparse.ArgumentParser(
        prog="kmspeaker",
        description="Animate a 3D face from speech in the style of a reference performance.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    track = commands.add_parser("track", help="find the face in a video and save its track")
    track.add_argument("video", type=Path)
    track.add_argument("-o", "--output", type=Path, required=True, help="track file, .npz")
    track.add_argument("--overlay", type=Path, help="also write the video with its keypoints, .mp4")
    _add_max_seconds(track)
    track.set_defaults(run=_track)

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
        _add_take(command)
        _add_model(command)
        _add_max_seconds(command)
        _add_direction(command).add_argument(
            "--takes",
            type=int,
            default=1,
            metavar="N",
            help="make N takes with the seeds from SEED on, in one go; each file's name gets its "
            "seed",
        )
        command.set_defaults(run=_generate, use=use, reference_argument=reference)

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
    _add_take(batch)
    _add_workers(batch)
    _add_model(batch)
    _add_max_seconds(batch)
    _add_direction(batch)
    batch.set_defaults(run=_batch)

    identities = commands.add_parser("identities", help="list the heads")
    identities.set_defaults(run=_identities)

    bench = commands.add_parser("bench", help="measure speed and memory on this machine")
    bench.add_argument("--json", action="store_true", help="print every figure with its unit")
    bench.add_argument(
        "--browser", action="store_true", help="also measure the stage, in Chromium, for a minute"
    )
    bench.add_argument("--runs", type=int, default=5, help="each figure is the median of this many")
    _add_model(bench)
    bench.set_defaults(run=_bench)

    corpus = commands.add_parser("corpus", help="make the data a model is trained on")
    steps = corpus.add_subparsers(required=True, metavar="STEP")
    build = steps.add_parser("build", help="build a corpus; run it again to resume")
    build.add_argument("config", type=Path, help="what it is made of, .toml")
    build.add_argument("-o", "--output", type=Path, required=True, help="folder of the corpus")
    _add_workers(build)
    build.set_defaults(run=_build_corpus)

    app = commands.add_parser("app", help="open the app in a browser")
    app.add_argument("--host", default="127.0.0.1")
    app.add_argument("--port", type=int, default=7860)
    app.add_argument(
        "--models", type=Path, metavar="FOLDER", help="folder of more models to compare on the page"
    )
    app.add_argument(
        "--takes",
        type=int,
        metavar="N",
        help="takes each visitor may make in ten minutes, 0 for any number (default "
        f"{TAKES}; any number where only this machine can open the page)",
    )
    app.add_argument("--mcp", action="store_true", help="also serve MCP clients; needs gradio[mcp]")
    _add_model(app)
    _add_max_seconds(app)
    app.set_defaults(run=_app)
    return parser


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help="a bundled name, a folder, or owner/repo@revision on the Hugging Face Hub",
    )
    command.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def _add_take(command: argparse.ArgumentParser) -> None:
    command.add_argument("--identity", help="whose head; see `kmspeaker identities`")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--steps", type=int, help="solver steps; default: the model's own")


def _add_workers(command: argparse.ArgumentParser) -> None:
    command.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    command.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="work on a Ray cluster; without ADDRESS on one of N processors of this machine",
    )


def _add_max_seconds(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--max-seconds",
        type=float,
        default=MAX_SECONDS,
        help="refuse longer speech or video (default %(default).0f)",
    )


def _add_direction(command: argparse.ArgumentParser) -> "argparse._ArgumentGroup":
    group = command.add_argument_group("direction", "how the take departs from the reference")
    group.add_argument(
        "--second", type=Path, metavar="REFERENCE", help="another reference, for --style-mix"
    )
    for name, default in DEFAULTS.items():
        meaning = HELP[name]
        option = {"default": default, "dest": name}
        if name in RANGES:
            least, most = RANGES[name]
            option |= {"type": float, "metavar": f"{least:g}..{most:g}"}
        else:
            option |= {"type": _words, "choices": CHOICES[name]}
            option["metavar"] = "{" + ",".join(c.replace(" ", "-") for c in CHOICES[name]) + "}"
        shown = default.replace(" ", "-") if isinstance(default, str) else f"{default:g}"
        flag = "--" + name.replace("_", "-")
        group.add_argument(flag, help=f"{meaning} (default {shown})", **option)
    return group


def _words(option: str) -> str:
    """``as-is`` for ``as is``: no quotes are needed on the command line."""
    return option.replace("-", " ")


def _track(options: argparse.Namespace) -> None:
    from kmspeaker.export import check_writable
    from kmspeaker.reference.overlay import write_overlay
    from kmspeaker.reference.tracking import track_video

    _require_suffix(options.output, ".npz")
    check_writable(options.output)
    if options.overlay is not None:
        _require_suffix(options.overlay, ".mp4")
        check_writable(options.overlay)
    started = time.perf_counter()
    with progress_bar("track") as progress:
        track = track_video(options.video, progress=progress, max_seconds=options.max_seconds)
    track.save(options.output)
    tracked = time.perf_counter()
    stages = {"track": tracked - started}
    written = [options.output]
    if options.overlay is not None:
        with progress_bar("overlay") as progress:
            write_overlay(track, options.video, options.overlay, progress=progress)
        stages["overlay"] = time.perf_counter() - tracked
        written.append(options.overlay)
    seen = float((track.confidence > 0).mean())
    _say_written(written, f"{len(track.times)} frames, face seen in {seen:.0%}", stages)


def _generate(options: argparse.Namespace) -> None:
    from kmspeaker.export import check_writable, save_animation, save_on_head
    from kmspeaker.heads.load import load_head
    from kmspeaker.media.audio import load_sound
    from kmspeaker.pipeline import Pipeline, check_seeds

    check_writable(options.output)
    if options.steps is not None and options.steps < 1:
        raise InputError(f"Got --steps {options.steps}; it must be 1 or more.")
    controls = _controls(options)
    seeds = range(options.seed, options.seed + options.takes)
    check_seeds(seeds)
    sound = load_sound(options.speech, max_seconds=options.max_seconds)
    with progress_bar("load") as progress:
        pipeline = Pipeline.load(options.model, device=options.device, progress=progress)
    if options.identity is not None:
        pipeline.face.neutral(options.identity)
    own = None if options.face is None else load_head(options.face, pipeline.face)
    started = time.perf_counter()
    performances = []
    for path in (getattr(options, options.reference_argument), options.second):
        if path is not None:
            with progress_bar("reference") as progress:
                reference = pipeline.reference(
                    path, progress=progress, max_seconds=options.max_seconds
                )
            performances.append(reference.performance)
    referenced = time.perf_counter()
    with stage_bars() as report:
        takes = pipeline.take(
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
    for take in takes:
        path = options.output
        if options.takes > 1:
            path = path.with_stem(f"{path.stem}-seed{take.seed}")
        with progress_bar("write") as progress:
            if own is None:
                written += save_animation(take, pipeline.face, path, progress=progress)
            else:
                written += save_on_head(take, own, path, progress=progress)
    stages = {
        "reference": referenced - started,
        **takes[0].stage_seconds,
        "write": time.perf_counter() - generated,
    }
    _say_written(written, f"{takes[0].seconds:.1f} s spoken by {takes[0].model}", stages)


def _controls(options: argparse.Namespace) -> Controls:
    return Controls(**{name: getattr(options, name) for name in DEFAULTS})


def _batch(options: argparse.Namespace) -> int:
    from kmspeaker.batch.jobs import PairOptions
    from kmspeaker.batch.run import Outcome, Settings, run_batch
    from kmspeaker.parallel import Workers

    pair_options = PairOptions(
        use=options.use,
        identity=options.identity,
        seed=options.seed,
        controls=_controls(options),
        second=options.second,
    )
    settings = Settings(
        model=options.model,
        device=options.device,
        formats=tuple(f".{ending.lstrip('.').lower()}" for ending in options.format),
        steps=options.steps,
        max_seconds=options.max_seconds,
    )

    def report_failure(outcome: Outcome) -> None:
        if outcome.error:
            say(f"kmspeaker: {outcome.place}: {outcome.error}")

    try:
        with progress_bar("batch") as progress:
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
        return _stopped()
    print(report.line())
    return 3 if report.count("failed") else 0


def _stopped() -> int:
    print("kmspeaker: stopped; the same command goes on from here.", file=sys.stderr)
    return 130


def _identities(options: argparse.Namespace) -> None:
    from kmspeaker.face.rig import FaceModel

    del options
    face = FaceModel.load()
    width = max(map(len, face.identities))
    for identity in face.identities:
        print(f"{identity:<{width}}  {face.people[identity].description}")


def _bench(options: argparse.Namespace) -> None:
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


def _build_corpus(options: argparse.Namespace) -> int:
    from kmspeaker.corpus.build import build
    from kmspeaker.corpus.config import read_config
    from kmspeaker.parallel import Workers

    config, workers = read_config(options.config), Workers(options.jobs, options.ray)
    try:
        with progress_bar("corpus") as progress:
            report = build(config, options.output, workers=workers, progress=progress)
    except KeyboardInterrupt:
        return _stopped()
    for line in report.lines():
        print(line)
    return 0


def _app(options: argparse.Namespace) -> None:
    from kmspeaker.pipeline import Pipeline
    from kmspeaker.web import serve
    from kmspeaker.web.models import models_to_compare

    others = models_to_compare(options.models, options.device)
    pipeline = Pipeline.load(options.model, device=options.device)
    same = ("host", "port", "max_seconds", "takes", "mcp")
    serve(pipeline, others=others, **{name: getattr(options, name) for name in same})


def _require_suffix(path: Path, suffix: str) -> None:
    if path.suffix.lower() != suffix:
        raise InputError(f"Got the output name {path.name!r}; it must end in {suffix}.")


def _say_written(paths: Sequence[Path], what: str, stages: dict[str, float]) -> None:
    names = " and ".join(str(path) for path in paths)
    times = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in stages.items())
    print(f"{names}: {what} ({times})")
