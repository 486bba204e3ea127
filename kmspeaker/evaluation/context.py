"""The model, its corpus and the clips of real people that every part of the evaluation shares.

Place in the flow: ``__main__`` makes one, the parts read motion and speech from it and let it
animate them as the program does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Float32

from kmspeaker.animation.silence import settle_lips
from kmspeaker.corpus.performances.states import STATES
from kmspeaker.corpus.store import Clip, Corpus, Motion
from kmspeaker.errors import InputError
from kmspeaker.face.rig import Weights
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.performance import Performance

Item = TypeVar("Item")
ACTED, NOISE = "acted", "noise"
"""Sources of a corpus that are no real speech: synthesised for the actors, and none at all."""


@dataclass(frozen=True)
class EvaluationContext:
    """A model and the data it is measured on."""

    pipeline: Pipeline
    corpus: Corpus
    """What the model was trained on: rivals are fitted on its train split, the model is measured on
    its test split."""
    clips: Path | None = None
    """Folder of videos of real people talking."""
    tracks: Path | None = None
    """Folder that keeps the face tracks of those videos between runs."""

    def __post_init__(self) -> None:
        """Refuse a model and a corpus that do not belong together.

        Raises:
            InputError: They differ in the speech encoder or in the frame rate.
        """
        corpus_encoder, model_encoder = self.corpus.encoder, self.pipeline.encoder.name
        if corpus_encoder != model_encoder:
            raise InputError(
                f"Got a corpus of {corpus_encoder} features and a model of {model_encoder}; "
                "evaluate a model on the corpus it was trained on."
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
        """A neutral performance of the corpus whose motion is as large as the median one's.

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
        return Performance.from_weights(ordered[len(ordered) // 2], self.fps)

    @cached_property
    def performances(self) -> tuple[Clip, ...]:
        """Test clips that an actor performs, by the corpus's rules, in one of the eight states."""
        identities = self.pipeline.face.identities
        return tuple(
            clip
            for clip in self.corpus.split("test")
            if clip.actor in identities and clip.emotion in STATES and clip.source != NOISE
        )

    @cached_property
    def actors(self) -> str:
        """Names of the actors of the test clips, and whether the model was trained on them."""
        trained = {clip.actor for clip in self.corpus.split("train")}
        names = sorted({clip.actor for clip in self.performances})
        return ", ".join(
            f"{name} (seen in training)" if name in trained else name for name in names
        )

    def read(self, clip: Clip, frames: int | None = None) -> Motion:
        """The first ``frames`` frames of a clip's motion and speech features; all where None."""
        motion = self.corpus.read(clip)
        return Motion(motion.weights[:frames], motion.features[:frames])

    def animate(
        self,
        features: Float32[np.ndarray, "frames dim"],
        style: Weights | Performance,
        temporal: Weights | None = None,
        *,
        seed: int = 0,
        settle: bool = True,
    ) -> Weights:
        """ARKit weights for speech features, as the program makes them.

        Args:
            features: Of the model's speech encoder, one row a frame.
            style: The global style's reference.
            temporal: What the upper face follows frame by frame; None for example-based generation.
            seed: Of the noise.
            settle: Whether resting lips are stilled (``animation.silence``), as
                ``Pipeline.animate`` does. False gives the network's motion alone.
        """
        if not isinstance(style, Performance):
            style = Performance.from_weights(style, self.fps)
        performance = None if temporal is None else Performance.from_weights(temporal, self.fps)
        pipeline = self.pipeline
        own = pipeline.style_of(style)
        (weights,) = pipeline.motion(features, own, performance, seeds=(seed,))
        return settle_lips(weights, pipeline.face, self.fps) if settle else weights


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """At most ``most`` items, spread over the whole list."""
    if len(items) <= most:
        return list(items)
    return [items[round(place)] for place in np.linspace(0, len(items) - 1, most)]
