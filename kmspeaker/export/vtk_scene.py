"""Textured meshes in an off-screen VTK window: what of the renderer needs OpenGL."""

import sys
from collections.abc import Mapping

import numpy as np
import vtkmodules.vtkRenderingOpenGL2  # registers the OpenGL classes
from jaxtyping import Float, Float32, Float64, Int32, UInt8
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkLogger, vtkObject, vtkPoints, vtkUnsignedCharArray
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkDataObject, vtkImageData, vtkPolyData
from vtkmodules.vtkRenderingCore import vtkActor, vtkRenderer, vtkRenderWindow, vtkTexture
from vtkmodules.vtkRenderingOpenGL2 import vtkOpenGLPolyDataMapper

from kmspeaker.errors import InputError
from kmspeaker.export.render import NO_OPENGL

_CENTRE = np.array([0.0, -19.0, -30.0])
"""mm; what the camera looks at, from between the eyes."""
_DISTANCE = 1500.0
_HEIGHT, _LEAST_WIDTH = 320.0, 250.0
"""mm of the picture's plane that are seen upright, more where the picture would be too narrow."""


class DrawnMesh:
    """A textured mesh whose vertices and normals change from picture to picture."""

    def __init__(
        self,
        *,
        faces: Int32[np.ndarray, "faces 3"],
        uv: Float32[np.ndarray, "vertices 2"],
        surface: Float32[np.ndarray, "vertices 4"],
        textures: Mapping[str, UInt8[np.ndarray, "rows columns channels"]],
        shader: str,
        defines: Mapping[str, str] | None = None,
    ) -> None:
        # VTK reads these arrays in place.
        self._positions = np.zeros((len(uv), 3), np.float32)
        self._normals = np.zeros((len(uv), 3), np.float32)
        self._depths = np.zeros((len(uv), 2), np.float32)
        self._fixed = (uv, surface)
        self._mesh = vtkPolyData()
        points, cells = vtkPoints(), vtkCellArray()
        points.SetData(numpy_to_vtk(self._positions))
        offsets = np.arange(0, faces.size + 1, 3, dtype=np.int64)
        cells.SetData(
            numpy_to_vtkIdTypeArray(offsets, deep=True),
            numpy_to_vtkIdTypeArray(faces.astype(np.int64).ravel(), deep=True),
        )
        self._mesh.SetPoints(points)
        self._mesh.SetPolys(cells)
        data = self._mesh.GetPointData()
        data.SetNormals(_named(self._normals, "normals"))
        data.SetTCoords(_named(uv, "uv"))
        data.AddArray(_named(surface, "surface"))
        data.AddArray(_named(self._depths, "depths"))
        prepared = {name: _texture(picture) for name, picture in textures.items()}
        self.actor = _actor(self._mesh, prepared, shader, defines or {})

    def move(
        self,
        positions: Float32[np.ndarray, "vertices 3"],
        normals: Float32[np.ndarray, "vertices 3"],
        depths: Float32[np.ndarray, "vertices 2"] | None = None,
    ) -> None:
        """Where the vertices are, mm, and how deep the lines are at them, for each layer."""
        self._positions[:] = positions
        self._normals[:] = normals
        data = self._mesh.GetPointData()
        if depths is not None:
            self._depths[:] = depths
            data.GetArray("depths").Modified()
        self._mesh.GetPoints().GetData().Modified()
        self._mesh.GetPoints().Modified()
        data.GetNormals().Modified()
        self._mesh.Modified()


class VtkScene:
    """Meshes before a camera.

    Args:
        width: pixels.
        height: pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._window = _window(width, height)
        self._renderer = vtkRenderer()
        self._renderer.SetBackground(0, 0, 0)
        self._renderer.SetBackgroundAlpha(0)
        self._window.AddRenderer(self._renderer)

    def add(self, mesh: DrawnMesh) -> None:
        """Show a mesh from now on."""
        self._renderer.AddActor(mesh.actor)

    def look(self, *, yaw: float) -> None:
        """Place the camera ``yaw`` degrees to the head's right."""
        angle = np.radians(yaw)
        aside = np.array([-np.sin(angle), 0.02, np.cos(angle)]) * _DISTANCE
        camera = self._renderer.GetActiveCamera()
        camera.SetFocalPoint(*_CENTRE)
        camera.SetPosition(*(_CENTRE + aside))
        width, height = self._size
        seen = max(_HEIGHT, _LEAST_WIDTH * height / width)
        camera.SetViewAngle(2 * np.degrees(np.arctan(seen / 2 / _DISTANCE)))
        camera.SetClippingRange(_DISTANCE - 400, _DISTANCE + 400)

    def project(self, points: Float[np.ndarray, "points 3"]) -> Float64[np.ndarray, "points 3"]:
        """Where points are drawn: shares of the picture from its upper left, and the depth, mm."""
        camera = self._renderer.GetActiveCamera()
        place = np.array(camera.GetPosition())
        forward = _CENTRE - place
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 1.0, 0.0])
        right /= np.linalg.norm(right)
        seen = (points - place) @ np.stack([right, np.cross(right, forward), forward]).T
        width, height = self._size
        scale = 0.5 / np.tan(np.radians(camera.GetViewAngle()) / 2)
        x, y, depth = seen.T
        return np.stack(
            [0.5 + scale * x / depth * height / width, 0.5 - scale * y / depth, depth], axis=1
        )

    def draw(self) -> UInt8[np.ndarray, "height width 4"]:
        """RGBA, the colours multiplied by their opacity; nothing where no mesh is."""
        self._window.Render()
        width, height = self._size
        pixels = vtkUnsignedCharArray()
        self._window.GetRGBACharPixelData(
            0,
            0,
            width - 1,
            height - 1,
            0,
            pixels,  # pyright: ignore[reportArgumentType] # wrong stub
        )
        return vtk_to_numpy(pixels).reshape(height, width, 4)[::-1]

    def close(self) -> None:
        """Free the graphics context."""
        self._window.Finalize()


def _window(width: int, height: int) -> vtkRenderWindow:
    vtkObject.GlobalWarningDisplayOff()
    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    if sys.platform == "linux":  # no display is needed, and none is asked for
        window = vtkmodules.vtkRenderingOpenGL2.vtkEGLRenderWindow()
    else:
        window = vtkRenderWindow()
    window.SetOffScreenRendering(True)
    window.SetMultiSamples(0)
    window.SetAlphaBitPlanes(True)
    window.SetSize(width, height)
    if not window.SupportsOpenGL():
        raise InputError(NO_OPENGL)
    return window


def _actor(
    mesh: vtkPolyData,
    textures: Mapping[str, vtkTexture],
    shader: str,
    defines: Mapping[str, str],
) -> vtkActor:
    mapper = vtkOpenGLPolyDataMapper()
    mapper.SetInputData(mesh)
    mapper.ScalarVisibilityOff()
    for name in ("surface", "depths"):
        mapper.MapDataArrayToVertexAttribute(
            f"{name}MC", name, vtkDataObject.FIELD_ASSOCIATION_POINTS, -1
        )
    actor = vtkActor()
    actor.SetMapper(mapper)
    material = actor.GetProperty()
    for name, texture in textures.items():
        material.SetTexture(name, texture)
    material.BackfaceCullingOn()
    # VTK writes the shaders; ours hands the surface's values through and decides the colour.
    program = actor.GetShaderProperty()
    declared, filled = "//VTK::Normal::Dec", "//VTK::Normal::Impl"
    program.AddVertexShaderReplacement(
        declared,
        True,
        f"{declared}\nin vec4 surfaceMC;\nin vec2 depthsMC;\n"
        "out vec4 surface;\nout vec2 depths;\nout vec3 place;\n",
        False,
    )
    program.AddVertexShaderReplacement(
        filled,
        True,
        f"{filled}\n  surface = surfaceMC;\n  depths = depthsMC;\n"
        "  place = (MCVCMatrix * vertexMC).xyz;\n",
        False,
    )
    lines = "".join(f"#define {name} {value}\n" for name, value in defines.items())
    program.AddFragmentShaderReplacement(
        declared,
        True,
        f"{declared}\n{lines}in vec4 surface;\nin vec2 depths;\nin vec3 place;\n",
        False,
    )
    program.AddFragmentShaderReplacement("//VTK::TCoord::Impl", True, shader, False)
    return actor


def _texture(picture: UInt8[np.ndarray, "rows columns channels"]) -> vtkTexture:
    rows, columns, channels = picture.shape
    image = vtkImageData()
    image.SetDimensions(columns, rows, 1)
    pixels = np.ascontiguousarray(picture[::-1]).reshape(-1, channels)
    image.GetPointData().SetScalars(numpy_to_vtk(pixels, deep=True))
    texture = vtkTexture()
    texture.SetInputData(image)
    texture.InterpolateOn()
    texture.MipmapOn()
    return texture


def _named(array: np.ndarray, name: str):
    data = numpy_to_vtk(array)
    data.SetName(name)
    return data
