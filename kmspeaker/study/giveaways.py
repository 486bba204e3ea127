"""Whether a stimulus gives its condition away by anything but what it shows.

Place in the flow: ``build`` makes files alike, then checks here what a browser could tell of them:
name, size in bytes, picture, duration, loudness and what the file says of itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from kmspeaker.errors import InputError
from kmspeaker.media.audio import load_sound

LOUDNESS = 0.5
"""Decibels by which sounds of one item may differ."""
_FREE = b"free"
_HEADER = 8
"""Bytes of an MP4 box before its content."""


@dataclass(frozen=True)
class Traits:
    """What can be told of a file without watching it."""

    bytes: int
    picture: tuple[int, int, float]
    """Width, height and pictures a second."""
    frames: int
    metadata: str
    loudness: float | None
    """Root mean square, dB; None where there is no sound."""


def traits_of(path: Path) -> Traits:
    """Read them.

    Raises:
        InputError: It has sound that cannot be read.
    """
    with av.open(f"file:{path}") as container:
        video = container.streams.video[0]
        picture = (video.width, video.height, float(video.average_rate or 0))
        frames = video.frames or sum(1 for _ in container.decode(video))
        said = [container.metadata, *(stream.metadata for stream in container.streams)]
        sounds = bool(container.streams.audio)
    loudness = None
    if sounds:
        samples = load_sound(path, min_seconds=0.0).samples
        power = float(np.mean(samples.astype(np.float64) ** 2))
        loudness = 10 * np.log10(max(power, 1e-12))
    return Traits(path.stat().st_size, picture, frames, repr(said), loudness)


def check_alike(item: str, traits: Sequence[Traits], conditions: Sequence[str]) -> None:
    """Refuse stimuli of one item that can be told apart.

    Raises:
        InputError: They differ in the one thing that it names.
    """
    first = traits[0]
    for other, condition in zip(traits[1:], conditions[1:], strict=True):
        pair = f"{conditions[0]} and {condition} of the item {item}"
        for what, one, two in (
            ("size", f"{first.bytes} bytes", f"{other.bytes} bytes"),
            ("picture", first.picture, other.picture),
            ("duration", f"{first.frames} frames", f"{other.frames} frames"),
            ("metadata", first.metadata, other.metadata),
        ):
            if one != two:
                raise InputError(
                    f"Got a {what} of {one} and {two} for {pair}; it would give the condition "
                    "away, so make them alike."
                )
        if (first.loudness is None) != (other.loudness is None):
            raise InputError(f"Got sound in one of {pair} and none in the other; give both.")
        if first.loudness is not None and other.loudness is not None:
            away = abs(first.loudness - other.loudness)
            if away > LOUDNESS:
                raise InputError(
                    f"Got {away:.1f} dB between {pair}; at most {LOUDNESS:g} dB are alike, bring "
                    "them to one loudness."
                )


def check_name(name: str, words: Iterable[str]) -> None:
    """Refuse a file's name with a condition, item or label in it.

    Raises:
        InputError: It has.
    """
    for word in words:
        if len(word) > 1 and word.lower() in name.lower():
            raise InputError(f"Got the file {name}, whose name says {word}; name it by chance.")


def pad_alike(paths: Sequence[Path]) -> None:
    """Make MP4 files equally long by a box of zeros, which every player skips, at their ends."""
    sizes = [path.stat().st_size for path in paths]
    longest = max(sizes) + _HEADER
    for path, size in zip(paths, sizes, strict=True):
        gap = longest - size
        with path.open("ab") as file:
            file.write(gap.to_bytes(4, "big") + _FREE + bytes(gap - _HEADER))
