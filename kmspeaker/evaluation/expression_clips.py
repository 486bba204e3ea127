"""Clips of real people with what they act, their performances, and takes made from them.

Place in the flow: the measures of what survives of an expression read from here; a track is kept
in a folder between runs, all else for the length of one.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from tqdm import tqdm

from kmspeaker.animation.animation import Use
from kmspeaker.errors import InputError
from kmspeaker.evaluation.expression_reader import EMOTIONS
from kmspeaker.evaluation.lips import track_of
from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.rig import FaceModel, Weights
from kmspeaker.media.audio import Sound
from kmspeaker.media.video_reader import Frame
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.retarget import retarget
from kmspeaker.reference.tracking import SEEN, FaceTrack

VIDEOS = (".mp4", ".mov", ".webm", ".mkv", ".avi", ".flv")
FPS = 30.0
"""Of retargeted performances."""
NAMED: Mapping[str, str] = {
    **{"neutral": "neutral", "neu": "neutral", "happy": "happy", "happiness": "happy"},
    **{"hap": "happy", "joy": "happy", "sad": "sad", "sadness": "sad", "angry": "angry"},
    **{"anger": "angry", "ang": "angry", "fear": "fearful", "fearful": "fearful"},
    **{"fea": "fearful", "disgust": "disgusted", "disgusted": "disgusted", "dis": "disgusted"},
    **{"surprise": "surprised", "surprised": "surprised", "sur": "surprised"},
}
"""What files and tables call the emotions; contempt and the like are none of the seven."""
CREMAD = re.compile(r"\d{4}_[A-Z]{3}_(ANG|DIS|FEA|HAP|NEU|SAD)_[A-Z]{2}$")
MEAD = re.compile(r"level_\d_([a-z]+)_\d+$")
TABLE = "clips.tsv"


@dataclass(frozen=True)
class Clip:
    """A video of somebody, and the emotion that is acted in it."""

    path: Path
    emotion: int | None
    """Index into ``EMOTIONS``; None where nobody says."""

    @property
    def name(self) -> str:
        """Of the file, without its ending."""
        return self.path.stem


def emotion_named(name: str) -> int | None:
    """By the name of a file of CREMA-D (``1001_DFA_ANG_XX``) or MEAD (``.._level_1_sad_015``)."""
    for pattern in (CREMAD, MEAD):
        found = pattern.search(name)
        if found is not None:
            return _index(found[1])
    return None


def find_clips(folders: Sequence[Path]) -> list[Clip]:
    """The videos of some folders; a ``clips.tsv`` with ``file`` and ``emotion`` may label them.

    Of videos of one name, which could not have a track each, the first counts.

    Raises:
        InputError: A folder is not there, or there is no video in any.
    """
    clips: dict[str, Clip] = {}
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"Got no folder {folder}; give folders of videos with --clips.")
        table = _emotions_of(folder / TABLE)
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in VIDEOS:
                named = emotion_named(path.stem)
                emotion = table.get(path.name) if named is None else named
                clips.setdefault(path.stem, Clip(path, emotion))
    if not clips:
        names = ", ".join(str(folder) for folder in folders)
        raise InputError(
            f"Got no video ({' '.join(VIDEOS)}) in {names}; give folders that hold some."
        )
    return list(clips.values())


def _emotions_of(table: Path) -> dict[str, int]:
    """By name of the file; a row of two emotions, or of none of the seven, labels nothing."""
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    found = {row.get("file") or "": _index(row.get("emotion") or "") for row in rows}
    return {name: emotion for name, emotion in found.items() if emotion is not None}


def _index(name: str) -> int | None:
    emotion = NAMED.get(name.strip().lower())
    return None if emotion is None else EMOTIONS.index(emotion)


@dataclass(frozen=True)
class Tracked:
    """A clip with its face track and its performance on the rig."""

    clip: Clip
    track: FaceTrack
    performance: Performance

    def seen(self, count: int) -> Int64[np.ndarray, " chosen"]:
        """Up to so many frames of the track that show the face, evenly over the clip's middle."""
        frames = np.flatnonzero(self.track.status == SEEN)
        return frames[spread(len(frames), count)]

    def weights_at(self, frames: Int64[np.ndarray, " chosen"]) -> Weights:
        """What the performance does at these frames of the track."""
        at = np.round(self.track.times[frames] * self.performance.fps).astype(int)
        return self.performance.weights[at.clip(0, len(self.performance) - 1)]


def spread(length: int, count: int) -> Int64[np.ndarray, " chosen"]:
    """Up to ``count`` of ``length`` frames, evenly from an eighth of a clip to its end's eighth."""
    places = np.linspace(0.08 * length, 0.92 * length, count).astype(int)
    return np.unique(places.clip(0, length - 1))


def drawn(face: FaceModel, head: str, weights: Weights, side: int) -> Iterator[Frame]:
    """Square pictures of a head from the front, made as they are asked for, in one thread.

    Raises:
        InputError: There is no such head, or no OpenGL library.
    """
    with HeadRenderer(face, head, side, side, yaw=0.0) as renderer:
        for each in weights:
            yield renderer.frame(each)


def track_clips(
    clips: Iterable[Clip], face: FaceModel, tracks: Path | None
) -> tuple[list[Tracked], dict[str, str]]:
    """The clips that can be used, and of the others why not.

    Args:
        clips: Of real people.
        face: The rig.
        tracks: Folder that keeps the tracks.

    Raises:
        InputError: None can be used.
    """
    found: list[Tracked] = []
    dropped: dict[str, str] = {}
    for clip in tqdm(list(clips), desc="track", leave=False, disable=None):
        try:
            track = track_of(clip.path, tracks)
            found.append(Tracked(clip, track, retarget(track, face, fps=FPS)))
        except InputError as error:
            dropped[clip.name] = str(error)
    if not found:
        first = next(iter(dropped.values()))
        raise InputError(f"Got no clip with a face that could be tracked; of the first: {first}")
    return found, dropped


@dataclass(frozen=True)
class Takes:
    """Another's speech in the style of clips; each take is made once."""

    load: Callable[[], Pipeline]
    sound: Sound

    @cached_property
    def pipeline(self) -> Pipeline:
        """Loaded when the first take is asked for."""
        return self.load()

    @cached_property
    def _made(self) -> dict[tuple[str, Use], Performance]:
        return {}

    def of(self, tracked: Tracked, use: Use) -> Performance:
        """The take of a clip, seed 0.

        Raises:
            InputError: The model cannot be loaded or the clip shows no face.
        """
        key = tracked.clip.name, use
        if key not in self._made:
            (take,) = self.pipeline.animate(self.sound, tracked.performance, use=use)
            self._made[key] = Performance.from_weights(take.weights, take.fps)
        return self._made[key]
