"""Follow one face through a video: the largest that persists becomes a ``FaceTrack``.

Place in the flow: ``landmarker`` finds faces in each frame -> here -> ``retarget``. A saved track
stands in for its video and does not show the person.
"""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_NAMES
from kmspeaker.limits import MAX_SECONDS
from kmspeaker.media.files import replacing
from kmspeaker.media.npz import read_npz
from kmspeaker.media.video_reader import limit_rate, probe_video, read_frames
from kmspeaker.progress import Progress
from kmspeaker.reference.face_graph import Detection
from kmspeaker.reference.landmarker import detect_faces
from kmspeaker.reference.linking import follow_largest
from kmspeaker.reference.neutral import NeutralFace, check_turn

MAX_GAP = 0.5
"""Seconds without the face that are bridged; longer, and it counts as lost."""
MIN_SEEN = 0.4
"""Share of the frames in which the face must be seen."""
MIN_SECONDS = 0.4
"""Shorter clips hold no performance."""
MAX_FPS = 60.0
"""Frames beyond this rate are passed over; ..."""
LONG, LONG_FPS = 300.0, 30.0
"""... in videos of more seconds, those beyond this one: each costs 25 kB while it is fitted."""
SEEN, BRIDGED, LOST = 0, 1, 2
"""What ``FaceTrack.status`` counts."""
NEUTRAL_REACH = 0.1
"""Seconds to both sides of a moment whose frames say what is neutral."""

FORMAT = "kmspeaker-track-1"
FARTHEST = 1e6
"""Pixels, centimetres and seconds beyond are no face's, and their squares no numbers."""
FRAME_BYTES = 4 * (478 * 3 + 52 + 16 + 1) + 8
"""Of a frame of a saved track."""


@dataclass(frozen=True)
class FaceTrack:
    """One face over the frames of a video."""

    landmarks: Float32[np.ndarray, "frames 478 3"]
    """mediapipe's: x right, y down, z away from the camera, in pixels of the scaled frame."""
    scores: Float32[np.ndarray, "frames 52"]
    """mediapipe's blendshape scores in ``rig.ARKIT_NAMES`` order, 0 to 1."""
    pose: Float32[np.ndarray, "frames 4 4"]
    """From mediapipe's canonical face to the camera (y up, z towards the viewer, cm)."""
    confidence: Float32[np.ndarray, " frames"]
    """Share of the landmarks that lie inside the picture; 0 where there is no face."""
    times: Float64[np.ndarray, " frames"]
    """Seconds from the first frame, rising."""
    width: int
    """Of the frames the landmarks refer to, pixels."""
    height: int
    neutral: NeutralFace | None = None
    """The person at rest, where the user said what that is."""

    def __post_init__(self) -> None:
        """Refuse what cannot be a track, so that a damaged file ends here."""
        frames = len(self.times)
        shapes = {"landmarks": (478, 3), "scores": (52,), "pose": (4, 4), "confidence": ()}
        for name, shape in shapes.items():
            value = getattr(self, name)
            near = (np.abs(value) < FARTHEST).all()  # what is no number is not near either
            if value.shape != (frames, *shape) or not near:
                raise InputError(
                    f"Got a face track whose {name} are damaged; track the video again."
                )
        if not ((self.confidence > 0).any() and (np.abs(self.confidence - 0.5) <= 0.5).all()):
            raise InputError("Got a face track without a face in it; track a video of a face.")
        times_rise = (np.abs(self.times) < FARTHEST).all() and (np.diff(self.times) > 0).all()
        if not frames or not times_rise or self.width < 1 or self.height < 1:
            raise InputError("Got a face track whose times are damaged; track the video again.")

    def __len__(self) -> int:
        return len(self.times)

    @cached_property
    def status(self) -> UInt8[np.ndarray, " frames"]:
        """``SEEN``, ``BRIDGED`` where the face is away for up to ``MAX_GAP``, else ``LOST``."""
        status = np.where(self.confidence > 0, SEEN, LOST).astype(np.uint8)
        away = np.flatnonzero(status)
        for gap in np.split(away, np.flatnonzero(np.diff(away) > 1) + 1):
            if len(gap):
                until = self.times[min(gap[-1] + 1, len(self) - 1)]
                short = until - self.times[gap[0]] <= MAX_GAP + 1e-6
                status[gap] = BRIDGED if short else LOST
        return status

    def with_neutral_at(self, seconds: float) -> "FaceTrack":
        """The same track, whose neutral face is the one around this moment.

        Raises:
            InputError: The moment lies outside the clip, or shows no face or one that looks aside.
        """
        # Where frames are rare, the nearest lies within half of what is between them.
        reach = max(NEUTRAL_REACH, 0.51 * float(np.median(np.diff(self.times))))
        if not 0 <= seconds <= self.times[-1] + reach:
            raise InputError(
                f"Got the neutral moment {seconds:g} s of a clip of {self.times[-1]:.2f} s; "
                "choose a moment inside it."
            )
        seen = np.flatnonzero(self.status == SEEN)
        apart = np.abs(self.times[seen] - seconds)
        near = seen[apart <= reach + 1e-6]
        if not len(near):
            raise InputError(
                f"Got no face at the neutral moment {seconds:g} s; the nearest is at "
                f"{self.times[seen[apart.argmin()]]:.2f} s, choose a moment that shows the face."
            )
        check_turn(self.pose[near[len(near) // 2]], f"the moment {seconds:g} s")
        landmarks, scores = (np.median(a[near], axis=0) for a in (self.landmarks, self.scores))
        return replace(
            self, neutral=NeutralFace(landmarks.astype(np.float32), scores.astype(np.float32))
        )

    def save(self, path: Path | str) -> None:
        """Write an ``.npz``; it appears whole or not at all.

        Raises:
            InputError: The file cannot be written there.
        """
        path = Path(path)
        arrays = {name: np.asarray(getattr(self, name)) for name in _SAVED}
        if self.neutral is not None:
            arrays |= {"neutral_landmarks": self.neutral.landmarks}
            arrays |= {"neutral_scores": self.neutral.scores}
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.savez(file, allow_pickle=False, format=np.asarray(FORMAT), **arrays)

    @classmethod
    def load(cls, path: Path | str, *, max_seconds: float = MAX_SECONDS) -> "FaceTrack":
        """Read what ``save`` wrote.

        Args:
            path: The file.
            max_seconds: More frames than a video of so many gives are not unpacked.

        Raises:
            InputError: No such file, not a track, of another version, or damaged.
        """
        path = Path(path)
        most_frames = max(min(max_seconds, LONG) * MAX_FPS, max_seconds * LONG_FPS)
        most_bytes = round((most_frames + 2) * FRAME_BYTES)
        try:
            saved = read_npz(path, ("format",), most_bytes=4 * 200)
            file_format = str(saved["format"])[:40]
            if file_format != FORMAT:
                raise InputError(
                    f"Got {path.name}, which is {file_format}; a track of this version "
                    f"({FORMAT}) is needed, track the video again."
                )
            arrays = read_npz(path, _SAVED, _NEUTRAL, most_bytes=most_bytes)
            numbers = {
                name: arrays[name].astype(np.float32, copy=False)
                for name in ("landmarks", "scores", "pose", "confidence", *_NEUTRAL)
                if name in arrays
            }
            neutral = None
            if numbers.keys() >= {*_NEUTRAL}:
                neutral = NeutralFace(*(numbers.pop(name) for name in _NEUTRAL))
            return cls(
                **{name: numbers[name] for name in _SAVED if name in numbers},
                times=arrays["times"].astype(np.float64, copy=False),
                width=int(arrays["width"]),
                height=int(arrays["height"]),
                neutral=neutral,
            )
        except InputError:
            raise
        except FileNotFoundError as error:
            raise InputError(f"Cannot read {path}, there is no such file.") from error
        except (OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
            raise InputError(
                f"Got {path.name}, which is no face track or is damaged; track the video again."
            ) from error


_SAVED = tuple(field.name for field in fields(FaceTrack) if field.name != "neutral")
_NEUTRAL = ("neutral_landmarks", "neutral_scores")


def track_video(
    path: Path | str, *, progress: Progress | None = None, max_seconds: float = MAX_SECONDS
) -> FaceTrack:
    """Track the largest face that persists.

    Raises:
        InputError: The video cannot be read (``video_reader.read_frames``), is shorter than
            ``MIN_SECONDS``, shows no face, or shows it in less than ``MIN_SEEN`` of its frames.
    """
    path = Path(path)
    total = probe_video(path).seconds
    fps = MAX_FPS if total <= LONG else LONG_FPS
    times, sizes, detections = [], [], []
    for seconds, size, faces in detect_faces(
        limit_rate(read_frames(path, max_seconds=max_seconds), fps)
    ):
        times.append(seconds)
        sizes.append(size)
        detections.append(faces)
        if progress is not None and total:
            progress(min(seconds / total, 1.0))
    if times[-1] < MIN_SECONDS:
        raise InputError(
            f"Got {times[-1]:.2f} s of video in {path.name}, at least {MIN_SECONDS:g} s is needed; "
            "give a longer clip."
        )
    face_in_frame = follow_largest(detections)
    seen = sum(face is not None for face in face_in_frame)
    if not seen:
        raise InputError(
            f"Got no face in any of the {len(times)} frames of {path.name}; "
            "a face must be seen from the front, at least a twentieth of the picture wide."
        )
    if seen < MIN_SEEN * len(times):
        raise InputError(
            f"Got a face in only {seen} of the {len(times)} frames of {path.name}; at least "
            f"{MIN_SEEN:.0%} is needed, give a clip in which the face stays in view."
        )
    if progress is not None:
        progress(1.0)
    return _as_track(face_in_frame, np.array(times), *sizes[0])


def _as_track(
    faces: list[Detection | None], times: Float64[np.ndarray, " frames"], width: int, height: int
) -> FaceTrack:
    frames = len(faces)
    landmarks = np.zeros((frames, 478, 3), np.float32)
    scores = np.zeros((frames, len(ARKIT_NAMES)), np.float32)
    pose = np.tile(np.eye(4, dtype=np.float32), (frames, 1, 1))
    confidence = np.zeros(frames, np.float32)
    for k, face in enumerate(faces):
        if face is not None:
            landmarks[k], scores[k], pose[k] = face.landmarks, face.scores, face.pose
            place = face.landmarks[:, :2]
            confidence[k] = ((place >= 0) & (place < (width, height))).all(axis=1).mean()
    return FaceTrack(landmarks, scores, pose, confidence, times, width, height)
