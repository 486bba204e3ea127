"""Talking videos as recordings of the corpus: tracked, retargeted, in step, and with their phones.

Place in the flow: ``build`` screens every video once, before it plans; ``plan`` joins those that
can be used. A video whose lips cannot be trusted is left out and the reason is counted.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kmspeaker.corpus.config import Config
from kmspeaker.corpus.performances.recordings import Recording, synchronize
from kmspeaker.corpus.speech.forced_alignment import Aligner
from kmspeaker.corpus.speech.voices import licence_of
from kmspeaker.errors import InputError
from kmspeaker.face.landmarks import INNER_LOWER_LIP, INNER_UPPER_LIP
from kmspeaker.face.rig import UPPER_SHAPES, FaceModel
from kmspeaker.media.audio import SAMPLE_RATE, load_sound
from kmspeaker.reference.retarget import retarget
from kmspeaker.reference.tracking import FaceTrack, track_video

LEAST_CORRELATION = 0.95
"""Of the tracked and the retargeted lip opening; a video with less is not used."""


@dataclass(frozen=True)
class Video:
    """A talking video, its words, its speaker and its licence."""

    path: Path
    source: str
    speaker: str
    text: str
    licence: str


@dataclass(frozen=True)
class RejectedVideo:
    """A video that is not used."""

    source: str
    name: str
    reason: str


def read_videos(data: Path, folders: Sequence[str]) -> tuple[Video, ...]:
    """The videos that the ``clips.tsv`` of each folder names; its columns are file and text.

    A folder of several people has the column speaker too.

    Raises:
        InputError: No such index, a column is missing, or a video is not there.
    """
    return tuple(video for folder in folders for video in _videos_of(data / folder))


def open_screener(config: Config) -> Callable[[Video], Recording | RejectedVideo]:
    """What turns a video into a recording, or says why not; opened once in each process."""
    face, aligner = FaceModel.load(), Aligner()
    if config.tracks is None:
        raise InputError("Got no folder for the tracks; name one in the config as tracks.")
    tracks = config.tracks

    def screen(video: Video) -> Recording | RejectedVideo:
        late = config.lips_late.get(video.source, 0.0)
        result = retarget_video(video, face, aligner, tracks, fps=config.fps, late=late)
        if isinstance(result, Recording):
            return result
        return RejectedVideo(video.source, video.path.name, result)

    return screen


def retarget_video(
    video: Video, face: FaceModel, aligner: Aligner, tracks: Path, *, fps: float, late: float = 0.0
) -> Recording | str:
    """A talking video on our rig, or the reason why it cannot be used.

    Args:
        video: The video.
        face: The rig.
        aligner: Finds the phones.
        tracks: Folder that keeps face tracks: tracking is the slowest step of a build.
        fps: Rate of the motion.
        late: Seconds by which lips follow the sound.
    """
    try:
        track = _track(video, tracks)
    except InputError:
        return "no face found"
    performance = retarget(track, face, fps=fps)
    if not performance.present.all():
        return "face lost"
    upper, lower = (track.landmarks[:, index, 1] for index in (INNER_UPPER_LIP, INNER_LOWER_LIP))
    tracked = np.interp(np.arange(len(performance)) / fps, track.times, lower - upper)
    gap = face.lip_gap(performance.weights, face.identities[0])
    if not np.corrcoef(tracked, gap)[0, 1] >= LEAST_CORRELATION:
        return "rig does not follow the lips"
    try:
        sound = load_sound(video.path, sample_rate=SAMPLE_RATE)
    except InputError:
        return "no sound"
    try:
        phones = aligner.align(sound.samples, video.text)
    except InputError:
        return "text not found in the sound"
    frames = int(min(sound.seconds, performance.seconds) * fps)
    mouth = synchronize(performance.weights * ~UPPER_SHAPES, fps, fps=fps, late=late, frames=frames)
    return Recording(
        video.path.stem,
        video.speaker,
        video.source,
        video.licence,
        video.path,
        mouth,
        fps,
        text=video.text,
        phones=tuple(phone for phone in phones if phone[1] < frames / fps),
    )


def _videos_of(folder: Path) -> list[Video]:
    index = folder / "clips.tsv"
    if not index.is_file():
        raise InputError(f"Got no {index}; put the videos' index there or leave the folder out.")
    licence, source = licence_of(folder), folder.name
    videos: list[Video] = []
    with index.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            name, text = row.get("file"), row.get("text")
            if not name or not text:
                raise InputError(f"Got a row without file or text in {index}: {row}; complete it.")
            if not (folder / name).is_file():
                raise InputError(f"Got no {name} in {folder}, which its clips.tsv names.")
            speaker = f"{source}_{row['speaker']}" if row.get("speaker") else source
            videos.append(Video(folder / name, source, speaker, text, licence))
    return videos


def _track(video: Video, folder: Path) -> FaceTrack:
    path = folder / f"{video.path.stem}.npz"
    if path.is_file():
        return FaceTrack.load(path)
    track = track_video(video.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    track.save(path)
    return track
