"""Reads which of seven expressions a face in a picture shows: the mean of two networks of others.

``face-api``'s faceExpressionNet, run here in torch, and ``facex``, run by ai-edge-litert. They are
judges for development and no part of the product; nothing that they judge may have used them.
(Ours: the paper judges style by people.)
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, UInt8
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from kmspeaker.assets import ASSETS
from kmspeaker.errors import InputError
from kmspeaker.face.landmarks import LEFT_EYE, RIGHT_EYE
from kmspeaker.media.video_reader import Frame
from kmspeaker.reference.landmarker import Detection, detect_faces

EMOTIONS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
"""The order of all probabilities."""
NEUTRAL = EMOTIONS.index("neutral")

FOLDER = ASSETS / "evaluation"
UPRIGHT = 320
"""Pixels of a crop whose sides are twice the face's."""
FACE_API_SHARES = (0.45, 0.5, 0.55, 0.6)
"""Parts of that crop's side which face-api sees, one after the other; chosen on acted clips."""
FACEX_SHARE = 0.6
FACE_API_SIDE, FACE_API_MEAN = 112, (122.782, 117.001, 104.298)
FACEX_SIDE = 200
FACEX_ORDER = (4, 3, 5, 0, 2, 1, 6)
"""Where ``EMOTIONS`` are among its answers."""
APART = np.zeros((64, 64, 3), np.uint8)
"""A picture without a face, before which the landmarker forgets the last one."""

Picture = UInt8[np.ndarray, "_ _ 3"]
"""Square."""
Probabilities = Float64[np.ndarray, " emotions"]


def read_expression(picture: Frame, landmarks: Float[np.ndarray, "points axes"]) -> Probabilities:
    """Probabilities of ``EMOTIONS``.

    Args:
        picture: RGB.
        landmarks: mediapipe's, x and y in pixels first.

    Raises:
        InputError: The extra that runs facex is not installed.
    """
    face_api, facex = networks()
    crop = upright(picture, landmarks)
    one = face_api([middle(crop, share) for share in FACE_API_SHARES]).mean(axis=0)
    return (one + facex([middle(crop, FACEX_SHARE)])[0]) / 2


def read_pictures(pictures: Iterable[Frame]) -> Iterator[Probabilities | None]:
    """Probabilities of the face in each of some pictures that have nothing to do with each other.

    None where no face is found.

    Raises:
        InputError: As ``read_expression``, or the landmarker cannot start.
    """
    for picture, found in detect_apart(pictures):
        yield None if found is None else read_expression(picture, found.landmarks)


def detect_apart(pictures: Iterable[Frame]) -> Iterator[tuple[Frame, Detection | None]]:
    """Each picture and the largest face in it, found without a look at the picture before.

    Pictures are asked for in another thread, a few ahead.
    """
    waiting: deque[Frame] = deque()

    def shown() -> Iterator[Frame]:
        for picture in pictures:
            waiting.append(picture)
            yield APART
            yield picture

    found = detect_faces((k / 10, picture) for k, picture in enumerate(shown()))
    for k, (_, _, faces) in enumerate(found):
        if k % 2:
            yield waiting.popleft(), max(faces, key=lambda face: face.size, default=None)


@cache
def networks() -> "tuple[FaceApi, Facex]":
    """face-api and facex, loaded once.

    Raises:
        InputError: The extra that runs facex is not installed, or a file is missing.
    """
    for name in ("face_api.safetensors", "facex.tflite"):
        if not (FOLDER / name).is_file():
            raise InputError(f"Got no {name} in {FOLDER}; reinstall the program.")
    return FaceApi(FOLDER / "face_api.safetensors"), Facex(FOLDER / "facex.tflite")


def upright(picture: Frame, landmarks: Float[np.ndarray, "points axes"]) -> Picture:
    """The face with its eyes level, in the middle of a square of twice its longer side."""
    points = landmarks[:, :2].astype(np.float64)
    right, left = (points[[eye[0], eye[8]]].mean(axis=0) for eye in (RIGHT_EYE, LEFT_EYE))
    roll = np.arctan2(*(left - right)[::-1])
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    level = points @ turn.T
    low, high = level.min(axis=0), level.max(axis=0)
    side = (high - low).max()
    scale = 2 * side / UPRIGHT
    linear = turn.T * scale
    corner = turn.T @ ((low + high) / 2 - side)
    rows = np.column_stack([linear, corner]).ravel()
    finer = Image.Resampling.BICUBIC if scale < 1.5 else Image.Resampling.BILINEAR
    cut = Image.fromarray(picture).transform(
        (UPRIGHT, UPRIGHT), Image.Transform.AFFINE, tuple(rows), finer
    )
    return np.asarray(cut)


def middle(crop: Picture, share: float) -> Picture:
    """The middle of a crop, this share of its side."""
    half, centre = int(len(crop) * share / 2), len(crop) // 2
    own = slice(centre - half, centre + half)
    return np.ascontiguousarray(crop[own, own])


class FaceApi:
    """faceExpressionNet: four dense blocks of separable convolutions, 112 x 112 RGB."""

    def __init__(self, path: Path) -> None:
        stored = load_file(path)
        self._weights: Mapping[str, Tensor] = {
            name: _numbers(stored, name) for name in stored if not name.endswith("/scale")
        }

    def __call__(self, faces: Sequence[Picture]) -> Float64[np.ndarray, "faces emotions"]:
        """Probabilities."""
        sized = np.stack([_resized(face, FACE_API_SIDE) for face in faces])
        centred = (sized - np.array(FACE_API_MEAN, np.float32)) / 255
        with torch.inference_mode():
            x = torch.from_numpy(centred).permute(0, 3, 1, 2)
            for block in range(4):
                x = self._block(x, f"dense{block}")
            pooled = F.avg_pool2d(x, 7, 2).flatten(1)
            logits = pooled @ self._weights["fc/weights"] + self._weights["fc/bias"]
        return torch.softmax(logits.double(), dim=1).numpy()

    def _block(
        self, x: Float[Tensor, "faces channels rows columns"], name: str
    ) -> Float[Tensor, "faces more fewer_rows fewer_columns"]:
        """Each convolution sees the sum of what those before it made."""
        total = F.relu(self._convolve(x, f"{name}/conv0", 2))
        for k in (1, 2, 3):
            total = total + self._convolve(F.relu(total), f"{name}/conv{k}", 1)
        return F.relu(total)

    def _convolve(
        self, x: Float[Tensor, "faces channels rows columns"], name: str, stride: int
    ) -> Float[Tensor, "faces more fewer_rows fewer_columns"]:
        weights = self._weights
        padded = _pad_same(x, stride)
        if f"{name}/filters" in weights:
            filters = weights[f"{name}/filters"].permute(3, 2, 0, 1)
            return F.conv2d(padded, filters, weights[f"{name}/bias"], stride)
        each = weights[f"{name}/depthwise_filter"].permute(2, 3, 0, 1)
        mixed = weights[f"{name}/pointwise_filter"].permute(3, 2, 0, 1)
        x = F.conv2d(padded, each, None, stride, groups=x.shape[1])
        return F.conv2d(x, mixed, weights[f"{name}/bias"])


class Facex:
    """facex's network (a MobileNetV2), 200 x 200 grey.

    Raises:
        InputError: The extra that runs it is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise InputError(
                "Got no ai-edge-litert, which runs a reader of expressions; install it with "
                "pip install 'kmspeaker[evaluation]', or measure without it: "
                "--only roundtrip,retrieval."
            ) from error
        self._interpreter = Interpreter(str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def __call__(self, faces: Sequence[Picture]) -> Float64[np.ndarray, "faces emotions"]:
        """Probabilities."""
        found = []
        for face in faces:
            grey = np.asarray(Image.fromarray(face).convert("L"))
            shades = _resized(grey, FACEX_SIDE)[None, :, :, None] / 255
            self._interpreter.set_tensor(self._input, np.repeat(shades, 3, axis=3))
            self._interpreter.invoke()
            found.append(self._interpreter.get_tensor(self._output)[0])
        return np.array(found, np.float64)[:, FACEX_ORDER]


def _numbers(stored: Mapping[str, Tensor], name: str) -> Float[Tensor, "..."]:
    """An array whose eight bits, where it has so few, are counted in its own steps."""
    scale = stored.get(f"{name}/scale")
    return stored[name] if scale is None else stored[name].float() * scale[0] + scale[1]


def _pad_same(
    x: Float[Tensor, "faces channels rows columns"], stride: int
) -> Float[Tensor, "faces channels more_rows more_columns"]:
    """What tensorflow calls "same" of a 3 x 3 filter: the odd pixel comes last."""
    rows, columns = (max((-(-size // stride) - 1) * stride + 3 - size, 0) for size in x.shape[-2:])
    return F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))


def _resized(picture: UInt8[np.ndarray, "..."], side: int) -> Float32[np.ndarray, "..."]:
    sized = Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(sized).astype(np.float32)
