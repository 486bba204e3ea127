"""Draw the keypoint sets and the masks on the head, `docs/keypoints.webp` (paper Figure 6)."""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkFiltersCore import vtkGlyph3D
from vtkmodules.vtkFiltersSources import vtkSphereSource
from vtkmodules.vtkRenderingCore import (
    vtkActor,
    vtkLight,
    vtkPolyDataMapper,
    vtkRenderer,
    vtkWindowToImageFilter,
)
from vtkmodules.vtkRenderingOpenGL2 import vtkEGLRenderWindow

from kmspeaker.export.normals import vertex_normals
from kmspeaker.face.landmarks import R_LOWER, R_UPPER
from kmspeaker.face.rig import PART_NAMES, FaceModel

DOCS = Path(__file__).parent.parent / "docs"
PANEL, TITLE, SUPERSAMPLING = 520, 44, 2  # pixels
CLAY = np.array([206, 200, 196])
UPPER, LOWER = np.array([46, 160, 67]), np.array([96, 100, 108])  # the paper's green and grey
REGIONS = np.array([[226, 122, 92], [240, 200, 110], [112, 160, 214]])
PAGE, INK = (250, 250, 251), (40, 43, 48)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identity", default="clara")
    parser.add_argument("--face", type=Path, help="folder; the bundled face when not given")
    parser.add_argument("--output", type=Path, default=DOCS / "keypoints.webp")
    options = parser.parse_args()
    face = FaceModel.load(options.face)
    head = face.neutral(options.identity)
    clay = np.tile(CLAY, (len(head), 1)).astype(float)
    eyes = np.isin(face.part, [PART_NAMES.index(f"eye_{side}") for side in ("left", "right")])
    clay[eyes] = 238
    regions = 0.75 * REGIONS[face.region] + 0.25 * clay
    share = face.lower_mask[:, None]
    mask = 0.8 * (share * REGIONS[R_LOWER] + (1 - share) * REGIONS[R_UPPER]) + 0.2 * clay
    panels = [
        ("ours: 55, of them 47 upper (green)", clay, "ours", 1.9, 12),
        ("iBUG: 68, of them 31 upper", clay, "ibug68", 1.9, 12),
        (f"dense: {len(face.keypoints['dense']):,}", clay, "dense", 0.75, 12),
        ("R_lower (red), band (yellow), R_upper (blue)", regions, None, 0, 12),
        ("M_lower from 1 (red) to 0 (blue)", mask, None, 0, 12),
        ("M_lower, from the side", mask, None, 0, 72),
    ]
    page = Image.new("RGB", (3 * PANEL, 2 * (PANEL + TITLE)), PAGE)
    draw = ImageDraw.Draw(page)
    for index, (title, colours, set_name, radius, yaw) in enumerate(panels):
        corner = (index % 3 * PANEL, index // 3 * (PANEL + TITLE))
        shot = picture(face, head, colours, set_name, radius, yaw)
        page.paste(shot, (corner[0], corner[1] + TITLE))
        font = ImageFont.load_default(20)
        draw.text((corner[0] + PANEL / 2, corner[1] + TITLE / 2), title, INK, font, anchor="mm")
    options.output.parent.mkdir(exist_ok=True)
    page.save(options.output, quality=88)
    print(options.output)


def picture(
    face: FaceModel,
    head: np.ndarray,
    colours: np.ndarray,
    set_name: str | None,
    radius: float,
    yaw: float,
) -> Image.Image:
    renderer = vtkRenderer()
    renderer.SetBackground(*(c / 255 for c in PAGE))
    renderer.AddActor(head_actor(face, head, colours))
    if set_name:
        keypoints = face.keypoints[set_name]
        normals = vertex_normals(head, face.faces)
        for own, colour in ((keypoints.upper, UPPER), (~keypoints.upper, LOWER)):
            indices = keypoints.indices[own]
            places = head[indices] + 0.6 * radius * normals[indices]
            renderer.AddActor(dots(places, radius, colour))
    for place, strength in (((-300, 350, 600), 0.75), ((500, 80, 300), 0.4), ((0, 300, -500), 0.3)):
        light = vtkLight()
        light.SetPosition(*place)
        light.SetFocalPoint(0, -30, 0)
        light.SetIntensity(strength)
        renderer.AddLight(light)
    camera, turn = renderer.GetActiveCamera(), np.radians(yaw)
    middle = np.array([0, -38, -20 if yaw < 45 else -45])
    camera.SetFocalPoint(*middle)
    camera.SetPosition(*(middle + 1000 * np.array([np.sin(turn), 0, np.cos(turn)])))
    camera.SetViewAngle(18)
    renderer.ResetCameraClippingRange()
    window = vtkEGLRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetSize(PANEL * SUPERSAMPLING, PANEL * SUPERSAMPLING)
    window.AddRenderer(renderer)
    window.Render()
    shot = vtkWindowToImageFilter()
    shot.SetInput(window)
    shot.ReadFrontBufferOff()
    shot.Update()
    data = shot.GetOutput()
    width, height, _ = data.GetDimensions()
    pixels = vtk_to_numpy(data.GetPointData().GetScalars()).reshape(height, width, -1)
    return Image.fromarray(pixels[::-1, :, :3].copy()).reduce(SUPERSAMPLING)


def head_actor(face: FaceModel, head: np.ndarray, colours: np.ndarray) -> vtkActor:
    shown = face.faces[face.part[face.faces[:, 0]] != PART_NAMES.index("lashes")]
    mesh = vtkPolyData()
    points, cells = vtkPoints(), vtkCellArray()
    points.SetData(numpy_to_vtk(head, deep=True))
    offsets = np.arange(0, 3 * len(shown) + 1, 3, dtype=np.int64)
    cells.SetData(
        numpy_to_vtkIdTypeArray(offsets, deep=True),
        numpy_to_vtkIdTypeArray(shown.astype(np.int64).ravel(), deep=True),
    )
    mesh.SetPoints(points)
    mesh.SetPolys(cells)
    mesh.GetPointData().SetNormals(numpy_to_vtk(vertex_normals(head, face.faces), deep=True))
    mesh.GetPointData().SetScalars(numpy_to_vtk(colours.astype(np.uint8), deep=True))
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(mesh)
    return shaded(mapper)


def dots(points: np.ndarray, radius: float, colour: np.ndarray) -> vtkActor:
    places, cloud = vtkPoints(), vtkPolyData()
    places.SetData(numpy_to_vtk(np.ascontiguousarray(points), deep=True))
    cloud.SetPoints(places)
    ball = vtkSphereSource()
    ball.SetRadius(radius)
    ball.SetThetaResolution(16)
    ball.SetPhiResolution(12)
    glyphs = vtkGlyph3D()
    glyphs.SetInputData(cloud)
    glyphs.SetSourceConnection(ball.GetOutputPort())
    mapper = vtkPolyDataMapper()
    mapper.SetInputConnection(glyphs.GetOutputPort())
    actor = shaded(mapper)
    actor.GetProperty().SetColor(*(colour / 255))
    return actor


def shaded(mapper: vtkPolyDataMapper) -> vtkActor:
    actor = vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().SetInterpolationToPhong()
    actor.GetProperty().SetAmbient(0.3)
    actor.GetProperty().SetDiffuse(0.75)
    return actor


if __name__ == "__main__":
    main()
