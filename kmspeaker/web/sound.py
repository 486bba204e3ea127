"""A take's speech for the browser: Opus in WebM, far smaller than a WAV file."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from kmspeaker.media.audio import Sound

BIT_RATE = 56_000
"""Bits a second; speech in mono sounds as the recording does."""
OPUS_RATE = 48_000
_CHUNK = 48_000


def write_opus(path: Path, sound: Sound) -> None:
    """Write the sound so that it plays in step with the motion: players skip the codec's delay."""
    samples = np.clip(sound.resampled(OPUS_RATE).samples, -1, 1)
    with av.open(f"file:{path}", "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=OPUS_RATE)
        assert isinstance(stream, AudioStream)
        stream.bit_rate = BIT_RATE
        stream.layout = "mono"
        for start in range(0, len(samples), _CHUNK):
            chunk = samples[None, start : start + _CHUNK]
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(chunk), "flt", "mono")
            frame.sample_rate = OPUS_RATE
            frame.pts, frame.time_base = start, Fraction(1, OPUS_RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
