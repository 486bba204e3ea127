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
_MOST_MARKS = 400_000
"""Brackets, colons and commas of the description: each may become an object of 100 bytes."""
_DEEPEST = 64
"""Levels of the description; what walks it again has a stack that ends."""
_LONGEST_NUMBER = 18
"""Digits of a whole number that fits 64 bits; a longer one is read as a float."""
_MAGIC, _JSON, _BINARY = 0x46546C67, 0x4E4F534A, 0x004E4942
_DTYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_MOST_SPARSE = 2**18
"""Elements of an accessor that says only which of them are not 0."""
_UNPACKED = {
    "KHR_draco_mesh_compression": "in Blender untick Compression",
    "EXT_meshopt_compression": "gltfpack: leave out -c and -cc",
    "KHR_meshopt_compression": "gltfpack: leave out -c and -cc",
}
"""Ways of packing that are refused, and how each is undone."""


@dataclass(frozen=True)
class Glb:
    """A document and the buffer it describes."""

    document: dict[str, Any]
    binary: bytes

    def accessor(self, index: Any) -> np.ndarray:
        """An accessor's values, one row an element; its numbers are as they are stored.

        Where they lie in the file as they are, this is a view of it that cannot be written to.

        Args:
            index: whatever the document has in its place.

        Raises:
            InputError: It reaches beyond the file, or is of a kind that meshes do not need.
        """
        try:
            accessor = self.document["accessors"][index]
            width, count = _WIDTHS[accessor["type"]], self.count(index)
            if "bufferView" in accessor:
                values = self._view(accessor, accessor["componentType"], count, width)
            elif count <= _MOST_SPARSE:
                values = np.zeros((count, width), _DTYPES[accessor["componentType"]])
            else:
                raise InputError(_UNREADABLE)
            if "sparse" in accessor:
                sparse = accessor["sparse"]
                where, what = sparse["indices"], sparse["values"]
                places = self._view(where, where["componentType"], sparse["count"], 1)
                own = self._view(what, accessor["componentType"], sparse["count"], width)
                values = values.copy()
                values[places[:, 0].astype(int)] = own
            return values
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise InputError(_UNREADABLE) from error

    def floats(self, index: Any) -> np.ndarray:
        """An accessor's values as float32, also of whole numbers (KHR_mesh_quantization).

        Those that are normalised are shares of the largest of their kind, in [0, 1] or [-1, 1].

        Args:
            index: whatever the document has in its place.

        Raises:
            InputError: as ``accessor``.
        """
        values = self.accessor(index)
        if values.dtype.kind == "f":
            return values
        shares = values.astype(np.float32)
        if self.document["accessors"][index].get("normalized") is True:
            shares = np.maximum(shares / np.float32(np.iinfo(values.dtype).max), np.float32(-1))
        return shares

    def count(self, index: Any) -> int:
        """How many elements an accessor says it has.

        Args:
            index: whatever the document has in its place.

        Raises:
            InputError: There is no such accessor.
        """
        try:
            count = self.document["accessors"][index]["count"]
        except (KeyError, IndexError, TypeError) as error:
            raise InputError(_UNREADABLE) from error
        if not isinstance(count, int) or min(index, count) < 0:
            raise InputError(_UNREADABLE)
        return count

    def stored(self, index: Any) -> int:
        """How many of an accessor's elements lie in the file; the others are 0.

        Raises:
            InputError: There is no such accessor.
        """
        count = self.count(index)
        accessor = self.document["accessors"][index]
        sparse = accessor.get("sparse")
        own = sparse.get("count", 0) if isinstance(sparse, dict) else 0
        if "bufferView" in accessor or not isinstance(own, int):
            return count
        return max(0, min(own, count))

    def _view(self, place: Any, kind: Any, count: Any, width: int) -> np.ndarray:
        view = self.document["bufferViews"][place["bufferView"]]
        dtype = np.dtype(_DTYPES[kind])
        own = view.get("byteOffset", 0) + place.get("byteOffset", 0)
        size = width * dtype.itemsize
        stride = view.get("byteStride", 0) or size
        if not all(isinstance(each, int) for each in (own, count, stride)):
            raise InputError(_UNREADABLE)
        # Python's numbers do not overflow: numpy sees only what lies within the file.
        end = own + (count - 1) * stride + size if count else own
        if min(own, count, stride - size) < 0 or end > len(self.binary):
            raise InputError(_UNREADABLE)
        if not count:
            return np.zeros((0, width), dtype)
        strides = (stride if count > 1 else size, dtype.itemsize)
        return np.ndarray((count, width), dtype, self.binary, own, strides)


_UNREADABLE = "Got a GLB whose mesh cannot be read; export it again as plain glTF 2.0 binary."
_DAMAGED = "Got a GLB that is cut off or damaged; export it again."


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
    with path.open("rb") as file:
        start = file.read(20)
        if len(start) < 20 or struct.unpack_from("<II", start) != (_MAGIC, 2):
            raise InputError("Got a file that is no glTF 2.0 binary; export the head as .glb.")
        stated, json_size, json_kind = struct.unpack_from("<III", start, 8)
        if stated > size or json_kind != _JSON or json_size > min(_MOST_JSON, size - 20):
            raise InputError(_DAMAGED)
        document = _parse(file.read(json_size))
        _check(document)
        chunk, binary = file.read(8), b""
        if len(chunk) == 8:
            length, kind = struct.unpack("<II", chunk)
            if kind == _BINARY:
                binary = file.read(min(length, size))
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


def _parse(text: bytes) -> dict[str, Any]:
    if sum(text.count(mark) for mark in (b"{", b"[", b":", b",")) > _MOST_MARKS:
        raise InputError("Got a GLB that describes too many things; export the head alone.")
    try:
        document = json.loads(text, parse_int=_number)
    except (ValueError, RecursionError) as error:
        raise InputError(_DAMAGED) from error
    if not isinstance(document, dict):
        raise InputError(_DAMAGED)
    level: list[Any] = [document]
    for _ in range(_DEEPEST):
        inside = (each.values() if isinstance(each, dict) else each for each in level)
        level = [each for own in inside for each in own if isinstance(each, dict | list)]
    if level:
        raise InputError(_DAMAGED)
    return document


def _number(text: str) -> int | float:
    return int(text) if len(text) <= _LONGEST_NUMBER else float(text)


def _check(document: dict[str, Any]) -> None:
    """Refuse what lies elsewhere or is packed; of both, packing is the reason to name.

    Packed files have a second buffer, of what they would be unpacked, that lies nowhere.
    """
    buffers, images = entries(document, "buffers"), entries(document, "images")
    outside = [each["uri"] for each in (*buffers, *images) if "uri" in each]
    outside = [uri for uri in outside if not (isinstance(uri, str) and uri.startswith("data:"))]
    within = len(buffers) > 1 or any("uri" in buffer for buffer in buffers)
    empty = any(not {"bufferView", "sparse"} & {*each} for each in entries(document, "accessors"))
    named = _names(document, "extensionsRequired")
    if outside or within or empty:
        named += _names(document, "extensionsUsed")
    packed = [name for name in _UNPACKED if name in named]
    if packed:
        raise InputError(
            f"Got a GLB compressed with {packed[0]}, which is not read; export it without "
            f"compression ({_UNPACKED[packed[0]]})."
        )
    if outside:
        raise InputError(
            "Got a GLB that keeps parts in other files; export it with everything inside."
        )
    if within:
        raise InputError(
            "Got a GLB that keeps its mesh in several buffers or as text; export it again as "
            "plain glTF 2.0 binary."
        )


def _names(document: dict[str, Any], key: str) -> list[Any]:
    listed = document.get(key, [])
    return list(listed) if isinstance(listed, list) else []
