"""Ways to damage a file of each kind: its bytes, and what its own structure says."""

import io
import json
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

Random = np.random.Generator
Change = Callable[[bytes, Random], bytes]

EVIL: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2, 3, 10**6, 10**17, int("9" * 400), 0.5, 1e300, float("nan"), "", "0"),
    *([], {}, [[]], [0], [1, 2, 3, 4], [None] * 16, {"a": {"b": []}}, "data:,", 5121, 5125, "MAT4"),
    *(5120, 5122, 5123, "SCALAR", "KHR_mesh_quantization", {"bufferView": 0}, 2**31, -(2**31)),
)
CELLS = (
    *("", "nan", "inf", "-1", "1e400", "9" * 5000, "0." + "3" * 4000, "0,5", "½", "\0", '"', "'"),
    *(
        "=1+1",
        "00:00:00:00",
        "99:99:99:99",
        "00:00:00;02",
        "1e-400",
        "0x10",
        "1_0",
        "\n",
        ";",
        "\t",
    ),
)
KINDS = (
    "<f4",
    ">f8",
    "<i8",
    "|b1",
    "<U9",
    "|O",
    "<f2",
    "<c16",
    "|S0",
    "|V7",
    "<M8[s]",
    "f",
    "(3,)f4",
)
SHAPES = (
    "()",
    "(0,)",
    "(-1,)",
    "(99999999999,)",
    "(1,)*99",
    "((3,),)",
    "(3.5,)",
    "(True, 3)",
    "[3]",
)


def change_bytes(data: bytes, random: Random) -> bytes:
    """Some bytes that are others, gone or there twice."""
    own = bytearray(data)
    for _ in range(random.integers(1, 8)):
        at, length = int(random.integers(len(own) or 1)), int(random.integers(1, 9))
        words = (b"", random.bytes(length), b"9" * 400, b"nan", b"-1", b"\n", own[at : at + 200])
        own[at : at + length] = words[random.integers(len(words))]
    return bytes(own)


def cut(data: bytes, random: Random) -> bytes:
    """The beginning of it."""
    return data[: int(random.integers(len(data)))]


def change_header(data: bytes, random: Random) -> bytes:
    """Whole numbers among the first bytes that are others: sizes, counts, rates."""
    own = bytearray(data)
    for _ in range(random.integers(1, 4)):
        width = int(random.choice([1, 2, 4, 8]))
        at = int(random.integers(min(len(own) - 8, 200)))
        values = (0, 1, 2, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**63, 2**64 - 1)
        value = values[random.integers(len(values))] % 256**width
        own[at : at + width] = value.to_bytes(width, random.choice(["little", "big"]).item())
    return bytes(own)


def change_glb(data: bytes, random: Random) -> bytes:
    """Values of the description that lie; the bytes remain a container."""
    size = struct.unpack_from("<I", data, 12)[0]
    document = json.loads(data[20 : 20 + size])
    for _ in range(random.integers(1, 4)):
        places = _places_in(document)
        holder, key = places[random.integers(len(places))]
        if random.random() < 0.2 and isinstance(holder, dict):
            del holder[key]
        else:
            holder[key] = EVIL[random.integers(len(EVIL))]
    text = json.dumps(document).encode()
    rest = data[20 + size :]
    start = struct.pack("<IIIII", 0x46546C67, 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A)
    return start + text + rest


def change_table(data: bytes, random: Random) -> bytes:
    """Cells of a table that hold what no tracker writes, and rows and columns that are gone."""
    rows = [line.split(",") for line in data.decode().splitlines()]
    for _ in range(random.integers(1, 6)):
        row = rows[random.integers(len(rows))]
        match random.integers(6):
            case 0 if len(row) > 1:
                del row[random.integers(len(row))]
            case 1:
                column = int(random.integers(len(rows[0])))
                cell = CELLS[random.integers(len(CELLS))]
                for each in rows[1:]:
                    each[column : column + 1] = [cell]
            case 2:
                rows.insert(int(random.integers(len(rows))), list(row))
            case _:
                row[random.integers(len(row))] = CELLS[random.integers(len(CELLS))]
    separator = str(random.choice([",", ",", ",", ";", "\t", "|"]))
    ending = str(random.choice(["\n", "\r\n", "\r"]))
    encoding = str(random.choice(["utf-8", "utf-8", "utf-16", "utf-16-be", "cp1252"]))
    return ending.join(separator.join(row) for row in rows).encode(encoding, "replace")


def change_zip(data: bytes, random: Random) -> bytes:
    """Sizes, packings and places that a ZIP's own lists say, in whichever of them."""
    own = bytearray(data)
    marks = [b"PK\1\2", b"PK\3\4", b"PK\5\6"]
    for _ in range(random.integers(1, 4)):
        mark = marks[random.integers(3)]
        places = [k for k in range(len(own) - 3) if own[k : k + 4] == mark]
        if not places:
            continue
        at = places[random.integers(len(places))] + int(random.integers(4, 46))
        value = (0, 1, 8, 12, 14, 99, 2**16 - 1, 2**31, 2**32 - 1)[random.integers(9)]
        width = int(random.choice([2, 4]))
        own[at : at + width] = (value % 256**width).to_bytes(width, "little")
    return bytes(own)


def change_arrays(data: bytes, random: Random) -> bytes:
    """Arrays of an ``.npz`` that say they are others, are not there, or hold what is no number."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {name: bytearray(archive.read(name)) for name in archive.namelist()}
    for _ in range(random.integers(1, 3)):
        name = list(entries)[random.integers(len(entries))]
        own, start = entries[name], 10 + int.from_bytes(entries[name][8:10], "little")
        match random.integers(5):
            case 0:
                del own[int(random.integers(len(own))) :]
            case 1 if len(entries) > 1:
                del entries[name]
            case 2:
                values = (np.nan, np.inf, -1.0, 0.0, 1e38, 1e-38, 3e4)
                value = np.float32(values[random.integers(len(values))]).tobytes()
                at = start + 4 * int(random.integers(max(1, (len(own) - start) // 4)))
                count = int(random.choice([1, 10, 10_000]))
                own[at:] = (value * count + bytes(own[at + 4 * count :]))[: len(own) - at]
            case _:
                text = bytes(own[10:start]).decode("latin-1")
                kind = KINDS[random.integers(len(KINDS))]
                shape = SHAPES[random.integers(len(SHAPES))]
                said = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
                text = (said, "(" * 300, text.replace("False", "True"), "{}", " " * 60_000)[
                    min(int(random.integers(9)), 4) if random.random() < 0.5 else 0
                ]
                own[8:start] = struct.pack("<H", len(text)) + text.encode()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", int(random.choice([0, 8, 8, 12, 14]))) as archive:
        for name, own in entries.items():
            archive.writestr(name, bytes(own))
    return content.getvalue()


def _places_in(document: Any) -> list[tuple[Any, Any]]:
    keys = document if isinstance(document, dict) else range(len(document))
    own = [(document, key) for key in keys]
    inside = [document[key] for key in keys if isinstance(document[key], dict | list)]
    return own + [place for each in inside for place in _places_in(each)]
