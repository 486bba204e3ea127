"""Hair: strips with a picture that stand on the scalp, whoever's it is; they do not move.

Place in the flow: ``identities`` says who wears what; the renderer, the viewer and the exports draw
it beside the face. Bound to the scalp at rest, which expressions hardly move.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32
from PIL import Image

from kmspeaker.errors import InputError

OPAQUE = 0.35
"""Where a hair's picture is less opaque than that, there is none."""
LIGHT = 0.62
"""Lightness in the picture that takes the hair's own colour."""
OFFSET_STEPS = 100
"""Offsets are stored as whole numbers of a hundredth of a millimetre."""


@dataclass(frozen=True)
class HairStyle:
    """How hair is cut, for every head."""

    name: str
    offsets: Float32[np.ndarray, "strands 3"]
    """From the mean of the skin it stands on, mm."""
    bound: Int32[np.ndarray, "strands 6"]
    """Vertices of the face that carry each of its vertices, ..."""
    shares: Float32[np.ndarray, "strands 6"]
    """... and how much of it each carries; a row's sum is 1."""
    faces: Int32[np.ndarray, "faces 3"]
    """Triangles; they are seen from both sides."""
    uv: Float32[np.ndarray, "strands 2"]
    """Place in the picture, origin at the lower left."""
    picture: Path
    """Lightness and opacity, a PNG; the colour is the wearer's."""

    def worn(self, neutral: Float32[np.ndarray, "vertices 3"]) -> Float32[np.ndarray, "strands 3"]:
        """Its vertices on a face at rest, mm."""
        return np.einsum("nk,nkx->nx", self.shares, neutral[self.bound]) + self.offsets


@dataclass(frozen=True)
class Hair:
    """What one person wears."""

    style: HairStyle
    colour: tuple[int, int, int]
    """sRGB, 0 to 255."""

    @property
    def tint(self) -> tuple[float, float, float]:
        """By what the picture's lightness is multiplied, in sRGB."""
        red, green, blue = (channel / 255 / LIGHT for channel in self.colour)
        return red, green, blue

    def texture(self) -> Image.Image:
        """The picture in the hair's colour, RGBA."""
        rows = np.asarray(Image.open(self.style.picture).convert("LA")).astype(np.float32)
        colours = np.clip(rows[..., :1] * self.tint, 0, 255)
        return Image.fromarray(np.concatenate([colours, rows[..., 1:]], 2).round().astype(np.uint8))


@cache
def read_style(path: Path) -> HairStyle:
    """Read what ``scripts/build_face.py`` wrote.

    Raises:
        InputError: there is no such file.
    """
    if not path.is_file():
        raise InputError(f"Got no hair {path.name} in {path.parent}; reinstall the program.")
    with np.load(path, allow_pickle=False) as file:
        shares = file["shares"].astype(np.float32)
        return HairStyle(
            name=path.stem,
            offsets=file["offsets"].astype(np.float32) / OFFSET_STEPS,
            bound=file["bound"].astype(np.int32),
            shares=shares / shares.sum(1, keepdims=True),
            faces=file["faces"].astype(np.int32),
            uv=file["uv"].astype(np.float32) / 65535,
            picture=path.with_suffix(".png"),
        )
