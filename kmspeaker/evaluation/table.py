"""A table: once as rows of text, then as CSV, LaTeX, Markdown or HTML.

Place in the flow: the bench's report and a rating study's are made of these.
"""

import csv
import html
import io
import math
from dataclasses import dataclass

_LATEX = str.maketrans(
    {
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
    }
)


@dataclass(frozen=True)
class Table:
    """Rows of text under headings."""

    name: str
    """Of its files."""
    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def csv(self) -> str:
        """Comma-separated, with headings."""
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([self.headings, *self.rows])
        return out.getvalue()

    def latex(self) -> str:
        """A ``table`` environment of ``booktabs`` with caption and label."""
        lines = [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex(self.title)}. {_latex(self.note)}}}".replace(". }", ".}"),
            rf"\label{{tab:{self.name}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(self.headings) - 1)}}}",
            r"\toprule",
            " & ".join(map(_latex, self.headings)) + r" \\",
            r"\midrule",
            *(" & ".join(map(_latex, row)) + r" \\" for row in self.rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
        return "\n".join(lines) + "\n"

    def html(self) -> str:
        """A table for a page; whatever participants wrote stays text."""
        head = "".join(f"<th>{html.escape(each)}</th>" for each in self.headings)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>\n"
            for row in self.rows
        )
        note = f"<p class=note>{html.escape(self.note)}</p>" if self.note else ""
        return (
            f"<h3>{html.escape(self.title)}</h3>\n<div class=wide><table><thead><tr>{head}</tr>"
            f"</thead>\n<tbody>{rows}</tbody></table></div>{note}\n"
        )

    def markdown(self) -> str:
        """A pipe table with its title and note."""
        rows = [self.headings, ("---", *("---:" for _ in self.headings[1:])), *self.rows]
        lines = ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in rows]
        note = ["", self.note] if self.note else []
        return "\n".join([f"### {self.title}", "", *lines, *note]) + "\n"


def p_words(p: float) -> str:
    """A p value as journals print it."""
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def number_words(value: float, digits: int = 1) -> str:
    """A number, or a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _latex(text: str) -> str:
    return text.translate(_LATEX)
