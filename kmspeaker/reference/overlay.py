"""Keypoints and the state of tracking, drawn on the frames of a video.

Place in the flow: after ``tracking``; the command line writes the video, the page draws its own.
"""

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image, ImageDraw, ImageFont

from kmspeaker.errors import InputError
from kmspeaker.face.rig import FaceModel
from kmspeaker.limits import MAX_SECONDS
from kmspeaker.media.audio import load_sound
from kmspeaker.media.video_reader import Frame, frames_at, probe_video, read_frames
from kmspeaker.media.video_writer import write_video
from kmspeaker.progress import Progress
from kmspeaker.reference.tracking import LOST, MAX_FPS, MAX_GAP, SEEN, FaceTrack

UPPER_COLOUR = (56, 189, 248)
LOWER_COLOUR = (251, 146, 60)
STATUS_COLOURS = (None, (245, 158, 11), (239, 68, 68))
"""Of the border, by ``tracking.FaceTrack.status``: seen, bridged, lost."""
STATUS_TEXTS = ("", "face hidden, bridged", "face lost")
MIN_SIDE = 480
"""Smaller pictures are doubled until their longer side has this many pixels, to draw finely."""


def draw_track(
    frame: Frame,
    keypoints: Float32[np.ndarray, "keypoints 2"],
    upper: Bool[np.ndarray, " keypoints"],
    status: int,
) -> UInt8[np.ndarray, "new_height new_width 3"]:
    """The frame with dots at the keypoints, and a border where the face is not seen.

    Args:
        frame: The picture; it is not changed.
        keypoints: Their places as fractions of width and height; NaN where there is none.
        upper: Which of them have the colour of the upper face.
        status: As ``tracking.FaceTrack.status``.
    """
    height, width = frame.shape[:2]
    scale = 1
    while max(height, width) * scale < MIN_SIDE:
        scale *= 2
    size = (width * scale, height * scale)
    picture = Image.fromarray(frame)
    if scale > 1:
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    canvas = np.array(picture)
    if np.isfinite(keypoints).all():
        places = keypoints * np.array(size, np.float32)
        face_size = float(np.ptp(places, axis=0).max())
        _draw_dots(canvas, places, upper, radius=max(1.8, 0.011 * face_size))
    colour = STATUS_COLOURS[status]
    if colour is not None:
        _draw_border(canvas, colour, STATUS_TEXTS[status])
    return canvas


def keypoint_pixels(
    track: FaceTrack, face: FaceModel, set_name: str = "ours"
) -> Float32[np.ndarray, "frames keypoints 2"]:
    """Where each keypoint lies in each frame, pixels: at the nearest of mediapipe's landmarks.

    Bridged frames are interpolated; NaN where ``status`` is ``LOST``.
    """
    identity = face.identities[0]
    keypoints = face.neutral(identity)[face.keypoints[set_name].indices]
    landmarks = face.landmarks(np.zeros((1, 52), np.float32), identity)[0]
    nearest = np.linalg.norm(keypoints[:, None] - landmarks, axis=-1).argmin(axis=1)
    seen = track.status == SEEN
    pixels = track.landmarks[:, nearest, :2].reshape(len(track), -1)
    filled = np.stack(
        [np.interp(track.times, track.times[seen], channel[seen]) for channel in pixels.T], axis=1
    )
    filled[track.status == LOST] = np.nan
    return filled.reshape(len(track), -1, 2).astype(np.float32)


def write_overlay(
    track: FaceTrack, video: Path | str, out: Path | str, *, progress: Progress | None = None
) -> None:
    """Write the video with its keypoints drawn on it, and with its sound.

    Upper face and lower face have two colours; frames without the face have a red border, bridged
    ones an amber one.

    Raises:
        InputError: The video cannot be read, or the file cannot be written there.
    """
    face = FaceModel.load()
    info = probe_video(video)
    upper = face.keypoints["ours"].upper
    pixels = keypoint_pixels(track, face) / np.array([track.width, track.height], np.float32)
    middles = (track.times[1:] + track.times[:-1]) / 2
    total = float(track.times[-1])

    def draw_frames() -> Iterator[tuple[float, Frame]]:
        for seconds, frame in read_frames(video, max_seconds=total + MAX_GAP):
            index = int(np.searchsorted(middles, seconds))
            if progress is not None:
                progress(min(seconds / total, 1.0))
            yield seconds, draw_track(frame, pixels[index], upper, int(track.status[index]))

    fps = float(np.clip(1 / np.median(np.diff(track.times)), 5, MAX_FPS))
    sound = None
    if info.has_sound:
        with suppress(InputError):  # the picture is what matters here
            sound = load_sound(video, min_seconds=0.0, max_seconds=max(MAX_SECONDS, 2 * total))
    write_video(out, frames_at(draw_frames(), fps), fps, sound)
    if progress is not None:
        progress(1.0)


def _draw_dots(
    canvas: UInt8[np.ndarray, "height width 3"],
    places: Float32[np.ndarray, "keypoints 2"],
    upper: Bool[np.ndarray, " keypoints"],
    radius: float,
) -> None:
    """Blend anti-aliased dots with a dark rim into the canvas; a dot may lie partly outside."""
    reach = int(np.ceil(radius + 2))
    height, width = canvas.shape[:2]
    offsets = np.arange(-reach, reach + 1)
    for (x, y), is_upper in zip(places, upper, strict=True):
        columns, rows = offsets + round(float(x)), offsets + round(float(y))
        columns = columns[(columns >= 0) & (columns < width)]
        rows = rows[(rows >= 0) & (rows < height)]
        if not len(columns) or not len(rows):
            continue
        distance = np.hypot(columns + 0.5 - x, (rows + 0.5 - y)[:, None])[..., None]
        patch = canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        rim = 0.55 * np.clip(radius + 1.5 - distance, 0, 1)
        dot = np.clip(radius + 0.5 - distance, 0, 1)
        blended = patch * (1 - rim)
        blended = blended * (1 - dot) + np.array(UPPER_COLOUR if is_upper else LOWER_COLOUR) * dot
        patch[:] = np.round(blended)


def _draw_border(
    canvas: UInt8[np.ndarray, "height width 3"], colour: tuple[int, int, int], text: str
) -> None:
    height, width = canvas.shape[:2]
    thick = max(3, min(height, width) // 60)
    for edge in (np.s_[:thick], np.s_[-thick:], np.s_[:, :thick], np.s_[:, -thick:]):
        canvas[edge] = colour
    label = _label(text, colour, max(14, min(height, width) // 22))
    rows, columns = min(label.shape[0], height), min(label.shape[1], width)
    canvas[:rows, :columns] = label[:rows, :columns]


@lru_cache(maxsize=16)
def _label(
    text: str, colour: tuple[int, int, int], height: int
) -> UInt8[np.ndarray, "label_height label_width 3"]:
    font = ImageFont.load_default(height)
    left, top, right, bottom = font.getbbox(text)
    margin = height // 2
    size = (round(right - left) + 2 * margin, round(bottom - top) + 2 * margin)
    label = Image.new("RGB", size, colour)
    ImageDraw.Draw(label).text((margin - left, margin - top), text, fill="white", font=font)
    return np.array(label)
