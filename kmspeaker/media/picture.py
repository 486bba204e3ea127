"""Pictures in: one photograph becomes an upright RGB frame, as a video's frames are.

What a file is follows from its content, never from its name; its size is checked before it is
decoded.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from kmspeaker.errors import InputError
from kmspeaker.media.video_reader import MAX_SIDE, SIDES, Frame

FORMATS = ("JPEG", "PNG", "WEBP")
MOST_BYTES = 50 * 1024**2


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
        with Image.open(path, formats=FORMATS) as picture:
            smallest, largest = SIDES
            if not smallest <= min(picture.size) <= max(picture.size) <= largest:
                raise InputError(
                    f"Got {path.name} of {picture.width}x{picture.height} pixels; each side of a "
                    f"picture must have {smallest} to {largest}."
                )
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except InputError:
        raise
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise InputError(f"Cannot read {path} ({error.strerror}); give a picture.") from error
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise InputError(
            f"Got {path.name}, which is no picture that can be read; "
            "give a JPEG, PNG or WebP of one face."
        ) from error
    upright.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return np.ascontiguousarray(np.asarray(upright, np.uint8))
