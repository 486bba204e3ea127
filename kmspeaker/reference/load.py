"""A reference: any of the files that show a style of speaking, as one performance.

Place in the flow: a video goes through ``tracking`` and ``retarget``, a saved track through
``retarget``, a Live Link Face CSV through ``live_link``.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from kmspeaker.errors import InputError
from kmspeaker.face.rig import FaceModel
from kmspeaker.limits import MAX_SECONDS
from kmspeaker.progress import Progress
from kmspeaker.reference.live_link import read_with_notes
from kmspeaker.reference.neutral import neutral_of_picture
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.retarget import retarget
from kmspeaker.reference.table import encoding_of
from kmspeaker.reference.tracking import MAX_FPS, FaceTrack, track_video

ZIP_MAGIC = b"PK\x03\x04"
Kind = Literal["video", "track", "csv"]
Neutral = float | Path
"""What is neutral: the face at a moment of the clip, seconds, or the one in a picture."""
CSV_MARKS = ("timecode", "blendshapecount", "eyeblinkleft")


@dataclass(frozen=True)
class Reference:
    """A performance and where it came from."""

    performance: Performance
    track: FaceTrack | None
    """None for a CSV, which has no picture."""
    source: Path
    """The file as given."""
    notes: tuple[str, ...] = ()
    """Sentences for the user: what had to be assumed to read it."""


def load_reference(
    path: Path | str,
    face: FaceModel,
    *,
    fps: float = 30.0,
    progress: Progress | None = None,
    max_seconds: float = MAX_SECONDS,
    neutral: Neutral | None = None,
    rate: float | None = None,
) -> Reference:
    """Read a video, a saved track or a Live Link Face CSV; its content says which, not its name.

    Args:
        path: The file.
        face: The rig that is to play it.
        fps: Frames a second of the performance.
        progress: Told the fraction done.
        max_seconds: Longer ones are refused.
        neutral: When the person is at rest, seconds, or a picture of that. Where None it is what a
            saved track says, and else found in the clip.
        rate: Rows a second of a CSV whose time codes do not tell; a video needs none.

    Raises:
        InputError: It is none of these, or cannot be used; see ``tracking.track_video``,
            ``FaceTrack.load`` and ``live_link.read_with_notes``. Or the neutral face cannot be
            found, see ``neutral``, or is given for a CSV.
    """
    path = Path(path)
    if kind_of(path) == "csv":
        if neutral is not None:
            raise InputError(
                f"Got a neutral face for {path.name}, a Live Link Face CSV, which says itself what "
                "is neutral; leave it out, or give a video."
            )
        reading = read_with_notes(path, fps, max_seconds=max_seconds, rate=rate)
        reference = Reference(reading.performance, None, path, reading.notes)
    else:
        track = load_track(path, progress=progress, max_seconds=max_seconds, neutral=neutral)
        try:
            reference = Reference(retarget(track, face, fps=fps), track, path)
        except np.linalg.LinAlgError as error:
            raise InputError(
                f"Got {path.name}, whose landmarks make no face; track the video again."
            ) from error
    if progress is not None:
        progress(1.0)
    return reference


def load_track(
    path: Path,
    *,
    progress: Progress | None = None,
    max_seconds: float = MAX_SECONDS,
    neutral: Neutral | None = None,
) -> FaceTrack:
    """The track of a video or a saved one; ``load_reference`` explains the arguments.

    Raises:
        InputError: As ``load_reference``.
    """
    # A picture that cannot be used is refused before the video is tracked.
    moment = None if neutral is None or isinstance(neutral, Path | str) else float(neutral)
    picture = neutral_of_picture(neutral) if isinstance(neutral, Path | str) else None
    if kind_of(path) == "track":
        track = _load_track(path, max_seconds)
    else:
        track = track_video(path, progress=progress, max_seconds=max_seconds)
    if picture is not None:
        return replace(track, neutral=picture)
    return track if moment is None else track.with_neutral_at(moment)


def _load_track(path: Path, max_seconds: float) -> FaceTrack:
    track = FaceTrack.load(path, max_seconds=max_seconds)
    if track.times[-1] > max_seconds:
        raise InputError(
            f"Got {track.times[-1]:.0f} s of performance in {path.name}, the limit is "
            f"{max_seconds:g} s; give a shorter one or raise the limit with --max-seconds."
        )
    if len(track) > 1 and np.median(np.diff(track.times)) < 0.5 / MAX_FPS:
        raise InputError(
            f"Got {path.name} with more than {2 * MAX_FPS:g} frames/s, where tracks have up to "
            f"{MAX_FPS:g}; track the video again."
        )
    return track


def kind_of(path: Path) -> Kind:
    """What a file is by how it begins; whatever is neither track nor CSV may be a video.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(400)
    except OSError as error:
        raise InputError(
            f"Cannot read {path} ({error.strerror or error}); "
            "give a video, a saved track or a Live Link Face CSV."
        ) from error
    if start.startswith(ZIP_MAGIC):
        return "track"
    text = start.decode(encoding_of(start), "ignore").lower()
    return "csv" if any(mark in text for mark in CSV_MARKS) else "video"
