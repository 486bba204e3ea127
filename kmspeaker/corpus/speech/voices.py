"""Speech for the corpus: what utterances there are, and how their sound is varied.

Place in the flow: ``build`` joins these utterances into clips. Augmentation happens in the
waveform, because the speech encoder is frozen: rooms, microphones, levels, slightly other voices.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from kmspeaker.corpus.lips.visemes import Phone, parse_phones
from kmspeaker.errors import InputError
from kmspeaker.media.audio import SAMPLE_RATE, Sound, load_sound

LICENCES = {
    "cathy": "CC0-1.0",
    "librispeech_3spk": "CC-BY-4.0",
    "librispeech_resemblyzer": "CC-BY-4.0",
    "ljspeech_part": "public domain",
    "speechocean762": "CC-BY-4.0",
    "facegood": "MIT",
    "grid_s1": "CC-BY-4.0",
    "grid_s4": "CC-BY-4.0",
    "grid_more": "CC-BY-4.0",
    "cremad": "ODbL-1.0",
    "livelink": "MIT",
}
"""By folder; a folder that is not here states its own in a file ``LICENCE``."""
PITCHES = (0.87, 1.15)
"""Voices are made deeper or higher by a factor between these, now and then."""
HOP, REACH = 240, 80
"""Samples from one overlapping wave to the next, and how far each may move to fit the last."""
Samples = Float32[np.ndarray, " samples"]


@dataclass(frozen=True)
class Utterance:
    """A stretch of one speaker's speech with its phones."""

    name: str
    speaker: str
    path: Path
    seconds: float
    text: str
    phones: tuple[Phone, ...]
    source: str
    licence: str
    actor: str = ""
    """Who performs it, where it is acted."""
    emotion: str = ""


def read_utterances(folder: Path) -> tuple[Utterance, ...]:
    """Every utterance of the folders in ``folder`` that have a ``clips.tsv`` and ``opus/``.

    Raises:
        InputError: None there, or a clip, which is named, whose row, sound or phones are wrong.
    """
    utterances: list[Utterance] = []
    for index in sorted(folder.glob("*/clips.tsv")):
        licence = licence_of(index.parent)
        with index.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            columns = len(next(rows, ()))
            utterances += (_utterance(row, columns, index, licence) for row in rows)
    if not utterances:
        raise InputError(f"Got no */clips.tsv in {folder}; put speech with phone times there.")
    return tuple(utterances)


def load_voice(utterance: Utterance) -> Samples:
    """The sound of an utterance at ``SAMPLE_RATE``."""
    return load_sound(utterance.path, sample_rate=SAMPLE_RATE).samples


def change_speed(samples: Samples, factor: float) -> Float32[np.ndarray, " fewer_samples"]:
    """Played ``factor`` times as fast: shorter, and higher in pitch."""
    if factor == 1.0:
        return samples
    return Sound(samples, SAMPLE_RATE).resampled(round(SAMPLE_RATE / factor)).samples


def room_tone(
    rng: np.random.Generator, samples: int, like: Float32[np.ndarray, " other_samples"]
) -> Samples:
    """Noise as loud and as dull as the quietest tenth of ``like``."""
    size = SAMPLE_RATE // 50
    pieces = like[: len(like) // size * size].reshape(-1, size)
    levels = np.sqrt((pieces**2).mean(1)) if len(pieces) else np.zeros(1)
    noise = _coloured_noise(rng, samples, rng.uniform(0.3, 1.0))
    return noise * np.float32(np.quantile(levels, 0.1))


def change_pitch(samples: Samples, factor: float) -> Float32[np.ndarray, " samples"]:
    """Higher by ``factor``, and no faster: stretched by overlapping waves, then played faster.

    Everything stays in its place to within ``REACH`` samples.
    """
    moved = change_speed(_stretch(samples, factor), factor)
    return np.pad(moved[: len(samples)], (0, max(0, len(samples) - len(moved))))


def apply_codec(samples: Samples) -> Float32[np.ndarray, " samples"]:
    """Coded with eight bits a sample on a logarithmic scale, as telephones do (G.711, mu-law)."""
    coded = np.sign(samples) * np.log1p(255 * np.abs(samples).clip(0, 1)) / np.log(256)
    coded = np.round(coded * 127) / 127
    return (np.sign(coded) * np.expm1(np.abs(coded) * np.log(256)) / 255).astype(np.float32)


def augment(rng: np.random.Generator, samples: Samples, new_voice: float = 0.3) -> Samples:
    """The same speech in another room, through another microphone, at another level.

    And in another voice, with the chance ``new_voice``.
    """
    if rng.random() < new_voice:
        samples = change_pitch(samples, float(np.exp(rng.uniform(*np.log(PITCHES)))))
    size = _fft_length(len(samples))
    spectrum = np.fft.rfft(samples, size)
    frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    if rng.random() < 0.3:
        spectrum *= np.fft.rfft(_room_response(rng), size)
    if rng.random() < 0.6:
        spectrum *= 10 ** (_equalizer_gains(rng, frequency) / 20)
    telephone = rng.random() < 0.12
    if telephone:
        spectrum *= (frequency > 250) & (frequency < rng.uniform(3200, 5000))
    varied = np.fft.irfft(spectrum, size)[: len(samples)].astype(np.float32)
    if rng.random() < 0.55:
        loud = np.sqrt(np.mean(varied**2) + 1e-12)
        noise = _coloured_noise(rng, len(varied), rng.uniform(0.0, 1.2))
        varied = varied + noise * np.float32(loud * 10 ** (-rng.uniform(10, 35) / 20))
    varied = varied * np.float32(10 ** (rng.uniform(-14, 3) / 20))
    varied = (varied / max(1.0, float(np.abs(varied).max(initial=0)))).astype(np.float32)
    return apply_codec(varied) if telephone else varied


def _utterance(row: list[str], columns: int, index: Path, licence: str) -> Utterance:
    if len(row) != columns or columns not in (5, 7):
        raise InputError(
            f"Got a row of {len(row)} columns in {index} ({row[0] if row else 'empty'}); "
            "needed are clip, speaker, seconds, text and phones, or these, actor and emotion."
        )
    name, speaker, seconds, text, phones, *role = row
    try:
        parsed = parse_phones(phones)
        length = float(seconds)
    except (InputError, ValueError) as error:
        raise InputError(f"In clip {name} of {index}: {error}") from error
    path = index.parent / "opus" / f"{name}.opus"
    source = index.parent.name
    return Utterance(name, speaker, path, length, text, parsed, source, licence, *role)


def licence_of(folder: Path) -> str:
    """The licence of a data folder.

    Raises:
        InputError: It is not known and not stated.
    """
    if folder.name in LICENCES:
        return LICENCES[folder.name]
    stated = folder / "LICENCE"
    if not stated.is_file():
        raise InputError(f"Got data of unknown licence in {folder}; name it in a file LICENCE.")
    return stated.read_text().strip()


def _stretch(samples: Samples, factor: float) -> Float32[np.ndarray, " more_samples"]:
    """Longer by ``factor`` at the same pitch (WSOLA, Verhelst and Roelands 1993)."""
    count = int(len(samples) * factor) // HOP
    window = np.hanning(2 * HOP + 1)[:-1].astype(np.float32)
    whole = np.pad(samples, (REACH + round(HOP / factor), 5 * HOP + REACH))
    stretched = np.zeros((count + 3) * HOP, np.float32)
    follows = whole[REACH : REACH + 2 * HOP]
    for number in range(count + 2):
        first = min(round(number * HOP / factor), len(whole) - 3 * HOP - 2 * REACH)
        likeness = np.correlate(whole[first : first + 2 * (HOP + REACH)], follows, "valid")
        start = first + (int(likeness.argmax()) if likeness.max() > 0 else REACH)
        stretched[number * HOP :][: 2 * HOP] += window * whole[start : start + 2 * HOP]
        follows = whole[start + HOP : start + 3 * HOP]
    return stretched[HOP:]


def _fft_length(samples: int) -> int:
    """A length at least this that a Fourier transform is quick at: whole tenths of a second."""
    tenth = SAMPLE_RATE // 10
    return -(-samples // tenth) * tenth


def _coloured_noise(rng: np.random.Generator, samples: int, slope: float) -> Samples:
    """Noise of unit loudness whose spectrum falls with frequency to the power ``slope``."""
    if samples < 2:
        return np.zeros(samples, np.float32)
    size = _fft_length(samples)
    spectrum = np.fft.rfft(rng.standard_normal(size))
    frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    noise = np.fft.irfft(spectrum * np.maximum(frequency, 60) ** -slope, size)[:samples]
    return (noise / (noise.std() + 1e-12)).astype(np.float32)


def _room_response(rng: np.random.Generator) -> Samples:
    """An impulse response: the direct sound at time zero, then a decaying tail."""
    seconds = rng.uniform(0.12, 0.5)
    times = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(times)) * 10 ** (-3 * times / seconds)
    tail *= rng.uniform(0.15, 0.6) / np.sqrt((tail**2).sum())
    tail[0] = 1.0
    return tail.astype(np.float32)


def _equalizer_gains(rng: np.random.Generator, frequency: np.ndarray) -> np.ndarray:
    """A smooth random equaliser, decibels at each frequency."""
    bands = np.array([60, 200, 500, 1200, 3000, 8000])
    return np.interp(np.log(np.maximum(frequency, 20)), np.log(bands), rng.normal(0, 4, len(bands)))
