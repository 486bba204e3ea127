"""Whatever is changed in a file, only a sentence comes out, soon and without much memory.

``KMSPEAKER_FUZZ=2000 pytest tests/test_fuzz.py`` tries as many changed files of each kind and way;
the gate tries a few, others every day.
"""

import io
import os
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import trimesh
from arkit_head import a_head, with_picture, write
from mutations import (
    Change,
    change_arrays,
    change_bytes,
    change_glb,
    change_header,
    change_table,
    change_zip,
    cut,
)
from PIL import Image
from trimesh.exchange.ply import export_ply

from kmspeaker.errors import InputError
from kmspeaker.examples import load_examples
from kmspeaker.face.rig import ARKIT_NAMES, FaceModel
from kmspeaker.heads.arkit_glb import ArkitHead
from kmspeaker.heads.glb_geometry import head_geometry
from kmspeaker.heads.load import load_head
from kmspeaker.heads.mesh import write_neutral
from kmspeaker.media.audio import Sound, load_sound, write_wav
from kmspeaker.media.gltf import read_glb
from kmspeaker.media.picture import read_picture
from kmspeaker.reference.live_link import write_live_link
from kmspeaker.reference.load import load_reference, load_track
from kmspeaker.reference.tracking import FaceTrack

EACH = int(os.environ.get("KMSPEAKER_FUZZ", "10"))
FIRST = int(os.environ.get("KMSPEAKER_FUZZ_SEED", "0"))
SECONDS, MEGABYTES = 2.0, 600.0

Make = Callable[[Path, FaceModel], None]
Read = Callable[[Path, FaceModel], object]


def read_head(path: Path, face: FaceModel) -> None:
    head = load_head(path, face)
    if isinstance(head, ArkitHead):
        head_geometry(head, face)


def read_sound(path: Path, face: FaceModel) -> None:
    load_sound(path)


def read_neutral_picture(path: Path, face: FaceModel) -> None:
    read_picture(path)


def read_track(path: Path, face: FaceModel) -> None:
    load_track(path)


def head_with_texture(path: Path, face: FaceModel, kind: str = "WEBP") -> None:
    with_picture(path, picture_of(kind), {"source": 0})


def picture_of(kind: str) -> bytes:
    content = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(content, kind)
    return content.getvalue()


def picture(path: Path, face: FaceModel, kind: str = "PNG") -> None:
    path.write_bytes(picture_of(kind))


def quantized_head(path: Path, face: FaceModel) -> None:
    """Its positions and targets say that they are whole numbers; the bytes may be whatever."""
    glb = read_glb(a_head(path, list(ARKIT_NAMES), copies=1))
    whole = {"componentType": 5122, "normalized": True}
    accessors = [each | whole for each in glb.document["accessors"]]
    write(path, glb.document | {"accessors": accessors}, glb.binary)


def small_mesh(path: Path, face: FaceModel) -> None:
    trimesh.creation.box().export(str(path))


def small_text_mesh(path: Path, face: FaceModel) -> None:
    box = trimesh.creation.box()
    path.write_bytes(export_ply(box, encoding="ascii"))


def whole_mesh(path: Path, face: FaceModel) -> None:
    """On the rig's topology: what comes after the reading is tried too."""
    if path.suffix == ".obj":
        write_neutral(face, "mei", path)
    else:
        trimesh.Trimesh(face.neutral("mei"), face.faces, process=False).export(str(path))


def track(path: Path, face: FaceModel) -> None:
    own = FaceTrack.load(load_examples()["delighted"].reference.with_suffix(".track.npz"))
    names = ("landmarks", "scores", "pose", "confidence", "times")
    few = {name: getattr(own, name)[:6] for name in names}
    FaceTrack(**few, width=own.width, height=own.height).save(path)


def table(path: Path, face: FaceModel) -> None:
    write_live_link(path, np.random.default_rng(0).random((90, 52)), 30.0)


def wav(path: Path, face: FaceModel) -> None:
    write_wav(path, Sound(np.random.default_rng(0).normal(0, 0.1, 8000).astype("f4"), 16_000))


def two_wavs_of_floats(path: Path, face: FaceModel) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 8000).astype("<f4").tobytes()
    size = len(samples)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 2, 16_000, 128_000, 8, 32)
    head = struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form
    path.write_bytes((head + struct.pack("<4sI", b"data", size) + samples) * 2)


TEXTURES = [
    ("glb", partial(head_with_texture, kind=kind), read_head, change, 0.5)
    for kind, change in (("PNG", change_bytes), ("JPEG", change_bytes), ("WEBP", change_bytes))
]
PICTURES = [
    (kind.lower(), partial(picture, kind=kind), read_neutral_picture, change, 0.34)
    for kind in ("PNG", "JPEG", "WEBP")
    for change in (change_bytes, change_header)
]
FILES: list[tuple[str, Make, Read, Change, float]] = [
    ("glb", head_with_texture, read_head, change_glb, 1),
    ("glb", quantized_head, read_head, change_glb, 1),
    ("glb", head_with_texture, read_head, change_header, 0.5),
    *TEXTURES,
    *PICTURES,
    ("obj", small_mesh, read_head, change_bytes, 1),
    ("ply", small_mesh, read_head, change_bytes, 0.5),
    ("ply", small_text_mesh, read_head, change_bytes, 0.5),
    *((ending, whole_mesh, read_head, change_bytes, 0.02) for ending in ("obj", "ply", "glb")),
    ("npz", track, load_reference, change_arrays, 0.5),
    ("npz", track, load_reference, change_bytes, 0.5),
    ("zip", track, read_track, change_zip, 1),
    ("csv", table, load_reference, change_table, 0.75),
    ("csv", table, load_reference, change_bytes, 0.25),
    ("wav", wav, read_sound, change_header, 0.5),
    ("wav", wav, read_sound, cut, 0.1),
    ("wav", two_wavs_of_floats, read_sound, change_bytes, 0.4),
]
"""Ending, a good file, its reader, a way to change it, and the share of ``EACH`` that are tried."""


def named(case: tuple[str, Make, Read, Change, float]) -> str:
    ending, make, _, change, _ = case
    maker = getattr(make, "func", make)
    return f"{ending}-{maker.__name__}-{change.__name__}"


@pytest.mark.parametrize("case", FILES, ids=named)
def test_only_a_sentence_comes_out(
    case: tuple[str, Make, Read, Change, float],
    face: FaceModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("kmspeaker.heads.glb_textures._SIDE", 64)  # for the time it takes
    ending, make, read, change, share = case
    good, path = tmp_path / f"good.{'npz' if ending == 'zip' else ending}", tmp_path / f"b.{ending}"
    make(good, face)
    if make not in (small_mesh, small_text_mesh, whole_mesh):
        read(good, face)  # is good
    data, faults = good.read_bytes(), []
    for seed in range(FIRST, FIRST + round(EACH * share)):
        path.write_bytes(change(data, np.random.default_rng(seed)))
        before, started = peak_from_now(), time.process_time()
        try:
            with suppress(InputError):
                read(path, face)
        except Exception as error:
            faults.append(f"seed {seed}: {error!r}")
        took, grew = time.process_time() - started, memory_of("VmHWM") - before
        if took > SECONDS or grew > MEGABYTES:
            faults.append(f"seed {seed}: {took:.1f} s, {grew:.0f} MB")
    assert not faults, "\n".join(faults[:20])


def peak_from_now() -> float:
    """Let the greatest memory be counted anew, where Linux does; what there is now, MB."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return memory_of("VmRSS")


def memory_of(kind: str) -> float:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(kind)), 0.0)
