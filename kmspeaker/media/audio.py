"""Sound: any file PyAV opens becomes mono float32 samples; the first stage of the flow.

The sound track of a video counts as a sound file. Time zero is the first frame of the video where
there is one, so that sound and picture stay in step, and the first sample elsewhere.
"""

import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from jaxtyping import Float32

from kmspeaker.errors import InputError
from kmspeaker.media.container import ends_early, open_media
from kmspeaker.media.files import replacing
from kmspeaker.media.mono import MAX_GAP, MAX_WILD, Findings, Manner, Samples, mono
from kmspeaker.media.wav import WavPart, wav_parts

SAMPLE_RATE = 16_000
"""What every speech encoder takes, Hz."""
MAX_MISSING = 0.5
"""Seconds of sound that may be missing against what the container states."""
STATES_LENGTH = ("w64", "flac", "mov,mp4,m4a,3gp,3g2,mj2", "aiff", "caf", "au")
"""Containers that state their length rather than have it guessed from the bit rate."""
STREAMED = ("w64", "aiff", "caf", "au")
"""Those of them that are written before the length is known, with any large number for it."""
RATES = (4_000, 768_000)
"""Lowest and highest sampling rate that is accepted, Hz."""


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
        resampler, joined = _Resampler(rate), bytearray()
        joined += resampler(self.samples, self.sample_rate).tobytes()
        joined += resampler.flush().tobytes()
        return Sound(_fit_length(joined, round(self.seconds * rate)), rate)


def load_sound(
    path: Path | str,
    *,
    sample_rate: int = 48_000,
    min_seconds: float = 0.4,
    max_seconds: float = 600.0,
) -> Sound:
    """Decode the first sound track of a file, mixed to mono, at ``sample_rate`` Hz.

    Reading stops as soon as ``max_seconds`` are passed, so that hours of sound cost no memory.
    Silence is sound. Samples beyond full scale are scaled down together, and a few wild ones are
    filled in from their neighbours. Channels that cancel out are not mixed: the louder is taken.
    Where time stamps run slower or faster than the samples, sound is stretched to them. Several
    WAV files in one are read one after the other.

    Raises:
        InputError: No such file, not media, no sound in it, too short, too long, cut off, or
            samples that are not numbers.
    """
    path = Path(path)
    manner = Manner()
    samples, seconds, findings = _read(path, manner, sample_rate, max_seconds)
    better = findings.manner()
    if better != manner:
        del samples  # the second reading has the memory of the first
        samples, seconds, _ = _read(path, better, sample_rate, max_seconds)
    if seconds < min_seconds:
        raise InputError(
            f"Got {seconds:.2f} s of sound in {path.name}, at least {min_seconds:g} s is needed; "
            "give a longer recording."
        )
    if findings.wild > MAX_WILD * findings.samples:
        raise InputError(
            f"Got {path.name} with {findings.wild} of {findings.samples} samples NaN, infinite or "
            "far beyond all others; export the recording again."
        )
    peak = max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)), 1.0)
    samples /= np.float32(peak)
    return Sound(samples, sample_rate)


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

    def silence(self, seconds: float, source_rate: int) -> Iterator[Samples]:
        """The same of silence, a second at a time: ten minutes may be two gigabytes."""
        left = round(seconds * source_rate)
        while left > 0:
            some = min(left, source_rate)
            yield self(np.zeros(some, np.float32), source_rate)
            left -= some

    def flush(self) -> Samples:
        """What was held back; the next samples start afresh."""
        rest = _join(self.resampler.resample(None))
        self.resampler = AudioResampler("flt", "mono", self.rate)
        return rest


def _read(
    path: Path, manner: Manner, sample_rate: int, max_seconds: float
) -> tuple[Samples, float, Findings]:
    """The samples of all parts of a file, how many seconds they are, and what there is to say."""
    resampler, findings = _Resampler(sample_rate), Findings()
    joined, seconds = bytearray(), 0.0  # grows in place, where a list of parts would be joined
    for wav in wav_parts(path) or (None,):
        options = {"ignore_length": "1"} if wav and wav.endless else {}
        with open_media(path, "sound", span=wav and wav.span, options=options) as container:
            track = _track(container, path)
            began, stated = seconds, _stated_seconds(container, track, wav, max_seconds)
            if stated is not None and stated > max_seconds + MAX_MISSING:
                raise _too_long(path, max_seconds)
            for silence, sound in _mono_frames(container, track, path, manner, findings):
                seconds += silence + sound.seconds
                if seconds > max_seconds + 1e-3:  # the limit is allowed; sums are not exact
                    raise _too_long(path, max_seconds)
                for part in resampler.silence(silence, sound.sample_rate):
                    joined += part.tobytes()
                joined += resampler(sound.samples, sound.sample_rate).tobytes()
            heard, boxed = seconds - began, "mov" in container.format.name
        if stated is not None and heard < stated - MAX_MISSING and (not boxed or ends_early(path)):
            raise InputError(
                f"Got {path.name} cut off after {heard:.1f} of {stated:.1f} s; "
                "copy or download the whole file again."
            )
    joined += resampler.flush().tobytes()
    return _fit_length(joined, round(seconds * sample_rate)), seconds, findings


def _track(container: InputContainer, path: Path) -> AudioStream:
    """The track that players choose."""
    if not container.streams.audio:
        raise InputError(f"Got {path.name} without a sound track; a file with sound is needed.")
    track = container.streams.best("audio")
    if not isinstance(track, AudioStream) or track.codec_context is None:
        raise InputError(
            f"Got {path.name} with sound of a codec that is not known here; export it as WAV."
        )
    return track


def _mono_frames(
    container: InputContainer, track: AudioStream, path: Path, manner: Manner, findings: Findings
) -> Iterator[tuple[float, Sound]]:
    """Frames mixed to mono, each with the seconds of silence that go before it.

    Where a damaged packet was, the next time stamp makes silence.
    """
    origin, now = _video_start(container), 0.0
    for frame in _frames(container, track):
        lowest, highest = RATES
        if not lowest <= frame.sample_rate <= highest:
            raise InputError(
                f"Got {path.name} at {frame.sample_rate} Hz, {lowest} to {highest} is needed; "
                "export the recording again."
            )
        findings.stamp(frame.time, frame.samples / frame.sample_rate)
        samples, rate = mono(frame, manner, findings), round(frame.sample_rate / manner.pace)
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


def _frames(container: InputContainer, track: AudioStream) -> Iterator[AudioFrame]:
    """What can be decoded; damaged packets are skipped, and a damaged container ends there."""
    packets = container.demux(track)
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


def _video_start(container: InputContainer) -> float | None:
    """Seconds of the first picture, on the container's clock; a cover picture is no video."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic and stream.start_time is not None:
            return float(stream.start_time * (stream.time_base or 0))
    return None


def _stated_seconds(
    container: InputContainer, track: AudioStream, wav: WavPart | None, max_seconds: float
) -> float | None:
    """Seconds from time zero to the end by the header, where that is a statement and not a guess.

    What is streamed states any large number: nothing is cut off that would be too long if whole.
    """
    name, seconds = container.format.name, None
    if wav is not None:  # FFmpeg goes by the size of the file instead
        seconds = wav.stated
    elif name in STATES_LENGTH and track.duration is not None and track.time_base is not None:
        seconds = float(track.duration * track.time_base)
        picture = _video_start(container)
        if picture is not None:
            seconds += float((track.start_time or 0) * track.time_base) - picture
    placeholder = seconds is not None and seconds > max_seconds
    return None if placeholder and (wav is not None or name in STREAMED) else seconds


def _too_long(path: Path, max_seconds: float) -> InputError:
    return InputError(
        f"Got more than {max_seconds:g} s of sound in {path.name}, which is the limit; "
        "give a shorter recording or raise the limit with --max-seconds."
    )


def _join(frames: list[AudioFrame]) -> Samples:
    return np.concatenate([np.zeros(0, np.float32), *(frame.to_ndarray()[0] for frame in frames)])


def _fit_length(joined: bytearray, length: int) -> Float32[np.ndarray, " {length}"]:
    """Cut, or ended with silence; resampling is a few samples off at the end."""
    joined.extend(bytes(max(0, 4 * length - len(joined))))
    return np.frombuffer(joined, np.float32, length)
