"""Talking videos as recordings of the corpus: tracked, retargeted, in step, and with their phones.

Place in the flow: ``build`` screens every video once, before it plans; ``plan`` joins those that
can be used. A video whose lips cannot be trusted is left out and the reason is counted.
"""

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kmspeaker.corpus.config import Config
from kmspeaker.corpus.lips.visemes import Phone
from kmspeaker.corpus.people import Use, use_of
from kmspeaker.corpus.performances.cremad import read_name
from kmspeaker.corpus.performances.recordings import Recording, synchronize
from kmspeaker.corpus.speech.forced_alignment import Aligner
from kmspeaker.corpus.speech.voices import LICENCES, licence_of
from kmspeaker.errors import InputError
from kmspeaker.face.landmarks import INNER_LOWER_LIP, INNER_UPPER_LIP
from kmspeaker.face.rig import UPPER_SHAPES, FaceModel
from kmspeaker.media.audio import SAMPLE_RATE, load_sound
from kmspeaker.reference.retarget import retarget
from kmspeaker.reference.tracking import FaceTrack, track_video

NOT_TO_TRAIN_ON: tuple[Use | None, ...] = ("left_out", "development", "test")
STATED_LICENCES = {
    "CC BY 4.0": "CC-BY-4.0",
    "CC0": "CC0-1.0",
    "Public domain": "public domain",
    "MIT": "MIT",
    "ODbL": "ODbL-1.0",
}
"""Beginnings of what a row of ``clips.tsv`` may state, and the licence that is."""
MOST_LAG = 0.3
"""Seconds; whoever is further out of step has another fault."""
LEAST_CORRELATION = 0.95
"""Of the tracked and the retargeted lip opening; a video with less is not used."""


@dataclass(frozen=True)
class Video:
    """A talking video, its words, its speaker and its licence."""

    path: Path
    source: str
    speaker: str
    text: str
    """Empty where nobody has written down what is said."""
    licence: str
    whole: bool = False
    """Whether its upper face is used too: natural talk, and acted emotions."""
    late: float = 0.0
    """Seconds by which its lips follow its sound, besides what the config says of its folder."""


@dataclass(frozen=True)
class RejectedVideo:
    """A video that is not used."""

    source: str
    name: str
    reason: str


def read_videos(data: Path, folders: Sequence[str]) -> tuple[Video, ...]:
    """The videos that the ``clips.tsv`` of each folder names; its columns are file and text.

    A folder of several people has the column speaker (or person_id) too; clips without a text are
    natural talk, of which the whole face is used. ``lag_ms`` is by how much a clip's lips follow
    its sound: films from everywhere differ by a frame or two, which would smear what syllables
    teach. A folder in CREMA-D's layout needs no index. People who are not for training
    (``people``) are left out.

    Raises:
        InputError: No such index, a column is missing, a lag is no number of milliseconds within
            ``MOST_LAG``, or a video is not there.
    """
    return tuple(video for folder in folders for video in _videos_of(data / folder))


def open_screener(config: Config) -> Callable[[Video], Recording | RejectedVideo]:
    """What turns a video into a recording, or says why not; opened once in each process."""
    face, aligner = FaceModel.load(), Aligner()
    if config.tracks is None:
        raise InputError("Got no folder for the tracks; name one in the config as tracks.")
    tracks = config.tracks

    def screen(video: Video) -> Recording | RejectedVideo:
        late = config.lips_late.get(video.source, 0.0) + video.late
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
    phones: tuple[Phone, ...] = ()
    if video.text:
        try:
            phones = tuple(aligner.align(sound.samples, video.text))
        except InputError:
            return "text not found in the sound"
    frames = int(min(sound.seconds, performance.seconds) * fps)
    played = performance.weights if video.whole else performance.weights * ~UPPER_SHAPES
    mouth = synchronize(played, fps, fps=fps, late=late, frames=frames)
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
        whole=video.whole,
    )


def _videos_of(folder: Path) -> list[Video]:
    index = folder / "clips.tsv"
    if not index.is_file():
        acted = _cremad_videos(folder)
        if not acted:
            raise InputError(
                f"Got no {index} and no videos named as CREMA-D's; each folder of videos needs one."
            )
        return acted
    source = folder.name
    videos: list[Video] = []
    with index.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            name, text = row.get("file"), row.get("text") or ""
            if not name:
                raise InputError(f"Got a row without a file in {index}: {row}; complete it.")
            if use_of(source, name) in NOT_TO_TRAIN_ON:
                continue
            if not (folder / name).is_file():
                raise InputError(f"Got no {name} in {folder}, which its clips.tsv names.")
            licence = _licence(row, folder)
            person = row.get("speaker") or row.get("person_id")
            speaker = f"{source}_{person}" if person else source
            late = _late(row, index)
            path = folder / name
            videos.append(Video(path, source, speaker, text, licence, whole=not text, late=late))
    return videos


def _late(row: Mapping[str, str], index: Path) -> float:
    stated = row.get("lag_ms") or "0"
    try:
        late = float(stated) / 1000
    except ValueError:
        late = math.nan
    if not abs(late) <= MOST_LAG:  # NaN neither
        raise InputError(
            f"Got lag_ms {stated!r} of {row['file']} in {index}; it needs milliseconds within "
            f"{1000 * MOST_LAG:.0f} of 0."
        )
    return late


def _licence(row: Mapping[str, str], folder: Path) -> str:
    """The licence of a clip, which its row may state; a folder we know must keep the one we know.

    Raises:
        InputError: It is unknown, or not what it was.
    """
    stated = row.get("licence")
    if not stated:
        return licence_of(folder)
    for beginning, licence in STATED_LICENCES.items():
        if stated.startswith(beginning) and LICENCES.get(folder.name, licence) == licence:
            return licence
    raise InputError(
        f"Got the licence {stated!r} for {row['file']} in {folder}; known are "
        f"{', '.join(STATED_LICENCES)}"
        + (f", and this folder had {LICENCES[folder.name]}" if folder.name in LICENCES else "")
        + ". See whether it may still train."
    )


def _cremad_videos(folder: Path) -> list[Video]:
    """Acted emotions, by CREMA-D's names."""
    videos: list[Video] = []
    for path in sorted(folder.glob("*")):
        clip = read_name(path.name)
        if clip is not None and use_of(folder.name, path.name) not in NOT_TO_TRAIN_ON:
            speaker = f"{folder.name}_{clip.actor}"
            licence = licence_of(folder)
            videos.append(Video(path, folder.name, speaker, clip.text, licence, whole=True))
    return videos


def _track(video: Video, folder: Path) -> FaceTrack:
    path = folder / video.source / f"{video.path.stem}.npz"
    if path.is_file():
        return FaceTrack.load(path)
    track = track_video(video.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    track.save(path)
    return track
