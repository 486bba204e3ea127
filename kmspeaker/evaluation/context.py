"""What is measured and on what: a model, its corpus, and clips of real people."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from kmspeaker.corpus.performances.states import STATES
from kmspeaker.corpus.store import Clip, Corpus, Motion
from kmspeaker.errors import InputError
from kmspeaker.face.rig import Weights
from kmspeaker.model.sampling import generate
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.performance import Performance, steady

ACTED, NOISE = "acted", "noise"
"""Sources of a corpus that are no real speech: synthesised for the actors, and none at all."""


@dataclass(frozen=True)
class Subject:
    """A model and the data it is measured on."""

    pipeline: Pipeline
    corpus: Corpus
    """What the model learnt from: rivals learn from its train split, the model is measured on its
    test split."""
    clips: Path | None = None
    """Folder of real talking people."""
    tracks: Path | None = None
    """Folder that keeps their tracks between runs."""

    def __post_init__(self) -> None:
        """Refuse a model and a corpus that do not belong together."""
        learnt, heard = self.corpus.encoder, self.pipeline.encoder.name
        if learnt != heard:
            raise InputError(
                f"Got a corpus of {learnt} features and a model of {heard}; evaluate a model on "
                "the corpus it was trained on."
            )
        if self.corpus.fps != self.pipeline.fps:
            raise InputError(
                f"Got a corpus of {self.corpus.fps:g} frames/s and a model of "
                f"{self.pipeline.fps:g}; evaluate a model on the corpus it was trained on."
            )

    @property
    def fps(self) -> float:
        """Frames of motion a second."""
        return self.corpus.fps

    @cached_property
    def neutral(self) -> Performance:
        """A neutral performance whose lips are as lively as the median neutral one's.

        Raises:
            InputError: The corpus has none.
        """
        neutral = [
            clip
            for split in ("val", "train", "test")
            for clip in self.corpus.split(split)
            if clip.emotion == "neutral" and clip.phones and clip.source != NOISE
        ][:60]
        if not neutral:
            raise InputError(f"Got no neutral clip in {self.corpus.folder}; build a larger corpus.")
        weights = [self.corpus.read(clip).weights for clip in neutral]
        ordered = sorted(weights, key=lambda motion: float(motion.std(axis=0).sum()))
        return steady(ordered[len(ordered) // 2], self.fps)

    @cached_property
    def performed(self) -> tuple[Clip, ...]:
        """Test clips that an actor performs in one of the eight states."""
        known = self.pipeline.face.identities
        return tuple(
            clip
            for clip in self.corpus.split("test")
            if clip.actor in known and clip.emotion in STATES and clip.source != NOISE
        )

    @cached_property
    def actors(self) -> str:
        """Who performs the test clips, and whether the model has seen them."""
        seen = {clip.actor for clip in self.corpus.split("train")}
        names = sorted({clip.actor for clip in self.performed})
        return ", ".join(f"{name} (seen in training)" if name in seen else name for name in names)

    def read(self, clip: Clip, frames: int | None = None) -> Motion:
        """A clip's motion and speech, or their beginning."""
        motion = self.corpus.read(clip)
        return Motion(motion.weights[:frames], motion.features[:frames])

    def say(
        self,
        features: Float32[np.ndarray, "frames dim"],
        style: Weights | Performance,
        followed: Weights | None = None,
        *,
        seed: int = 0,
    ) -> Weights:
        """What the model makes of speech, a global and, if any, a temporal style."""
        if not isinstance(style, Performance):
            style = steady(style, self.fps)
        temporal = None if followed is None else steady(followed, self.fps)
        return generate(
            self.pipeline.model, self.pipeline.face, features, style, temporal, seed=seed
        )


def evenly(clips: Sequence[Clip], most: int) -> list[Clip]:
    """At most that many, spread over the whole list."""
    if len(clips) <= most:
        return list(clips)
    return [clips[round(place)] for place in np.linspace(0, len(clips) - 1, most)]
