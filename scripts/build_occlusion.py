"""How much of the sky each vertex of the head sees: `assets/face/occlusion.npy`, uint8, 255 is all.

The renderer and the exported model darken the inside of mouth, nostrils and ears with it. Measured
once by casting rays on the first identity with the mouth open: a closed mouth sees nothing, and
identities differ little. The last step of `build_face.py`; half a minute.
"""

from pathlib import Path

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
from vtkmodules.vtkCommonCore import vtkIdList, vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkFiltersFlowPaths import vtkModifiedBSPTree

from kmspeaker.export.normals import vertex_normals
from kmspeaker.face.rig import ARKIT_INDEX, FACE_FOLDER, PART_NAMES, FaceModel

RAYS = 96
JAW_OPEN = 0.45
START = 0.8  # mm above the surface, so that a ray does not meet the triangles it leaves
FAR = 500.0  # mm, beyond the head
SKY_ABOVE_GROUND = 0.4  # light from straight above counts 1.4, from straight below 0.6


def main(folder: Path = FACE_FOLDER) -> None:
    face = FaceModel.load(folder)
    pose = np.zeros((1, 52), np.float32)
    pose[0, ARKIT_INDEX["jawOpen"]] = JAW_OPEN
    vertices = face.vertices(pose, face.identities[0])[0]
    lashes = np.isin(face.part, [PART_NAMES.index(name) for name in ("lashes", "tears")])
    solid = face.faces[~lashes[face.faces[:, 0]]]
    light = sky_light(vertices, vertex_normals(vertices, face.faces), solid)
    light[lashes] = 1
    path = folder / "occlusion.npy"
    np.save(path, np.round(light * 255).astype(np.uint8))
    for index, name in enumerate(PART_NAMES):
        print(f"{name:12} {light[face.part == index].mean():.2f}")
    print(path)


def sky_light(vertices: np.ndarray, normals: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Share of the light of an overcast sky that arrives at each vertex, 0 to 1."""
    tree = _tree(vertices, faces)
    index = np.arange(RAYS) + 0.5
    up, turn = 1 - 2 * index / RAYS, index * np.pi * (3 - np.sqrt(5))  # a Fibonacci sphere
    flat = np.sqrt(1 - up**2)
    directions = np.stack([np.cos(turn) * flat, up, np.sin(turn) * flat], axis=1)
    received = np.maximum(normals @ directions.T, 0) * (1 + SKY_ABOVE_GROUND * directions[:, 1])
    light = np.zeros(len(vertices))
    for vertex, ray in zip(*np.nonzero(received > 1e-3), strict=True):
        start = vertices[vertex] + START * normals[vertex]
        if not _meets(tree, start, start + FAR * directions[ray]):
            light[vertex] += received[vertex, ray]
    return light / received.sum(axis=1)


def _tree(vertices: np.ndarray, faces: np.ndarray) -> vtkModifiedBSPTree:
    points, cells, mesh = vtkPoints(), vtkCellArray(), vtkPolyData()
    points.SetData(numpy_to_vtk(vertices, deep=True))
    offsets = np.arange(0, 3 * len(faces) + 1, 3, dtype=np.int64)
    cells.SetData(
        numpy_to_vtkIdTypeArray(offsets, deep=True),
        numpy_to_vtkIdTypeArray(faces.astype(np.int64).ravel(), deep=True),
    )
    mesh.SetPoints(points)
    mesh.SetPolys(cells)
    tree = vtkModifiedBSPTree()
    tree.SetDataSet(mesh)
    tree.BuildLocator()
    return tree


def _meets(tree: vtkModifiedBSPTree, start: np.ndarray, end: np.ndarray) -> bool:
    hits = vtkIdList()
    tree.IntersectWithLine(start.tolist(), end.tolist(), 1e-6, vtkPoints(), hits)
    return hits.GetNumberOfIds() > 0


if __name__ == "__main__":
    main()
