"""Motion as files for the browser; ``static/arrays.js`` reads them."""

import gzip
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float32, Int16, UInt8, UInt16

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.face.rig import FaceModel, Weights
from kmspeaker.media.audio import Sound
from kmspeaker.reference.overlay import keypoint_pixels
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.tracking import BRIDGED, LOST, SEEN, FaceTrack

PEAK_SECONDS = 0.02
"""One bar of the loudness picture behind the scrubber covers this long."""
DOUBTFUL = 3
"""For the browser, beside ``tracking.SEEN``, ``BRIDGED`` and ``LOST``: seen, the fit in doubt."""
_SUBPIXEL = 8
"""Keypoints are sent in eighths of a pixel."""
_TURN_STEPS = 10_000
_MODES = 32
"""Ways in which the points of a face move over a picture that are kept; the rest is noise."""


def pack_arrays(arrays: Mapping[str, np.ndarray], values: Mapping[str, Any] | None = None) -> bytes:
    """Named arrays and plain values as one file; ``static/arrays.js`` reads it.

    Layout, in gzip: uint32 length of the header, the header as JSON, then the arrays, each 4-byte
    aligned.
    """
    places, blobs, offset = {}, [], 0
    for name, array in arrays.items():
        blob = np.ascontiguousarray(array).tobytes()
        places[name] = {"type": array.dtype.name, "offset": offset, "count": int(array.size)}
        padding = -len(blob) % 4
        blobs.append(blob + bytes(padding))
        offset += len(blob) + padding
    header = json.dumps({"values": values or {}, "arrays": places}).encode()
    padding = bytes(-(4 + len(header)) % 4)
    content = struct.pack("<I", len(header)) + header + padding + b"".join(blobs)
    return gzip.compress(content, compresslevel=6, mtime=0)


def take_arrays(animation: FaceAnimation) -> bytes:
    """A take for the browser: weights as uint16 fractions, the head's turns, the loudness."""
    arrays = {"weights": quantise(animation.weights), "peaks": loudness(animation.sound)}
    if animation.head is not None:
        arrays["head"] = turns(animation.head)
    return pack_arrays(
        arrays,
        {"fps": animation.fps, "frames": len(animation), "seconds": animation.sound.seconds},
    )


def quantise(weights: Weights) -> UInt16[np.ndarray, "frames 52"]:
    """Weights in [0, 1] as uint16 fractions of 65535."""
    return np.round(np.clip(weights, 0, 1) * 65535).astype(np.uint16)


def turns(head: Float32[np.ndarray, "frames 3"]) -> Int16[np.ndarray, "frames 3"]:
    """Yaw, pitch and roll in ten-thousandths of a radian; half a turn at most."""
    return np.round(np.clip(np.nan_to_num(head), -3.1, 3.1) * _TURN_STEPS).astype(np.int16)


def loudness(sound: Sound) -> UInt8[np.ndarray, " bars"]:
    """The loudest moment of every 20 ms, 255 for the loudest of all."""
    step = max(1, round(sound.sample_rate * PEAK_SECONDS))
    padded = np.pad(np.abs(sound.samples), (0, -len(sound.samples) % step))
    peaks = padded.reshape(-1, step).max(axis=1)
    # Quieter speech is drawn as tall; silence stays flat.
    scaled = np.sqrt(peaks / max(float(peaks.max(initial=0)), 1e-3))
    return np.round(255 * np.clip(scaled, 0, 1)).astype(np.uint8)


def reference_arrays(performance: Performance, track: FaceTrack | None, face: FaceModel) -> bytes:
    """A reference for the browser: its motion on the rig, its keypoints, where it was lost.

    ``status`` is ``tracking``'s of each frame, or ``DOUBTFUL``.
    """
    values: dict[str, Any] = {
        "fps": performance.fps,
        "frames": len(performance),
        "seconds": performance.seconds,
        "keypointCount": 0,
        "width": 0,
        "height": 0,
    }
    arrays = {"weights": quantise(performance.weights), "head": turns(performance.head)}
    if track is None:
        status = np.where(performance.present, np.where(performance.bridged, BRIDGED, SEEN), LOST)
        arrays["times"] = (np.arange(len(performance)) / performance.fps).astype(np.float32)
    else:
        pixels = np.nan_to_num(keypoint_pixels(track, face)) * _SUBPIXEL
        arrays["keypoints"] = np.clip(np.round(pixels), -32768, 32767).astype(np.int16)
        arrays |= _all_points(track, face)
        arrays["upper"] = face.keypoints["ours"].upper.astype(np.uint8)
        arrays["times"] = track.times.astype(np.float32)
        status = track.status
        arrays["confidence"] = np.round(255 * track.confidence).astype(np.uint8)
        values |= {"keypointCount": pixels.shape[1], "width": track.width, "height": track.height}
    nearest = np.round(arrays["times"] * performance.fps).astype(int)
    doubtful = performance.doubtful[nearest.clip(0, len(performance) - 1)]
    arrays["status"] = np.where((status == SEEN) & doubtful, DOUBTFUL, status).astype(np.uint8)
    return pack_arrays(arrays, values)


def _all_points(track: FaceTrack, face: FaceModel) -> dict[str, np.ndarray]:
    """Every keypoint set over the picture, in the order of ``face.keypoints``, compactly.

    Many keypoints share a landmark, and landmarks move together: a pixel is ``middle`` plus a few
    ``modes`` times their ``places`` in a frame, ``columns`` says which of them a keypoint is.
    """
    sets = [np.nan_to_num(keypoint_pixels(track, face, name)) for name in face.keypoints]
    pixels = np.concatenate(sets, axis=1).transpose(1, 0, 2).reshape(-1, 2 * len(track))
    distinct, columns = np.unique(pixels, axis=0, return_inverse=True)
    visible = track.status != LOST
    moves = distinct.reshape(len(distinct), -1, 2).transpose(1, 0, 2).reshape(len(track), -1)
    middle = moves[visible].mean(axis=0)
    moves = np.where(visible[:, None], moves - middle, 0)
    directions = np.linalg.eigh(moves.T @ moves)[1][:, ::-1][:, :_MODES]
    places = moves @ directions
    scale = np.maximum(np.abs(places).max(axis=0), 1e-6) / 32767
    return {
        "columns": columns.reshape(-1).astype(np.uint16),
        "middle": middle.astype(np.float32),
        "modes": np.round(directions.T * 32767).astype(np.int16),
        "places": np.round(places / scale).astype(np.int16),
        "placeScale": (scale / 32767).astype(np.float32),
    }
