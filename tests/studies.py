"""Small studies for the tests: their YAML as plain tables that a test changes."""

from typing import Any

import yaml

from kmspeaker.study.design import Design
from kmspeaker.study.design_file import parse_design


def table(
    *, kind: str = "mushra", systems: int = 3, items: int = 6, pages: int | None = None
) -> dict[str, Any]:
    """A study of so many systems and items, with an anchor and a check."""
    conditions: dict[str, Any] = {
        f"system-{k}": {"label": f"System {k}", "generate": {"seed": k}} for k in range(systems)
    }
    conditions["anchor"] = {"label": "Anchor", "role": "anchor", "other_item": "system-0"}
    return {
        "title": "Lips",
        "question": "How well do the lips move with the words?",
        "consent": "Your ratings are kept without your name.",
        "seed": 3,
        "protocol": {"kind": kind, "pages": pages},
        "conditions": conditions,
        "items": [
            {
                "name": f"item-{k}",
                "actor": "someone",
                "speech": "example:delighted",
                "reference": "example:delighted",
                "seconds": 1.0,
            }
            for k in range(items)
        ],
    }


def design_of(content: dict[str, Any]) -> Design:
    """The study of a table."""
    return parse_design(yaml.safe_dump(content, sort_keys=False), "lips.yaml")


def a_design(
    *, kind: str = "mushra", systems: int = 3, items: int = 6, pages: int | None = None
) -> Design:
    """The study of ``table``."""
    return design_of(table(kind=kind, systems=systems, items=items, pages=pages))
