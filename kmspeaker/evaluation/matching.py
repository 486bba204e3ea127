"""Matching context on real faces: one half of a clip is the style, the other's sound is spoken.

The paper's protocol (Table 1) on tracked people: the second half is known, so a take can be held
against it. Two rivals need no model: the style's mean pose held still, and the first half copied.
Whoever loses to them has nothing to say about faces. Distances in mm on our head.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from kmspeaker.errors import InputError
from kmspeaker.evaluation.bootstrap import median, significance
from kmspeaker.evaluation.expression_clips import FPS, Tracked
from kmspeaker.evaluation.expression_retrieval import cut, halves
from kmspeaker.evaluation.judge import Judge
from kmspeaker.evaluation.report import Finding, Part
from kmspeaker.face.rig import FaceModel, Weights
from kmspeaker.media.audio import SAMPLE_RATE, Sound, load_sound
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.performance import Performance

LEAST_SECONDS = 1.2
"""Of a half."""
MEASURES = ("MSE", "LVE mean", "LVE max", "MOD", "FDD")
NAMES = {
    "model": "takes in the style of the first half",
    "held": "the first half's mean pose, held",
    "copied": "the first half, copied",
}


@dataclass(frozen=True)
class Half:
    """A second half and what stands for it, all ``(frames, 52)``."""

    name: str
    real: Weights
    made: Mapping[str, Weights]
    """By key of ``NAMES``."""


def read_halves(clips: Sequence[Tracked], pipeline: Pipeline) -> list[Half]:
    """The second half of every clip with sound, and a take, a pose and a copy of the first half.

    Raises:
        InputError: No clip has sound and a face in both halves for long enough.
    """
    found: list[Half] = []
    for tracked in tqdm(clips, desc="halves", leave=False):
        parts = spoken_half(tracked)
        if parts is None:
            continue
        style, spoken, sound = parts
        (take,) = pipeline.animate(sound, style, use="stylize")
        frames = min(len(spoken), len(take))
        seen = style.weights[style.present]
        copied = np.resize(seen, (max(frames, len(seen)), seen.shape[1]))[:frames]
        held = np.repeat(seen.mean(axis=0, keepdims=True), frames, axis=0)
        found.append(
            Half(
                tracked.clip.name,
                spoken.weights[:frames],
                {"model": take.weights[:frames], "held": held, "copied": copied},
            )
        )
    if not found:
        raise InputError(
            "Got no clip with sound whose halves both show a face; give clips of people who talk, "
            f"{2 * LEAST_SECONDS:g} s or longer."
        )
    return found


def spoken_half(tracked: Tracked) -> tuple[Performance, Performance, Sound] | None:
    """The first half of a clip, the second half and its sound, at ``FPS``.

    None without sound, or where a half shows no face for long enough.
    """
    style, spoken = halves(tracked.performance.resampled(FPS))
    if min(style.present.sum(), spoken.present.sum()) < LEAST_SECONDS * FPS:
        return None
    try:
        sound = load_sound(tracked.clip.path, sample_rate=SAMPLE_RATE)
    except InputError:
        return None
    second = Sound(sound.samples[round(len(style) / FPS * SAMPLE_RATE) :], SAMPLE_RATE)
    frames = int(min(len(spoken), second.seconds * FPS))
    if frames < LEAST_SECONDS * FPS or not spoken.present[:frames].all():
        return None
    return style, cut(spoken, 0, frames), second


def part(found: Sequence[Half], face: FaceModel) -> Part:
    """The table."""
    judge = Judge.of(face, FPS)
    values = {who: [judge.errors(half.made[who], half.real) for half in found] for who in NAMES}
    findings, notes = [], []
    for measure in MEASURES:
        columns = {who: [row[measure] for row in rows] for who, rows in values.items()}
        findings += [
            Finding(f"{measure}: {NAMES[who]}", median(column), "mm")
            for who, column in columns.items()
        ]
        tests = "; ".join(
            f"against {what} {significance(columns['model'], columns[what])}"
            for what in ("held", "copied")
        )
        notes.append(f"{measure}, takes {tests}.")
    return Part(
        title="matching context on real faces",
        rule_made=False,
        on=f"{len(found)} clips, the second half from its sound and the first half's style",
        findings=tuple(findings),
        notes=tuple(notes),
        each={
            f"{measure}: {NAMES[who]}": {
                half.name: row[measure] for half, row in zip(found, rows, strict=True)
            }
            for who, rows in values.items()
            for measure in MEASURES
        },
    )
