"""Files that cost most of their kind: what ``measure_hostile`` reads, and how each is made."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from PIL import Image

from kmspeaker.examples import load_examples
from kmspeaker.face.rig import ARKIT_NAMES, FaceModel
from kmspeaker.heads.arkit_glb import ArkitHead
from kmspeaker.heads.glb_geometry import head_geometry
from kmspeaker.heads.load import load_head
from kmspeaker.media.audio import load_sound
from kmspeaker.media.gltf import write_glb_file
from kmspeaker.media.picture import read_picture
from kmspeaker.reference.live_link import COLUMNS
from kmspeaker.reference.load import load_reference
from kmspeaker.reference.tracking import FaceTrack

FACE = FaceModel.load()
HOSTILE: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {}
"""By name, whose ending is the file's: how it is made and how it is read."""


def hostile(name: str, read: Callable[[Path], Any]) -> Callable:
    """Enter a maker of files."""

    def enter(make: Callable[[Path], None]) -> Callable[[Path], None]:
        HOSTILE[name] = make, read
        return make

    return enter


def read_head(path: Path) -> None:
    if isinstance(loaded := load_head(path, FACE), ArkitHead):
        head_geometry(loaded, FACE)


def read_performance(path: Path) -> None:
    load_reference(path, FACE)


def glb(path: Path, text: bytes, binary: bytes) -> None:
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
    chunks += struct.pack("<II", len(binary), 0x004E4942) + binary
    path.write_bytes(struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks)


def head(
    path: Path, vertices: int = 300, picture: bytes = b"", shared: bool = False, **lies: Any
) -> None:
    """A head of ARKit's shapes with all its vertices moved by each; and what it lies about.

    ``shared`` targets are one array, and that the vertices'.
    """
    arrays = 1 if shared else 53
    random = np.random.default_rng(0)
    count = vertices // 3 * 3
    corners = np.arange(count, dtype="<u4").tobytes()
    points = random.normal(size=(arrays, count, 3)).astype("<f4")
    uv = random.random((count, 2)).astype("<f4").tobytes()
    blobs = [corners, *(each.tobytes() for each in points), uv, picture]
    starts = np.cumsum([0, *map(len, blobs)]).tolist()
    views = [
        {"buffer": 0, "byteOffset": a, "byteLength": len(b)}
        for a, b in zip(starts, blobs, strict=False)
    ]
    kinds = [(5125, "SCALAR"), *[(5126, "VEC3")] * arrays, (5126, "VEC2")]
    accessors = [
        {"bufferView": k, "componentType": component, "count": count, "type": kind}
        for k, (component, kind) in enumerate(kinds)
    ]
    primitive = {
        "attributes": {"POSITION": 1, "TEXCOORD_0": 1 + arrays},
        "indices": 0,
        "targets": [{"POSITION": 1 if shared else 2 + k} for k in range(52)],
        "material": 0,
    }
    document = {
        "asset": {"version": "2.0"},
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive], "extras": {"targetNames": list(ARKIT_NAMES)}}],
        "bufferViews": views,
        "accessors": accessors,
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 2 + arrays, "mimeType": "image/png"}],
    } | lies
    write_glb_file(path, document, b"".join(blobs))


def png(side: int) -> bytes:
    """A whole picture of one colour."""
    content = io.BytesIO()
    Image.new("RGBA", (side, side)).save(content, "PNG")
    return content.getvalue()


def png_header(side: int) -> bytes:
    """A picture that says how large it is, and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    size = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", size), chunk(b"IDAT", zlib.compress(bytes(1000))), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@hostile("glb with targets that have no data", read_head)
def _(path: Path) -> None:
    nothing = {"componentType": 5126, "count": 4_194_304, "type": "VEC3"}
    head(path, accessors=[nothing] * 60)


@hostile("glb with 52 targets on one array", read_head)
def _(path: Path) -> None:
    head(path, 90_000, shared=True)


@hostile("glb with 10,000 nodes and 100,000 skins", read_head)
def _(path: Path) -> None:
    nodes = [{"mesh": 0, "skin": 0}, *[{"skin": 0}] * 9_999]
    head(path, nodes=nodes, skins=[{}] * 100_000)


@hostile("glb with a number of 400 digits", read_head)
def _(path: Path) -> None:
    head(path, nodes=[{"mesh": 0, "translation": [int("9" * 400), 0, 0]}])


@hostile("glb with 16 MB of description", read_head)
def _(path: Path) -> None:
    text = b'{"asset":{},"a":[' + b"{}," * 180_000 + b'"' + b"a" * 15_000_000 + b'"]}'
    glb(path, text, b"")


@hostile("glb with a texture of 30,000 x 30,000 that is a header", read_head)
def _(path: Path) -> None:
    head(path, picture=png_header(30_000))


@hostile("glb with three textures of 4,096 x 4,096", read_head)
def _(path: Path) -> None:
    pieces = [{"attributes": {"POSITION": 1, "TEXCOORD_0": 54}, "material": k} for k in range(3)]
    for piece in pieces:
        piece["targets"] = [{"POSITION": 2 + k} for k in range(52)]
    names = {"targetNames": list(ARKIT_NAMES)}
    colours = [{"baseColorTexture": {"index": k}} for k in range(3)]
    head(
        path,
        picture=png(4096),
        meshes=[{"primitives": pieces, "extras": names}],
        materials=[{"pbrMetallicRoughness": colour} for colour in colours],
        textures=[{"source": k} for k in range(3)],
        images=[{"bufferView": 55}] * 3,
    )


@hostile("glb of 55 MB that is a head", read_head)
def _(path: Path) -> None:
    head(path, 85_000)


@hostile("obj that is one line", read_head)
def _(path: Path) -> None:
    path.write_bytes(b"f " + b"1 " * (16 * 2**20 - 10))


@hostile("obj of corners that name one vertex", read_head)
def _(path: Path) -> None:
    path.write_bytes(b"v 0 0 0\n" * 100 + b"f 1 1 1\n" * len(FACE.faces) + b"vt 0 0\n" * 90_000)


@hostile("ply as text with 80 properties", read_head)
def _(path: Path) -> None:
    more = b"".join(b"property char p%d\n" % k for k in range(77))
    counts = b"element vertex 60000\nproperty float x\nproperty float y\nproperty float z\n"
    faces = b"element face %d\nproperty list uchar int vertex_indices\n" % len(FACE.faces)
    start = b"ply\nformat ascii 1.0\n" + counts + more + faces + b"end_header\n"
    path.write_bytes(start + (b"1 " * 80 + b"\n") * 60_000)


@hostile("ply with rows that are not there", read_head)
def _(path: Path) -> None:
    rows = b"element other 1000000\n" + b"property list uchar double a\n" * 200
    counts = b"element vertex 60000\nproperty float x\nelement face %d\n" % len(FACE.faces)
    path.write_bytes(
        b"ply\nformat binary_little_endian 1.0\n" + rows + counts + b"end_header\n\x40"
    )
    with path.open("ab") as file:
        file.write(b"\x40" * 1_000_000)


def npy(shape: tuple[int, ...], kind: str) -> bytes:
    said = {"descr": kind, "fortran_order": False, "shape": shape}
    text = f"{said!r}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def archive(path: Path, arrays: dict[str, tuple[tuple[int, ...], str]], packing: int) -> None:
    """A track whose arrays are all zeros, however they are packed."""
    with zipfile.ZipFile(path, "w", packing, compresslevel=9) as file:
        with file.open("format.npy", "w") as entry:
            np.save(entry, np.asarray("kmspeaker-track-1"))
        for name, (shape, kind) in arrays.items():
            with file.open(f"{name}.npy", "w") as entry:
                entry.write(npy(shape, kind))
                left = int(np.prod(shape, dtype=float)) * np.dtype(kind).itemsize
                while left > 0:
                    entry.write(bytes(min(left, 2**20)))
                    left -= 2**20


def track_of(frames: int, kind: str = "<f4") -> dict[str, tuple[tuple[int, ...], str]]:
    return {
        "landmarks": ((frames, 478, 3), kind),
        "scores": ((frames, 52), kind),
        "pose": ((frames, 4, 4), kind),
        "confidence": ((frames,), kind),
        "times": ((frames,), "<f8"),
        "width": ((), "<i8"),
        "height": ((), "<i8"),
    }


@hostile("npz of 36,000 frames of zeros, packed", read_performance)
def _(path: Path) -> None:
    archive(path, track_of(36_000), zipfile.ZIP_DEFLATED)


@hostile("npz of zeros packed by LZMA", read_performance)
def _(path: Path) -> None:
    archive(path, track_of(3_000), zipfile.ZIP_LZMA)


@hostile("npz of an array that says 10^15 frames", read_performance)
def _(path: Path) -> None:
    archive(path, {"landmarks": ((0, 478, 3), "<f4")}, zipfile.ZIP_STORED)
    path.write_bytes(
        path.read_bytes().replace(b"(0, 478, 3), }     ", b"(999999999999, 3), }"[:19])
    )


@hostile("npz (any ZIP) with a list of a million files", read_performance)
def _(path: Path) -> None:
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", *[0] * 9, 1, *[0] * 6) + b"a"
    count = 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, count * len(entry), 4, 0)
    path.write_bytes(b"PK\3\4" + entry * count + end)


@hostile("csv of ten minutes at 120 frames/s", read_performance)
def _(path: Path) -> None:
    row = "," + ",".join(["61", *["0.123456789"] * 61]) + "\n"
    with path.open("w") as file:
        file.write(",".join(COLUMNS) + "\n")
        for k in range(71_990):
            second, part = divmod(k, 120)
            file.write(f"00:{second // 60:02}:{second % 60:02}.{part * 10**6 // 120:06}{row}")


@hostile("csv that is one line", read_performance)
def _(path: Path) -> None:
    path.write_bytes(b"Timecode," + b"1" * 200_000_000)


@hostile("csv of commas", read_performance)
def _(path: Path) -> None:
    path.write_text(",".join(COLUMNS) + "\n" + ("," * 255 + "\n") * 71_990)


@hostile("csv of cells without end", read_performance)
def _(path: Path) -> None:
    path.write_text(",".join(COLUMNS) + "\n" + ("," * 1_900 + "\n") * 71_990)


@hostile("csv with numbers of 4,000 digits", read_performance)
def _(path: Path) -> None:
    row = "9" * 3_000 + ":00:00:00,61" + ",0" * 61 + "\n"
    path.write_text(",".join(COLUMNS) + "\n" + row * 5_000)


@hostile("wav that is 1,000 wav files", load_sound)
def _(path: Path) -> None:
    rate = 16_000
    sound = bytes(40)
    size = 36 + len(sound)
    one = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", size, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16
    )
    path.write_bytes((one + struct.pack("<4sI", b"data", len(sound)) + sound) * 1_000)


@hostile("wav of 30 minutes", load_sound)
def _(path: Path) -> None:
    size = 1800 * 2 * 16_000
    header = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16
    )
    path.write_bytes(header + struct.pack("<4sI", b"data", size) + bytes(size))


def sounding(
    path: Path, codec: str, rate: int, layout: str, kind: str, frames: Iterator[tuple[int, int]]
) -> None:
    """Silence in so many samples each at such places."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, AudioStream)
        stream.layout = layout
        stream.format = kind
        for place, samples in frames:
            channels = len(stream.layout.channels)
            frame = AudioFrame.from_ndarray(
                np.zeros((1, samples * channels), {"s16": "<i2", "flt": "<f4"}[kind]), kind, layout
            )
            frame.sample_rate, frame.pts, frame.time_base = rate, place, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@hostile("mka of ten minutes of nothing, packed", load_sound)
def _(path: Path) -> None:
    sounding(path, "flac", 48_000, "mono", "s16", ((k * 4800, 4800) for k in range(5_990)))


@hostile("mka at 768 kHz with a gap of ten minutes", load_sound)
def _(path: Path) -> None:
    rate = 768_000
    sounding(
        path, "pcm_s16le", rate, "mono", "s16", iter([(0, rate // 10), (599 * rate, rate // 10)])
    )


@hostile("mka of 24 channels in packets of a second", load_sound)
def _(path: Path) -> None:
    rate = 192_000
    sounding(path, "pcm_f32le", rate, "22.2", "flt", ((k * rate, rate) for k in range(5)))


@hostile("png of 20 million points", read_picture)
def _(path: Path) -> None:
    path.write_bytes(png(4_470))


@hostile("jpeg of 50 million points", read_picture)
def _(path: Path) -> None:
    Image.new("RGB", (7_000, 7_000)).save(path, "JPEG", subsampling=0)


@hostile("jpeg of 16 million points, progressive", read_picture)
def _(path: Path) -> None:
    Image.new("RGB", (3_999, 3_999)).save(path, "JPEG", subsampling=0, progressive=True)


@hostile("png that says 30,000 x 30,000", read_picture)
def _(path: Path) -> None:
    path.write_bytes(png_header(30_000))


@hostile("webp of 12 million points", read_picture)
def _(path: Path) -> None:
    Image.new("RGB", (4_000, 3_000)).save(path, "WEBP", lossless=True, method=0)


def honest_track(path: Path, seconds: float, fps: int = 30) -> None:
    """The longest talk that fits, with noise that does not pack."""
    own = FaceTrack.load(load_examples()["delighted"].reference.with_suffix(".track.npz"))
    frames = int(seconds * fps)
    which = np.arange(frames) % len(own)
    noise = np.random.default_rng(0).normal(size=(frames, 478, 3)).astype(np.float32) * 0.1
    FaceTrack(
        own.landmarks[which] + noise,
        own.scores[which],
        own.pose[which],
        own.confidence[which],
        np.arange(frames) / fps,
        own.width,
        own.height,
    ).save(path)


@hostile("npz of a minute of talk, as saved", read_performance)
def _(path: Path) -> None:
    honest_track(path, 60.0)
