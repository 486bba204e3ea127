"""Draw a run's training curves as one SVG: ``python -m scripts.draw_curves RUN -o curves.svg``."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np

from kmspeaker.training.log import read_log

WIDTH, HEIGHT = 300, 220
LEFT, TOP, RIGHT, BOTTOM = 44, 40, 12, 34
COLOURS = ("#2563eb", "#ea580c", "#059669", "#94a3b8")
SMOOTHED = 50
"""Steps averaged for a point of the losses."""


@dataclass(frozen=True)
class Curve:
    name: str
    steps: Sequence[float]
    values: Sequence[float]


def curves_of(entries: Sequence[dict], kind: str, names: dict[str, str], every: int) -> list[Curve]:
    """Each named figure of a kind of line, averaged over ``every`` lines."""
    lines = [entry for entry in entries if entry["kind"] == kind]
    blocks = [lines[k : k + every] for k in range(0, len(lines), every)]
    steps = [float(np.mean([line["step"] for line in block])) for block in blocks]
    return [
        Curve(words, steps, [float(np.mean([line[name] for line in block])) for block in blocks])
        for name, words in names.items()
    ]


def panel(title: str, curves: Sequence[Curve], left: int) -> str:
    """One set of axes with its curves, their names as the legend."""
    right, top = left + WIDTH - LEFT - RIGHT, TOP
    bottom = HEIGHT - BOTTOM
    last = max(curve.steps[-1] for curve in curves)
    values = np.concatenate([curve.values for curve in curves])
    ticks = _ticks(min(0.0, values.min()), np.quantile(values, 0.98))
    low, high = ticks[0], ticks[-1]

    def place(step: float, value: float) -> str:
        x = left + (right - left) * step / last
        y = bottom - (bottom - top) * (np.clip(value, low, high) - low) / (high - low)
        return f"{x:.1f},{y:.1f}"

    parts = [f'<text x="{left}" y="16" class="title">{escape(title)}</text>']
    for tick in ticks:
        y = place(0, tick).partition(",")[2]
        parts.append(f'<path d="M{left} {y}H{right}" class="grid"/>')
        parts.append(f'<text x="{left - 6}" y="{y}" dy="4" text-anchor="end">{tick:g}</text>')
    parts.append(f'<text x="{right}" y="{bottom + 18}" text-anchor="end">step {last:.0f}</text>')
    parts.append(f'<text x="{left}" y="{bottom + 18}">0</text>')
    for number, curve in enumerate(curves):
        points = " ".join(map(place, curve.steps, curve.values))
        colour = COLOURS[number]
        parts.append(f'<polyline points="{points}" stroke="{colour}"/>')
        x = left + number * (right - left) / len(curves)
        parts.append(f'<text x="{x:.0f}" y="32" fill="{colour}">{escape(curve.name)}</text>')
    return "\n".join(parts)


def _ticks(low: float, high: float) -> np.ndarray:
    """About five round numbers that take in both."""
    rough = (high - low) / 4
    unit = 10 ** np.floor(np.log10(rough))
    step = unit * next(k for k in (1, 2, 5, 10) if k * unit >= rough)
    return np.arange(np.floor(low / step), np.ceil(high / step) + 1) * step


def draw(run: Path) -> str:
    entries = read_log(run)
    panels = [
        (
            "Training loss, mm²",
            curves_of(entries, "train", {"lower": "lower face", "upper": "upper face"}, SMOOTHED),
        ),
        (
            "Lip gap: correlation, held out",
            curves_of(
                entries,
                "validation",
                {"lip_localize": "localized", "lip_stylize": "stylized"},
                1,
            ),
        ),
        (
            "Errors in mm, held out",
            curves_of(
                entries,
                "validation",
                {"lip_error": "lip gap", "upper_error": "upper face", "upper_still": "if still"},
                1,
            ),
        ),
    ]
    drawn = "\n".join(
        panel(title, curves, LEFT + number * WIDTH)
        for number, (title, curves) in enumerate(panels)
        if curves[0].steps
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {3 * WIDTH} {HEIGHT}">
<style>
text {{ font: 11px sans-serif }}
text:not([fill]) {{ fill: #64748b }}
text.title {{ font-weight: bold; fill: #334155 }}
.grid {{ stroke: #e2e8f0 }}
polyline {{ fill: none; stroke-width: 1.6; stroke-linejoin: round }}
</style>
<rect width="100%" height="100%" fill="white"/>
{drawn}
</svg>
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a training run")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="SVG")
    given = parser.parse_args()
    given.output.write_text(draw(given.run))


if __name__ == "__main__":
    main()
