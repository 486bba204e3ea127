"""What the worst file of each kind costs: ``PYTHONPATH=. python scripts/measure_hostile.py``.

Each file is made, then read in a process of its own as the page reads a visitor's. Printed are its
size, the most memory that reading it took beyond what the program had, the processor's seconds, and
what the visitor is told. ``docs/limits.md`` has the table. ``--only WORD`` makes some of them.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from hostile_files import FACE, HOSTILE, head, read_head

from kmspeaker.errors import InputError
from kmspeaker.examples import load_examples
from kmspeaker.media.audio import load_sound
from kmspeaker.reference.load import load_reference

MOST, TIMES, FLOOR = 500.0, 20.0, 200.0
"""MB that any file may cost; times its size; and MB that are free, for pictures and sound."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a word of the name")
    options = parser.parse_args()
    warm()
    print("| file | its size | memory | seconds | what comes of it |\n|---|---|---|---|---|")
    over = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (make, read) in HOSTILE.items():
            if options.only not in name:
                continue
            path = Path(folder) / f"file.{name.split()[0]}"
            make(path)
            size, (memory, seconds, said) = path.stat().st_size / 2**20, measured(read, path)
            path.unlink()
            written = f"{size:.1f} MB" if size >= 0.1 else f"{size * 1024:.1f} kB"
            print(f"| {name} | {written} | {memory:.0f} MB | {seconds:.1f} | {said} |", flush=True)
            if memory > min(MOST, max(FLOOR, TIMES * size)):
                over.append(name)
    print(f"over what is allowed: {', '.join(over) or 'none'}")


def measured(read: Callable[[Path], None], path: Path) -> tuple[float, float, str]:
    """MB and seconds that reading takes in a process of its own, and how it ends."""
    back, there = os.pipe()
    child = os.fork()
    if child == 0:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
        before, started = memory_of("VmRSS"), time.process_time()
        try:
            read(path)
            said = "read"
        except InputError as error:
            said = f"“{error}”"
        except BaseException as error:
            said = f"**{type(error).__name__}: {error}**"
        numbers = memory_of("VmHWM") - before, time.process_time() - started
        os.write(there, json.dumps([*numbers, said.replace(path.name, "it")[:300]]).encode())
        os._exit(0)
    os.close(there)
    with os.fdopen(back, "rb") as answer:
        content = answer.read()
    os.waitpid(child, 0)
    return tuple(json.loads(content)) if content else (float("inf"), 0.0, "**killed**")


def memory_of(kind: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(kind))


def warm() -> None:
    """Load and keep what every reading needs."""
    example = load_examples()["delighted"]
    load_reference(example.reference.with_suffix(".track.npz"), FACE)
    load_sound(example.speech)
    with tempfile.TemporaryDirectory() as folder:
        head(Path(folder) / "a.glb")
        read_head(Path(folder) / "a.glb")


if __name__ == "__main__":
    main()
