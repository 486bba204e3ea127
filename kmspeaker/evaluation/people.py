"""How a model moves beside real people: their lips, their other half, their style (ours).

Three measures, each of which can be asked for alone: lips by band, in pauses and at closures
(``talk``), the second half of a clip from its first (``matching``), and how much of a style takes
keep (``kept_style``), of tracked people and of recordings of ARKit weights.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kmspeaker.animation.silence import settle_lips
from kmspeaker.errors import InputError
from kmspeaker.evaluation import kept_style, matching, talk
from kmspeaker.evaluation.expression_clips import FPS, Clip, track_clips
from kmspeaker.evaluation.report import Part
from kmspeaker.media.audio import Sound
from kmspeaker.pipeline import Pipeline

MEASURES = ("talk", "matching", "style")


def measure(
    pipeline: Pipeline,
    clips: Sequence[Clip],
    speech: Sound,
    *,
    recordings: Sequence[Path] = (),
    others: Sequence[Clip] = (),
    tracks: Path | None = None,
    only: Sequence[str] = MEASURES,
    on_part: Callable[[str, Part], None] = lambda name, part: None,
) -> dict[str, Part]:
    """Some of ``MEASURES``.

    Args:
        pipeline: The model.
        clips: Videos of people it was not trained on.
        speech: What takes say in other people's style.
        recordings: Folders of Live Link Face files, other references for the style.
        others: Videos of other people's talk, on which the ridge regression is fitted.
        tracks: Folder that keeps face tracks between runs.
        only: Some of ``MEASURES``.
        on_part: Told each part as soon as it is measured.

    Raises:
        InputError: An unknown measure, or no clip of use.
    """
    for name in only:
        if name not in MEASURES:
            raise InputError(f"Got the measure {name!r}; use some of {','.join(MEASURES)}.")
    face, encoder = pipeline.face, pipeline.encoder
    tracked, dropped = track_clips(clips, face, tracks)
    parts: dict[str, Part] = {}

    def done(name: str, part: Part) -> None:
        notes = (f"Not used: {clip} ({reason})" for clip, reason in dropped.items())
        parts[name] = replace(part, notes=(*part.notes, *notes))
        on_part(name, parts[name])

    def animate(features: np.ndarray) -> np.ndarray:
        """The lips of a take in the model's mean style, still where they rest as in the program."""
        style = pipeline.model.style_mean[None]
        (weights,) = pipeline.motion(features, style)
        return settle_lips(weights, face, FPS).astype(np.float64) @ face.lip_opening

    if "talk" in only:
        talkers, silent = talk.read_talkers(tracked, face, encoder)
        ridge = None
        if others:
            known, _ = talk.read_talkers(track_clips(others, face, tracks)[0], face, encoder)
            ridge = talk.fit_talk_ridge(known)
        part = talk.part(talkers, animate, ridge)
        left_out = [f"Not used: {name} ({reason})" for name, reason in silent.items()]
        done("talk", replace(part, notes=(*part.notes, *left_out)))
    if "matching" in only:
        done("matching", matching.part(matching.read_halves(tracked, pipeline), face))
    if "style" in only:
        references = [(one.clip.name, one.performance) for one in tracked]
        kept = kept_style.make_kept(references, pipeline, speech)
        done("style", kept_style.part(kept, face, f"{len(kept)} tracked clips"))
        if recordings:
            pieces = kept_style.read_recordings(recordings)
            kept = kept_style.make_kept(pieces, pipeline, speech)
            on = f"{len(kept)} pieces of recorded ARKit weights, no tracker between"
            done("style of recordings", kept_style.part(kept, face, on))
    return parts
