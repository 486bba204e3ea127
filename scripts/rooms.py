"""Our heads in rooms made by code: pictures in which it is known where a face is and how wide.

Place in the flow: ``measure_detection`` looks for faces in them, and tests in a handful of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, UInt8
from PIL import Image, ImageDraw, ImageFilter

from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.rig import FaceModel

Picture = UInt8[np.ndarray, "height width 3"]

ROOMS = ("bright", "dark")
"""White walls with a window, and a dark room with a lamp."""
_DRAWN = (480, 600)
"""Pixels of a head before it is made smaller."""
_WALLS = {"bright": (226, 224, 218), "dark": (46, 44, 48)}
_SHIRTS = {"bright": (52, 66, 92), "dark": (120, 116, 108)}
_NOISE = 2.0
"""Of a camera, in steps of 255."""


@dataclass(frozen=True)
class CutHead:
    """A head without anything behind it."""

    picture: UInt8[np.ndarray, "height width 4"]
    """RGBA, the colours multiplied by their opacity."""
    landmarks: Float64[np.ndarray, "landmarks 2"]
    """Pixels of the picture."""

    @property
    def box(self) -> Float64[np.ndarray, "4"]:
        """Of the face, which is what its landmarks span: left, top, right, bottom."""
        return np.concatenate([self.landmarks.min(axis=0), self.landmarks.max(axis=0)])


def cut_heads(
    face: FaceModel,
    identity: str,
    poses: Sequence[tuple[Float[np.ndarray, "52"], Float[np.ndarray, "3"]]],
) -> list[CutHead]:
    """One person with several ARKit weights and turns of the head (yaw, pitch, roll, radians)."""
    heads = []
    with HeadRenderer(face, identity, *_DRAWN, yaw=0.0) as renderer:
        for weights, turn in poses:
            points = face.landmarks(weights[None].astype(np.float32), identity)[0]
            places = renderer.project(points)[:, :2]
            heads.append(CutHead(renderer.cutout(weights, turn), places))
    return heads


def room(kind: str, width: int = 1280, height: int = 720, seed: int = 0) -> Picture:
    """An empty room: a wall that grows darker to one side, furniture and a source of light."""
    rng = np.random.default_rng(seed)
    wall = np.array(_WALLS[kind], np.float64)
    shade = (
        np.linspace(1.0, 0.72, width)[None, :, None] * np.linspace(1.0, 0.9, height)[:, None, None]
    )
    image = Image.fromarray((wall * shade).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    x, y = rng.uniform(0.04, 0.12), rng.uniform(0.08, 0.14)
    light = (250, 252, 255) if kind == "bright" else (244, 214, 150)
    size = (0.17, 0.4) if kind == "bright" else (0.05, 0.1)
    window = (x * width, y * height, (x + size[0]) * width, (y + size[1]) * height)
    draw.rectangle(window, fill=light, outline=(130, 124, 116), width=max(2, width // 200))
    middle = (window[0] + window[2]) / 2
    draw.line(
        (middle, window[1], middle, window[3]), fill=(130, 124, 116), width=max(1, width // 300)
    )
    floor = tuple(int(part) for part in wall * 0.55)
    draw.rectangle((0, 0.84 * height, width, height), fill=floor)
    for k in range(4):  # shelves, pictures on the wall
        left, top = rng.uniform(0.6, 0.86) * width, (0.08 + 0.17 * k) * height
        colour = tuple(int(part) for part in rng.integers(30, 210, 3))
        draw.rectangle((left, top, left + 0.12 * width, top + 0.09 * height), fill=colour)
        draw.ellipse((left, top, left + 0.04 * width, top + 0.07 * height), fill=(90, 70, 60))
    draw.rectangle((0.3 * width, 0.74 * height, 0.4 * width, 0.92 * height), fill=(110, 82, 60))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(width / 900)))


def placed(
    head: CutHead, background: Picture, share: float, centre: tuple[float, float]
) -> tuple[Picture, Float64[np.ndarray, "4"]]:
    """The head in front of a room, with a shirt, and the box of its face in pixels.

    Args:
        head: Who.
        background: The room.
        share: How wide the face is, of the picture's width.
        centre: Where the middle of the face is, of width and height.
    """
    height, width = background.shape[:2]
    scale = share * width / (head.box[2] - head.box[0])
    middle = (head.box[:2] + head.box[2:]) / 2 * scale
    corner = np.round(np.array(centre) * (width, height) - middle)
    image = Image.fromarray(background)
    draw, face = ImageDraw.Draw(image), share * width
    x, y = np.array(centre) * (width, height)
    shirt = _SHIRTS["dark" if background.mean() < 100 else "bright"]
    draw.ellipse((x - 1.5 * face, y + 0.86 * face, x + 1.5 * face, y + 4 * face), fill=shirt)
    high, wide = (max(1, round(side * scale)) for side in head.picture.shape[:2])
    drawn = Image.frombytes("RGBa", head.picture.shape[1::-1], head.picture.tobytes())
    image = image.convert("RGBA")
    shown = drawn.resize(
        (wide, high), Image.Resampling.BOX if scale < 0.5 else Image.Resampling.BILINEAR
    )
    image.alpha_composite(*_cropped(shown.convert("RGBA"), corner))
    box = (head.box * scale).reshape(2, 2) + corner
    return np.asarray(image.convert("RGB")), box.reshape(-1)


def exposed(picture: Picture, brightness: float, seed: int = 0) -> Picture:
    """The picture with so many times its light, clipped as a camera clips, with its noise."""
    table = (np.arange(256) / 255) ** 2.2 * brightness
    levels = 255 * table.clip(0, 1) ** (1 / 2.2)
    noise = np.random.default_rng(seed).normal(0, _NOISE, picture.shape)
    return np.round(levels[picture] + noise).clip(0, 255).astype(np.uint8)


def _cropped(
    image: Image.Image, corner: Float64[np.ndarray, "2"]
) -> tuple[Image.Image, tuple[int, int]]:
    """What of it lies to the right of and below the picture's corner, and where."""
    left, top = (int(max(0, -place)) for place in corner)
    return image.crop((left, top, *image.size)), (
        int(max(0, corner[0])),
        int(max(0, corner[1])),
    )
