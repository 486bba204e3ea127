"""Is an expression still read on the head?

Of a real clip, its retargeted performance, and takes of another's speech in its style, an
independent reader names the expression; accuracy is against what was acted. The share on the real
video is the ceiling. Ours; the paper asks people.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64
from tqdm import tqdm

from kmspeaker.errors import InputError
from kmspeaker.evaluation.bootstrap import Estimate, mean
from kmspeaker.evaluation.expression_clips import Takes, Tracked, drawn, spread
from kmspeaker.evaluation.expression_reader import (
    EMOTIONS,
    NEUTRAL,
    Probabilities,
    networks,
    read_expression,
    read_pictures,
)
from kmspeaker.evaluation.report import Finding, Part
from kmspeaker.face.rig import FaceModel, Weights
from kmspeaker.media.video_reader import Frame, read_frames

Stage = Literal["real", "scores", "retarget", "stylize", "localize"]
STAGES: tuple[Stage, ...] = ("real", "scores", "retarget", "stylize", "localize")
NAMES: Mapping[Stage, str] = {
    "real": "real video",
    "scores": "the tracker's scores as weights",
    "retarget": "retargeted",
    "stylize": "take, style alone",
    "localize": "take, dubbed",
}
HEADS = ("clara", "malik", "kenji")
FRAMES = 6
SIDE = 512
"""Pixels of a rendered picture."""

Readings = Float64[np.ndarray, "heads emotions"]
"""Of one clip: the mean over its frames on each head, one head for the video; NaN if unread."""


@dataclass(frozen=True)
class Read:
    """What the reader says of every clip at every stage."""

    emotions: Mapping[str, int | None]
    """By clip: what is acted."""
    stages: Mapping[Stage, Mapping[str, Readings]]
    """Rendered are clips with a label, and those that the reader calls expressive on the video."""


def read(
    clips: Sequence[Tracked],
    face: FaceModel,
    *,
    stages: Sequence[Stage] = STAGES,
    heads: Sequence[str] = HEADS,
    frames: int = FRAMES,
    takes: Takes | None = None,
) -> Read:
    """Let the reader read frames of each clip at each stage.

    Args:
        clips: Tracked; the video itself is read again for its pictures.
        face: The rig.
        stages: Some of ``STAGES``.
        heads: Whose heads are drawn.
        frames: Of each clip; averaged.
        takes: Needed for the stages that are generated.

    Raises:
        InputError: The reader's extra is not installed, a head is unknown, or what a take asks for
            is missing.
    """
    networks()
    found: dict[Stage, dict[str, Readings]] = {}
    expressive: set[str] = set()
    if "real" in stages:
        each = tqdm(clips, desc="read real", leave=False)
        found["real"] = {tracked.clip.name: _of_video(tracked, frames) for tracked in each}
        expressive = {name for name, one in found["real"].items() if _verdicts(one)[0] != NEUTRAL}
    # Of the others no figure speaks.
    played = [one for one in clips if one.clip.emotion is not None or one.clip.name in expressive]
    for stage in stages:
        if stage == "real":
            continue
        motions: list[Weights] = []
        for tracked in tqdm(played, desc=f"make {stage}", leave=False):
            if stage == "scores":  # what is done where nobody retargets
                motions.append(tracked.track.scores[tracked.seen(frames)])
            elif stage == "retarget":
                motions.append(tracked.weights_at(tracked.seen(frames)))
            else:
                assert takes is not None
                take = takes.of(tracked, stage).weights
                motions.append(take[spread(len(take), frames)])
        on_heads = [_on_head(face, head, motions, stage) for head in heads]
        found[stage] = {
            tracked.clip.name: np.stack(each)
            for tracked, each in zip(played, zip(*on_heads, strict=True), strict=True)
        }
    return Read({tracked.clip.name: tracked.clip.emotion for tracked in clips}, found)


def _of_video(tracked: Tracked, count: int) -> Readings:
    chosen = tracked.seen(count)
    landmarks = tracked.track.landmarks[chosen]
    read = [
        read_expression(picture, points)
        for picture, points in zip(frames_of(tracked, chosen), landmarks, strict=False)
    ]
    if len(read) < len(chosen):
        raise InputError(
            f"Got a face track that is longer than {tracked.clip.path.name}; it is of another "
            "video, delete it."
        )
    return np.mean(read, axis=0)[None]


def frames_of(tracked: Tracked, frames: Int64[np.ndarray, " chosen"]) -> Iterator[Frame]:
    """The pictures of these frames of the track, rising, as the tracker saw them."""
    wanted = list(tracked.track.times[frames])
    for seconds, picture in read_frames(tracked.clip.path):
        if wanted and seconds >= wanted[0] - 1e-4:
            yield picture
            wanted.pop(0)
        if not wanted:
            return


def _on_head(
    face: FaceModel, head: str, motions: Sequence[Weights], stage: Stage
) -> list[Probabilities]:
    """The mean reading of each motion on a head seen from the front."""
    readings = (
        read_pictures(drawn(face, head, np.concatenate(motions), SIDE)) if motions else iter(())
    )
    total = sum(len(motion) for motion in motions)
    bar = iter(tqdm(readings, desc=f"{stage} on {head}", total=total, leave=False))
    found = []
    for motion in motions:
        seen = [one for one in islice(bar, len(motion)) if one is not None]
        found.append(np.mean(seen, axis=0) if seen else np.full(len(EMOTIONS), np.nan))
    return found


@dataclass(frozen=True)
class Legibility:
    """Of one stage, by clips; each a mean over heads."""

    accuracy: Estimate
    """Share of labelled clips whose expression is named."""
    certainty: Estimate
    """Probability of what is acted, labelled clips."""
    agreement: Estimate
    """Share that is named as on the real video, labelled clips."""
    expressive_as_neutral: Estimate
    neutral_accuracy: Estimate
    other_agreement: Estimate
    """Share that is named as on the real video, of unlabelled clips that read expressive there."""


def legibility(read: Read, stage: Stage) -> Legibility:
    """The figures of a stage; those against the video are not measured where it was not read."""
    verdicts = {name: _verdicts(one) for name, one in read.stages[stage].items()}
    real = {name: int(_verdicts(one)[0]) for name, one in read.stages.get("real", {}).items()}
    acted = {name: label for name, label in read.emotions.items() if label is not None}
    others = [name for name in verdicts if name not in acted]

    def share(names: Sequence[str], of: Mapping[str, int]) -> Estimate:
        return mean([float(np.mean(verdicts[name] == of[name])) for name in names if name in of])

    expressive = [name for name, label in acted.items() if label != NEUTRAL]
    neutral = [name for name, label in acted.items() if label == NEUTRAL]
    return Legibility(
        accuracy=share(list(acted), acted),
        certainty=mean(list(certainties(read, stage).values())),
        agreement=share(list(acted), real),
        expressive_as_neutral=share(expressive, dict.fromkeys(expressive, NEUTRAL)),
        neutral_accuracy=share(neutral, acted),
        other_agreement=share(others, real),
    )


def certainties(read: Read, stage: Stage) -> dict[str, float]:
    """By labelled clip: the probability of what is acted, over the heads; 0 where unread."""
    return {
        name: float(np.nan_to_num(read.stages[stage][name][:, label]).mean())
        for name, label in read.emotions.items()
        if label is not None
    }


def _verdicts(readings: Readings) -> Int64[np.ndarray, " heads"]:
    """What is named on each head; -1 where no face was found."""
    unread = np.isnan(readings).any(axis=1)
    return np.where(unread, -1, np.nan_to_num(readings).argmax(axis=1))


def part(read: Read, heads: Sequence[str], frames: int) -> Part:
    """The table of all stages."""
    findings: list[Finding] = []
    for stage in read.stages:
        found, name = legibility(read, stage), NAMES[stage]
        rows = [
            ("accuracy", found.accuracy, "labelled clips"),
            ("probability of what is acted", found.certainty, "labelled clips"),
            ("expressive read as neutral", found.expressive_as_neutral, "expressive"),
            ("neutral read as neutral", found.neutral_accuracy, "neutral clips"),
        ]
        if stage != "real":
            rows += [
                ("agrees with the video's reading", found.agreement, "labelled clips"),
                ("the same, unlabelled expressive clips", found.other_agreement, "unlabelled"),
            ]
        findings += [Finding(f"{name}: {row}", figure, of=of) for row, figure, of in rows]
    return Part(
        title="expressions are read",
        rule_made=False,
        on=f"{len(read.emotions)} clips, {frames} frames each, on {', '.join(heads)}",
        findings=tuple(findings),
        notes=tuple(_by_emotion(read, stage) for stage in read.stages),
        each={stage: certainties(read, stage) for stage in read.stages},
    )


def _by_emotion(read: Read, stage: Stage) -> str:
    sure = certainties(read, stage)
    shown = []
    for index, emotion in enumerate(EMOTIONS):
        names = [name for name, label in read.emotions.items() if label == index]
        if names:
            right = np.mean([np.mean(_verdicts(read.stages[stage][n]) == index) for n in names])
            certain = np.mean([sure[name] for name in names])
            shown.append(f"{emotion} {right:.2f} / {certain:.2f} ({len(names)})")
    return f"{NAMES[stage]}, accuracy / probability (clips): {', '.join(shown) or 'no labels'}"
