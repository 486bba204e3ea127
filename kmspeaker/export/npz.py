"""Vertices, faces and weights for numpy: ``numpy.load`` reads it, without pickles."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.export.provenance import credited_provenance
from kmspeaker.face.head_pose import HEAD_PIVOT
from kmspeaker.face.rig import ARKIT_NAMES, FaceModel
from kmspeaker.progress import Progress

_CHUNK = 64
"""Frames in memory at a time; a long animation's vertices would fill it."""


def write_npz(
    animation: FaceAnimation, face: FaceModel, path: Path, *, progress: Progress | None = None
) -> None:
    """Write the animation as arrays.

    Keys: ``vertices`` float32 (frames, V, 3) in mm, ``faces`` int32 (T, 3), ``weights`` float32
    (frames, 52), ``weight_names`` (52,), ``landmarks`` float32 (frames, 68, 3) in mm, the moving
    face's 68 points in iBUG's order, ``fps``, and what ``credited_provenance`` tells
    (``identity``, ``model``, ``seed``, ``copyright``, ...; ``controls`` as JSON). Where the head
    moves, ``head`` float32 (frames, 3) holds its yaw, pitch and roll in radians about
    ``head_pivot`` (3,) in mm, as ``Ry(yaw) Rx(pitch) Rz(roll)``; ``vertices`` and ``landmarks``
    are without it. ``vertices`` are stored as they are, so writing and reading need no more memory
    than a few frames.
    """
    arrays = {
        "faces": face.faces,
        "weights": animation.weights,
        "weight_names": np.array(ARKIT_NAMES),
        "fps": np.float64(animation.fps),
    }
    if animation.head is not None:
        arrays |= {"head": animation.head, "head_pivot": np.array(HEAD_PIVOT, np.float32)}
    for name, value in credited_provenance(animation, face).items():
        arrays[name] = np.asarray(json.dumps(value) if isinstance(value, dict) else value)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as entry:
                np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)
        ibug = face.keypoints["ibug68"].indices
        shape = (len(animation), len(face.part), 3)
        with archive.open("vertices.npy", "w", force_zip64=True) as entry:
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(entry, header)
            written, landmarks = 0, []
            for vertices in _chunks(animation, face):
                entry.write(vertices.astype("<f4").tobytes())
                landmarks.append(vertices[:, ibug])
                written += len(vertices)
                if progress is not None:
                    progress(written / len(animation))
        with archive.open("landmarks.npy", "w") as entry:
            np.lib.format.write_array(entry, np.concatenate(landmarks), allow_pickle=False)


def _chunks(
    animation: FaceAnimation, face: FaceModel
) -> Iterator[Float32[np.ndarray, "frames vertices 3"]]:
    for start in range(0, len(animation), _CHUNK):
        yield face.vertices(animation.weights[start : start + _CHUNK], animation.identity)
