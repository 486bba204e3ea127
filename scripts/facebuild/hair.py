"""Hair of MakeHuman's system assets (CC0), already fitted to the scans, bound to our vertices."""

from pathlib import Path

import numpy as np
from PIL import Image

from facebuild.head import Head
from facebuild.ict import BadSourceError, Scans
from kmspeaker.face.hair import OFFSET_STEPS

BOUND = 6  # vertices that carry each of the hair's
SIZE = 512


def write_style(folder: Path, name: str, head: Head, scans: Scans, out: Path) -> None:
    """One style as ``kmspeaker.face.hair`` reads it.

    Raises:
        BadSourceError: the style is missing.
    """
    path = folder / "hair" / f"{name}.npz"
    if not path.is_file():
        raise BadSourceError(f"Got no {path}; give the folder with textures, eyes and hair.")
    with np.load(path, allow_pickle=False) as file:
        vertices, faces = file["V"].astype(np.float64) * 10, file["tri"]
        uv, bind, weight = file["uv"], file["bind"].astype(int), file["bind_w"].astype(np.float64)
    best = np.argsort(-weight, axis=1)[:, :BOUND]
    bind = np.take_along_axis(bind, best, 1)
    shares = np.take_along_axis(weight, best, 1)
    shares /= shares.sum(1, keepdims=True)
    stood_on = np.einsum("nk,nkx->nx", shares, scans.neutral[bind])
    np.savez_compressed(
        out / f"{name}.npz",
        allow_pickle=False,
        offsets=np.round((vertices - stood_on) * OFFSET_STEPS).astype(np.int16),
        bound=head.topology.index(bind).astype(np.uint16),
        shares=shares.astype(np.float16),
        faces=faces.astype(np.uint16),
        uv=np.round(np.clip(uv, 0, 1) * 65535).astype(np.uint16),
    )
    picture = Image.open(folder / "hair" / f"{name}_la.png")
    picture.resize((SIZE, SIZE), Image.Resampling.LANCZOS).save(out / f"{name}.png", optimize=True)
