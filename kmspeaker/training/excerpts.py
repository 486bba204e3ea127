"""Excerpts of a corpus for baselines: as ``data``, a pure function of seed and step.

Two windows of one clip in one held style: neighbours where the clip is long enough, else as far
apart as it allows.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int64

from kmspeaker.baselines.baseline import Baseline
from kmspeaker.baselines.excerpt import Excerpt
from kmspeaker.training.data import Clip, ClipFrames
from kmspeaker.training.held_styles import Wearer, draw_held_styles


def actor_labels(clips: Sequence[Clip]) -> Int64[np.ndarray, " clips"]:
    """Who performs each clip, counted in the order of their names."""
    names = {name: number for number, name in enumerate(sorted({clip.actor for clip in clips}))}
    return np.array([names[clip.actor] for clip in clips], np.int64)


def draw_excerpt(
    model: Baseline,
    clip_frames: ClipFrames,
    actors: Int64[np.ndarray, " clips"],
    wearer: Wearer,
    *,
    batch: int,
    seed: int,
    step: int,
) -> Excerpt:
    """A step's excerpts: all windows of all clips are equally likely to be the first.

    Args:
        model: gives the window's length, the motion space and the statistics of the speech.
        clip_frames: of the training clips, none shorter than a window.
        actors: of ``actor_labels``.
        wearer: puts the held styles on.
        batch: items.
        seed: of the run.
        step: counted from 0.
    """
    random = np.random.default_rng([seed, step])
    window, device = model.config.window_frames, clip_frames.weights.device
    places = clip_frames.lengths - window + 1
    clips = random.choice(len(places), batch, p=places / places.sum())
    # Of clips with room for two windows the first leaves that room.
    room = np.where(places[clips] > window, places[clips] - window, places[clips])
    first = random.integers(0, room)
    second = np.minimum(first + window, places[clips] - 1)
    clip_starts = (np.cumsum(clip_frames.lengths) - clip_frames.lengths)[clips]
    starts = torch.from_numpy(clip_starts[:, None] + np.stack([first, second], axis=1)).to(device)
    frames = starts[..., None] + torch.arange(window, device=device)
    held = draw_held_styles(random, batch).to(device)
    weights = clip_frames.weights[frames].float()
    # One call for both windows: liveliness is about the mean of what it sees.
    worn = wearer(weights.flatten(1, 2), held).unflatten(1, (2, window))
    speech = (clip_frames.features[frames].float() - model.speech_mean) / model.speech_scale
    return Excerpt(
        motion=model.motion.encode(worn),
        speech=speech,
        adjacent=torch.from_numpy(second == first + window).to(device),
        actor=torch.from_numpy(actors[clips]).to(device),
    )
