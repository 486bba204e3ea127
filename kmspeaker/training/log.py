"""A run's log: ``log.jsonl``, and TensorBoard's curves where that is installed.

Each line of ``log.jsonl`` has ``step`` (steps done), ``seconds`` (of training, over all starts)
and ``kind``: "train" (losses of one step), "validation" (scores), "speed", or "start" (the trained
model that the run began from).
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kmspeaker.media.files import replacing

LOG_FILE = "log.jsonl"
CURVES_FOLDER = "tensorboard"


class RunLog:
    """Writes a run's log; lines after the checkpoint that training goes on from are dropped."""

    def __init__(self, run: Path, first: int) -> None:
        self._path = run / LOG_FILE
        entries = [entry for entry in read_log(run) if entry["step"] <= first]
        with replacing(self._path) as unfinished:
            unfinished.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
        earlier = entries[-1]["seconds"] if entries else 0.0
        self._begun = time.monotonic() - earlier
        self._curves = _curves(run / CURVES_FOLDER, first)

    def write(self, step: int, kind: str, values: Mapping[str, float | str]) -> None:
        """Add a line."""
        seconds = round(time.monotonic() - self._begun, 1)
        numbers = {name: value for name, value in values.items() if not isinstance(value, str)}
        rounded = {**values, **{name: round(value, 8) for name, value in numbers.items()}}
        with self._path.open("a") as file:
            file.write(
                json.dumps({"step": step, "kind": kind, "seconds": seconds, **rounded}) + "\n"
            )
        if self._curves is not None:
            for name, value in numbers.items():
                self._curves.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        """Write out the curves."""
        if self._curves is not None:
            self._curves.close()


def read_log(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's log; empty where there is none."""
    path = run / LOG_FILE
    entries = []
    for line in path.read_text().splitlines() if path.is_file() else ():
        try:
            entries.append(json.loads(line))
        except ValueError:
            break  # the line that a kill cut short
    return entries


def _curves(folder: Path, first: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder, purge_step=first + 1)
