"""One textured mesh in an off-screen VTK window: what of the renderer needs OpenGL."""

import sys

import numpy as np
import vtkmodules.vtkRenderingOpenGL2  # registers the OpenGL classes
from jaxtyping import Float32, Int32, UInt8
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkLogger, vtkObject, vtkPoints, vtkUnsignedCharArray
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkDataObject, vtkImageData, vtkPolyData
from vtkmodules.vtkRenderingCore import vtkActor, vtkRenderer, vtkRenderWindow, vtkTexture
from vtkmodules.vtkRenderingOpenGL2 import vtkOpenGLPolyDataMapper

from kmspeaker.errors import InputError

_CENTRE = np.array([0.0, -19.0, -30.0])
"""mm; what the camera looks at, from between the eyes."""
_DISTANCE = 1500.0
_HEIGHT, _LEAST_WIDTH = 320.0, 250.0
"""mm of the picture's plane that are seen upright, more where the picture would be too narrow."""


class VtkScene:
    """A mesh whose vertices and normals change from picture to picture."""

    def __init__(
        self,
        *,
        faces: Int32[np.ndarray, "faces 3"],
        uv: Float32[np.ndarray, "vertices 2"],
        surface: Float32[np.ndarray, "vertices 4"],
        texture: UInt8[np.ndarray, "rows columns 3"],
        shader: str,
        width: int,
        height: int,
    ) -> None:
        self._size = (width, height)
        self._window = _window(width, height)
        # VTK reads these arrays in place.
        self._positions = np.zeros((len(uv), 3), np.float32)
        self._normals = np.zeros((len(uv), 3), np.float32)
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
        self._renderer = vtkRenderer()
        self._renderer.SetBackground(0, 0, 0)
        self._renderer.SetBackgroundAlpha(0)
        self._renderer.AddActor(_actor(self._mesh, _texture(texture), shader))
        self._window.AddRenderer(self._renderer)

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

    def draw(
        self,
        positions: Float32[np.ndarray, "vertices 3"],
        normals: Float32[np.ndarray, "vertices 3"],
    ) -> UInt8[np.ndarray, "height width 4"]:
        """RGBA, the colours multiplied by their opacity; nothing where the mesh is not."""
        self._positions[:] = positions
        self._normals[:] = normals
        self._mesh.GetPoints().GetData().Modified()
        self._mesh.GetPoints().Modified()
        self._mesh.GetPointData().GetNormals().Modified()
        self._mesh.Modified()
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
        raise InputError(
            "Got no OpenGL library to draw the head with; install libegl1 and libgles2 "
            "(apt-get install libegl1 libgles2)."
        )
    return window


def _actor(mesh: vtkPolyData, colours: vtkTexture, shader: str) -> vtkActor:
    mapper = vtkOpenGLPolyDataMapper()
    mapper.SetInputData(mesh)
    mapper.ScalarVisibilityOff()
    mapper.MapDataArrayToVertexAttribute(
        "surfaceMC", "surface", vtkDataObject.FIELD_ASSOCIATION_POINTS, -1
    )
    actor = vtkActor()
    actor.SetMapper(mapper)
    material = actor.GetProperty()
    material.SetTexture("colours", colours)
    material.BackfaceCullingOn()
    # VTK writes the shaders; ours hands the surface's values through and decides the colour.
    program = actor.GetShaderProperty()
    declared, filled = "//VTK::Normal::Dec", "//VTK::Normal::Impl"
    program.AddVertexShaderReplacement(
        declared, True, f"{declared}\nin vec4 surfaceMC;\nout vec4 surface;\n", False
    )
    program.AddVertexShaderReplacement(filled, True, f"{filled}\n  surface = surfaceMC;\n", False)
    program.AddFragmentShaderReplacement(declared, True, f"{declared}\nin vec4 surface;\n", False)
    program.AddFragmentShaderReplacement("//VTK::TCoord::Impl", True, shader, False)
    return actor


def _texture(picture: UInt8[np.ndarray, "rows columns 3"]) -> vtkTexture:
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
