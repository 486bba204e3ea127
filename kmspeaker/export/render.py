"""The head as pictures, without a display or a graphics card.

Each frame is the rig's vertices with fresh normals, drawn by VTK
through EGL with the skin and light of ``head.glsl``, larger than asked and scaled down.
"""

import ctypes
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32, Float64, Int32, UInt8
from PIL import Image
from scipy.sparse import csr_matrix

from kmspeaker.errors import InputError
from kmspeaker.export.material import BOTH_SIDES, hair_normals, hair_surface, surface
from kmspeaker.face.hair import OPAQUE
from kmspeaker.face.head_pose import head_rotations, turn_head
from kmspeaker.face.rig import PART_NAMES, FaceModel
from kmspeaker.face.wrinkles import HEIGHT_RANGE, LAYERS

if TYPE_CHECKING:
    from kmspeaker.export.vtk_scene import DrawnMesh

_SHADER = Path(__file__).with_name("head.glsl")
_LARGE = 700
"""Pictures this high have pixels too small for their edges to need as many samples."""
_SUPERSAMPLING, _SUPERSAMPLING_LARGE = 2.0, 1.25
"""Drawn so many times larger each way; multisampling costs more where there is no GPU."""
_BACKGROUND = ((246, 247, 249), (178, 184, 194))
"""RGB behind the head and in the corners."""
_GREY = 190
"""Of a bare head."""
NO_OPENGL = (
    "Got no OpenGL library to draw the head with; install libegl1 and libgles2 "
    "(apt-get install libegl1 libgles2)."
)


def check_opengl() -> None:
    """Refuse where there is nothing to draw with; VTK does not look, and crashes.

    Raises:
        InputError: There is no EGL library.
    """
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL("libEGL.so.1")  # by the name that VTK loads it by
    except OSError as error:
        raise InputError(NO_OPENGL) from error


class HeadRenderer:
    """Draws one identity's head; a context manager, since it holds a graphics context.

    Make, use and close it in one thread.

    Args:
        face: The rig.
        identity: Whose head.
        width: Pixels.
        height: Pixels.
        yaw: Degrees by which the head is turned to the viewer's right; about 25 is a three-quarter
            view.
        bare: The geometry alone: grey, without hair and without the lines of the skin.

    Raises:
        InputError: There is no such identity, or no OpenGL library.
    """

    def __init__(
        self,
        face: FaceModel,
        identity: str,
        width: int = 512,
        height: int = 512,
        *,
        yaw: float = 12.0,
        bare: bool = False,
    ) -> None:
        check_opengl()
        from kmspeaker.export.vtk_scene import VtkScene

        self._face = face
        self._identity = identity
        self._bare = bare
        self._corners = _corner_matrix(face)
        self._size = (width, height)
        finer = _SUPERSAMPLING if height < _LARGE else _SUPERSAMPLING_LARGE
        self._background = _backdrop(width, height).astype(np.uint16)
        self._scene = VtkScene(round(width * finer), round(height * finer))
        self._pieces = self._face_pieces()
        for piece in self._pieces:
            self._scene.add(piece.mesh)
        self._hair = None if bare else self._hair_piece()
        if self._hair is not None:
            self._scene.add(self._hair.mesh)
        self._scene.look(yaw=yaw)

    def __enter__(self) -> "HeadRenderer":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the graphics context back."""
        self._scene.close()

    def frame(
        self, weights: Float[np.ndarray, "52"], head: Float[np.ndarray, "3"] | None = None
    ) -> UInt8[np.ndarray, "height width 3"]:
        """The head with these ARKit weights, RGB; ``head`` turns it (yaw, pitch, roll, radians)."""
        small = self.cutout(weights, head).astype(np.uint16)
        behind = self._background * (256 - small[..., 3:]) >> 8
        return np.minimum(small[..., :3] + behind, 255).astype(np.uint8)

    def cutout(
        self, weights: Float[np.ndarray, "52"], head: Float[np.ndarray, "3"] | None = None
    ) -> UInt8[np.ndarray, "height width 4"]:
        """As ``frame`` with nothing behind it: RGBA, the colours multiplied by their opacity."""
        pose = weights[None].astype(np.float32)
        vertices = self._face.vertices(pose, self._identity)[0]
        depths = self._face.wrinkling(pose, self._identity)[0] * (not self._bare)
        if head is not None:
            vertices = turn_head(vertices, head)
        normals = self._normals(vertices)
        for piece in self._pieces:
            own = piece.vertices
            piece.mesh.move(vertices[own], normals[own], depths[own])
        if self._hair is not None:
            strands, across = self._hair.strands, self._hair.normals
            if head is not None:
                strands = turn_head(strands, head)
                across = across @ head_rotations(head[None])[0].astype(np.float32).T
            self._hair.mesh.move(strands, across)
        drawn = self._scene.draw()
        # "RGBa" is Pillow's word for colours that are already multiplied by their opacity.
        picture = Image.frombytes("RGBa", drawn.shape[1::-1], drawn.tobytes())
        return np.asarray(picture.resize(self._size, Image.Resampling.BOX))

    def project(self, points: Float[np.ndarray, "points 3"]) -> Float64[np.ndarray, "points 3"]:
        """Where points of the head, mm, are in the picture: x and y in pixels, and their depth."""
        return self._scene.project(points) * [*self._size, 1]

    def _normals(
        self, vertices: Float32[np.ndarray, "vertices 3"]
    ) -> Float32[np.ndarray, "vertices 3"]:
        a, b, c = (vertices[corner] for corner in self._face.faces.T)
        u, v = b - a, c - a
        across = np.empty_like(u)  # numpy's own cross product is slower
        across[:, 0] = u[:, 1] * v[:, 2] - u[:, 2] * v[:, 1]
        across[:, 1] = u[:, 2] * v[:, 0] - u[:, 0] * v[:, 2]
        across[:, 2] = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
        normals = self._corners @ across
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)

    def _face_pieces(self) -> "list[_Piece]":
        """The skin that folds apart from all else, since drawing its lines is dear."""
        from kmspeaker.export.vtk_scene import DrawnMesh

        face = self._face
        folding = (face.fold_masks.max(axis=0) > 0)[face.faces].any(axis=1)
        both = [PART_NAMES.index(name) for name in BOTH_SIDES]
        twice = np.isin(face.part[face.faces[:, 0]], both)
        if self._bare:
            colours = np.full((1, 1, 3), _GREY, np.uint8)
        else:
            colours = np.asarray(Image.open(face.texture(self._identity)).convert("RGB"))
        heights = np.asarray(Image.open(face.folder / "wrinkles.png").convert("RGB"))
        slopes, slope_range = _slopes(heights)
        lines = {"heights": heights, "slopes": slopes}
        material = surface(face)
        pieces = []
        for faces, textures, defines in (
            # Only fronts are drawn, so what is seen from both sides comes twice.
            (
                np.concatenate([face.render_faces[~folding], face.render_faces[twice, ::-1]]),
                *({}, {}),
            ),
            (face.render_faces[folding], lines, {"FOLDED": "", "SLOPE_RANGE": f"{slope_range:f}"}),
        ):
            kept, corners = np.unique(faces, return_inverse=True)
            vertices = face.render_source[kept]
            mesh = DrawnMesh(
                faces=corners.reshape(-1, 3).astype(np.int32),
                uv=face.render_uv[kept],
                surface=material[vertices],
                textures={"colours": colours, **textures},
                shader=_SHADER.read_text(encoding="utf-8"),
                defines=defines,
            )
            pieces.append(_Piece(mesh, vertices))
        return pieces

    def _hair_piece(self) -> "_HairPiece | None":
        from kmspeaker.export.vtk_scene import DrawnMesh

        hair = self._face.hair(self._identity)
        if hair is None:
            return None
        style = hair.style
        strands = style.worn(self._face.neutral(self._identity))
        mesh = DrawnMesh(
            faces=np.concatenate([style.faces, style.faces[:, ::-1]]),
            uv=style.uv,
            surface=hair_surface(strands),
            textures={"colours": np.asarray(hair.texture())},
            shader=_SHADER.read_text(encoding="utf-8"),
            defines={"STRANDS": f"{OPAQUE:f}"},
        )
        return _HairPiece(mesh, strands, hair_normals(style, strands))


@dataclass(frozen=True)
class _Piece:
    """A part of the face that is drawn at once."""

    mesh: "DrawnMesh"
    vertices: Int32[np.ndarray, " drawn"]
    """The rig's vertex of each of its own."""


@dataclass(frozen=True)
class _HairPiece:
    """Hair, which only turns."""

    mesh: "DrawnMesh"
    strands: Float32[np.ndarray, "strands 3"]
    normals: Float32[np.ndarray, "strands 3"]


def _slopes(
    heights: UInt8[np.ndarray, "rows columns 3"],
) -> tuple[UInt8[np.ndarray, "rows columns 4"], float]:
    """How heights rise to the right and upwards, both layers', and what 0 to 255 span, mm."""
    rows, columns = heights.shape[:2]
    steps = 2 * HEIGHT_RANGE / 255
    layers = [heights[..., layer].astype(np.float32) * steps for layer in range(LAYERS)]
    rises = np.stack(
        [
            rise
            for layer in layers
            for rise in (
                np.gradient(layer, axis=1) * columns,
                -np.gradient(layer, axis=0) * rows,
            )
        ],
        axis=2,
    )
    largest = float(np.abs(rises).max())
    picture = np.round(128 + 127 * rises / largest).astype(np.uint8)
    return picture, 2 * largest * 127.5 / 127


def _corner_matrix(face: FaceModel) -> csr_matrix:
    """(vertices, faces), 1 where the vertex is a corner of the face."""
    corners = face.faces.T.ravel()
    faces = np.tile(np.arange(len(face.faces)), 3)
    return csr_matrix((np.ones(len(corners), np.float32), (corners, faces)))


def _backdrop(width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
    """A soft pool of light behind the head."""
    y, x = np.mgrid[0:height, 0:width]
    away = np.hypot((x + 0.5) / width - 0.5, (y + 0.5) / height - 0.42) / 0.75
    share = np.clip(away, 0, 1)[..., None] ** 1.6
    near, far = (np.array(colour) for colour in _BACKGROUND)
    # Less than one step of noise hides the bands of so slow a gradient.
    noise = np.random.default_rng(0).uniform(0, 1, (height, width, 1))
    return np.floor(near + (far - near) * share + noise).clip(0, 255).astype(np.uint8)
