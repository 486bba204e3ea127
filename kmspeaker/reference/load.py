"""A reference: any of the files that show a style of speaking, as one performance.

Place in the flow: a video goes through ``tracking`` and ``retarget``, a saved track through
``retarget``, a Live Link Face CSV through ``live_link``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kmspeaker.errors import InputError
from kmspeaker.face.rig import FaceModel
from kmspeaker.limits import MAX_SECONDS
from kmspeaker.progress import Progress
from kmspeaker.reference.live_link import read_live_link
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.retarget import retarget
from kmspeaker.reference.tracking import FaceTrack, track_video

ZIP_MAGIC = b"PK\x03\x04"
Kind = Literal["video", "track", "csv"]
CSV_MARKS = (b"timecode", b"blendshapecount", b"eyeblinkleft")


@dataclass(frozen=True)
class Reference:
    """A performance and where it came from."""

    performance: Performance
    track: FaceTrack | None
    """None for a CSV, which has no picture."""
    source: Path
    """The file as given."""


def load_reference(
    path: Path | str,
    face: FaceModel,
    *,
    fps: float = 30.0,
    progress: Progress | None = None,
    max_seconds: float = MAX_SECONDS,
) -> Reference:
    """Read a video, a saved track or a Live Link Face CSV; its content says which, not its name.

    Raises:
        InputError: It is none of these, or cannot be used; see ``tracking.track_video``,
            ``FaceTrack.load`` and ``live_link.read_live_link``.
    """
    path = Path(path)
    kind = kind_of(path)
    track = None
    if kind == "csv":
        performance = read_live_link(path, fps, max_seconds=max_seconds)
    else:
        if kind == "track":
            track = _load_track(path, max_seconds)
        else:
            track = track_video(path, progress=progress, max_seconds=max_seconds)
        performance = retarget(track, face, fps=fps)
    if progress is not None:
        progress(1.0)
    return Reference(performance, track, path)


def _load_track(path: Path, max_seconds: float) -> FaceTrack:
    track = FaceTrack.load(path)
    if track.times[-1] > max_seconds:
        raise InputError(
            f"Got {track.times[-1]:.0f} s of performance in {path.name}, the limit is "
            f"{max_seconds:g} s; give a shorter one or raise the limit with --max-seconds."
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
    return "csv" if any(mark in start.lower() for mark in CSV_MARKS) else "video"
