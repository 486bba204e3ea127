"""The figures of a comparison, for plotly.

Place in the flow: ``comparison`` -> here -> ``page``.
"""

import numpy as np
import plotly.graph_objects as go

from kmspeaker.evaluation.bench.comparison import Comparison
from kmspeaker.evaluation.bench.tables import MAIN, TITLES, heading
from kmspeaker.evaluation.web_page import COLOURS, dressed

SHOWN = {"matching": "LVE mean", "localization": "LVE mean", "cross": "kept"}
"""The measure whose single trials are drawn."""
AGAINST = {
    "matching": ("LVE mean", "FDD"),
    "localization": ("LVE mean", "U-MSE"),
    "cross": ("LVE mean", "style distance"),
    "people": ("nervousness", "lips follow"),
}
"""Two measures that pull against each other."""


def figures_of(comparison: Comparison) -> dict[str, go.Figure]:
    """By title: two measures against each other, and single trials."""
    title = TITLES[comparison.trials.key]
    across, up = AGAINST[comparison.trials.protocol]
    shown = SHOWN.get(comparison.trials.protocol, MAIN[comparison.trials.protocol][0])
    return {
        f"{title}: {up} against {across}": _against(comparison, across, up),
        f"{title}: {shown} of every trial": _trials(comparison, shown),
    }


def _against(comparison: Comparison, across: str, up: str) -> go.Figure:
    figure = go.Figure()
    for k, system in enumerate(comparison.systems):
        x, y = (comparison.estimates[m][system] for m in (across, up))
        if not (x.items and y.items):
            continue
        figure.add_scatter(
            x=[x.value],
            y=[y.value],
            error_x=_bars(x.value, x.low, x.high),
            error_y=_bars(y.value, y.low, y.high),
            name=system,
            text=[system],
            mode="markers+text",
            textposition="top right",
            marker={"symbol": k, "size": 10, "color": COLOURS[k % len(COLOURS)]},
        )
    figure.update_xaxes(title=heading(across))
    figure.update_yaxes(title=heading(up))
    return dressed(figure, height=460)


def _trials(comparison: Comparison, measure: str) -> go.Figure:
    names = [trial.name for trial in comparison.trials.trials]
    figure = go.Figure()
    for k, answers in enumerate(comparison.answers):
        values = answers.vector(measure, names)
        known = np.isfinite(values)
        figure.add_box(
            y=values[known].round(4),
            text=[name for name, there in zip(names, known, strict=True) if there],
            name=answers.system,
            boxpoints="all",
            jitter=0.4,
            pointpos=0,
            marker={"size": 4, "color": COLOURS[k % len(COLOURS)]},
            line={"width": 1},
        )
    figure.update_yaxes(title=heading(measure), rangemode="tozero")
    return dressed(figure)


def _bars(value: float, low: float, high: float) -> dict[str, object]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value],
        "arrayminus": [value - low],
        "thickness": 1,
    }
