"""``kmspeaker capture``: the performance of a face in a video, on one of our heads."""

import argparse
import time
from pathlib import Path

from kmspeaker.cli.options import (
    Commands,
    add_max_seconds,
    add_neutral,
    add_quiet,
    add_reference_fps,
    print_written,
)
from kmspeaker.errors import InputError
from kmspeaker.progress import progress_bar

_FPS = (1.0, 60.0)


def add_parser(commands: Commands) -> None:
    """The command and its options."""
    capture = commands.add_parser(
        "capture",
        help="the performance of a face in a video, with its own sound",
        description="Write the performance of a face in a video, with the video's own sound. "
        "Nothing is generated.",
    )
    capture.add_argument("video", type=Path, help="or a saved track .npz, or a Live Link Face .csv")
    capture.add_argument(
        "-o", "--output", type=Path, required=True, help=".glb .usda .mp4 .csv .npz or .zip"
    )
    capture.add_argument("--identity", help="whose head; see `kmspeaker identities`")
    capture.add_argument(
        "--face",
        type=Path,
        help="a head of your own: a mesh sculpted from ours, or an ARKit GLB",
    )
    capture.add_argument(
        "--fps", type=float, default=30.0, help="frames a second (default %(default).0f)"
    )
    add_neutral(capture)
    add_max_seconds(capture)
    add_reference_fps(capture)
    add_quiet(capture)
    capture.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Track, retarget and write."""
    from kmspeaker.animation.capture import captured, own_sound
    from kmspeaker.export import check_writable, save_animation, save_on_head
    from kmspeaker.face.rig import FaceModel
    from kmspeaker.heads.load import load_head
    from kmspeaker.reference.load import load_reference

    check_writable(options.output)
    least, most = _FPS
    if not least <= options.fps <= most:
        raise InputError(f"Got --fps {options.fps:g}; it must be from {least:g} to {most:g}.")
    face = FaceModel.load()
    identity = options.identity or face.identities[0]
    face.neutral(identity)  # refuses an unknown one before any work
    own = None if options.face is None else load_head(options.face, face)
    started = time.perf_counter()
    with progress_bar("capture", quiet=options.quiet) as progress:
        reference = load_reference(
            options.video,
            face,
            fps=options.fps,
            progress=progress,
            max_seconds=options.max_seconds,
            neutral=options.neutral,
            rate=options.reference_fps,
        )
    performance, sound = reference.performance, own_sound(options.video)
    animation = captured(performance, sound, identity)
    read = time.perf_counter()
    with progress_bar("write", quiet=options.quiet) as progress:
        if own is None:
            written = save_animation(animation, face, options.output, progress=progress)
        else:
            written = save_on_head(animation, own, options.output, progress=progress)
    stages = {"capture": read - started, "write": time.perf_counter() - read}
    what = (
        f"{performance.seconds:.1f} s captured, face seen in {performance.present.mean():.0%}, "
        f"fit in doubt in {performance.doubtful.mean():.0%} of the frames, "
        f"{'silent' if sound is None else 'with its own sound'}"
    )
    print_written(written, what, stages)
