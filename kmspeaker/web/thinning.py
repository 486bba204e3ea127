"""A rougher surface of the same head, for machines that draw without a graphics card.

Drawing in software costs by the triangle, and at a quarter of a page most of the rig's are smaller
than a pixel. What is left are some of the rig's own vertices, so the same shapes move them.
"""

import numpy as np
from jaxtyping import Bool, Int32

from kmspeaker.face import PART_NAMES, FaceModel

_KEPT = {"teeth_upper": 0.3, "teeth_lower": 0.3, "tongue": 0.3, "eye_left": 0.3, "eye_right": 0.3}
"""Share of each part's triangles; what is not here keeps all."""
_KEPT_FACE, _KEPT_SKULL = 0.27, 0.07
"""Share of the skin's triangles, where it moves with speech and brows and where it does not."""
_FACE_MOVES = 1.0
"""mm that a shape moves what belongs to the face."""
_LARGEST_ERROR = 1.5
"""mm that the surface may leave its place."""


def thinned(face: FaceModel) -> list[Int32[np.ndarray, "faces 3"]]:
    """For each part, fewer triangles over the same render vertices.

    Rims and seams keep their vertices, so that neighbours still meet.
    """
    part = face.part[face.faces[:, 0]]
    moves = np.linalg.norm(face.deltas, axis=-1).max(axis=0) > _FACE_MOVES
    in_face: Bool[np.ndarray, " faces"] = moves[face.faces].all(axis=1)
    result = []
    for index, name in enumerate(PART_NAMES):
        own = part == index
        if name == "skin":
            pieces = [(own & in_face, _KEPT_FACE), (own & ~in_face, _KEPT_SKULL)]
        else:
            pieces = [(own, _KEPT.get(name, 1.0))]
        kept = [_thinned_part(face, face.render_faces[which], share) for which, share in pieces]
        result.append(np.concatenate(kept))
    return result


def _thinned_part(
    face: FaceModel, triangles: Int32[np.ndarray, "faces 3"], share: float
) -> Int32[np.ndarray, "fewer_faces 3"]:
    if share >= 1:
        return triangles
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
    from vtkmodules.vtkFiltersCore import vtkDecimatePro

    used, corners = np.unique(triangles, return_inverse=True)
    places = face.neutral(face.identities[0])[face.render_source[used]].astype(np.float64)
    points, cells, surface = vtkPoints(), vtkCellArray(), vtkPolyData()
    points.SetData(numpy_to_vtk(places))
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
    thinning.SetErrorIsAbsolute(1)
    thinning.SetAbsoluteError(_LARGEST_ERROR)
    thinning.PreserveTopologyOn()
    thinning.SplittingOff()
    thinning.BoundaryVertexDeletionOff()
    thinning.Update()
    thin = thinning.GetOutput()
    kept = vtk_to_numpy(thin.GetPointData().GetArray("render_vertex"))
    corners = vtk_to_numpy(thin.GetPolys().GetConnectivityArray())
    return kept[corners].reshape(-1, 3).astype(np.int32)
