"""The head as pictures, without a display or a graphics card.

Each frame is the rig's vertices, refined once by subdivision, with fresh normals, drawn by VTK
through EGL with the skin and light of ``head.glsl``, larger than asked and scaled down.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8
from PIL import Image
from scipy.sparse import csr_matrix

from kmspeaker.export.material import sharp_vertices, surface
from kmspeaker.export.occlusion import ambient_occlusion
from kmspeaker.export.subdivision import Subdivision, subdivide
from kmspeaker.face.head_pose import turn_head
from kmspeaker.face.rig import PART_NAMES, FaceModel

_LARGE = 700
"""Pictures this high have pixels too small for their edges to need as many samples."""
_SUPERSAMPLING, _SUPERSAMPLING_LARGE = 2.0, 1.5
"""Drawn so many times larger each way; multisampling costs more where there is no GPU."""
_BACKGROUND = ((246, 247, 249), (178, 184, 194))
"""RGB behind the head and in the corners."""


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
    ) -> None:
        from kmspeaker.export.vtk_scene import VtkScene

        self._face = face
        self._identity = identity
        self._mesh = subdivide(
            face.faces,
            face.render_source,
            face.render_uv,
            face.render_faces,
            sharp=sharp_vertices(face),
        )
        self._corners = _corner_matrix(self._mesh)
        rest = self._fine_vertices(np.zeros(52, np.float32))
        self._size = (width, height)
        finer = _SUPERSAMPLING if height < _LARGE else _SUPERSAMPLING_LARGE
        self._background = _backdrop(width, height).astype(np.uint16)
        self._scene = VtkScene(
            faces=self._drawn_faces(),
            uv=self._mesh.uv,
            surface=self._surface(rest)[self._mesh.source],
            texture=np.asarray(Image.open(face.texture(identity)).convert("RGB")),
            shader=Path(__file__).with_name("head.glsl").read_text(encoding="utf-8"),
            width=round(width * finer),
            height=round(height * finer),
        )
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
        vertices = self._fine_vertices(weights)
        if head is not None:
            vertices = turn_head(vertices, head)
        normals = self._normals(vertices)
        drawn = self._scene.draw(vertices[self._mesh.source], normals[self._mesh.source])
        # "RGBa" is Pillow's word for colours that are already multiplied by their opacity.
        picture = Image.frombytes("RGBa", drawn.shape[1::-1], drawn.tobytes())
        small = np.asarray(picture.resize(self._size, Image.Resampling.BOX)).astype(np.uint16)
        behind = self._background * (256 - small[..., 3:]) >> 8
        return np.minimum(small[..., :3] + behind, 255).astype(np.uint8)

    def _fine_vertices(
        self, weights: Float[np.ndarray, "52"]
    ) -> Float32[np.ndarray, "fine_vertices 3"]:
        coarse = self._face.vertices(weights[None].astype(np.float32), self._identity)[0]
        return self._mesh.matrix @ coarse

    def _normals(
        self, vertices: Float32[np.ndarray, "fine_vertices 3"]
    ) -> Float32[np.ndarray, "fine_vertices 3"]:
        a, b, c = (vertices[corner] for corner in self._mesh.faces.T)
        u, v = b - a, c - a
        across = np.empty_like(u)  # numpy's own cross product is slower
        across[:, 0] = u[:, 1] * v[:, 2] - u[:, 2] * v[:, 1]
        across[:, 1] = u[:, 2] * v[:, 0] - u[:, 0] * v[:, 2]
        across[:, 2] = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
        normals = self._corners @ across
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)

    def _fine_part(self) -> UInt8[np.ndarray, " fine_vertices"]:
        """Index into ``PART_NAMES``; no edge joins two parts."""
        matrix = self._mesh.matrix
        return self._face.part[matrix.indices[matrix.indptr[:-1]]]

    def _drawn_faces(self) -> Int32[np.ndarray, "drawn_faces 3"]:
        """Only fronts are drawn, so the lashes, which are seen from both sides, come twice."""
        faces = self._mesh.render_faces
        lashes = self._fine_part()[self._mesh.faces[:, 0]] == PART_NAMES.index("lashes")
        return np.concatenate([faces, faces[lashes, ::-1]])

    def _surface(
        self, rest: Float32[np.ndarray, "fine_vertices 3"]
    ) -> Float32[np.ndarray, "fine_vertices 4"]:
        """What ``head.glsl`` reads: scatter, roughness, ambient light, 1 less the fading."""
        light = self._mesh.matrix @ ambient_occlusion(self._face)
        return surface(self._mesh.faces, self._fine_part(), light, rest)


def _corner_matrix(mesh: Subdivision) -> csr_matrix:
    """(fine vertices, fine faces), 1 where the vertex is a corner of the face."""
    corners = mesh.faces.T.ravel()
    faces = np.tile(np.arange(len(mesh.faces)), 3)
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
