"""How the head's parts look: read alike by the pictures drawn here and by the page's viewer."""

import numpy as np
from jaxtyping import Float32, Integer
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from kmspeaker.export.normals import vertex_normals
from kmspeaker.export.occlusion import ambient_occlusion
from kmspeaker.face.hair import HairStyle
from kmspeaker.face.interpolation import smoothstep
from kmspeaker.face.rig import PART_NAMES, FaceModel

BOTH_SIDES = ("tears", "lashes")
"""Parts that are seen from both sides."""
_SCATTER = {
    **{"skin": 1.0, "gums": 0.7, "tongue": 0.8, "teeth_upper": 0.35, "teeth_lower": 0.35},
    "tears": 0.6,
}
"""How far light travels under the surface, 0 to 1; others none."""
_ROUGHNESS = {
    "skin": 0.47,
    "gums": 0.33,
    "teeth_upper": 0.26,
    "teeth_lower": 0.26,
    "tongue": 0.34,
    "eye_left": 0.11,
    "eye_right": 0.11,
    "tears": 0.12,
    "lashes": 0.9,
}
"""From a mirror, 0, to chalk, 1."""
_SHADE = {"eye_left": 1.15, "eye_right": 1.15, "teeth_upper": 1.7, "teeth_lower": 1.6}
"""Light beside what the vertices let in: eyes and teeth glimmer."""
_LEAST = {"eye_left": 0.72, "eye_right": 0.72}
"""Light that all of a part gets: most of an eyeball is dark only while the lids are over it."""
_HAIR_CENTRE = np.array([0.0, 0.0, -80.0], np.float32)
"""mm; about the middle of the skull."""
_FADE = 55.0
"""mm from where the bust is cut off over which it fades into the background."""


def surface(face: FaceModel) -> Float32[np.ndarray, "vertices 4"]:
    """Scatter, roughness, ambient light and opacity of each vertex, what the shaders read."""
    rest = face.neutral(face.identities[0])
    fade = np.clip(KDTree(rest[_cut(face.faces, rest[:, 1])]).query(rest)[0] / _FADE, 0, 1)
    shade = np.array([_SHADE.get(name, 1.0) for name in PART_NAMES])[face.part]
    least = np.array([_LEAST.get(name, 0.0) for name in PART_NAMES])[face.part]
    columns = [
        np.array([_SCATTER.get(name, 0.0) for name in PART_NAMES])[face.part],
        np.array([_ROUGHNESS[name] for name in PART_NAMES])[face.part],
        np.clip(ambient_occlusion(face) * shade, least, 1),
        smoothstep(fade),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def hair_surface(
    strands: Float32[np.ndarray, "strands 3"],
) -> Float32[np.ndarray, "strands 4"]:
    """The same of hair: a dull surface, darker at the nape and low at the sides."""
    light = 0.75 + 0.25 * smoothstep((strands[:, 1] + 60) / 120)
    rows = np.array([[0.25, 0.62, 1.0, 1.0]], np.float32).repeat(len(strands), 0)
    rows[:, 2] = light
    return rows


def hair_normals(
    style: HairStyle, strands: Float32[np.ndarray, "strands 3"]
) -> Float32[np.ndarray, "strands 3"]:
    """Between those of the strips and those of a ball about the head, which hide the strips."""
    normals = vertex_normals(strands, style.faces)
    away = strands - _HAIR_CENTRE
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    normals *= np.where((normals * away).sum(1, keepdims=True) < 0, -1, 1)
    mixed = 0.45 * normals + 0.55 * away
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def _cut(
    faces: Integer[np.ndarray, "faces 3"], height: Float32[np.ndarray, " vertices"]
) -> Integer[np.ndarray, " cut"]:
    """Vertices on the rim that runs through the lowest one: where the bust is cut off."""
    corners = np.stack([faces, np.roll(faces, -1, axis=1)], axis=2).reshape(-1, 2)
    edges, uses = np.unique(np.sort(corners, axis=1), axis=0, return_counts=True)
    a, b = edges[uses == 1].T  # edges that only one triangle has
    joined = csr_matrix((np.ones(len(a)), (a, b)), shape=(len(height), len(height)))
    rim = connected_components(joined, directed=False)[1]
    return np.flatnonzero(rim == rim[height.argmin()])
