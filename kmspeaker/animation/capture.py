"""Face capture: a performance as it is, with its own sound, as an animation that can be exported.

Place in the flow: ``reference`` -> here -> ``export``; no model has a part in it.
"""

from contextlib import suppress
from pathlib import Path

import numpy as np

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.animation.editing import head_motion
from kmspeaker.errors import InputError
from kmspeaker.limits import MAX_SECONDS
from kmspeaker.media.audio import Sound, load_sound
from kmspeaker.media.video_reader import probe_video
from kmspeaker.reference.load import kind_of
from kmspeaker.reference.performance import Performance

SILENCE_RATE = 48_000
"""Hz, of the silence where there is no sound."""


def captured(performance: Performance, sound: Sound | None, identity: str) -> FaceAnimation:
    """The performance on a head, head motion included.

    Args:
        performance: What was captured.
        sound: What was heard with it, from its first frame on; it is cut or filled with silence to
            the performance's length. Silence where None.
        identity: Whose head.
    """
    rate = SILENCE_RATE if sound is None else sound.sample_rate
    samples = np.zeros(round(performance.seconds * rate), np.float32)
    if sound is not None:
        heard = sound.samples[: len(samples)]
        samples[: len(heard)] = heard
    return FaceAnimation(
        weights=performance.weights,
        fps=performance.fps,
        identity=identity,
        use="capture",
        sound=Sound(samples, rate),
        model="",
        seed=0,
        steps=0,
        head=head_motion(performance),
    )


def own_sound(source: Path) -> Sound | None:
    """A video's own sound; None of a track, a CSV, or a video without sound that can be read."""
    with suppress(InputError):  # the picture is what matters here
        if kind_of(source) == "video" and probe_video(source).has_sound:
            return load_sound(source, min_seconds=0.0, max_seconds=2 * MAX_SECONDS)
    return None
