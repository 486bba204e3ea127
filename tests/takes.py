"""A take that moves everything, for the tests of what is made of takes."""

from dataclasses import replace

import numpy as np

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.audio import Sound

FPS = 30.0


def moving_take(face: FaceModel, frames: int = 60) -> FaceAnimation:
    """Up to two seconds in which every shape moves, with a tone."""
    rng = np.random.default_rng(0)
    time = np.arange(60)[:, None] / FPS
    swing = np.sin(2 * np.pi * (rng.uniform(0.5, 4, 52) * time + rng.uniform(0, 1, 52)))
    samples = round(frames / FPS * 48_000)
    return FaceAnimation(
        weights=np.clip(0.4 * swing, 0, 1).astype(np.float32)[:frames],
        fps=FPS,
        identity=face.identities[3],
        use="stylize",
        sound=Sound((0.3 * np.sin(np.arange(samples) * 0.05)).astype(np.float32), 48_000),
        model="small@1a2b3c4d",
        seed=7,
        steps=8,
    )


def turning(animation: FaceAnimation) -> FaceAnimation:
    """The same with a head that turns."""
    time = np.arange(len(animation))[:, None] / animation.fps
    return replace(animation, head=(0.3 * np.sin(time * [3.0, 2.0, 1.0])).astype(np.float32))
