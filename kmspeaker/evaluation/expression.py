"""What of a real expression survives tracking, retargeting and the model (ours).

Three measures, each of which can be asked for alone: whether a reader of faces still reads it
(``expression_legibility``), whether the tracker's scores come back from the head
(``expression_round_trip``), and whether a performance is found again among others
(``expression_retrieval``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kmspeaker.errors import InputError
from kmspeaker.evaluation import expression_legibility, expression_round_trip
from kmspeaker.evaluation.expression_clips import Clip, Takes, track_clips
from kmspeaker.evaluation.expression_legibility import FRAMES, HEADS, STAGES, Stage
from kmspeaker.evaluation.expression_reader import networks
from kmspeaker.evaluation.report import Part
from kmspeaker.face.rig import FaceModel

MEASURES = ("reader", "roundtrip")


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
    if "reader" in only:
        read = expression_legibility.read(
            tracked, face, stages=stages, heads=heads, frames=frames, takes=takes
        )
        parts["reader"] = with_dropped(expression_legibility.part(read, heads, frames), dropped)
        on_part("reader", parts["reader"])
    if "roundtrip" in only:
        part = expression_round_trip.part(
            expression_round_trip.round_trips(tracked, face),
            expression_round_trip.lips_kept(tracked, face),
            expression_round_trip.resting_weights(tracked),
        )
        parts["roundtrip"] = with_dropped(part, dropped)
        on_part("roundtrip", parts["roundtrip"])
    return parts


def with_dropped(part: Part, dropped: Mapping[str, str]) -> Part:
    """The part with a note for each clip that could not be used."""
    notes = (f"Not used: {name} ({reason})" for name, reason in dropped.items())
    return replace(part, notes=(*part.notes, *notes))
