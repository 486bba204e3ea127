"""The colours of a head of any mesh: its materials' textures, side by side in one picture.

Place in the flow: for ``glb_geometry``. Pictures are decoded here, PNG, JPEG and WebP, within
limits that are looked at before; what lies beyond them, or cannot be read, is left white.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from kmspeaker.media.gltf import Glb, entries
from kmspeaker.media.picture import decode_rgb, open_picture

_MOST_PIXELS = 4096 * 4096
"""Of a texture as it lies in the file."""
_MOST_IN_ALL = 3 * _MOST_PIXELS
"""Decoded for one head, JPEGs at the size they are decoded at; a second or two."""
_SIDE, _PLAIN_SIDE = 2048, 256
"""Pixels along one side of what is kept of all; and where no material has a texture."""
_GAMMA = 1 / 2.2

Cell = tuple[float, float, float]
"""Left, top and size of a material's part of the picture, of 1."""


@dataclass(frozen=True)
class _Look:
    """What is shown of a material; materials that look alike share a cell."""

    colour: tuple[float, ...]
    """Linear red, green and blue that the texture is multiplied with."""
    image: int | None


def paint(
    glb: Glb, materials: list[dict[str, Any]]
) -> tuple[UInt8[np.ndarray, "height width 3"], list[Cell]]:
    """All materials' colours side by side, and the cell of each."""
    looks = [_Look(tuple(_factor(each)[:3].tolist()), _image_of(glb, each)) for each in materials]
    different = list(dict.fromkeys(looks))
    across = int(np.ceil(np.sqrt(len(different))))
    has_textures = any(look.image is not None for look in different)
    side = (_SIDE if has_textures else _PLAIN_SIDE) // across
    picture = np.full((across * side, across * side, 3), 255, np.uint8)
    left = _MOST_IN_ALL
    for index, look in enumerate(different):
        row, column = divmod(index, across)
        cell = picture[row * side : (row + 1) * side, column * side : (column + 1) * side]
        if look.image is not None:
            left -= _decode(glb, look.image, cell, left)
        for channel, share in enumerate(look.colour):
            shades = np.round(np.arange(256) * share**_GAMMA).astype(np.uint8)
            cell[..., channel] = shades[cell[..., channel]]
    places = {look: divmod(index, across) for index, look in enumerate(different)}
    cells = [(places[k][1] / across, places[k][0] / across, 1 / across) for k in looks]
    return picture, cells


def opacity(material: dict[str, Any]) -> float:
    """Of a material as a whole; 1 unless it says that it is to be seen through."""
    return float(_factor(material)[3]) if material.get("alphaMode") == "BLEND" else 1.0


def move_to_cell(uv: Float[np.ndarray, "drawn 2"], cell: Cell) -> Float[np.ndarray, "drawn 2"]:
    """Places in the common picture, counted from below as WebGL does; glTF counts from above."""
    left, top, size = cell
    within = np.where((uv < 0) | (uv > 1), uv % 1, uv)
    return np.stack([left + size * within[:, 0], 1 - (top + size * within[:, 1])], axis=1)


def _factor(material: dict[str, Any]) -> Float[np.ndarray, " 4"]:
    """A material's colour, linear, and opacity."""
    factor = _colouring(material).get("baseColorFactor", [1, 1, 1, 1])
    try:
        return np.nan_to_num(np.clip(np.array(factor, float).reshape(4), 0, 1))
    except (TypeError, ValueError):
        return np.ones(4)


def _colouring(material: dict[str, Any]) -> dict[str, Any]:
    colouring = material.get("pbrMetallicRoughness")
    return colouring if isinstance(colouring, dict) else {}


def _image_of(glb: Glb, material: dict[str, Any]) -> int | None:
    """Which image a material shows; as WebP where the file has it so."""
    try:
        index = _colouring(material)["baseColorTexture"]["index"]
        texture = entries(glb.document, "textures")[index]
        webp = texture.get("extensions", {}).get("EXT_texture_webp", {})
        image = webp["source"] if "source" in webp else texture["source"]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None
    return image if isinstance(image, int) and image >= 0 else None


def _decode(glb: Glb, image: int, cell: UInt8[np.ndarray, "side side 3"], most: int) -> int:
    """Fill a cell with an image, unless it cannot be read safely; how many pixels it cost."""
    try:
        place = entries(glb.document, "images")[image]
        view = entries(glb.document, "bufferViews")[place["bufferView"]]
        start = view.get("byteOffset", 0)
        with open_picture(glb.binary[start : start + view["byteLength"]]) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                return 0
            opened.draft("RGB", (len(cell), len(cell)))
            pixels = opened.width * opened.height
            if pixels > most:
                return 0
            whole = decode_rgb(opened, least=len(cell))
            cell[:] = np.asarray(whole.resize(cell.shape[:2], Image.Resampling.LANCZOS))
            return pixels
    except Exception:  # pictures' readers raise whatever they come across
        return 0
