"""Excerpts of a motion that any baseline can learn, and its forms of errors."""

import numpy as np
import torch

from kmspeaker.baselines.baseline import BaselineConfig
from kmspeaker.baselines.excerpt import Excerpt, Grams
from kmspeaker.face.rig import FaceModel
from kmspeaker.model.motion_space import MotionSpace, rig_fingerprint


def motion_space(face: FaceModel, seed: int = 0) -> MotionSpace:
    """Of random performances."""
    weights = np.random.default_rng(seed).random((400, 52)).astype(np.float32) ** 3
    return MotionSpace.fit(weights, face.gram(), 0.999)


def sized(face: FaceModel, space: MotionSpace) -> dict[str, object]:
    """Settings of a small network on a face."""
    return {
        **{"d_model": 32, "layers": 1, "heads": 2, "feed_forward": 32, "d_style": 16},
        **{"window_frames": 24, "previous_frames": 4, "d_speech": 12, "actors": 3},
        **{"n_coeffs": space.n_coeffs, "rig": rig_fingerprint(face, "ours")},
    }


def excerpt(config: BaselineConfig, batch: int = 4, seed: int = 0) -> Excerpt:
    """Smooth motion that follows from the speech, so that there is something to learn."""
    generator = torch.Generator().manual_seed(seed)
    frames = config.window_frames
    speech = torch.randn(batch, 2, frames, config.d_speech, generator=generator)
    speech = speech.cumsum(2) / frames**0.5
    map_generator = torch.Generator().manual_seed(1)
    says = torch.randn(config.d_speech, config.n_coeffs, generator=map_generator)
    motion = speech @ says / config.d_speech**0.5
    adjacent = torch.arange(batch) % 2 == 0
    actor = torch.arange(batch) % config.actors
    return Excerpt(motion, speech, adjacent, actor)


def grams(face: FaceModel, space: MotionSpace) -> Grams:
    """Forms of errors on the face."""
    return Grams.of(face, space)
