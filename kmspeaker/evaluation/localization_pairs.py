"""Takes of dialogue localization, which three parts of the table judge (paper 1.11, Table 2).

A dub has the speech of one test clip and the performance of another, of equal length.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from kmspeaker.errors import InputError
from kmspeaker.evaluation.context import Subject
from kmspeaker.face.rig import Weights

PAIRS = 100
SECONDS = 6.0
"""Longest take: a window and a half, so that joints between windows are judged too."""


@dataclass(frozen=True)
class Dub:
    """One pair and what the model makes of it; all are equally long."""

    name: str
    actor: str
    """Who performs."""
    spoken: Weights
    """The speech's own motion."""
    performed: Weights
    """The performance to follow."""
    localized: Weights
    """The speech, following the performance in style and frame by frame, as the program does."""
    followed: Weights
    """The speech in its own style, following the performance frame by frame alone."""
    matching: Weights
    """The speech, following its own performance."""
    styled: Weights
    """The speech in the performance's style alone: the lower half of Blend."""


def make_dubs(subject: Subject, pairs: int = PAIRS) -> tuple[Dub, ...]:
    """Random pairs of different test clips, and four takes of each.

    Raises:
        InputError: The corpus has too few performed test clips.
    """
    clips = subject.performed
    if len(clips) < 2:
        raise InputError(
            f"Got {len(clips)} performed test clips in {subject.corpus.folder}; pairs need two, "
            "build a larger corpus."
        )
    return tuple(tqdm(_dubs(subject, pairs), desc="dubs", total=pairs))


def _dubs(subject: Subject, pairs: int) -> Iterator[Dub]:
    rng = np.random.default_rng(0)
    for seed in range(pairs):
        one, other = (
            subject.performed[index]
            for index in rng.choice(len(subject.performed), 2, replace=False)
        )
        frames = min(one.frames, other.frames, round(SECONDS * subject.fps))
        speech, performance = subject.read(one, frames), subject.read(other, frames)
        heard, own, foreign = speech.features, speech.weights, performance.weights
        yield Dub(
            name=f"{one.name} as {other.name}",
            actor=other.actor,
            spoken=own,
            performed=foreign,
            localized=subject.say(heard, foreign, foreign, seed=seed),
            followed=subject.say(heard, own, foreign, seed=seed),
            matching=subject.say(heard, own, own, seed=seed),
            styled=subject.say(heard, foreign, seed=seed),
        )
