"""Windows of a corpus as training batches; a batch is a pure function of seed and step.

So a run that was killed goes on with exactly the batches it would have seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Int64
from torch import Tensor

from kmspeaker.corpus.store import Corpus, Split
from kmspeaker.errors import InputError
from kmspeaker.training.options import TrainingOptions


@dataclass(frozen=True)
class Clip:
    """One clip in memory, in half precision: hours of them fit."""

    name: str
    weights: Float16[np.ndarray, "frames 52"]
    features: Float16[np.ndarray, "frames d_speech"]

    def __len__(self) -> int:
        return len(self.weights)


@dataclass(frozen=True)
class Batch:
    """One step's windows, and who hears and follows whom in each pass (paper 3.2)."""

    weights: Float[Tensor, "batch frames 52"]
    """The target."""
    features: Float[Tensor, "batch frames d_speech"]
    style_weights: Float[Tensor, "batch frames 52"]
    """The window the global style is read from: the target's own or a neighbour of the clip."""
    style_present: Bool[Tensor, "batch frames"]
    temporal_present: Bool[Tensor, "batch frames"]
    """False in all frames of an item without temporal style."""
    speech_of: Int64[Tensor, "passes batch"]
    """For each pass, whose speech an item hears."""
    temporal_of: Int64[Tensor, "passes batch"]
    """For each pass, whose upper face an item follows."""
    lower: Bool[Tensor, "passes batch"]
    """For each pass, whether the lower face is supervised: where the speech is the item's own."""
    upper: Bool[Tensor, "passes batch"]
    """The same for the upper face, where the upper face followed is the item's own."""

    def to(self, device: torch.device) -> "Batch":
        """The same on another device."""
        return Batch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def read_clips(corpus: Corpus, split: Split, window: int) -> list[Clip]:
    """The clips of a split that are long enough for a window.

    Raises:
        InputError: there is none.
    """
    clips = []
    for clip in corpus.split(split):
        if clip.frames >= window:
            motion = corpus.read(clip)
            clips.append(
                Clip(
                    clip.name,
                    motion.weights.astype(np.float16),
                    motion.features.astype(np.float16),
                )
            )
    if not clips:
        raise InputError(
            f"Got a corpus without a {split!r} clip of at least {window} frames; build a larger "
            "one."
        )
    return clips


def draw_batch(clips: Sequence[Clip], options: TrainingOptions, window: int, step: int) -> Batch:
    """The batch of a step: random windows, every frame of the corpus about equally likely."""
    random = np.random.default_rng([options.seed, step])
    places = np.array([len(clip) - window + 1 for clip in clips])
    chosen = random.choice(len(clips), options.batch, p=places / places.sum())
    starts = random.integers(0, places[chosen])
    style_starts = _style_starts(random, starts, places[chosen], window, options.neighbour_style)

    def cut(part: str, firsts: np.ndarray) -> Tensor:
        rows = [
            getattr(clips[clip], part)[first : first + window]
            for clip, first in zip(chosen, firsts, strict=True)
        ]
        return torch.from_numpy(np.stack(rows).astype(np.float32))

    with_temporal = random.random(options.batch) >= options.temporal_dropout
    temporal_present = _with_gaps(random, options.batch, window, options.span_dropout)
    speech_of, temporal_of, lower, upper = _passes(random, options)
    return Batch(
        weights=cut("weights", starts),
        features=cut("features", starts),
        style_weights=cut("weights", style_starts),
        style_present=torch.from_numpy(
            _with_gaps(random, options.batch, window, options.span_dropout)
        ),
        temporal_present=torch.from_numpy(temporal_present & with_temporal[:, None]),
        speech_of=torch.from_numpy(speech_of),
        temporal_of=torch.from_numpy(temporal_of),
        lower=torch.from_numpy(lower),
        upper=torch.from_numpy(upper),
    )


def _style_starts(
    random: np.random.Generator,
    starts: Int64[np.ndarray, " batch"],
    places: Int64[np.ndarray, " batch"],
    window: int,
    share: float,
) -> Int64[np.ndarray, " batch"]:
    """Each window's own start or, for a share, that of the window before or after it."""
    after = starts + window < places
    before = starts >= window
    # Where the clip has room on both sides, either; where on none, as far away as it has room.
    later = np.where(after & before, random.random(len(starts)) < 0.5, after | ~before)
    neighbour = np.clip(np.where(later, starts + window, starts - window), 0, places - 1)
    return np.where(random.random(len(starts)) < share, neighbour, starts)


def _with_gaps(
    random: np.random.Generator, batch: int, window: int, share: float
) -> Bool[np.ndarray, "batch frames"]:
    """Presence of frames, with one span of up to half a window missing from a share of items."""
    length = np.where(random.random(batch) < share, random.integers(1, window // 2 + 1, batch), 0)
    first = random.integers(0, window - length + 1)
    frame = np.arange(window)
    return ~((frame >= first[:, None]) & (frame < (first + length)[:, None]))


def _passes(
    random: np.random.Generator, options: TrainingOptions
) -> tuple[
    Int64[np.ndarray, "passes batch"],
    Int64[np.ndarray, "passes batch"],
    Bool[np.ndarray, "passes batch"],
    Bool[np.ndarray, "passes batch"],
]:
    """Whose speech, whose upper face, and which halves are supervised, for each pass and item."""
    own = np.arange(options.batch)
    if options.passes == "both":
        swap_temporal = np.repeat([[True], [False]], options.batch, axis=1)
    else:
        swap_temporal = random.random((1, options.batch)) < 0.5
    matched = random.random(options.batch) < options.matched_share
    # One cyclic shift for all items never pairs an item with itself.
    other_speech, other_temporal = (own + random.integers(1, options.batch, (2, 1))) % options.batch
    speech_of = np.where(swap_temporal | matched, own, other_speech)
    temporal_of = np.where(swap_temporal & ~matched, other_temporal, own)
    return speech_of, temporal_of, swap_temporal | matched, ~swap_temporal | matched
