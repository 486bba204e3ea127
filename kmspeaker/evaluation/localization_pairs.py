"""Animations of dialogue localization, which three parts of the table judge (paper Table 2).

A pair is the speech of one test clip and the performance of another, cut to the same length. Both
are the corpus's, whose motion is made by rule.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from kmspeaker.errors import InputError
from kmspeaker.evaluation.context import EvaluationContext
from kmspeaker.face.rig import Weights

PAIRS = 100
"""As in the paper's Table 2."""
SECONDS = 6.0
"""Longest animation: longer than a window, so that joints between windows are judged too (ours)."""


@dataclass(frozen=True)
class LocalizationPair:
    """One pair and the model's animations of it, all equally many frames of ARKit weights."""

    name: str
    actor: str
    """Identity of the performance."""
    speech_motion: Weights
    """The corpus's motion of the speech."""
    performance: Weights
    """The motion to follow."""
    localized: Weights
    """The speech with the performance's global and temporal style, as the program localizes."""
    temporal_only: Weights
    """The speech with its own global style and the performance's temporal style."""
    matching: Weights
    """The speech with its own global and temporal style."""
    stylized: Weights
    """The speech with the performance's global style alone: the lower half of Blend."""


def make_pairs(context: EvaluationContext, pairs: int = PAIRS) -> tuple[LocalizationPair, ...]:
    """Random pairs of different test clips, the same at every call, and four animations of each.

    Raises:
        InputError: The corpus has too few test clips of actors.
    """
    clips = context.performances
    if len(clips) < 2:
        raise InputError(
            f"Got {len(clips)} performed test clips in {context.corpus.folder}; pairs need two, "
            "build a larger corpus."
        )
    return tuple(tqdm(_animated_pairs(context, pairs), desc="localization", total=pairs))


def _animated_pairs(context: EvaluationContext, pairs: int) -> Iterator[LocalizationPair]:
    rng = np.random.default_rng(0)
    clips = context.performances
    for seed in range(pairs):
        one, other = (clips[index] for index in rng.choice(len(clips), 2, replace=False))
        frames = min(one.frames, other.frames, round(SECONDS * context.fps))
        speech = context.read(one, frames)
        features, own = speech.features, speech.weights
        foreign = context.read(other, frames).weights
        yield LocalizationPair(
            name=f"{one.name} as {other.name}",
            actor=other.actor,
            speech_motion=own,
            performance=foreign,
            localized=context.animate(features, foreign, foreign, seed=seed),
            temporal_only=context.animate(features, own, foreign, seed=seed),
            matching=context.animate(features, own, own, seed=seed),
            stylized=context.animate(features, foreign, seed=seed),
        )
