"""ICT-FaceKit's light model (USC ICT, MIT licence): a neutral, 53 expressions, 100 identity modes.

Read from a checkout of github.com/ICT-VGL/ICT-FaceKit (commit da5f95a) or from one ``.npz`` packed
of it. Centimetres there, millimetres from here on.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

VERTICES, MODES = 26719, 100
_SUMS = Path(__file__).with_name("ict_sums.json")
"""A few weighted sums of every file, by name: what an altered or swapped file does not keep."""
_TOLERANCE = 0.02
"""mm by which sums (means over vertices) may differ: the packed file's numbers are rounded."""

# Where each part's vertices lie (the model's own ranges, end not included).
FACE, NECK, MOUTH_SOCKET, EYE_SOCKETS = (0, 9409), (9409, 11248), (11248, 13294), (13294, 14062)
GUMS_AND_TONGUE, TEETH_UPPER, TEETH_LOWER = (14062, 17039), (17039, 19247), (19247, 21451)
EYES = {"Left": (21451, 22221), "Right": (23021, 23791)}  # the outer shells
TEARS = {"Left": (24591, 24795), "Right": (24795, 24999)}
LASHES = (25351, 26719)  # six strips an eye

# fmt: off
IBUG = (
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088,
    3443, 268, 493, 1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140,
    2075, 1147, 4269, 3360, 1507, 1542, 1537, 1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732,
    5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841, 5702, 5711, 5533, 6216,
    6207, 6470, 5517, 5966,
)
# fmt: on
"""Vertices of the 68 points, as ICT-FaceKit lists them."""


class BadSourceError(Exception):
    """What was given is not ICT-FaceKit; the message is for whoever runs the builder."""


@dataclass(frozen=True)
class Scans:
    """The model as published, in mm."""

    neutral: np.ndarray  # (26719, 3)
    triangles: np.ndarray  # (t, 3)
    uv: np.ndarray  # (t, 3, 2), the whole part of u counts tiles
    shapes: dict[str, np.ndarray]  # name with _L, _R: (26719, 3)
    modes: np.ndarray  # (100, 26719, 3) at one standard deviation


def read_scans(source: Path) -> Scans:
    """The model from a checkout's folder or a packed ``.npz``.

    Raises:
        BadSourceError: a file is missing, unreadable or not the published one.
    """
    if source.is_dir():
        scans = _read_checkout(source)
    elif source.is_file() and source.suffix == ".npz":
        scans = _read_packed(source)
    else:
        raise BadSourceError(
            f"Got {source}; give a checkout of ICT-FaceKit or ict_facekit.npz packed of it."
        )
    _check(scans, source)
    return scans


def _read_packed(source: Path) -> Scans:
    try:
        with np.load(source, allow_pickle=False) as file:
            names = [str(name) for name in file["shape_names"]]
            deltas = file["shape_deltas"].astype(np.float32) * 10
            return _scans(
                file["neutral"],
                file["polygons"],
                file["uv"][file["polygon_uv"]],
                dict(zip(names, deltas, strict=True)),
                file["identity_deltas"].astype(np.float32) * 10,
            )
    except (OSError, KeyError, ValueError) as error:
        raise BadSourceError(
            f"Got {source}, which is not the packed model: {error}; pack the checkout again."
        ) from error


def _read_checkout(source: Path) -> Scans:
    folder = source / "FaceXModel"
    if not folder.is_dir():
        raise BadSourceError(f"Got {source} without FaceXModel in it; give the whole checkout.")
    names = json.loads(_SUMS.read_text())
    neutral, polygons, places = _read_obj(folder / "generic_neutral_mesh.obj")
    shapes, modes = {}, []
    for name in names:
        if name == "neutral":
            continue
        delta = _read_obj(folder / f"{name}.obj")[0] - neutral
        if name.startswith("identity"):
            modes.append(delta * 10)
        else:
            shapes[name] = delta * 10
    return _scans(neutral, polygons, places, shapes, np.stack(modes))


def _read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, polygons (n, 4) with -1 for triangles, and their texture places (n, 4, 2)."""
    if not path.is_file():
        raise BadSourceError(f"Got a checkout without {path.name}; check it out again.")
    vertices, places, polygons, spots = [], [], [], []
    try:
        for line in path.read_text(encoding="ascii").splitlines():
            match line.split():
                case ["v", x, y, z]:
                    vertices.append((float(x), float(y), float(z)))
                case ["vt", u, v, *_]:
                    places.append((float(u), float(v)))
                case ["f", *corners]:
                    numbers = [[int(n) - 1 for n in corner.split("/")[:2]] for corner in corners]
                    polygons.append([n[0] for n in numbers] + [-1] * (4 - len(numbers)))
                    spots.append([n[1] for n in numbers] + [-1] * (4 - len(numbers)))
    except (ValueError, IndexError) as error:
        raise BadSourceError(f"Got {path.name} with a line that is no OBJ: {error}.") from error
    if len(vertices) != VERTICES:
        raise BadSourceError(
            f"Got {path.name} with {len(vertices):,} vertices; the published one has {VERTICES:,}."
        )
    return np.array(vertices), np.array(polygons), np.array(places)[np.array(spots)]


def _scans(
    neutral: np.ndarray,
    polygons: np.ndarray,
    places: np.ndarray,
    shapes: dict[str, np.ndarray],
    modes: np.ndarray,
) -> Scans:
    quads = polygons[:, 3] >= 0
    return Scans(
        neutral=neutral.astype(np.float64) * 10,
        triangles=np.concatenate([polygons[:, :3], polygons[quads][:, [0, 2, 3]]]),
        uv=np.concatenate([places[:, :3], places[quads][:, [0, 2, 3]]]),
        shapes=shapes,
        modes=modes,
    )


def _check(scans: Scans, source: Path) -> None:
    wanted = json.loads(_SUMS.read_text())
    got = sums(scans)
    for name, numbers in wanted.items():
        if name not in got:
            raise BadSourceError(f"Got {source} without {name}; get the published model again.")
        if not np.allclose(got[name], numbers, atol=_TOLERANCE):
            raise BadSourceError(
                f"Got {source} with an altered {name}; get the published model (commit da5f95a)."
            )


def sums(scans: Scans) -> dict[str, list[float]]:
    """For each file three means over its vertices under fixed random weights, mm."""
    weights = np.random.default_rng(0).uniform(0, 3, (3, VERTICES))
    fields = {"neutral": scans.neutral, **scans.shapes}
    fields |= {f"identity{k:03d}": mode for k, mode in enumerate(scans.modes)}
    return {
        name: [round(float(x), 4) for x in (weights @ np.abs(field).sum(1)) / VERTICES]
        for name, field in fields.items()
    }
