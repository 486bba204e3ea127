"""Triangles of a PLY file, read within what its header says (Turk's format of 1994).

Place in the flow: for ``heads.mesh``, which looks at the header's counts before anything is
decoded. Each row of an element is as long as its first: faces are triangles, or are refused.
"""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import BinaryIO

import numpy as np
from jaxtyping import Float, Int

_LONGEST_LINE, _MOST_LINES = 4096, 96
"""Bytes of a line, and lines of the header."""
_MOST_ROWS = 1_000_000
"""Of all elements before the two that are needed."""
_LONGEST_LIST = 64
"""Numbers of one face's list; texture places of a triangle are six."""
_DTYPES = {
    **{"char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1"},
    **{"short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2"},
    **{"int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4"},
    **{"float": "f4", "float32": "f4", "double": "f8", "float64": "f8"},
}
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_CORNERS = ("vertex_indices", "vertex_index")
_LONGEST_NUMBER = 12
"""Digits of a count."""
_UV = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))
_LOOKED_AT = {*"xyz", "texcoord", *_CORNERS, *chain(*_UV)}

Triangles = tuple[
    Float[np.ndarray, "vertices 3"],
    Int[np.ndarray, "faces 3"],
    Float[np.ndarray, "faces 3 2"] | None,
]
Property = tuple[str, str, str]
"""Its name, its numbers' type, and the type of their count; that is empty where it is one."""


@dataclass(frozen=True)
class Header:
    """What a file says it holds."""

    order: str
    """numpy's sign for the order of bytes; empty where numbers are written as text."""
    counts: Mapping[str, int]
    properties: Mapping[str, tuple[Property, ...]]
    """Of each element, in the order in which both are stored."""


def read_header(file: BinaryIO) -> Header:
    """Read up to the first row.

    Raises:
        ValueError: It is no PLY.
    """
    if _line(file) != ["ply"]:
        raise ValueError("no PLY")
    order, name = None, ""
    counts: dict[str, int] = {}
    properties: dict[str, tuple[Property, ...]] = {}
    for _ in range(_MOST_LINES):
        match _line(file):
            case ["format", kind, *_]:
                order = _ORDERS.get(kind)
            case ["element", name, count] if name not in counts and len(count) < 16:
                counts[name], properties[name] = int(count), ()
            case ["property", "list", size, kind, own] if name:
                properties[name] += ((own, _DTYPES.get(kind, ""), _DTYPES.get(size, "")),)
            case ["property", kind, own] if name:
                properties[name] += ((own, _DTYPES.get(kind, ""), ""),)
            case ["comment" | "obj_info", *_]:
                pass
            case ["end_header"] if order is not None and min(counts.values(), default=0) >= 0:
                return Header(order, counts, properties)
            case _:
                break
    raise ValueError("a header that is no PLY's")


@np.errstate(invalid="ignore")  # of corners that are no numbers; they are no vertices' either
def read_triangles(file: BinaryIO, header: Header) -> Triangles:
    """Vertices, triangles and their corners' texture places, None where there are none.

    Args:
        file: at its first row.
        header: whose counts of vertices and faces are small enough to be read.

    Raises:
        ValueError: It is cut off, or other than the header says.
        KeyError: It lacks coordinates or triangles.
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    rows = 0
    for name, count in header.counts.items():
        if {"vertex", "face"} <= {*found}:
            break
        rows += count
        if rows > _MOST_ROWS:
            raise ValueError("too many rows")
        read = partial(_read_binary, order=header.order) if header.order else _read_text
        found[name] = read(file, count, header.properties[name])
    vertex, face = found["vertex"], found["face"]
    points = np.stack([vertex[axis][:, 0] for axis in "xyz"], axis=1).astype(float)
    corners = next(face[name] for name in _CORNERS if name in face)
    if corners.shape[1] != 3:
        raise ValueError("faces that are no triangles")
    corners = corners.astype(int)
    if "texcoord" in face and face["texcoord"].shape[1] == 6:
        return points, corners, face["texcoord"].reshape(-1, 3, 2).astype(float)
    for u, v in _UV:
        if u in vertex and v in vertex and corners.min(initial=0) >= 0:
            uv = np.stack([vertex[u][:, 0], vertex[v][:, 0]], axis=1).astype(float)
            return points, corners, uv[corners] if corners.max(initial=-1) < len(uv) else None
    return points, corners, None


def _line(file: BinaryIO) -> list[str]:
    line = file.readline(_LONGEST_LINE)
    if len(line) == _LONGEST_LINE:
        raise ValueError("a line without end")
    return line.decode("ascii", "replace").split()


def _read_binary(
    file: BinaryIO, count: int, properties: tuple[Property, ...], order: str
) -> dict[str, np.ndarray]:
    """Each property's numbers, one row an element."""
    start = file.tell()
    fields: list[tuple[str, str, tuple[int, ...]]] = []
    for index, (name, kind, size) in enumerate(properties):
        width = 1
        if size:
            counted = np.dtype(order + size)
            sized = file.read(counted.itemsize)
            width = int(np.frombuffer(sized, counted)[0]) if count else 0
            if not 0 <= width <= _LONGEST_LIST:
                raise ValueError("a list too long")
            fields.append((f"\0{index}", order + size, ()))
        fields.append((name, order + kind, (width,)))
        file.seek(width * np.dtype(kind).itemsize, 1)
    file.seek(start)
    row = np.dtype(fields)
    if start + count * row.itemsize > file.seek(0, 2):
        raise ValueError("cut off")
    file.seek(start)
    data = file.read(count * row.itemsize)
    values = np.frombuffer(data, row, count)
    for index, (name, _, size) in enumerate(properties):
        if size and (values[f"\0{index}"] != values[name].shape[1]).any():
            raise ValueError("faces of several kinds")
    return {name: values[name] for name, _, _ in properties}


def _read_text(
    file: BinaryIO, count: int, properties: tuple[Property, ...]
) -> dict[str, np.ndarray]:
    """The numbers of each property that is looked at, one row an element, from a line an element.

    A number of two bytes would be an object of fifty: they are kept as numbers, and others are
    passed over.
    """
    columns = {name: array("d") for name, _, _ in properties if name in _LOOKED_AT}
    widths: dict[str, int] = {}
    for _ in range(count):
        words, at = _line(file), 0
        for name, _, size in properties:
            width = 1
            if size:
                width, at = int(words[at][:_LONGEST_NUMBER]), at + 1
            if name in columns:
                columns[name].extend(map(float, words[at : at + width]))
            at += width
            if at > len(words) or width < 0 or widths.setdefault(name, width) != width:
                raise ValueError("a line too short, or faces of several kinds")
    return {name: np.array(own).reshape(count, -1) for name, own in columns.items()}
