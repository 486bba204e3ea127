"""The container of a glTF 2.0 binary: read with distrust, written plainly (specification, 4.4).

Reading never follows a name to another file, never decodes a picture, and looks at sizes before it
looks at content.
"""

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kmspeaker.errors import InputError

MOST_BYTES = 64 * 2**20
"""Larger files are refused."""
_MOST_JSON = 16 * 2**20
_MAGIC, _JSON, _BINARY = 0x46546C67, 0x4E4F534A, 0x004E4942
_DTYPES = {5121: "u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_MOST_SPARSE = 2**22
"""Elements of an accessor that says only which of them are not 0."""
_PACKERS = ("KHR_draco_mesh_compression", "EXT_meshopt_compression")


@dataclass(frozen=True)
class Glb:
    """A document and the buffer it describes."""

    document: dict[str, Any]
    binary: bytes

    def accessor(self, index: int) -> np.ndarray:
        """An accessor's values, one row an element; its numbers are as they are stored.

        Raises:
            InputError: It reaches beyond the file, or is of a kind that meshes do not need.
        """
        try:
            accessor = self.document["accessors"][index]
            width, count = _WIDTHS[accessor["type"]], self.count(index)
            if "bufferView" in accessor:
                values = self._view(accessor, accessor["componentType"], count, width)
            elif 0 <= count <= _MOST_SPARSE:
                values = np.zeros((count, width), _DTYPES[accessor["componentType"]])
            else:
                raise InputError(_UNREADABLE)
            if "sparse" in accessor:
                sparse = accessor["sparse"]
                where, what = sparse["indices"], sparse["values"]
                places = self._view(where, where["componentType"], sparse["count"], 1)
                own = self._view(what, accessor["componentType"], sparse["count"], width)
                values[places[:, 0].astype(int)] = own
            return values
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise InputError(_UNREADABLE) from error

    def count(self, index: int) -> int:
        """How many elements an accessor says it has.

        Raises:
            InputError: There is no such accessor.
        """
        try:
            count = self.document["accessors"][index]["count"]
        except (KeyError, IndexError, TypeError) as error:
            raise InputError(_UNREADABLE) from error
        if not isinstance(count, int) or count < 0:
            raise InputError(_UNREADABLE)
        return count

    def _view(self, place: dict[str, Any], kind: int, count: int, width: int) -> np.ndarray:
        view = self.document["bufferViews"][place["bufferView"]]
        dtype = np.dtype(_DTYPES[kind])
        own = view.get("byteOffset", 0) + place.get("byteOffset", 0)
        stride = view.get("byteStride", 0) or width * dtype.itemsize
        if min(own, count, stride - width * dtype.itemsize) < 0:
            raise InputError(_UNREADABLE)
        return np.ndarray((count, width), dtype, self.binary, own, (stride, dtype.itemsize)).copy()


_UNREADABLE = "Got a GLB whose mesh cannot be read; export it again as plain glTF 2.0 binary."


def read_glb(path: Path) -> Glb:
    """Read a self-contained, uncompressed glTF binary.

    Raises:
        InputError: It is too large, cut off, not glTF 2.0, compressed, or names other files.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise InputError(
            f"Got a GLB of {size / 2**20:.0f} MB; give one of at most {MOST_BYTES / 2**20:.0f} MB."
        )
    data = path.read_bytes()
    if len(data) < 20 or struct.unpack_from("<II", data) != (_MAGIC, 2):
        raise InputError("Got a file that is no glTF 2.0 binary; export the head as .glb.")
    stated, json_size, json_kind = struct.unpack_from("<III", data, 8)
    if stated > len(data) or json_kind != _JSON or json_size > min(_MOST_JSON, len(data) - 20):
        raise InputError("Got a GLB that is cut off or damaged; export it again.")
    try:
        document = json.loads(data[20 : 20 + json_size])
    except (ValueError, RecursionError) as error:
        raise InputError("Got a GLB that is cut off or damaged; export it again.") from error
    if not isinstance(document, dict):
        raise InputError("Got a GLB that is cut off or damaged; export it again.")
    _check(document)
    place = 20 + json_size
    binary = b""
    if place + 8 <= len(data):
        length, kind = struct.unpack_from("<II", data, place)
        if kind == _BINARY:
            binary = data[place + 8 : place + 8 + length]
    return Glb(document, binary)


def write_glb_file(path: Path, document: dict[str, Any], binary: bytes | bytearray) -> None:
    """Write a document and its one buffer; ``buffers`` is filled in here."""
    binary = bytes(binary) + bytes(-len(binary) % 4)
    document = document | {"buffers": [{"byteLength": len(binary)}]}
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    with path.open("wb") as file:
        file.write(struct.pack("<III", _MAGIC, 2, 28 + len(text) + len(binary)))
        file.write(struct.pack("<II", len(text), _JSON) + text)
        file.write(struct.pack("<II", len(binary), _BINARY))
        file.write(binary)


def entries(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects in a document that may hold anything.

    Raises:
        InputError: It holds something else there.
    """
    listed = document.get(name, [])
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise InputError(f"Got a GLB whose {name} are damaged; export it again.")
    return listed


def _check(document: dict[str, Any]) -> None:
    buffers, images = entries(document, "buffers"), entries(document, "images")
    outside = [buffer for buffer in buffers if "uri" in buffer]
    outside += [i for i in images if "uri" in i and not str(i["uri"]).startswith("data:")]
    if outside or len(buffers) > 1:
        raise InputError(
            "Got a GLB that keeps parts in other files; export it with everything inside."
        )
    needed = document.get("extensionsRequired", [])
    packed = [name for name in _PACKERS if isinstance(needed, list) and name in needed]
    if packed:
        raise InputError(f"Got a GLB compressed with {packed[0]}; export it without compression.")
