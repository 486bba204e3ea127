"""A video of a run: a held-out clip beside the model's animation of its speech and upper face."""

from pathlib import Path

import numpy as np

from kmspeaker.animation.silence import settle_lips
from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.video_writer import write_video
from kmspeaker.model.network import KMSpeaker
from kmspeaker.model.sampling import generate
from kmspeaker.reference.performance import Performance
from kmspeaker.training.data import Clip

SECONDS = 4.0
SIZE = 256
FPS = 15.0


def write_preview(path: Path, model: KMSpeaker, face: FaceModel, clip: Clip) -> None:
    """Localize a clip with its own performance; on the left the clip, on the right the model.

    A corpus keeps no sound, so the video is silent.

    Raises:
        InputError: there is no OpenGL library to render with.
    """
    frames = min(len(clip), round(SECONDS * model.config.fps))
    own = Performance.from_weights(clip.weights[:frames].astype(np.float32), model.config.fps)
    weights = generate(model, face, clip.features[:frames].astype(np.float32), own, own)
    weights = settle_lips(weights, face, own.fps)
    left, right = (
        Performance.from_weights(w, own.fps).resampled(FPS).weights for w in (own.weights, weights)
    )
    identity = clip.actor if clip.actor in face.identities else face.identities[0]
    path.parent.mkdir(exist_ok=True)
    with HeadRenderer(face, identity, width=SIZE, height=SIZE) as renderer:
        pictures = (
            np.hstack([renderer.frame(weights) for weights in pair])
            for pair in zip(left, right, strict=True)
        )
        write_video(path, pictures, FPS, None)
