"""Draw how a training run went, from its log.

python -m scripts.draw_curves runs/small docs/training.png
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

from kmspeaker.errors import InputError
from kmspeaker.training.log import read_log
from scripts.charts import COLOURS, Chart, Sheet

WIDTH, HEIGHT = 1100, 400
SMOOTHING = 25
"""Steps over which losses are averaged; a batch's own loss jumps with what it holds."""
LOSSES = (("loss", "loss"), ("lower", "lower face"), ("upper", "upper face"))
SCORES = (
    ("lip_localize", "lips, localized"),
    ("lip_stylize", "lips, stylized"),
    ("upper_error", "upper face, mm"),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of a training run")
    parser.add_argument("output", type=Path, help=".png")
    options = parser.parse_args()
    entries = read_log(options.run)
    steps = [entry for entry in entries if entry["kind"] == "train"]
    scores = [entry for entry in entries if entry["kind"] == "validation"]
    if len(steps) < 2 or not scores:
        raise InputError(f"Got a log in {options.run} without steps and scores; train longer.")
    sheet = Sheet(WIDTH, HEIGHT)
    draw_losses(sheet, steps)
    draw_scores(sheet, scores, steps[-1]["step"])
    sheet.finished().save(options.output, optimize=True)
    print(f"{options.output}: {steps[-1]['step']} steps, {len(scores)} validations")


def draw_losses(sheet: Sheet, entries: list[dict[str, Any]]) -> None:
    """Losses on a logarithmic scale."""
    at = np.array([entry["step"] for entry in entries], float)
    curves = {
        name: gaussian_filter1d(np.log10(_values(entries, name)), SMOOTHING) for name, _ in LOSSES
    }
    low, high = (pick([pick(curve) for curve in curves.values()]) for pick in (min, max))
    chart = Chart(sheet, (70, 60, 530, 340), (0, at[-1]), (low, high), True)
    chart.axes("Loss in training", "step")
    for (name, _), colour in zip(LOSSES, COLOURS, strict=False):
        chart.curve(at, curves[name], colour)
    chart.legend([words for _, words in LOSSES], COLOURS[: len(LOSSES)])


def draw_scores(sheet: Sheet, entries: list[dict[str, Any]], last: int) -> None:
    """Scores on held-out clips."""
    at = np.array([entry["step"] for entry in entries], float)
    chart = Chart(sheet, (620, 60, 1070, 340), (0, last), (0, 1))
    chart.axes("Held-out clips", "step")
    for (name, _), colour in zip(SCORES, COLOURS, strict=False):
        chart.curve(at, np.array([entry[name] for entry in entries]), colour, 2.2)
    chart.legend([words for _, words in SCORES], COLOURS[: len(SCORES)])


def _values(entries: list[dict[str, Any]], name: str) -> list[float]:
    """A value a step; a batch without that half of the face has the value before it."""
    values, value = [], next(entry[name] for entry in entries if name in entry)
    for entry in entries:
        value = entry.get(name, value)
        values.append(value)
    return values


if __name__ == "__main__":
    main()
