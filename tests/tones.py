"""Tones in files of any kind, for the tests of sound."""

import struct
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream

SECONDS = 1.0
FREQUENCY = 440.0


def sine(rate: int, seconds: float = SECONDS, frequency: float = FREQUENCY) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)


def write(
    path: Path,
    channels: Iterable[np.ndarray],
    rate: int,
    codec: str,
    layout: str,
    format: str,
) -> Path:
    """Encode float channels with any codec; the container goes by the name."""
    data = np.stack(list(channels)).astype(np.float32)
    with av.open(path, "w") as out:
        stream = out.add_stream(codec, rate=rate, layout=layout, format=format)
        assert isinstance(stream, AudioStream)
        resampler = av.AudioResampler(format, layout, rate, frame_size=stream.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(data, "fltp", layout)
        frame.sample_rate = rate
        frame.pts = 0
        frame.time_base = Fraction(1, rate)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return path


def wav_of(pcm: bytes, riff: int | None = None, data: int | None = None, **fields: int) -> bytes:
    """A WAV file as any program might write it, with the lengths that its header states."""
    tag, rate, width = (
        fields.get(name, usual) for name, usual in (("tag", 1), ("rate", 16_000), ("width", 2))
    )
    return (
        struct.pack("<4sI4s", b"RIFF", 36 + len(pcm) if riff is None else riff, b"WAVE")
        + struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, 1, rate, rate * width, width, 8 * width)
        + struct.pack("<4sI", b"data", len(pcm) if data is None else data)
        + pcm
    )


def stamped(path: Path, samples: np.ndarray, rate: int, times: Iterable[float]) -> Path:
    """Sound in packets of 20 ms, with the time stamps of a recorder, to the millisecond."""
    size = rate // 50
    with av.open(path, "w") as out:
        stream = out.add_stream("pcm_s16le", rate=rate, layout="mono")
        assert isinstance(stream, AudioStream)
        for k, time in enumerate(times):
            packet = av.Packet((samples[k * size : (k + 1) * size] * 32767).astype("<i2").tobytes())
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = round(1000 * time)
            out.mux(packet)
    return path
