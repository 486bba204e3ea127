"""One web page that needs nothing else: tables, plotly's figures and pictures in a single file.

Place in the flow: the last step of the bench's report and of a rating study's.
"""

import html
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
import plotly.io

COLOURS = ("#2c6fbb", "#c2571a", "#2f8a5b", "#8a4fa8", "#8c6d1f", "#b03a5b", "#3f7f8c", "#5c6470")
"""Told apart in print and by the colour-blind by their order, never by colour alone."""

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#15181d;background:#fff;max-width:60rem;
margin:2rem auto;padding:0 1rem}
h1,h2,h3{line-height:1.2}h2{margin-top:3rem;border-bottom:1px solid #d5d9e0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .8rem;text-align:right;border-bottom:1px solid #d5d9e0}
th:first-child,td:first-child{text-align:left}td:not(:last-child){white-space:nowrap}
.wide{overflow-x:auto}
.note,dl{color:#4a515c;font-size:.9rem}dt{float:left;clear:left;width:9rem}dd{margin-left:9.5rem}
"""


def whole_page(title: str, parts: Sequence[str], style: str = "") -> str:
    """The page of some pieces of HTML; ``style`` is put to that of all pages."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}{style}</style></head>\n<body>"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def terms(facts: Mapping[str, str]) -> str:
    """A list of what is called what."""
    rows = (f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in facts.items())
    return f"<dl>{''.join(rows)}</dl>"


def drawn(figures: Mapping[str, go.Figure]) -> list[str]:
    """Figures below their titles; plotly's own code, 4 MB, comes with the first alone."""
    return [
        f"<h3>{html.escape(title)}</h3>"
        + plotly.io.to_html(
            figure,
            full_html=False,
            include_plotlyjs=number == 0,
            config={"displaylogo": False, "responsive": True},
        )
        for number, (title, figure) in enumerate(figures.items())
    ]


def dressed(figure: go.Figure, *, legend: bool = False, height: int = 420) -> go.Figure:
    """In the page's colours and letters."""
    return figure.update_layout(
        template="plotly_white",
        showlegend=legend,
        height=height,
        margin={"l": 60, "r": 20, "t": 20, "b": 60},
        font={"family": "system-ui, sans-serif", "size": 14, "color": "#15181d"},
    )
