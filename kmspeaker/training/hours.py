"""Hours of a corpus: of its recordings, each once, and of all its clips.

A corpus repeats what it has little of: captured lips in several turns (``turns`` of its
configuration), each with another upper face and voice, and acted speech in every intensity.
Training meets every clip, but a second clip of the same recording is no second recording.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from kmspeaker.corpus.store import Clip

_TURN = re.compile(r"(?P<speaker>.+)_(?P<turn>\d+)_\d{3,}")
"""Name of a clip with captured lips; each turn has all of a speaker's recordings, regrouped."""


@dataclass(frozen=True)
class Hours:
    """Durations of some clips."""

    unique: float
    """Of distinct recordings. Of one that is there in several tempos, the longest counts."""
    weighted: float
    """Of all clips: a recording counts as often as it is repeated."""


def hours(clips: Iterable[Clip], fps: float) -> Hours:
    """The hours of clips at ``fps`` frames/s."""
    frames: defaultdict[tuple[str, ...], defaultdict[str, int]]
    frames = defaultdict(lambda: defaultdict(int))
    for clip in clips:
        recording, version = _recording_and_version(clip)
        frames[clip.split, clip.source, clip.lips, recording][version] += clip.frames
    unique = sum(max(versions.values()) for versions in frames.values())
    weighted = sum(sum(versions.values()) for versions in frames.values())
    return Hours(unique / fps / 3600, weighted / fps / 3600)


def _recording_and_version(clip: Clip) -> tuple[str, str]:
    """What was recorded, and the number of its repetition, as ``corpus.plan`` names clips."""
    turn = _TURN.fullmatch(clip.name)
    if clip.lips == "captured" and turn is not None:
        return turn["speaker"], turn["turn"]
    if clip.intensity and clip.name.endswith(f"_{clip.intensity}"):
        return clip.name.removesuffix(f"_{clip.intensity}"), clip.intensity
    return clip.name, ""
