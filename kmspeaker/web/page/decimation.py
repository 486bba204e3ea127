"""A rougher surface of the same head, for machines that draw without a graphics card.

Drawing in software costs by the triangle, and at a quarter of a page most of the rig's are smaller
than a pixel. What is left are some of the rig's own vertices, so the same shapes move them.
"""

import numpy as np
from jaxtyping import Float64, Int32

from kmspeaker.face.interpolation import smoothstep
from kmspeaker.face.rig import PART_NAMES, FaceModel

MIDDLE, LIGHT = 0.42, 0.18
"""Shares of the triangles that keep two heads and four as cheap as one."""
_WHOLE = ("lashes",)
"""Parts that keep all of theirs."""
_BEHIND, _BEFORE = -20.0, 30.0
"""mm; from here to there the front of the head begins, where it speaks."""
_SHARP = 50.0
"""Degrees; an edge between triangles that meet at a larger angle stays."""
_FRONT = 2.0
"""How much larger the front is made, so that it keeps more."""


def decimate(face: FaceModel, share: float) -> list[Int32[np.ndarray, "faces 3"]]:
    """For each part of the face about ``share`` of its triangles, over the same render vertices.

    Rims and seams keep their vertices, so that neighbours still meet.
    """
    part = face.part[face.faces[:, 0]]
    rest = face.neutral(face.identities[0])[face.render_source].astype(np.float64)
    front = smoothstep((rest[:, 2] - _BEHIND) / (_BEFORE - _BEHIND))
    places = rest * (1 + _FRONT * front)[:, None]
    return [
        face.render_faces[part == index]
        if name in _WHOLE
        else _decimate_part(places, face.render_faces[part == index], share)
        for index, name in enumerate(PART_NAMES)
    ]


def _decimate_part(
    places: Float64[np.ndarray, "render_vertices 3"],
    triangles: Int32[np.ndarray, "faces 3"],
    share: float,
) -> Int32[np.ndarray, "fewer_faces 3"]:
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
    from vtkmodules.vtkFiltersCore import vtkDecimatePro

    used, corners = np.unique(triangles, return_inverse=True)
    points, cells, surface = vtkPoints(), vtkCellArray(), vtkPolyData()
    points.SetData(numpy_to_vtk(places[used]))
    offsets = numpy_to_vtk(np.arange(0, corners.size + 1, 3))
    connectivity = numpy_to_vtk(corners.reshape(-1).astype(np.int64))
    cells.SetData(offsets, connectivity)
    names = numpy_to_vtk(used.astype(np.int32))
    names.SetName("render_vertex")
    surface.SetPoints(points)
    surface.SetPolys(cells)
    surface.GetPointData().AddArray(names)

    thinning = vtkDecimatePro()
    thinning.SetInputData(surface)
    thinning.SetTargetReduction(1 - share)
    thinning.SetMaximumError(1.0)
    thinning.SetFeatureAngle(_SHARP)
    thinning.PreserveTopologyOn()
    thinning.SplittingOff()
    thinning.BoundaryVertexDeletionOff()
    thinning.Update()
    thin = thinning.GetOutput()
    kept = vtk_to_numpy(thin.GetPointData().GetArray("render_vertex"))
    corners = vtk_to_numpy(thin.GetPolys().GetConnectivityArray())
    return order_in_fans(kept[corners].reshape(-1, 3).astype(np.int32))


def order_in_fans(triangles: Int32[np.ndarray, "faces 3"]) -> Int32[np.ndarray, "faces 3"]:
    """The same triangles, those around a vertex together: few corners are transformed twice.

    From fan to fan over a vertex that was just used, as P. Sander and others (2007) do.
    """
    corners = triangles.tolist()
    around: dict[int, list[int]] = {}
    for index, triangle in enumerate(corners):
        for corner in triangle:
            around.setdefault(corner, []).append(index)
    left = {vertex: len(each) for vertex, each in around.items()}
    order: list[int] = []
    placed = [False] * len(corners)
    used: list[int] = []
    starts = iter(around)
    vertex: int | None = next(starts, None)
    while vertex is not None:
        fan: list[int] = []
        for index in around[vertex]:
            if not placed[index]:
                placed[index] = True
                order.append(index)
                fan += corners[index]
                for corner in corners[index]:
                    left[corner] -= 1
        used += fan
        vertex = next((each for each in fan if left[each]), None)
        while vertex is None and used:
            last = used.pop()
            vertex = last if left[last] else None
        if vertex is None:
            vertex = next((each for each in starts if left[each]), None)
    return triangles[order]
