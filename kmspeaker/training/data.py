"""Windows of a corpus as training batches; a batch is a pure function of seed and step.

So a run that was killed goes on with exactly the batches it would have had, and many processes
share a batch: each draws all of it, as numbers of windows, and cuts its own part out of the frames.
These lie in one piece of memory on the device that trains, so cutting is one look-up. The swaps are
the paper's (Sec. 3.2, 3.3); how windows are drawn is ours, the paper does not say.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Int64
from torch import Tensor

from kmspeaker.corpus.lips.contacts import contact_envelopes
from kmspeaker.corpus.store import Corpus, Split
from kmspeaker.errors import InputError
from kmspeaker.model.network import ModelConfig
from kmspeaker.training.held_styles import HeldStyle, Wearer, draw_held_styles
from kmspeaker.training.options import TrainingOptions


@dataclass(frozen=True)
class Clip:
    """One clip in memory, in half precision."""

    name: str
    actor: str
    weights: Float16[np.ndarray, "frames 52"]
    features: Float16[np.ndarray, "frames d_speech"]
    made_lips: bool = False
    """Whether its lips were made by rule."""
    talk: bool = False
    """Whether it is natural talk: captured lips of which no text is known."""
    contacts: Float16[np.ndarray, "frames 2"] | None = None
    """When its lips must touch each other and the teeth; None where phones are not known."""

    def __len__(self) -> int:
        return len(self.weights)


@dataclass(frozen=True)
class ClipFrames:
    """The frames of all clips, one clip after the other, two bytes a number."""

    weights: Float16[Tensor, "frames 52"]
    features: Float16[Tensor, "frames d_speech"]
    made_lips: Bool[Tensor, " frames"]
    """Where lips were made by rule."""
    lengths: Int64[np.ndarray, " clips"]
    """Frames of each clip."""

    @classmethod
    def of(cls, clips: Sequence[Clip], device: torch.device) -> "ClipFrames":
        """The frames of ``clips`` on a device."""
        weights, features = (
            torch.from_numpy(np.concatenate([getattr(clip, part) for clip in clips])).to(device)
            for part in ("weights", "features")
        )
        lengths = np.array([len(clip) for clip in clips])
        made_lips = torch.from_numpy(np.repeat([clip.made_lips for clip in clips], lengths))
        return cls(weights, features, made_lips.to(device), lengths)

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with any frame."""
        digest = hashlib.sha256(self.lengths.astype(np.int64).tobytes())
        for frames in (self.weights, self.features, self.made_lips):
            digest.update(frames.cpu().numpy().data)
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Draw:
    """The random choices of a step, by item; a window is the number of its first frame."""

    target: Int64[Tensor, " batch"]
    style: Int64[Tensor, " batch"]
    """The window the global style is read from: the target's own or a neighbour of the clip."""
    speech: Int64[Tensor, "batch passes"]
    """For each pass, the window of an item's speech (paper Sec. 3.2)."""
    temporal: Int64[Tensor, "batch passes"]
    """For each pass, the window of an item's temporal style."""
    lower: Bool[Tensor, "batch passes"]
    """For each pass, whether the lower face is supervised: where the speech is the target's."""
    upper: Bool[Tensor, "batch passes"]
    """The same for the upper face: where the temporal style is the target's."""
    style_present: Bool[Tensor, "batch frames"]
    """Frames of the global style's window that show a face."""
    temporal_present: Bool[Tensor, "batch frames"]
    """The same of the temporal style's; False in all frames of an item without it (Sec. 3.3)."""
    noise: Float[Tensor, "batch frames coeffs"]
    """``x_0``."""
    time: Float[Tensor, " batch"]
    """``t``, uniform to the power ``time_power``."""
    style_noise: Float[Tensor, "batch d_model"]
    """Standard normal, to sample the global style with."""
    held: HeldStyle
    """Put on each item's target and on its style's window."""
    temporal_held: HeldStyle
    """For each pass, put on the window of the temporal style: that of the item whose it is."""

    def part(self, number: int, parts: int) -> "Draw":
        """One of ``parts`` equal parts of the items, counted from 0."""
        items = len(self.target) // parts
        own = slice(number * items, (number + 1) * items)
        return Draw(**{f.name: getattr(self, f.name)[own] for f in fields(self)})


@dataclass(frozen=True)
class Batch:
    """Some of a step's items as the network takes them, on the device that trains.

    A window of speech that several items share is there once.
    """

    weights: Float[Tensor, "batch frames 52"]
    """The target."""
    made_lips: Bool[Tensor, " batch"]
    """Whether the target's lips were made by rule."""
    style_weights: Float[Tensor, "batch frames 52"]
    features: Float[Tensor, "speech_windows frames d_speech"]
    speech_rows: Int64[Tensor, "passes batch"]
    """For each pass, the row of ``features`` that is an item's speech."""
    temporal_weights: Float[Tensor, "passes_batch frames 52"]
    """For each pass and item, pass after pass, its temporal style's window."""
    lower: Bool[Tensor, "passes batch"]
    upper: Bool[Tensor, "passes batch"]
    style_present: Bool[Tensor, "batch frames"]
    temporal_present: Bool[Tensor, "batch frames"]
    noise: Float[Tensor, "batch frames coeffs"]
    time: Float[Tensor, " batch"]
    style_noise: Float[Tensor, "batch d_model"]
    held: HeldStyle
    temporal_held: HeldStyle

    def worn(self, wearer: Wearer) -> "Batch":
        """The batch whose motion, told and asked for, is in the held styles."""
        return replace(
            self,
            weights=wearer(self.weights, self.held),
            style_weights=wearer(self.style_weights, self.held),
            temporal_weights=wearer(self.temporal_weights, self.temporal_held),
        )


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
                    clip.actor,
                    motion.weights.astype(np.float16),
                    motion.features.astype(np.float16),
                    clip.lips == "made",
                    clip.lips == "captured" and not clip.phones,
                    contact_envelopes(clip.phones, clip.frames, corpus.fps).astype(np.float16)
                    if clip.phones
                    else None,
                )
            )
    if not clips:
        raise InputError(
            f"Got a corpus without a {split!r} clip of at least {window} frames; build a larger "
            "one."
        )
    return clips


def draw_step(
    lengths: Int64[np.ndarray, " clips"], options: TrainingOptions, config: ModelConfig, step: int
) -> Draw:
    """The items of a step: random windows, all windows of all clips equally likely.

    Args:
        lengths: frames of each clip, none below the config's window.
        options: with the seed.
        config: gives the sizes of windows and noise.
        step: counted from 0.
    """
    random = np.random.default_rng([options.seed, step])
    batch, window = options.batch, config.window_frames
    places = lengths - window + 1
    clips = random.choice(len(lengths), batch, p=places / places.sum())
    starts = random.integers(0, places[clips])
    style_starts = _style_starts(random, starts, places[clips], window, options.neighbour_style)
    clip_starts = (np.cumsum(lengths) - lengths)[clips]
    with_temporal = random.random(batch) >= options.temporal_dropout
    temporal_present = _with_gaps(random, batch, window, options.span_dropout)
    style_present = _with_gaps(random, batch, window, options.span_dropout)
    speech_items, temporal_items, lower, upper = _swaps(random, options)
    arrays = (
        clip_starts + starts,
        clip_starts + style_starts,
        (clip_starts + starts)[speech_items],
        (clip_starts + starts)[temporal_items],
        lower,
        upper,
        style_present,
        temporal_present & with_temporal[:, None],
    )
    held = draw_held_styles(random, batch)
    # Drawn on the CPU, so that it is the same for every device.
    generator = torch.Generator().manual_seed(int(random.integers(2**32)))
    return Draw(
        *(torch.from_numpy(array) for array in arrays),
        noise=torch.randn(batch, window, config.n_coeffs, generator=generator),
        time=torch.rand(batch, generator=generator) ** options.time_power,
        style_noise=torch.randn(batch, config.d_model, generator=generator),
        held=held,
        temporal_held=held[torch.from_numpy(temporal_items)],
    )


def cut(clip_frames: ClipFrames, draw: Draw) -> Batch:
    """The batch of a draw, on the device of ``clip_frames``."""
    device = clip_frames.weights.device
    frame = torch.arange(draw.noise.shape[1], device=device)

    def windows(part: Tensor, firsts: Tensor) -> Tensor:
        return part[firsts.to(device)[:, None] + frame].float()

    speech, speech_rows = torch.unique(draw.speech.T, return_inverse=True)
    return Batch(
        weights=windows(clip_frames.weights, draw.target),
        made_lips=clip_frames.made_lips[draw.target.to(device)],
        style_weights=windows(clip_frames.weights, draw.style),
        features=windows(clip_frames.features, speech),
        speech_rows=speech_rows.to(device),
        temporal_weights=windows(clip_frames.weights, draw.temporal.T.flatten()),
        lower=draw.lower.T.to(device),
        upper=draw.upper.T.to(device),
        style_present=draw.style_present.to(device),
        temporal_present=draw.temporal_present.to(device),
        noise=draw.noise.to(device),
        time=draw.time.to(device),
        style_noise=draw.style_noise.to(device),
        held=draw.held.to(device),
        temporal_held=draw.temporal_held.passes_first().to(device),
    )


def _style_starts(
    random: np.random.Generator,
    starts: Int64[np.ndarray, " batch"],
    places: Int64[np.ndarray, " batch"],
    window: int,
    share: float,
) -> Int64[np.ndarray, " batch"]:
    """Each window's own start or, for a share of them, that of the window before or after it."""
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


def _swaps(
    random: np.random.Generator, options: TrainingOptions
) -> tuple[
    Int64[np.ndarray, "batch passes"],
    Int64[np.ndarray, "batch passes"],
    Bool[np.ndarray, "batch passes"],
    Bool[np.ndarray, "batch passes"],
]:
    """The swaps of paper Sec. 3.2.

    Returns:
        For each item and pass, the item whose speech and the item whose temporal style it has, and
        whether its lower and its upper face are supervised: where what they follow is its own.
    """
    own = np.arange(options.batch)[:, None]
    if options.passes == "own":
        both = np.ones((options.batch, 1), bool)
        return own, own, both, both
    if options.passes == "both":
        swap_temporal = np.repeat([[True, False]], options.batch, axis=0)
    else:
        swap_temporal = random.random((options.batch, 1)) < 0.5
    # One cyclic shift for all items never pairs an item with itself.
    other_speech, other_temporal = (
        (own + shift) % options.batch for shift in random.integers(1, options.batch, 2)
    )
    speech_items = np.where(swap_temporal, own, other_speech)
    temporal_items = np.where(swap_temporal, other_temporal, own)
    return speech_items, temporal_items, swap_temporal, ~swap_temporal
