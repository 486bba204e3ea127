"""Options that several commands share, and what they say when they are done."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kmspeaker.animation.controls import CHOICES, DEFAULTS, HELP, RANGES, Controls
from kmspeaker.errors import InputError
from kmspeaker.limits import DEFAULT_MODEL, MAX_SECONDS

Commands = argparse._SubParsersAction
"""What a command's parser is added to."""


def add_model(command: argparse.ArgumentParser) -> None:
    """Which model, and where it runs."""
    command.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help="a bundled name, a folder, or owner/repo@revision on the Hugging Face Hub",
    )
    command.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def add_generation(command: argparse.ArgumentParser) -> None:
    """Whose head, which seed, how many steps."""
    command.add_argument("--identity", help="whose head; see `kmspeaker identities`")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--steps", type=int, help="solver steps; default: the model's own")


def add_workers(command: argparse.ArgumentParser) -> None:
    """Processes, or a Ray cluster."""
    command.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    command.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="work on a Ray cluster; without ADDRESS on one of N processors of this machine",
    )


def add_quiet(command: argparse.ArgumentParser) -> None:
    """No progress; before the command's name it means the same."""
    command.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        default=argparse.SUPPRESS,  # what was said before the command's name stays
        help="show no progress, only the result and errors",
    )


def add_reference_fps(command: argparse.ArgumentParser) -> None:
    """The rate of a CSV that does not tell."""
    command.add_argument(
        "--reference-fps",
        type=float,
        metavar="RATE",
        help="rows a second of a Live Link Face CSV whose time codes do not tell",
    )


def add_max_seconds(command: argparse.ArgumentParser) -> None:
    """How long an input may be."""
    command.add_argument(
        "--max-seconds",
        type=float,
        default=MAX_SECONDS,
        help="refuse longer speech or video (default %(default).0f)",
    )


def add_neutral(command: argparse.ArgumentParser) -> None:
    """What is neutral."""
    command.add_argument(
        "--neutral",
        type=_moment_or_picture,
        metavar="SECONDS|PICTURE",
        help="when the person's face is at rest in the video, or a picture of that; found in the "
        "video where it is not given",
    )


def _moment_or_picture(option: str) -> float | Path:
    try:
        return float(option)
    except ValueError:
        return Path(option)


def add_controls(command: argparse.ArgumentParser) -> "argparse._ArgumentGroup":
    """``--second`` and every control; returns the group for further options."""
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


def controls_of(options: argparse.Namespace) -> Controls:
    """The controls as given."""
    return Controls(**{name: getattr(options, name) for name in DEFAULTS})


def stopped() -> int:
    """Say that the work can be taken up again; the exit code."""
    print("kmspeaker: stopped; the same command goes on from here.", file=sys.stderr)
    return 130


def require_suffix(path: Path, suffix: str) -> None:
    """Refuse an output name of another ending.

    Raises:
        InputError: It does not end in ``suffix``.
    """
    if path.suffix.lower() != suffix:
        raise InputError(f"Got the output name {path.name!r}; it must end in {suffix}.")


def print_written(paths: Sequence[Path], what: str, stages: dict[str, float]) -> None:
    """One line: the files, what is in them, and how long each stage took."""
    names = " and ".join(str(path) for path in paths)
    times = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in stages.items())
    print(f"{names}: {what} ({times})")
