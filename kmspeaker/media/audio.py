"""Sound: any file PyAV opens becomes mono float32 samples; the first stage of the flow.

The sound track of a video counts as a sound file. Time zero is the first frame of the video where
there is one, so that sound and picture stay in step, and the first sample elsewhere.
"""

import wave
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.stream import Disposition
from jaxtyping import Float32

from kmspeaker.errors import InputError
from kmspeaker.media.files import replacing

SAMPLE_RATE = 16_000
"""What every speech encoder takes, Hz."""
MAX_GAP = 0.1
"""Seconds by which a frame may lie behind its time stamp before silence is put in between."""
MAX_MISSING = 0.5
"""Seconds of sound that may be missing against what the container states."""
STATES_LENGTH = ("w64", "flac", "mov,mp4,m4a,3gp,3g2,mj2", "aiff", "caf", "au")
"""Containers that state their length rather than have it guessed from the bit rate."""
UNKNOWN_SIZE = 2**31 - 2**12
"""A WAV file that states this many bytes or more was written before its length was known."""
DOWNMIX = {"FC": 1.0, "FL": 0.7071, "FR": 0.7071, "LFE": 0.0, "LFE2": 0.0}
"""Share of a loudspeaker in mono (ITU-R BS.775); those not named have 0.5."""

Samples = Float32[np.ndarray, " samples"]


@dataclass(frozen=True)
class Sound:
    """Mono sound; sample ``k`` lies at ``k / sample_rate`` seconds."""

    samples: Samples
    """Within [-1, 1]."""
    sample_rate: int
    """Hz."""

    def __post_init__(self) -> None:
        """Refuse samples that are not numbers."""
        if not np.isfinite(self.samples).all():
            raise InputError("Got sound with NaN or infinite samples; export the recording again.")

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self) / self.sample_rate

    def resampled(self, rate: int) -> "Sound":
        """The same sound at ``rate`` Hz, as long and in the same place to within a sample."""
        if rate == self.sample_rate:
            return self
        resampler = _Resampler(rate)
        samples = np.concatenate([resampler(self.samples, self.sample_rate), resampler.flush()])
        return Sound(_fit_length(samples, round(self.seconds * rate)), rate)


def load_sound(
    path: Path | str,
    *,
    sample_rate: int = 48_000,
    min_seconds: float = 0.4,
    max_seconds: float = 600.0,
) -> Sound:
    """Decode the first sound track of a file, mixed to mono, at ``sample_rate`` Hz.

    Reading stops as soon as ``max_seconds`` are passed, so that hours of sound cost no memory.
    Silence is sound. Samples beyond full scale are scaled down together.

    Raises:
        InputError: No such file, not media, no sound in it, too short, too long, cut off, or
            samples that are not numbers.
    """
    path = Path(path)
    with _open(path) as container:
        if not container.streams.audio:
            raise InputError(f"Got {path.name} without a sound track; a file with sound is needed.")
        resampler = _Resampler(sample_rate)
        parts, seconds = [], 0.0
        for silence, sound in _mono_frames(container):
            seconds += silence + sound.seconds
            if seconds > max_seconds + 1e-3:  # exactly the limit is allowed; sums are not exact
                raise InputError(
                    f"Got more than {max_seconds:g} s of sound in {path.name}, which is the limit; "
                    "give a shorter recording or raise the limit with --max-seconds."
                )
            if silence:
                rate = sound.sample_rate
                parts.append(resampler(np.zeros(round(silence * rate), np.float32), rate))
            parts.append(resampler(sound.samples, sound.sample_rate))
        parts.append(resampler.flush())
        stated = _stated_seconds(container, path, seconds)
    if stated is not None and seconds < stated - MAX_MISSING:
        raise InputError(
            f"Got {path.name} cut off after {seconds:.1f} of {stated:.1f} s; "
            "copy or download the whole file again."
        )
    if seconds < min_seconds:
        raise InputError(
            f"Got {seconds:.2f} s of sound in {path.name}, at least {min_seconds:g} s is needed; "
            "give a longer recording."
        )
    samples = _fit_length(np.concatenate(parts), round(seconds * sample_rate))
    peak = float(np.abs(samples).max(initial=0.0))
    return Sound(samples / np.float32(max(peak, 1.0)), sample_rate)


def write_wav(path: Path | str, sound: Sound) -> None:
    """Write 16-bit PCM; the file appears whole or not at all.

    Raises:
        InputError: The file cannot be written there.
    """
    path = Path(path)
    pcm = np.round(np.clip(sound.samples, -1, 1) * 32767).astype("<i2")
    with (
        replacing(path) as unfinished,
        unfinished.open("wb") as file,  # wave's own opening leaves a broken writer where it fails
        wave.open(file, "wb") as out,
    ):
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sound.sample_rate)
        out.writeframes(pcm.tobytes())


class _Resampler:
    """A stream of mono samples to another rate; follows a source whose rate changes on the way."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.source_rate = 0
        self.resampler = AudioResampler("flt", "mono", rate)

    def __call__(self, samples: Samples, source_rate: int) -> Float32[np.ndarray, " resampled"]:
        """What can be given out after ``samples``."""
        before = np.zeros(0, np.float32)
        if source_rate != self.source_rate:
            before = self.flush()
            self.source_rate = source_rate
        if not len(samples):
            return before
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples)[None], "flt", "mono")
        frame.sample_rate = source_rate
        return np.concatenate([before, _join(self.resampler.resample(frame))])

    def flush(self) -> Samples:
        """What was held back; the next samples start afresh."""
        rest = _join(self.resampler.resample(None))
        self.resampler = AudioResampler("flt", "mono", self.rate)
        return rest


@contextmanager
def _open(path: Path) -> Iterator[InputContainer]:
    """Open a file for reading, and nothing that the file may name: a playlist reaches nowhere."""
    with ExitStack() as stack:
        try:
            if path.stat().st_size == 0:
                raise InputError(f"Got {path.name}, which is empty; a file with sound is needed.")
            file = stack.enter_context(path.open("rb"))
            container = stack.enter_context(
                av.open(
                    file,
                    "r",
                    metadata_errors="ignore",
                    container_options={"protocol_whitelist": "none"},
                )
            )
        except (av.error.FFmpegError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"Got {path.name}, which is not sound or video, or is cut off at its start; "
                "give a WAV, MP3, OGG, FLAC, MP4 or WebM file."
            ) from error
        except OSError as error:
            raise InputError(
                f"Cannot read {path} ({error.strerror or error}); give a sound or video file."
            ) from error
        yield container


def _mono_frames(container: InputContainer) -> Iterator[tuple[float, Sound]]:
    """Frames mixed to mono, each with the seconds of silence that go before it.

    Where a damaged packet was, the next time stamp makes silence.
    """
    origin, now = _video_start(container), 0.0
    for frame in _frames(container):
        samples, rate = _mono(frame), frame.sample_rate
        silence = 0.0
        if frame.time is not None:
            origin = frame.time if origin is None else origin
            behind = frame.time - origin - now
            if now == 0 and behind < 0:  # begins before the picture does
                samples = samples[round(-behind * rate) :]
            elif now == 0 or behind > MAX_GAP:
                silence = behind
        now += silence + len(samples) / rate
        yield silence, Sound(samples, rate)


def _frames(container: InputContainer) -> Iterator[AudioFrame]:
    """What can be decoded; damaged packets are skipped, and a damaged container ends there."""
    packets = container.demux(container.streams.best("audio"))
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):
            return
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            continue
        yield from (frame for frame in frames if isinstance(frame, AudioFrame) and frame.samples)


def _mono(frame: AudioFrame) -> Samples:
    """Full scale is 1 whatever the sample format; loudspeakers are weighed by ``DOWNMIX``."""
    channels = [channel.name for channel in frame.layout.channels]
    data = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, len(channels)).T
    shares = np.array([DOWNMIX.get(name, 0.5) for name in channels], np.float32)
    shares = shares / shares.sum() if shares.sum() else np.full_like(shares, 1 / len(shares))
    mono = shares @ data.astype(np.float32)
    if data.dtype == np.uint8:
        return (mono - 128) / 128
    if data.dtype.kind == "i":
        return mono / 2.0 ** (8 * data.dtype.itemsize - 1)
    return mono


def _video_start(container: InputContainer) -> float | None:
    """Seconds of the first picture, on the container's clock; a cover picture is no video."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic and stream.start_time is not None:
            return float(stream.start_time * (stream.time_base or 0))
    return None


def _stated_seconds(container: InputContainer, path: Path, seconds: float) -> float | None:
    """How long the container says the sound is, where that is a statement and not a guess."""
    stream = container.streams.best("audio")
    if container.format.name == "wav":  # FFmpeg goes by the size of the file instead
        stated, size = _riff_size(path), path.stat().st_size
        return seconds * stated / size if stated < UNKNOWN_SIZE else None
    if container.format.name not in STATES_LENGTH or stream is None or stream.duration is None:
        return None
    return float(stream.duration * (stream.time_base or 0))


def _riff_size(path: Path) -> int:
    """Bytes of a WAV file by its own header."""
    with path.open("rb") as file:
        return int.from_bytes(file.read(8)[4:], "little") + 8


def _join(frames: list[AudioFrame]) -> Samples:
    return np.concatenate([np.zeros(0, np.float32), *(frame.to_ndarray()[0] for frame in frames)])


def _fit_length(samples: Samples, length: int) -> Float32[np.ndarray, " {length}"]:
    """Cut or end with silence; resampling is a few samples off at the end."""
    return np.pad(samples[:length], (0, max(0, length - len(samples))))
