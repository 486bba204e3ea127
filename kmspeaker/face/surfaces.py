"""Which of the head's parts share a material, and their triangles: for files and their readers.

Place in the flow: ``export`` writes one primitive or subset for each surface, and ``heads.mesh``
knows a file that was written so by its triangles.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Integer

from kmspeaker.face.rig import PART_NAMES, FaceModel


@dataclass(frozen=True)
class Surface:
    """Parts of the head that share a material."""

    name: str
    parts: tuple[str, ...]
    """Of ``PART_NAMES``."""
    roughness: float
    """From a mirror, 0, to chalk, 1."""
    double_sided: bool = False


SURFACES = (
    Surface("skin", ("skin",), roughness=0.55),
    Surface("eyes", ("eye_left", "eye_right"), roughness=0.12),
    Surface("tears", ("tears",), roughness=0.12, double_sided=True),
    Surface("mouth", ("gums", "teeth_upper", "teeth_lower", "tongue"), roughness=0.3),
    Surface("lashes", ("lashes",), roughness=0.9, double_sided=True),
)


def surface_corners(
    face: FaceModel,
) -> Iterator[tuple[Int32[np.ndarray, " kept"], Integer[np.ndarray, "faces 3"]]]:
    """For each of ``SURFACES`` its render vertices, and its triangles as indices into those."""
    part_of_face = face.part[face.render_source[face.render_faces[:, 0]]]
    for surface in SURFACES:
        parts = [PART_NAMES.index(part) for part in surface.parts]
        own = face.render_faces[np.isin(part_of_face, parts)]
        kept, corners = np.unique(own, return_inverse=True)
        yield kept, corners.reshape(-1, 3)
