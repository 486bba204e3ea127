"""A neutral mesh of a user's: any head sculpted from the program's, as one more identity.

Place in the flow: gives ``rig.FaceModel`` one more identity, which the viewer and every export
then take like the bundled ones. The mesh is sculpted from what ``write_neutral`` writes and keeps
its triangles; with texture places their order may be any (``correspondence``). A head of another
mesh is for ``arkit_glb``.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from jaxtyping import Float, Float32, Int

from kmspeaker.errors import InputError
from kmspeaker.face.rig import PART_NAMES, FaceModel
from kmspeaker.face.surfaces import surface_corners
from kmspeaker.heads.correspondence import match_vertices
from kmspeaker.heads.ply import read_header, read_triangles
from kmspeaker.heads.sliders import OWN
from kmspeaker.media.gltf import entries, read_glb

MOST_BYTES = 32 * 2**20
"""Larger files are refused before they are read."""
_LONGEST_LINE, _MOST_LINES, _LONGEST_INDEX = 4096, 500_000, 12
"""Of an OBJ: a vertex, a texture place or a triangle is a line of three short numbers."""
_FARTHEST = 1e9
"""Coordinates beyond are no head's in any unit, and their squares no numbers."""
_UNITS = (1.0, 10.0, 100.0, 1000.0)
"""mm in what a mesh may be measured in: mm, cm, dm, m."""
_SIZES = (0.6, 1.6)
"""How much smaller or larger than the average head one may be."""
_FORMER = 19_692
"""Triangles of the program's former head, which was MakeHuman's; programs split its vertices."""
_MOST_OFF = 30.0
"""mm by which vertices may lie off the nearest bundled head in the mean."""

Mesh = tuple[
    Float[np.ndarray, "vertices 3"],
    Int[np.ndarray, "faces 3"],
    Float[np.ndarray, "faces 3 2"] | None,
]
"""Vertices, triangles, and the texture places of their corners where the file has them."""


def with_mesh(
    face: FaceModel, path: Path, *, name: str = OWN, texture: Path | None = None
) -> FaceModel:
    """The face with the mesh of a file as one more identity; ``face`` stays as it is.

    Args:
        face: the rig.
        path: ``.obj``, ``.ply`` or ``.glb``; in mm, cm, dm or m; y or z up.
        name: what to call the identity.
        texture: a PNG or JPEG for the rig's texture places; the most similar person's where None.

    Raises:
        InputError: not such a file, not this topology, or no head.
    """
    return face.with_identity(name, read_neutral(path, face), texture=texture)


def read_neutral(path: Path, face: FaceModel) -> Float32[np.ndarray, "vertices 3"]:
    """The vertices of a mesh file as a neutral: mm, upright, its eyes about the origin.

    Raises:
        InputError: as ``with_mesh``.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"Got a {path.suffix or 'nameless'} file as a face; give the mesh as .obj, .ply or .glb"
            " (other programs' formats, FBX too, convert to GLB in Blender)."
        )
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise InputError(
            f"Got a mesh file of {size / 2**20:.0f} MB; the program's own mesh is below "
            f"{MOST_BYTES / 2**20:.0f} MB."
        )
    return _place_at_eyes(_on_topology(*reader(path, face), face), face)


def write_neutral(face: FaceModel, identity: str, path: Path) -> None:
    """Write an identity at rest as ``.obj``, to sculpt from: mm, with its texture places."""
    lines = [f"# KM-Speaker head {identity}: move vertices, add or remove none\n"]
    lines += [f"v {x:.4f} {y:.4f} {z:.4f}\n" for x, y, z in face.neutral(identity).tolist()]
    lines += [f"vt {u:.6f} {v:.6f}\n" for u, v in face.render_uv.tolist()]
    for corners, places in zip(face.faces + 1, face.render_faces + 1, strict=True):
        joined = " ".join(f"{c}/{p}" for c, p in zip(corners, places, strict=True))
        lines.append(f"f {joined}\n")
    path.write_text("".join(lines), encoding="utf-8")


def _read_obj(path: Path, face: FaceModel) -> Mesh:
    vertices: list[list[float]] = []
    places: list[list[float]] = []
    faces: list[list[int]] = []
    textured: list[list[int]] = []
    most_vertices, most_faces = 3 * len(face.faces), len(face.faces)
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in _lines(file):
                match line.split():
                    case ["v", x, y, z, *_]:
                        vertices.append([float(x), float(y), float(z)])
                    case ["vt", u, v, *_]:
                        places.append([float(u), float(v)])
                    case ["f", a, b, c]:
                        numbers = [corner.split("/") for corner in (a, b, c)]
                        faces.append([_index(n[0], len(vertices)) for n in numbers])
                        if all(len(n) > 1 and n[1] for n in numbers):
                            textured.append([_index(n[1], len(places)) for n in numbers])
                    case ["f", *_]:
                        raise _other_mesh("faces that are no triangles", face)
                if max(len(vertices), len(places)) > most_vertices or len(faces) > most_faces:
                    raise _other_mesh(f"more than {most_vertices:,} vertices", face)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"Got {path.name} with a line that is no OBJ; export it again.") from error
    corners, uv = np.array(faces, int).reshape(-1, 3), None
    spots = np.array(textured, int).reshape(-1, 3)
    if len(spots) == len(faces) and -1 < spots.min(initial=0) <= spots.max(initial=0) < len(places):
        uv = np.array(places)[spots]
    return np.array(vertices).reshape(-1, 3), corners, uv


def _lines(file: TextIO) -> Iterator[str]:
    """Lines of a text that may be one line without end, or nothing but ends of lines."""
    for _ in range(_MOST_LINES):
        line = file.readline(_LONGEST_LINE)
        if not line:
            return
        if len(line) == _LONGEST_LINE:
            raise ValueError("a line without end")
        yield line
    raise ValueError("too many lines")


def _index(number: str, count: int) -> int:
    """OBJ counts from 1, or back from the last."""
    if len(number) > _LONGEST_INDEX:
        raise ValueError("a number too long")
    return int(number) - 1 if int(number) > 0 else count + int(number)


def _read_ply(path: Path, face: FaceModel) -> Mesh:
    with path.open("rb") as file:
        try:
            header = read_header(file)
            counts = header.counts.get("vertex", 0), header.counts.get("face", 0)
            if counts[1] == _FORMER:
                raise _former_head(face)
            if counts[1] != len(face.faces) or counts[0] > 3 * counts[1]:
                raise _other_mesh(f"{counts[0]:,} vertices and {counts[1]:,} faces", face)
            return read_triangles(file, header)
        except InputError:
            raise
        except (ValueError, LookupError, TypeError, OverflowError, StopIteration) as error:
            raise InputError(f"Got {path.name}, which cannot be read; export it again.") from error


@np.errstate(invalid="ignore")  # of what is no number, in single precision: it is looked for
def _read_glb(path: Path, face: FaceModel) -> Mesh:
    glb = read_glb(path)
    meshes = entries(glb.document, "meshes")
    # Hair is put on anew; Blender calls a second one hair.001.
    heads = [mesh for mesh in meshes if not _is_hair(mesh)]
    primitives = [p for mesh in heads for p in entries(mesh, "primitives")]
    if len(primitives) > len(PART_NAMES):
        raise _other_mesh(f"{len(primitives)} pieces", face)
    vertices, faces, count = [np.zeros((0, 3))], [np.zeros((0, 3), int)], 0
    uv = [np.zeros((0, 2))]
    for primitive in primitives:
        places = primitive.get("attributes", {})
        if not isinstance(places, dict) or "POSITION" not in places or "indices" not in primitive:
            raise _other_mesh("no triangles", face)
        kinds = [places["POSITION"], places.get("TEXCOORD_0", places["POSITION"])]
        if count + max(glb.count(kind) for kind in kinds) > 3 * len(face.faces):
            raise _other_mesh(f"more than {3 * len(face.faces):,} vertices", face)
        if glb.count(primitive["indices"]) > 3 * max(_FORMER, len(face.faces)):
            raise _other_mesh(f"more than {len(face.faces):,} triangles", face)
        own = glb.floats(places["POSITION"])
        corners = glb.accessor(primitive["indices"])
        if own.shape[1] != 3 or corners.shape[1] != 1 or len(corners) % 3:
            raise _other_mesh("no triangles", face)
        if corners.dtype.kind != "u":
            raise _other_mesh("no triangles", face)
        corners = corners.ravel().astype(int)
        if "TEXCOORD_0" in places:
            uv.append(glb.floats(places["TEXCOORD_0"]).astype(float))
        vertices.append(own.astype(float))
        faces.append(corners.reshape(-1, 3) + count)
        count += len(own)
    joined = np.concatenate(faces)
    # Our own files have their triangles sorted by material.
    layout = list(surface_corners(face))
    source = np.concatenate([kept for kept, _ in layout])
    starts = np.cumsum([0, *(len(kept) for kept, _ in layout)])[:-1]
    ours = np.concatenate([c + start for (_, c), start in zip(layout, starts, strict=True)])
    if count == len(source) and np.array_equal(joined, ours):
        rendered = np.zeros((len(source), 3))
        rendered[source] = np.concatenate(vertices)
        return rendered, face.render_faces, None
    try:
        corners = np.concatenate(uv)[joined]
    except (ValueError, IndexError):  # some piece has none, or other than two a vertex
        corners = None
    return np.concatenate(vertices), joined, corners


def _is_hair(mesh: dict[str, Any]) -> bool:
    name = mesh.get("name")
    return isinstance(name, str) and name.startswith("hair")


READERS: Mapping[str, Callable[[Path, FaceModel], Mesh]] = {
    ".obj": _read_obj,
    ".ply": _read_ply,
    ".glb": _read_glb,
}
"""What can be read, by ending."""


def _on_topology(
    vertices: Float[np.ndarray, "points 3"],
    faces: Int[np.ndarray, "faces 3"],
    uv: Float[np.ndarray, "faces 3 2"] | None,
    face: FaceModel,
) -> Float[np.ndarray, "vertices 3"]:
    """The rig's vertices among a mesh's: as they are, those on seams twice, or in any order."""
    if not (np.abs(vertices) < _FARTHEST).all():
        raise InputError("Got a mesh with coordinates that are no numbers; export it again.")
    if len(vertices) == len(face.part) and _same(faces, face.faces):
        return vertices
    if len(vertices) == len(face.render_source) and _same(faces, face.render_faces):
        whole = np.zeros((len(face.part), 3))
        whole[face.render_source] = vertices
        return whole
    if len(faces) == _FORMER:
        raise _former_head(face)
    whole = len(faces) == len(face.faces) and -1 < faces.min() <= faces.max() < len(vertices)
    if whole and uv is not None and np.isfinite(uv).all():
        ours = match_vertices(vertices, faces, uv, face)
        if ours is not None:
            return ours
    raise _other_mesh(f"{len(vertices):,} vertices and {len(faces):,} triangles", face)


def _same(faces: np.ndarray, others: np.ndarray) -> bool:
    """Whether two lists hold the same triangles, whatever their order and first corners."""
    if faces.shape != others.shape:
        return False
    a, b = (np.sort(each, axis=1) for each in (faces, others))
    return bool((a[np.lexsort(a.T)] == b[np.lexsort(b.T)]).all())


def _place_at_eyes(
    vertices: Float[np.ndarray, "vertices 3"], face: FaceModel
) -> Float32[np.ndarray, "vertices 3"]:
    heads = [one.neutral for one in face.people.values() if one.bundled]
    average = np.mean(heads, axis=0, dtype=float)
    average -= average.mean(0)
    centred = vertices - vertices.mean(0)
    extent = float(np.sqrt((centred**2).sum() / (average**2).sum()))
    units = [unit for unit in _UNITS if _SIZES[0] < extent * unit < _SIZES[1]]
    if not units:
        raise InputError(
            f"Got a head {extent:.3g} times the size of the program's in mm; save it in "
            "millimetres, centimetres or metres."
        )
    centred = centred * units[0]
    centred = centred @ quarter_turns(centred, average).T
    off = min(
        float(np.linalg.norm(centred - (head - head.mean(0)), axis=1).mean()) for head in heads
    )
    if not off < _MOST_OFF:
        raise InputError(
            f"Got a mesh that lies {off:.0f} mm off every head of ours; sculpt from one of them."
        )
    neutral = centred.astype(np.float32)
    placed = face.with_identity("\0", neutral)
    return neutral - placed.people["\0"].eye_centers.mean(0)


def quarter_turns(
    source: Float[np.ndarray, "vertices 3"], target: Float[np.ndarray, "vertices 3"]
) -> Float[np.ndarray, "3 3"]:
    """The turn by quarters that brings a mesh closest to another: programs differ in what is up."""
    turns = []
    for axes in itertools.permutations(np.eye(3)):
        for signs in itertools.product((1, -1), repeat=3):
            turn = np.array(axes) * np.array(signs)[:, None]
            if np.linalg.det(turn) > 0:
                turns.append(turn)
    match = target.T @ source
    return max(turns, key=lambda turn: float((turn * match).sum()))


def _former_head(face: FaceModel) -> InputError:
    return InputError(
        "Got a mesh of the program's former head (made from MakeHuman); sculpt anew from today's "
        f"({len(face.part):,} vertices), which the page's own-face panel and write_neutral save."
    )


def _other_mesh(what: str, face: FaceModel) -> InputError:
    return InputError(
        f"Got a mesh with {what}; it must keep the {len(face.part):,} vertices and "
        f"{len(face.faces):,} triangles of the program's own head (in another order: and its UVs), "
        "or be a GLB with ARKit's morph targets."
    )
