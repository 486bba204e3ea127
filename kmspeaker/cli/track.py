"""``kmspeaker track``: find the face in a video and save its track."""

import argparse
import time
from pathlib import Path

from kmspeaker.cli.options import (
    Commands,
    add_max_seconds,
    add_neutral,
    add_quiet,
    print_written,
    require_suffix,
)
from kmspeaker.progress import progress_bar


def add_parser(commands: Commands) -> None:
    """The command and its options."""
    track = commands.add_parser("track", help="find the face in a video and save its track")
    track.add_argument("video", type=Path)
    track.add_argument("-o", "--output", type=Path, required=True, help="track file, .npz")
    track.add_argument("--overlay", type=Path, help="also write the video with its keypoints, .mp4")
    add_neutral(track)
    add_max_seconds(track)
    add_quiet(track)
    track.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Track, save, and draw the overlay where one is asked for."""
    from kmspeaker.media.files import check_place
    from kmspeaker.reference.load import load_track
    from kmspeaker.reference.overlay import write_overlay

    require_suffix(options.output, ".npz")
    check_place(options.output)
    if options.overlay is not None:
        require_suffix(options.overlay, ".mp4")
        check_place(options.overlay)
    started = time.perf_counter()
    with progress_bar("track", quiet=options.quiet) as progress:
        track = load_track(
            options.video,
            progress=progress,
            max_seconds=options.max_seconds,
            neutral=options.neutral,
        )
    track.save(options.output)
    tracked = time.perf_counter()
    stages = {"track": tracked - started}
    written = [options.output]
    if options.overlay is not None:
        with progress_bar("overlay", quiet=options.quiet) as progress:
            write_overlay(track, options.video, options.overlay, progress=progress)
        stages["overlay"] = time.perf_counter() - tracked
        written.append(options.overlay)
    visible = float((track.confidence > 0).mean())
    print_written(written, f"{len(track.times)} frames, face seen in {visible:.0%}", stages)
