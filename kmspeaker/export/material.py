"""How the head's parts look: read alike by the pictures drawn here and by the page's viewer."""

import numpy as np
from jaxtyping import Bool, Float, Float32, Integer
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from kmspeaker.face.interpolation import smoothstep
from kmspeaker.face.rig import PART_NAMES, FaceModel

_SMOOTHED = ("skin", "tongue")
"""What subdivision rounds; it would shrink eyeballs off their lids and lashes to dots."""
_SCATTER = {"skin": 1.0, "tongue": 0.8, "teeth_upper": 0.35, "teeth_lower": 0.35}
"""How far light travels under the surface, 0 to 1; others none."""
_ROUGHNESS = {
    "skin": 0.47,
    "tongue": 0.29,
    "teeth_upper": 0.26,
    "teeth_lower": 0.26,
    "eye_left": 0.11,
    "eye_right": 0.11,
    "lashes": 0.9,
}
"""From a mirror, 0, to chalk, 1."""
_SHADE = {"eye_left": 0.8, "eye_right": 0.8}
"""Light on the eyeballs beside what their vertices let in: lids throw a shadow on them."""
_FADE = 55.0
"""mm from where the bust is cut off over which it fades into the background."""


def sharp_vertices(face: FaceModel) -> Bool[np.ndarray, " vertices"]:
    """Vertices that subdivision leaves where they are."""
    return ~np.isin(face.part, [PART_NAMES.index(name) for name in _SMOOTHED])


def surface(
    faces: Integer[np.ndarray, "faces 3"],
    part: Integer[np.ndarray, " vertices"],
    light: Float[np.ndarray, " vertices"],
    rest: Float32[np.ndarray, "vertices 3"],
) -> Float32[np.ndarray, "vertices 4"]:
    """Scatter, roughness, ambient light and opacity of each vertex, what the shaders read.

    Args:
        faces: triangles of the mesh, coarse or fine.
        part: index of each vertex's part in ``PART_NAMES``.
        light: what reaches each vertex, as ``ambient_occlusion`` says.
        rest: the vertices at rest, mm.
    """
    fade = np.clip(KDTree(rest[_cut(faces, rest[:, 1])]).query(rest)[0] / _FADE, 0, 1)
    columns = [
        np.array([_SCATTER.get(name, 0.0) for name in PART_NAMES])[part],
        np.array([_ROUGHNESS[name] for name in PART_NAMES])[part],
        light * np.array([_SHADE.get(name, 1.0) for name in PART_NAMES])[part],
        smoothstep(fade),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


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
