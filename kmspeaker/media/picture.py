"""Pictures in: one photograph becomes an upright RGB frame, as a video's frames are.

What a file is follows from its content, never from its name; its size is checked before it is
decoded.
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from kmspeaker.errors import InputError
from kmspeaker.media.video_reader import MAX_SIDE, SIDES, Frame

FORMATS = ("JPEG", "PNG", "WEBP")
MOST_BYTES = 50 * 1024**2
_MOST_PIXELS = {"JPEG": 50_000_000, "PNG": 20_000_000, "WEBP": 12_000_000}
"""A pixel takes 8 bytes while it is decoded, with its opacity or not; WebP's reader needs more, a
JPEG less, as it is decoded at a fraction of its size, ..."""
_MOST_PROGRESSIVE = 16_000_000
"""... unless it is progressive."""
_MOST_SCANS = 30
"""Of a progressive JPEG, each of which costs time; programs write about ten."""


def read_picture(path: Path | str) -> Frame:
    """The picture, upright, at most ``video_reader.MAX_SIDE`` pixels on the longer side.

    Raises:
        InputError: No such file, no JPEG, PNG or WebP, damaged, or absurdly small or large.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(
                f"Got {path.name} of {path.stat().st_size / 2**20:.0f} MB; a picture may have at "
                f"most {MOST_BYTES / 2**20:.0f} MB, save it smaller."
            )
        with open_picture(path.read_bytes()) as picture:
            smallest, largest = SIDES
            if not smallest <= min(picture.size) <= max(picture.size) <= largest:
                raise InputError(
                    f"Got {path.name} of {picture.width}x{picture.height} pixels; each side of a "
                    f"picture must have {smallest} to {largest}."
                )
            most = _MOST_PIXELS[str(picture.format)]
            if picture.info.get("progressive"):
                most = _MOST_PROGRESSIVE
            if picture.width * picture.height > most:
                raise InputError(
                    f"Got {path.name} of {picture.width}x{picture.height} pixels; a picture may "
                    f"have {most / 1e6:.0f} million, save it smaller."
                )
            small = decode_rgb(picture, least=2 * MAX_SIDE)
            small.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
            upright = ImageOps.exif_transpose(small)
    except InputError:
        raise
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise InputError(f"Cannot read {path} ({error.strerror}); give a picture.") from error
    except Exception as error:  # its readers raise whatever they come across
        raise InputError(
            f"Got {path.name}, which is no picture that can be read; "
            "give a JPEG, PNG or WebP of one face."
        ) from error
    return np.ascontiguousarray(np.asarray(upright, np.uint8))


def open_picture(content: bytes) -> Image.Image:
    """A picture of which only the header is read: look at ``size`` before ``decode_rgb``.

    Raises:
        Exception: whatever the readers come across, where it is no JPEG, PNG or WebP.
    """
    # Coded data hold no such mark; a thumbnail within the header has some of its own.
    if content.count(b"\xff\xda") > _MOST_SCANS and content.startswith(b"\xff\xd8"):
        raise ValueError("too many scans")
    return Image.open(io.BytesIO(content), formats=FORMATS)


def decode_rgb(picture: Image.Image, least: int) -> Image.Image:
    """Without its opacity; a JPEG at a fraction of its size, each side yet ``least`` pixels.

    Raises:
        Exception: whatever the readers come across.
    """
    picture.draft("RGB", (least, least))
    return picture if picture.mode == "RGB" else picture.convert("RGB")
