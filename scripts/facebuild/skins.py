"""One picture a person: photographed skin with brows, eyes, mouth and teeth side by side.

The sources are the skins and brows of MakeHuman's system assets (CC0), baked onto ICT-FaceKit's
texture places; ``assets/manifest.json`` names each file's origin.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from facebuild import topology
from facebuild.ict import BadSourceError
from facebuild.people import Person
from facebuild.topology import Box

WIDTH, HEIGHT = 2048, 1024
QUALITY = 90
BROW_ROWS = (128, 640)  # of a 1024 px tile, which the brows' pictures cover
BROW_OPACITY = 0.93
MM_A_TEXEL = 0.40  # at 1024 px, around the brows
LASH_COLOUR = (30, 22, 19)


def paint(folder: Path, person: Person) -> Image.Image:
    """A person's picture.

    Args:
        folder: holds ``textures/`` and ``eyes/``.
        person: whose.

    Raises:
        BadSourceError: a picture is missing.
    """
    face = _open(folder / "textures" / f"{person.skin}_t1.jpg").resize((HEIGHT, HEIGHT), _FINE)
    neck = _open(folder / "textures" / f"{person.skin}_t2.jpg")
    whole = Image.new("RGB", (WIDTH, HEIGHT), LASH_COLOUR)
    tinted = _tint(np.asarray(face), person.tint)
    _put(whole, _with_brows(folder, tinted, person), topology.FACE_BOX)
    _put(whole, _tint(np.asarray(neck), person.tint), topology.NECK_BOX)
    _put(whole, np.asarray(_open(folder / "eyes" / f"eye_{person.iris}.jpg")), topology.EYE_BOX)
    _put(whole, np.asarray(_open(folder / "eyes" / "mouth_t3.jpg")), topology.GUMS_BOX)
    _put(whole, np.asarray(_open(folder / "eyes" / "teeth_t4.jpg")), topology.TEETH_BOX)
    _put(whole, _tear(), topology.TEAR_BOX)
    return whole


_FINE = Image.Resampling.LANCZOS


def _open(path: Path) -> Image.Image:
    if not path.is_file():
        raise BadSourceError(f"Got no {path}; give the folder with textures, eyes and hair.")
    return Image.open(path).convert("RGB")


def _tint(picture: np.ndarray, factor: tuple[float, float, float]) -> np.ndarray:
    linear = (picture / 255.0) ** 2.2 * factor
    return np.round(np.clip(linear, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


def _with_brows(folder: Path, face: np.ndarray, person: Person) -> np.ndarray:
    path = folder / "textures" / f"brow_{person.brow}.png"
    if not path.is_file():
        raise BadSourceError(f"Got no {path}; give the folder with textures, eyes and hair.")
    rows = np.zeros((HEIGHT, HEIGHT, 2))
    rows[slice(*BROW_ROWS)] = np.asarray(Image.open(path).convert("LA")) / 255.0
    rows = np.roll(rows, -round(person.brow_shift / MM_A_TEXEL), axis=0)
    light, opacity = rows[..., :1], np.clip(rows[..., 1:] * 1.25, 0, 1) * BROW_OPACITY
    hairs = np.array(person.brow_colour) * (0.75 + 0.5 * light)
    return np.round(face * (1 - opacity) + hairs * opacity).clip(0, 255).astype(np.uint8)


def _put(whole: Image.Image, picture: np.ndarray, box: Box) -> None:
    left, bottom, right, top = box
    place = (round(left * WIDTH), round((1 - top) * HEIGHT))
    size = (round((right - left) * WIDTH), round((top - bottom) * HEIGHT))
    whole.paste(Image.fromarray(picture).resize(size, _FINE), place)


def _tear() -> np.ndarray:
    """The wet rim of the lids: like the eye's white in shadow, pink (at the top) at the nose."""
    nose = np.linspace(1, 0, 64)[:, None, None] ** 1.5
    colour = (1 - nose) * [168, 150, 146] + nose * [196, 128, 118]
    return np.broadcast_to(np.round(colour), (64, 64, 3)).astype(np.uint8)
