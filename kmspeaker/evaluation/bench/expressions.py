"""What of a real expression survives in each system: measures A, C and D, and their ceilings.

Place in the flow: the protocol ``expression`` of ``run``; the measures are those of
``kmspeaker evaluate expression``.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from kmspeaker import __version__
from kmspeaker.evaluation import expression, kept_style
from kmspeaker.evaluation.bench.results import read_json, write_json
from kmspeaker.evaluation.bench.tables import estimate_words
from kmspeaker.evaluation.bootstrap import Estimate
from kmspeaker.evaluation.expression_clips import Clip, Takes, track_clips
from kmspeaker.evaluation.table import Table
from kmspeaker.examples import load_examples
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.audio import load_sound
from kmspeaker.pipeline import Pipeline

MEASURES = ("reader", "retrieval", "style")
"""Legibility and retrieval, and how much of a style is kept (slopes)."""
Figures = Mapping[str, Estimate]


def measure(
    name: str,
    version: str,
    clips: Sequence[Clip],
    face: FaceModel,
    tracks: Path | None,
    cache: Path,
) -> Figures:
    """The figures of one system, kept between runs.

    Args:
        name: As ``Pipeline.load`` takes it.
        version: Name and hash of its weights.
        clips: Of people who act.
        face: The rig.
        tracks: Folder that keeps their tracks.
        cache: Folder of results.

    Raises:
        InputError: The reader's extra is not installed, or no clip is of use.
    """
    sizes = [[clip.path.name, clip.path.stat().st_size] for clip in clips]
    recipe = json.dumps([version, sizes, MEASURES, __version__])
    path = cache / f"expression-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}.json"
    kept = read_json(path)
    if kept is None:
        pipeline = Pipeline.load(name, device="cpu")
        sound = load_sound(load_examples()["delighted"].speech)
        parts = expression.measure(
            clips,
            face,
            tracks=tracks,
            only=MEASURES[:-1],
            takes=Takes(lambda: pipeline, sound),
        )
        tracked, _ = track_clips(clips, face, tracks)
        references = [(one.clip.name, one.performance) for one in tracked]
        kept_of_style = kept_style.make_kept(references, pipeline, sound)
        parts["style"] = kept_style.part(kept_of_style, face, f"{len(tracked)} clips")
        kept = {
            f"{part}: {finding.figure}": vars(finding.estimate)
            for part, own in parts.items()
            for finding in own.findings
        }
        write_json(kept, path)
    return {figure: Estimate(**estimate) for figure, estimate in kept.items()}


def table_of(figures: Mapping[str, Figures], clips: int) -> Table:
    """A row for each figure, a column for each system."""
    names = list(dict.fromkeys(figure for own in figures.values() for figure in own))
    rows = tuple(
        (name, *(estimate_words(own[name]) if name in own else "-" for own in figures.values()))
        for name in names
    )
    return Table(
        "expression",
        "What of a real expression survives",
        ("figure", *figures),
        rows,
        f"{clips} clips of people; 95 % bootstrap intervals over clips. Rows of real faces and of "
        "performances are ceilings: no system has a part in them.",
    )
