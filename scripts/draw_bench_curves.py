"""Draw how several systems learnt, beside each other, from the logs of their runs.

python -m scripts.draw_bench_curves runs/msmd runs/mimic docs/bench/training.webp
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from kmspeaker.baselines.systems import title
from kmspeaker.errors import InputError
from kmspeaker.training.log import read_log
from scripts.charts import COLOURS, Chart, Sheet
from scripts.draw_curves import SMOOTHING

WIDTH, HEIGHT = 1100, 400
ERRORS = (1.0, 6.0)
"""mm, of the axis."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", help="folders of training runs")
    parser.add_argument("output", type=Path, help="a picture")
    options = parser.parse_args()
    logs = {title(run.name): read_log(run) for run in options.runs}
    if len(logs) > len(COLOURS):
        raise InputError(f"Got {len(logs)} runs; at most {len(COLOURS)} can be told apart.")
    last = max(log[-1]["step"] for log in logs.values())
    sheet = Sheet(WIDTH, HEIGHT)
    losses = Chart(sheet, (70, 60, 530, 340), (0, last), (-0.5, 1.5), True)
    losses.axes("Own loss", "step")
    errors = Chart(sheet, (620, 60, 1070, 340), (0, last), ERRORS)
    errors.axes("Error of the lips on held-out clips, mm", "step")
    for log, colour in zip(logs.values(), COLOURS, strict=False):
        steps = [entry for entry in log if entry["kind"] == "train"]
        at = np.array([entry["step"] for entry in steps], float)
        curve = np.log10([entry["loss"] for entry in steps])
        losses.curve(at, gaussian_filter1d(curve, SMOOTHING), colour)
        scores = [entry for entry in log if entry["kind"] == "validation"]
        at = np.array([entry["step"] for entry in scores], float)
        errors.curve(at, np.array([entry["lip_error"] for entry in scores]), colour, 2.2)
    losses.legend(list(logs), COLOURS[: len(logs)])
    sheet.finished().save(options.output, quality=85, method=6)
    print(f"{options.output}: {', '.join(logs)}")


if __name__ == "__main__":
    main()
