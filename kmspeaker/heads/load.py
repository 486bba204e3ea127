"""A head of a user's own, by what its file holds: a mesh on the rig's topology, or ARKit's targets.

Place in the flow: the command line and the page read a file here and hand what comes back to
``export.save_on_head``.
"""

from contextlib import suppress
from pathlib import Path

from kmspeaker.errors import InputError
from kmspeaker.face.rig import FaceModel
from kmspeaker.heads.arkit_glb import ArkitHead
from kmspeaker.heads.mesh import with_mesh
from kmspeaker.heads.sliders import OWN


def load_head(path: Path, face: FaceModel, name: str = OWN) -> FaceModel | ArkitHead:
    """Read a ``.obj``, ``.ply`` or ``.glb``.

    Returns:
        The face with one more identity, ``name``, where the mesh was sculpted from the program's;
        else the head that animations can be written onto.

    Raises:
        InputError: It is neither; of a GLB it says which targets are missing.
    """
    if path.suffix.lower() != ".glb":
        return with_mesh(face, path, name=name)
    try:
        return ArkitHead.read(path)
    except InputError:
        with suppress(InputError):
            return with_mesh(face, path, name=name)
        raise
