"""Rougher surfaces of the same head, for machines that draw without a graphics card.

Drawing in software costs by the triangle, and at a quarter of a page most of the rig's are smaller
than a pixel. What is left are some of the rig's own vertices, so the same shapes move them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int32

from kmspeaker.export.occlusion import ambient_occlusion
from kmspeaker.face.interpolation import smoothstep
from kmspeaker.face.landmarks import INNER_LOWER_LIP, INNER_UPPER_LIP
from kmspeaker.face.rig import PART_NAMES, FaceModel


@dataclass(frozen=True)
class Level:
    """How rough a surface is."""

    share: float
    """Of the rig's triangles, that it keeps."""
    left_out: tuple[str, ...] = ()
    """Parts it has none of: they would be single dots."""


LEVELS: Mapping[str, Level] = {
    "close": Level(0.4),
    "middle": Level(0.18),
    "light": Level(0.09, left_out=("tears", "lashes")),
}
"""They keep one head, two, and three or four at about one cost."""
_HAIR = 550
"""Triangles of hair that a head of any of these levels wears."""
_NAPE, _CROWN = -160.0, -110.0
"""mm; from here to there begins the hair that is seen from before: the rest is a tail."""
_WHOLE = ("tears", "lashes")
"""Parts that keep all of theirs."""
_FREE = ("gums", "teeth_upper", "teeth_lower", "tongue")
"""Parts whose rims nobody sees; others keep theirs, and their seams, so that neighbours meet."""
_BEHIND, _BEFORE = -20.0, 30.0
"""mm; from here to there the front of the head begins, where it speaks."""
_DEEP, _OPEN = 0.3, 0.55
"""Light that is let in; from here to there the skin comes out of mouth and nostrils."""
_SHARP = 50.0
"""Degrees; an edge between triangles that meet at a larger angle stays."""
_FRONT, _SEEN = 2.0, 5.0
"""How much larger the front of the head and of the hair is made, so that it keeps more."""
_CLOSE, _REACH = 1.0, 26.0
"""The same of mouth and eyes, and how far about their middles, mm."""


def decimate(face: FaceModel, level: Level) -> list[Int32[np.ndarray, "_ 3"]]:
    """For each part of the face the triangles of a level, over the same render vertices."""
    part = face.part[face.faces[:, 0]]
    person = face.people[face.identities[0]]
    rest = person.neutral[face.render_source].astype(np.float64)
    front = smoothstep((rest[:, 2] - _BEHIND) / (_BEFORE - _BEHIND))
    skin = face.part[face.render_source] == PART_NAMES.index("skin")
    light = ambient_occlusion(face)[face.render_source]
    front[skin] *= smoothstep((light - _DEEP) / (_OPEN - _DEEP))[skin]
    lips = person.neutral[face.landmark_triangles[[INNER_UPPER_LIP, INNER_LOWER_LIP]]]
    places = rest.copy()
    for middle in (*person.eye_centers, lips.mean(axis=(0, 1))):
        away = rest - middle
        near = np.exp(-(away**2).sum(axis=1, keepdims=True) / _REACH**2)
        places += _CLOSE * near * away
    places *= (1 + _FRONT * front)[:, None]
    thinned = []
    for index, name in enumerate(PART_NAMES):
        triangles = face.render_faces[part == index]
        if name in level.left_out:
            triangles = triangles[:0]
        elif name not in _WHOLE:
            triangles = _thin(places, triangles, level.share, free=name in _FREE)
        thinned.append(triangles)
    return thinned


def thin_hair(
    strands: Float[np.ndarray, "strands 3"], faces: Int32[np.ndarray, "faces 3"]
) -> Int32[np.ndarray, "fewer_faces 3"]:
    """Few triangles for hair that is worn by a rougher head."""
    seen = smoothstep((strands[:, 2] - _NAPE) / (_CROWN - _NAPE))
    places = strands.astype(np.float64) * (1 + _SEEN * seen)[:, None]
    return _thin(places, faces, min(_HAIR / len(faces), 1.0), free=True)


def _thin(
    places: Float64[np.ndarray, "vertices 3"],
    triangles: Int32[np.ndarray, "faces 3"],
    share: float,
    *,
    free: bool,
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
    thinning.SetBoundaryVertexDeletion(free)
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
