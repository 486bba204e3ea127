"""The bundled examples: speech and reference performances, made by us."""

import json
from dataclasses import dataclass
from pathlib import Path

from kmspeaker.assets import ASSETS

FOLDER = ASSETS / "examples"


@dataclass(frozen=True)
class Example:
    """One pair of speech and reference with the settings that show it best."""

    name: str
    title: str
    line: str
    """The words that are spoken, or what to look at."""
    speech: Path
    reference: Path
    picture: Path
    use: str
    identity: str
    seed: int


def load_examples(folder: Path = FOLDER) -> dict[str, Example]:
    """The examples that ``scripts/build_examples.py`` made, in the order of the page."""
    listed = json.loads((folder / "examples.json").read_text())
    return {
        item["name"]: Example(
            **{
                key: folder / value if key in ("speech", "reference", "picture") else value
                for key, value in item.items()
            }
        )
        for item in listed
    }


def portrait(identity: str, folder: Path = FOLDER) -> Path:
    """A small picture of the identity."""
    return folder / "people" / f"{identity}.webp"
