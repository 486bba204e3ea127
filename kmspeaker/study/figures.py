"""The figures of an analysis.

Place in the flow: ``analysis`` -> here -> ``report``.
"""

import numpy as np
import plotly.graph_objects as go

from kmspeaker.evaluation.web_page import COLOURS, dressed
from kmspeaker.study.analysis import Analysis, Outcome
from kmspeaker.study.responses import Responses


def figures(analysis: Analysis, responses: Responses) -> dict[str, go.Figure]:
    """Figures by what they show, of what a paper would report."""
    outcome = analysis.best
    own = responses.of(outcome.participants)
    if outcome.strengths:
        return {
            "Strengths, 95 % intervals": _strengths(analysis, outcome),
            "Every two conditions, mean preference and 95 % intervals": _pairs(analysis, outcome),
        }
    return {
        "All ratings, means and 95 % intervals": _ratings(analysis, outcome, own),
        "Every two conditions, difference and 95 % intervals": _pairs(analysis, outcome),
        "Mean of each item": _items(analysis, outcome),
        "Mean of each participant": _participants(analysis, outcome, own),
    }


def _ratings(analysis: Analysis, outcome: Outcome, responses: Responses) -> go.Figure:
    design = analysis.design
    matrix = responses.matrix(design)
    figure = go.Figure()
    for k, each in enumerate(outcome.conditions):
        values = matrix[..., k].ravel()
        figure.add_violin(
            y=values[np.isfinite(values)],
            name=design.label(each.name),
            line_color=COLOURS[k % len(COLOURS)],
            points=False,
            spanmode="hard",
            opacity=0.45,
        )
    figure.add_scatter(
        x=[design.label(each.name) for each in outcome.conditions],
        y=[each.mean.value for each in outcome.conditions],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [each.mean.high - each.mean.value for each in outcome.conditions],
            "arrayminus": [each.mean.value - each.mean.low for each in outcome.conditions],
            "thickness": 2,
            "width": 8,
        },
        mode="markers",
        marker={"size": 9, "color": "#15181d"},
    )
    low, high = design.scale
    if design.protocol.kind == "mushra":
        ticks = [low + (high - low) * (k + 0.5) / 5 for k in range(5)]
        figure.update_yaxes(tickvals=ticks, ticktext=list(design.protocol.bands), showgrid=False)
        for k in range(1, 5):
            edge = low + (high - low) * k / 5
            figure.add_hline(y=edge, line={"width": 1, "color": "#d5d9e0"}, layer="below")
    figure.update_yaxes(range=[low, high])
    return dressed(figure)


def _items(analysis: Analysis, outcome: Outcome) -> go.Figure:
    design = analysis.design
    figure = go.Figure()
    for k, each in enumerate(outcome.conditions):
        figure.add_scatter(
            x=list(each.items),
            y=[None if np.isnan(value) else value for value in each.items.values()],
            name=design.label(each.name),
            mode="lines+markers",
            line={"color": COLOURS[k % len(COLOURS)]},
            marker={"symbol": k, "size": 9},
        )
    figure.update_yaxes(range=list(design.scale), title="mean rating")
    return dressed(figure, legend=True)


def _participants(analysis: Analysis, outcome: Outcome, responses: Responses) -> go.Figure:
    design = analysis.design
    matrix = responses.matrix(design)
    given = np.isfinite(matrix)
    with np.errstate(invalid="ignore", divide="ignore"):
        own = np.where(given, matrix, 0.0).sum(axis=1) / given.sum(axis=1)
    figure = go.Figure()
    figure.add_heatmap(
        z=own.T,
        x=[str(number) for number in outcome.participants],
        y=[design.label(each.name) for each in outcome.conditions],
        zmin=design.scale[0],
        zmax=design.scale[1],
        colorscale="Viridis",
        colorbar={"title": "mean"},
    )
    figure.update_xaxes(title="participant", type="category")
    figure.update_yaxes(autorange="reversed", ticksuffix=" ")
    return dressed(figure)


def _pairs(analysis: Analysis, outcome: Outcome) -> go.Figure:
    """Differences; filled where p, corrected, is below .05."""
    design = analysis.design
    shown = outcome.comparisons
    found = [each.p_holm < 0.05 for each in shown]
    figure = go.Figure()
    figure.add_scatter(
        x=[each.difference.value for each in shown],
        y=[f"{design.label(each.one)}, {design.label(each.other)}" for each in shown],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [each.difference.high - each.difference.value for each in shown],
            "arrayminus": [each.difference.value - each.difference.low for each in shown],
        },
        mode="markers",
        marker={
            "size": 10,
            "color": COLOURS[0],
            "symbol": ["circle" if yes else "circle-open" for yes in found],
        },
    )
    figure.add_vline(x=0, line={"width": 1, "color": "#15181d"}, layer="below")
    figure.update_xaxes(title="difference; filled: p (Holm) below .05")
    figure.update_yaxes(autorange="reversed", ticksuffix=" ")
    return dressed(figure)


def _strengths(analysis: Analysis, outcome: Outcome) -> go.Figure:
    figure = go.Figure()
    strengths = [each.log_strength for each in outcome.strengths]
    figure.add_scatter(
        x=[each.value for each in strengths],
        y=[analysis.design.label(each.name) for each in outcome.strengths],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [each.high - each.value for each in strengths],
            "arrayminus": [each.value - each.low for each in strengths],
        },
        mode="markers",
        marker={"size": 10, "color": COLOURS[0]},
    )
    figure.update_xaxes(title="log strength", zeroline=True)
    return dressed(figure)
