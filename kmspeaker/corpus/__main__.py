"""``python -m kmspeaker.corpus DATA_FOLDER -o CORPUS_DIR``: build a training corpus."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from kmspeaker.corpus.build import build
from kmspeaker.corpus.studio import Options
from kmspeaker.errors import InputError


def main() -> int:
    """Build, resume, and say what came of it."""
    parser = argparse.ArgumentParser(
        prog="python -m kmspeaker.corpus",
        description="Build a corpus of speech features and face motion; run again to resume.",
    )
    parser.add_argument("data", type=Path, help="folder with speech/ and capture/")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the corpus")
    parser.add_argument("--minutes", type=float, default=130.0, help="how much, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--tracks", type=Path, help="folder that keeps face tracks between builds")
    arguments = parser.parse_args()
    options = Options(
        arguments.data,
        arguments.output,
        arguments.minutes,
        arguments.seed,
        tracks=arguments.tracks,
    )
    try:
        with tqdm(total=1.0, bar_format="{l_bar}{bar}| {elapsed}<{remaining}") as bar:

            def show(done: float) -> None:
                bar.update(done - bar.n)

            report = build(options, jobs=arguments.jobs, progress=show)
    except InputError as error:
        sys.stderr.write(f"kmspeaker.corpus: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("kmspeaker.corpus: stopped; run it again to resume.\n")
        return 130
    sys.stdout.write(
        f"{arguments.output}: {len(report.clips)} clips, {report.minutes:.1f} minutes, "
        f"{report.speakers} speakers; {report.built_minutes:.1f} minutes made in "
        f"{report.seconds:.0f} s (real-time factor {report.real_time_factor:.3f})\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
