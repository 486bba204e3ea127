"""Smooth normals of a mesh that moves."""

import numpy as np
from jaxtyping import Float32, Int32


def vertex_normals(
    vertices: Float32[np.ndarray, "vertices 3"], faces: Int32[np.ndarray, "faces 3"]
) -> Float32[np.ndarray, "vertices 3"]:
    """Unit normals, each the mean of its triangles' normals weighted by their areas.

    Give the mesh whose seams are not split, or the seams will show.
    """
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    across = np.cross(b - a, c - a)
    corners = faces.T.ravel()
    summed = np.stack(
        [np.bincount(corners, np.tile(axis, 3), len(vertices)) for axis in across.T], axis=1
    )
    length = np.linalg.norm(summed, axis=1, keepdims=True)
    return (summed / np.maximum(length, 1e-12)).astype(np.float32)
