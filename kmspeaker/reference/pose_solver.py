"""The head's pose from landmarks alone: mediapipe's face geometry, for a picture of any size.

Place in the flow: ``face_search`` -> here. mediapipe takes the middle of what it is shown for the
middle of the camera. A face that was found in a part of a picture needs its pose anew, from where
its landmarks lie in the whole picture.

Source: mediapipe's ``face_geometry`` (Apache-2.0): the canonical face of the model's own file is
brought onto the landmarks twice, to find how far away they are, then once more for the pose.
"""

import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
from jaxtyping import Float32, Float64, Integer

from kmspeaker.assets import ASSETS

LANDMARKER = ASSETS / "tracking" / "face_landmarker.task"
FIELD_OF_VIEW = 63.0
"""Degrees from the lower to the upper edge of the picture, which mediapipe takes for granted."""
_MEMBER = "geometry_pipeline_metadata_landmarks.binarypb"
_MESH_LANDMARKS = 468
_VERTEX = 5
"""Numbers of a vertex: x, y, z in cm and two of a texture."""


@dataclass(frozen=True)
class CanonicalFace:
    """The landmarks of mediapipe's canonical face that say where a head is."""

    landmarks: Integer[np.ndarray, " fixed"]
    points: Float64[np.ndarray, "fixed 3"]
    """cm; x to the subject's left, y up, z out of the face."""
    weights: Float64[np.ndarray, " fixed"]


@lru_cache(maxsize=1)
def canonical_face() -> CanonicalFace:
    """As the model's own file has it, which is a ZIP with a message of Protocol Buffers."""
    content = zipfile.ZipFile(LANDMARKER).read(_MEMBER)
    vertices, weights = [], {}
    for number, value in _fields(content):
        if number == 1:  # the mesh; its field 3 is one number of a vertex
            vertices += [_float(part) for n, part in _fields(cast(bytes, value)) if n == 3]
        elif number == 2:  # a landmark and how much it counts
            parts = dict(_fields(cast(bytes, value)))
            weights[int(cast(int, parts.get(1, 0)))] = _float(parts[2])
    landmarks = np.array(list(weights))
    points = np.reshape(vertices, (-1, _VERTEX))[landmarks, :3].astype(np.float64)
    return CanonicalFace(landmarks, points, np.array(list(weights.values())))


def solve_pose(
    landmarks: Float32[np.ndarray, "478 3"], width: int, height: int
) -> Float32[np.ndarray, "4 4"]:
    """From mediapipe's canonical face to the camera (y up, z towards the viewer, cm).

    Args:
        landmarks: x right and y down from the picture's upper left corner, z away from the camera,
            in pixels.
        width: Of the whole picture, pixels.
        height: Of the whole picture, pixels.
    """
    face = canonical_face()
    # The plane one unit before the camera; all lengths are in units of it.
    high = 2 * np.tan(np.radians(FIELD_OF_VIEW) / 2)
    points = landmarks[:_MESH_LANDMARKS].astype(np.float64) * (high / height)
    points = points * (1, -1, 1) - (high * width / height / 2, -high / 2, 0)
    depth = points[:, 2].mean()
    points = points[face.landmarks]

    def seen_at(scale: float) -> Float64[np.ndarray, "fixed 3"]:
        away = (points[:, 2:] - depth + 1) / scale
        return np.concatenate([points[:, :2] * away, -away], axis=1)

    scale = _scale(_similarity(face, points * (1, 1, -1)))
    scale *= _scale(_similarity(face, seen_at(scale)))
    return _similarity(face, seen_at(scale)).astype(np.float32)


def _similarity(
    face: CanonicalFace, target: Float64[np.ndarray, "fixed 3"]
) -> Float64[np.ndarray, "4 4"]:
    """Turn, scale and move that bring the canonical face onto the target (weighted Procrustes)."""
    weight = (face.weights / face.weights.sum())[:, None]
    centre, goal = (weight * face.points).sum(axis=0), (weight * target).sum(axis=0)
    around = face.points - centre
    u, _, vt = np.linalg.svd((weight * target).T @ around)
    u[:, 2] *= np.sign(np.linalg.det(u @ vt))
    rotation = u @ vt
    turned = around @ rotation.T
    scale = np.sum(weight * turned * target) / np.sum(weight * around**2)
    matrix = np.eye(4)
    matrix[:3, :3] = scale * rotation
    matrix[:3, 3] = goal - scale * rotation @ centre
    return matrix


def _scale(matrix: Float64[np.ndarray, "4 4"]) -> float:
    return float(np.linalg.norm(matrix[:3, 0]))


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a message of Protocol Buffers."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        kind = key & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield key >> 3, value
            continue
        length = 4
        if kind == 2:
            length, position = _varint(message, position)
        yield key >> 3, message[position : position + length]
        position += length


def _varint(message: bytes, position: int) -> tuple[int, int]:
    number, shift = 0, 0
    while True:
        byte = message[position]
        number |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return number, position


def _float(value: int | bytes) -> float:
    return struct.unpack("<f", cast(bytes, value))[0]
