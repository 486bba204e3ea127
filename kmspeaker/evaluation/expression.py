"""What of a real expression survives tracking, retargeting and the model (ours).

Three measures, each of which can be asked for alone: whether a reader of faces still reads it
(``expression_legibility``), whether the tracker's scores come back from the head
(``expression_round_trip``), and whether a performance is found again among others
(``expression_retrieval``).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from kmspeaker.errors import InputError
from kmspeaker.evaluation import expression_legibility, expression_retrieval, expression_round_trip
from kmspeaker.evaluation.expression_clips import Clip, Takes, Tracked, track_clips
from kmspeaker.evaluation.expression_legibility import FRAMES, HEADS, NAMES, STAGES, Stage
from kmspeaker.evaluation.expression_reader import networks
from kmspeaker.evaluation.report import Part
from kmspeaker.face.rig import FaceModel
from kmspeaker.reference.performance import Performance

MEASURES = ("reader", "roundtrip", "retrieval")


def measure(
    clips: Sequence[Clip],
    face: FaceModel,
    *,
    tracks: Path | None = None,
    only: Sequence[str] = MEASURES,
    stages: Sequence[Stage] = STAGES,
    heads: Sequence[str] = HEADS,
    frames: int = FRAMES,
    takes: Takes | None = None,
    on_part: Callable[[str, Part], None] = lambda name, part: None,
) -> dict[str, Part]:
    """Some of ``MEASURES``.

    Args:
        clips: Videos of real people.
        face: The rig.
        tracks: Folder that keeps their tracks between runs.
        only: Some of ``MEASURES``.
        stages: Of the reader, and what is looked for among the clips.
        heads: Whose heads the reader sees.
        frames: That the reader sees of a clip.
        takes: Needed for the stages that are generated.
        on_part: Told each part as soon as it is measured.

    Raises:
        InputError: An unknown measure, stage or head, no clip of use, or the reader's extra is not
            installed.
    """
    for wanted, known, what in ((only, MEASURES, "measure"), (stages, STAGES, "stage")):
        for name in wanted:
            if name not in known:
                raise InputError(f"Got the {what} {name!r}; use some of {','.join(known)}.")
    if frames < 1 or not heads:
        raise InputError("Got no frames or no heads for the reader; give one or more of each.")
    for head in heads:
        face.neutral(head)
    if "reader" in only:
        networks()  # a missing extra is said before minutes of tracking
    tracked, dropped = track_clips(clips, face, tracks)
    parts: dict[str, Part] = {}

    def done(name: str, part: Part) -> None:
        notes = (f"Not used: {clip} ({reason})" for clip, reason in dropped.items())
        parts[name] = replace(part, notes=(*part.notes, *notes))
        on_part(name, parts[name])

    if "reader" in only:
        read = expression_legibility.read(
            tracked, face, stages=stages, heads=heads, frames=frames, takes=takes
        )
        done("reader", expression_legibility.part(read, heads, frames))
    if "roundtrip" in only:
        part = expression_round_trip.part(
            expression_round_trip.round_trips(tracked, face),
            expression_round_trip.lips_kept(tracked, face),
            expression_round_trip.resting_weights(tracked),
        )
        done("roundtrip", part)
    if "retrieval" in only:
        made = made_in_style(tracked, stages, takes)
        done("retrieval", expression_retrieval.part(tracked, made, face))
    return parts


def made_in_style(
    clips: Sequence[Tracked], stages: Sequence[Stage], takes: Takes | None
) -> dict[str, dict[str, Performance]]:
    """By the name of each stage that is generated: by clip, the take."""
    made: dict[str, dict[str, Performance]] = {}
    for stage in stages:
        if stage in ("stylize", "localize"):
            assert takes is not None
            bar = tqdm(expression_retrieval.split(clips)[0], desc=f"make {stage}", leave=False)
            made[NAMES[stage]] = {one.clip.name: takes.of(one, stage) for one in bar}
    return made
