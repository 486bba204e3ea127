"""Small studies for the tests: their YAML as plain tables that a test changes, and as folders."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sqlalchemy import event

from kmspeaker import __version__
from kmspeaker.media.audio import Sound
from kmspeaker.media.video_writer import write_video
from kmspeaker.study.design import Design
from kmspeaker.study.design_file import parse_design
from kmspeaker.study.store import Store
from kmspeaker.study.study_folder import (
    DESIGN,
    MANIFEST,
    STIMULI,
    Manifest,
    Stimulus,
    Study,
    load_study,
    write_manifest,
)


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


def write_study(folder: Path, content: dict[str, Any], *, seconds: float = 0.5) -> Study:
    """A folder as `study build` makes it, of grey pictures and a tone."""
    design = design_of(content)
    (folder / STIMULI).mkdir(parents=True)
    (folder / DESIGN).write_text(yaml.safe_dump(content, sort_keys=False))
    rate, fps = 16_000, 20
    tone = 0.1 * np.sin(np.arange(int(seconds * rate)) * 2 * np.pi * 300 / rate)
    sound = None if design.protocol.muted else Sound(tone.astype(np.float32), rate)
    stimuli = []
    for item in (*design.items, *design.training):
        for number, condition in enumerate(design.conditions):
            file = hashlib.sha256(f"{item.name} {condition.name}".encode()).hexdigest()[:16]
            path = folder / STIMULI / f"{file}.mp4"
            grey = np.full((48, 48, 3), 40 + 30 * number, np.uint8)
            write_video(path, [grey] * round(seconds * fps), float(fps), sound)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            size = path.stat().st_size
            stimuli.append(
                Stimulus(item.name, condition.name, path.name, digest, size, seconds, {})
            )
    write_manifest(Manifest(__version__, design.digest(), tuple(stimuli)), folder / MANIFEST)
    return load_study(folder)


@contextmanager
def troubled(store: Store, pragma: str) -> Iterator[None]:
    """A store whose every connection has this pragma of SQLite's, until the end of the context.

    ``max_page_count=1`` is a full disk: no page more than there are; ``query_only=1`` one that is
    only read.
    """

    def trouble(connection: Any, *_: Any) -> None:
        connection.execute(f"PRAGMA {pragma}")

    store._engine.dispose()
    event.listen(store._engine, "connect", trouble)
    try:
        yield
    finally:
        event.remove(store._engine, "connect", trouble)
        store._engine.dispose()
