"""The rendered head as a video with its sound."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from kmspeaker.animation import FaceAnimation
from kmspeaker.export.provenance import provenance
from kmspeaker.export.render import HeadRenderer
from kmspeaker.face import FaceModel
from kmspeaker.performance import Progress
from kmspeaker.video import write_video


def write_mp4(
    animation: FaceAnimation,
    face: FaceModel,
    path: Path,
    *,
    size: int = 720,
    progress: Progress | None = None,
) -> None:
    """Render every frame, ``size`` pixels square, and write it with the sound.

    Raises:
        InputError: There is no OpenGL library to render with.
    """
    with HeadRenderer(face, animation.identity, width=size, height=size) as renderer:
        write_video(
            path,
            _frames(animation, renderer, progress),
            animation.fps,
            animation.sound,
            comment=json.dumps(provenance(animation)),
        )


def _frames(
    animation: FaceAnimation, renderer: HeadRenderer, progress: Progress | None
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    for frame, weights in enumerate(animation.weights):
        yield renderer.frame(weights, None if animation.head is None else animation.head[frame])
        if progress is not None:
            progress((frame + 1) / len(animation))
