"""What the page's JavaScript makes of a packed file."""

import gzip
import json
import struct

import numpy as np


def unpack_arrays(content: bytes) -> dict:
    """What ``static/arrays.js`` makes of a file."""
    content = gzip.decompress(content)
    (length,) = struct.unpack_from("<I", content)
    header = json.loads(content[4 : 4 + length])
    start = -(-(4 + length) // 4) * 4
    arrays = {
        name: np.frombuffer(content, place["type"], place["count"], start + place["offset"])
        for name, place in header["arrays"].items()
    }
    return {**header["values"], **arrays}
