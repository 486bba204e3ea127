"""Channels to mono, as a reading does it, and what it finds out about them and about the clock.

Some recordings ask for another reading: channels that cancel out, a clock that drifts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from jaxtyping import Float32

MAX_GAP = 0.1
"""Seconds by which a frame may lie behind its time stamp before silence is put in between."""
DOWNMIX = {"FC": 1.0, "FL": 0.7071, "FR": 0.7071, "LFE": 0.0, "LFE2": 0.0}
"""Share of a loudspeaker in mono (ITU-R BS.775); those not named have 0.5."""
CANCELS = 0.1
"""Channels of which a mix keeps less than this share of the energy are each other's reverse."""
WILD = 20.0
"""A sample beyond full scale is no sound if it is this many times those around it."""
AROUND = 32
"""Samples to each side that a wild one is compared with: at most so many are wild together."""
MAX_WILD = 0.01
"""Share of the samples that may be NaN, infinite or wild."""
MIN_DRIFT = 0.02
"""Seconds by which a recorder's clock must be off at the end before sound is stretched to it."""
MAX_DRIFT = 0.2
"""Seconds a second; 44.1 kHz that is called 48 kHz is 0.09 off. More is no clock."""

Samples = Float32[np.ndarray, " samples"]


@dataclass(frozen=True)
class Manner:
    """How a track is read; a first reading may find that it must be another."""

    channel: int | None = None
    """The only one that is listened to; None mixes all."""
    pace: float = 1.0
    """Seconds by the time stamps in which one second of samples was recorded."""


@dataclass
class Findings:
    """What a reading finds out about the channels and the clocks of a track."""

    samples: int = 0
    wild: int = 0
    """Of ``samples``, those that were filled in."""
    mixed: float = 0.0
    """Energy of the mix."""
    shares: dict[int, float] = field(default_factory=dict)
    """Energy of each channel as loud as it is in the mix."""
    sounded: float = 0.0
    """Seconds of samples so far."""
    offset: float | None = None
    """Seconds by which the last time stamp was behind ``sounded``."""
    jumps: float = 0.0
    """Seconds of gaps so far, which are no drift."""
    clock: list[tuple[float, float]] = field(default_factory=list)
    """``sounded`` and the offset without the jumps, every ``MAX_GAP``."""

    def hear(self, mixed: Samples, parts: Float32[np.ndarray, "channels samples"]) -> None:
        """Note how loud a frame's mix is and how loud its channels are in it."""
        with np.errstate(over="ignore"):  # of samples far beyond full scale
            self.mixed += float(mixed @ mixed)
            energies = np.einsum("cs,cs->c", parts, parts)
        for channel, energy in enumerate(energies):
            self.shares[channel] = self.shares.get(channel, 0.0) + float(energy)

    def stamp(self, time: float | None, seconds: float) -> None:
        """Note the time stamp of a frame of so many seconds."""
        if time is not None:
            offset = time - self.sounded
            if self.offset is not None and abs(offset - self.offset) > MAX_GAP:
                self.jumps += offset - self.offset
            self.offset = offset
            if not self.clock or self.sounded - self.clock[-1][0] > MAX_GAP:
                self.clock.append((self.sounded, offset - self.jumps))
        self.sounded += seconds

    def manner(self) -> Manner:
        """How the track is best read."""
        cancels = self.mixed < CANCELS * sum(self.shares.values())
        loudest = max(self.shares, key=lambda channel: self.shares[channel], default=None)
        return Manner(loudest if cancels else None, self._pace())

    def _pace(self) -> float:
        """1, unless the clocks drift apart evenly; damage and hesitation are uneven."""
        if len(self.clock) < 10:  # less than a second
            return 1.0
        sounded, offset = np.array(self.clock).T
        drift, start = np.polyfit(sounded, offset, 1)
        even = np.abs(offset - start - drift * sounded).max() < MAX_GAP / 2
        drifts = abs(drift) * self.sounded > MIN_DRIFT and abs(drift) < MAX_DRIFT
        return 1.0 + float(drift) if even and drifts else 1.0


def mono(frame: AudioFrame, manner: Manner, findings: Findings) -> Samples:
    """One channel or all of them, in which loudspeakers are weighed by ``DOWNMIX``."""
    names = [channel.name for channel in frame.layout.channels]
    channels = _channels(frame, len(names), findings)
    shares = np.array([DOWNMIX.get(name, 0.5) for name in names], np.float32)
    shares = shares / shares.sum() if shares.sum() else np.full_like(shares, 1 / len(shares))
    mixed = shares @ channels
    findings.hear(mixed, shares[:, None] * channels)
    if manner.channel is not None and manner.channel < len(channels):
        return channels[manner.channel]
    return mixed


def _channels(
    frame: AudioFrame, count: int, findings: Findings
) -> Float32[np.ndarray, "channels samples"]:
    """Full scale is 1 whatever the sample format, and all samples are numbers."""
    if frame.format.name.startswith("s64"):  # numpy's integers of 64 bits are not PyAV's
        (frame,) = AudioResampler("dblp", frame.layout, frame.sample_rate).resample(frame)
    data = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, count).T
    findings.samples += data.size
    if data.dtype == np.uint8:
        return (data.astype(np.float32) - 128) / 128
    if data.dtype.kind == "i":
        return data.astype(np.float32) / 2.0 ** (8 * data.dtype.itemsize - 1)
    with np.errstate(over="ignore"):  # a double may be beyond all floats, and is wild then
        data = data.astype(np.float32)
    return np.stack([_tamed(channel, findings) for channel in data])


def _tamed(samples: Samples, findings: Findings) -> Samples:
    """Samples that no sound has, such as NaN or 1e30, are filled in from their neighbours."""
    loudness = np.where(np.isfinite(samples), np.abs(samples), np.inf)
    if loudness.max() <= 1:
        return samples
    around = np.lib.stride_tricks.sliding_window_view(
        np.pad(loudness, AROUND, mode="symmetric"), 2 * AROUND + 1
    )
    loud = np.flatnonzero(loudness > 1)
    usual = np.concatenate([np.median(around[some], 1) for some in _in_pieces(loud)])
    wild = loud[np.isinf(loudness[loud]) | (loudness[loud] > np.maximum(WILD * usual, 1))]
    findings.wild += len(wild)
    sane = np.setdiff1d(np.arange(len(samples)), wild)
    if not len(sane):
        return np.zeros_like(samples)
    tamed = samples.copy()
    tamed[wild] = np.interp(wild, sane, samples[sane])
    return tamed


def _in_pieces(indices: np.ndarray, size: int = 4096) -> Iterator[np.ndarray]:
    """So that windows around many samples cost little memory."""
    yield from (indices[start : start + size] for start in range(0, len(indices), size))
