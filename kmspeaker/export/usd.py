"""USD as text: the textured head, its 52 shapes as UsdSkel blend shapes, and their animation.

What readers need to know: one ``SkelRoot`` with one mesh (four subsets, one material each), a
``Skeleton`` of one joint ``head`` at the base of the skull and a ``SkelAnimation`` with a sample a
frame, time codes being frames. Shapes list only the points they move. Texture and sound are named
relative to the file; the sound is a ``SpatialAudio`` that is heard from everywhere. Written as text
by hand because the USD library is too large to install for this; metres, y up, z out of the face.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.export.normals import vertex_normals
from kmspeaker.export.provenance import credits_of, provenance
from kmspeaker.face.head_pose import HEAD_PIVOT, head_quaternions
from kmspeaker.face.rig import ARKIT_NAMES, PART_NAMES, FaceModel
from kmspeaker.face.surfaces import SURFACES, Surface

_METRES = 1e-3
_SMALLEST_MOVE = 1e-3
"""mm; points that a shape moves less are left out of it."""


def write_usd(
    animation: FaceAnimation, face: FaceModel, path: Path, *, texture: str, sound: str
) -> None:
    """Write the animation.

    Args:
        animation: What to write.
        face: The rig that plays it.
        path: The file; must end in ``.usda``.
        texture: Name of the picture beside it.
        sound: Name of the sound beside it.
    """
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_layer(animation, face, texture, sound))


def _layer(animation: FaceAnimation, face: FaceModel, texture: str, sound: str) -> Iterator[str]:
    facts = {**provenance(animation), "copyright": credits_of(animation, face)}
    yield f"""#usda 1.0
(
    customLayerData = {{
{_entries(facts, "        ")}    }}
    defaultPrim = "Head"
    endTimeCode = {len(animation) - 1}
    framesPerSecond = {animation.fps:g}
    metersPerUnit = 1
    startTimeCode = 0
    timeCodesPerSecond = {animation.fps:g}
    upAxis = "Y"
)

def SkelRoot "Head" (
    kind = "component"
    prepend apiSchemas = ["SkelBindingAPI"]
)
{{
    rel skel:animationSource = </Head/Animation>
    rel skel:skeleton = </Head/Skeleton>

    def SpatialAudio "Speech"
    {{
        uniform token auralMode = "nonSpatial"
        uniform asset filePath = {_asset(sound)}
        uniform token playbackMode = "onceFromStart"
        uniform timecode startTime = 0
    }}

"""
    yield from _skeleton()
    yield from _animation(animation)
    yield from _mesh(face, animation.identity)
    yield from _materials(texture)
    yield "}\n"


def _skeleton() -> Iterator[str]:
    x, y, z = (_number(_METRES * place) for place in HEAD_PIVOT)
    place = f"( (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), ({x}, {y}, {z}, 1) )"
    yield f"""    def Skeleton "Skeleton"
    {{
        uniform matrix4d[] bindTransforms = [{place}]
        uniform token[] joints = ["head"]
        uniform matrix4d[] restTransforms = [{place}]
    }}

"""


def _animation(animation: FaceAnimation) -> Iterator[str]:
    names = ", ".join(f'"{name}"' for name in ARKIT_NAMES)
    pivot = _tuples([[_METRES * place for place in HEAD_PIVOT]])
    yield f"""    def SkelAnimation "Animation"
    {{
        uniform token[] blendShapes = [{names}]
        float[] blendShapeWeights.timeSamples = {{
"""
    for frame, weights in enumerate(animation.weights.tolist()):
        yield f"            {frame}: [{', '.join(map(_number, weights))}],\n"
    yield """        }
        uniform token[] joints = ["head"]
"""
    if animation.head is None:
        yield "        quatf[] rotations = [(1, 0, 0, 0)]\n"
    else:
        yield "        quatf[] rotations.timeSamples = {\n"
        for frame, (x, y, z, w) in enumerate(head_quaternions(animation.head).tolist()):
            yield f"            {frame}: [({', '.join(map(_number, (w, x, y, z)))})],\n"
        yield "        }\n"
    yield f"""        half3[] scales = [(1, 1, 1)]
        float3[] translations = [{pivot}]
    }}

"""


def _mesh(face: FaceModel, identity: str) -> Iterator[str]:
    neutral = face.neutral(identity)
    normals = vertex_normals(neutral, face.faces)
    points = _METRES * neutral
    names = ", ".join(f'"{name}"' for name in ARKIT_NAMES)
    targets = ", ".join(f"</Head/Face/{name}>" for name in ARKIT_NAMES)
    yield f"""    def Mesh "Face" (
        prepend apiSchemas = ["SkelBindingAPI"]
    )
    {{
        uniform bool doubleSided = 0
        float3[] extent = [{_tuples(np.stack([points.min(0), points.max(0)]).tolist())}]
        int[] faceVertexCounts = [{", ".join(["3"] * len(face.faces))}]
        int[] faceVertexIndices = [{_integers(face.faces)}]
        normal3f[] normals = [{_tuples(normals.tolist(), 4)}] (
            interpolation = "vertex"
        )
        point3f[] points = [{_tuples(points.tolist())}]
        int[] primvars:skel:jointIndices = [0] (
            elementSize = 1
            interpolation = "constant"
        )
        float[] primvars:skel:jointWeights = [1] (
            elementSize = 1
            interpolation = "constant"
        )
        texCoord2f[] primvars:st = [{_tuples(face.render_uv.tolist())}] (
            interpolation = "faceVarying"
        )
        int[] primvars:st:indices = [{_integers(face.render_faces)}]
        uniform token[] skel:blendShapes = [{names}]
        rel skel:blendShapeTargets = [{targets}]
        rel skel:skeleton = </Head/Skeleton>
        uniform token subdivisionScheme = "none"
        uniform token subsetFamily:materialBind:familyType = "partition"

"""
    for name, delta in zip(ARKIT_NAMES, face.deltas, strict=True):
        rows = np.flatnonzero(np.linalg.norm(delta, axis=1) > _SMALLEST_MOVE)
        turns = vertex_normals(neutral + delta, face.faces)[rows] - normals[rows]
        yield f"""        def BlendShape "{name}"
        {{
            uniform vector3f[] normalOffsets = [{_tuples(turns.tolist(), 4)}]
            uniform vector3f[] offsets = [{_tuples((_METRES * delta[rows]).tolist())}]
            uniform int[] pointIndices = [{_integers(rows)}]
        }}

"""
    part_of_face = face.part[face.faces[:, 0]]
    for surface in SURFACES:
        parts = [PART_NAMES.index(part) for part in surface.parts]
        yield f"""        def GeomSubset "{surface.name}" (
            prepend apiSchemas = ["MaterialBindingAPI"]
        )
        {{
            uniform token elementType = "face"
            uniform token familyName = "materialBind"
            int[] indices = [{_integers(np.flatnonzero(np.isin(part_of_face, parts)))}]
            rel material:binding = </Head/Materials/{surface.name}>
        }}

"""
    yield "    }\n\n"


def _materials(texture: str) -> Iterator[str]:
    yield '    def Scope "Materials"\n    {\n'
    for surface in SURFACES:
        yield _material(surface, texture)
    yield "    }\n"


def _material(surface: Surface, texture: str) -> str:
    own = f"/Head/Materials/{surface.name}"
    return f"""        def Material "{surface.name}"
        {{
            token outputs:surface.connect = <{own}/surface.outputs:surface>

            def Shader "surface"
            {{
                uniform token info:id = "UsdPreviewSurface"
                color3f inputs:diffuseColor.connect = <{own}/texture.outputs:rgb>
                float inputs:metallic = 0
                float inputs:roughness = {surface.roughness:g}
                token outputs:surface
            }}

            def Shader "texture"
            {{
                uniform token info:id = "UsdUVTexture"
                asset inputs:file = {_asset(texture)}
                token inputs:sourceColorSpace = "sRGB"
                float2 inputs:st.connect = <{own}/place.outputs:result>
                token inputs:wrapS = "repeat"
                token inputs:wrapT = "repeat"
                float3 outputs:rgb
            }}

            def Shader "place"
            {{
                uniform token info:id = "UsdPrimvarReader_float2"
                string inputs:varname = "st"
                float2 outputs:result
            }}
        }}

"""


def _entries(values: Mapping[str, object], indent: str) -> str:
    """A dictionary's inside; USD has types for text, numbers and dictionaries."""
    lines = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            inside = _entries(value, indent + "    ")
            lines.append(f"{indent}dictionary {name} = {{\n{inside}{indent}}}\n")
        elif isinstance(value, int):
            lines.append(f"{indent}int64 {name} = {value}\n")
        elif isinstance(value, float):
            lines.append(f"{indent}double {name} = {value!r}\n")
        else:
            lines.append(f"{indent}string {name} = {json.dumps(str(value), ensure_ascii=False)}\n")
    return "".join(lines)


def _asset(name: str) -> str:
    """A file beside this one; three @ quote names that have an @ themselves."""
    quote = "@@@" if "@" in name else "@"
    return f"{quote}./{name.replace('@@@', chr(92) + '@@@')}{quote}"


def _number(value: float, digits: int = 6) -> str:
    """Rounded (to a micrometre where it is a length), without zeros at its end."""
    return f"{round(value, digits) + 0.0:.{digits}f}".rstrip("0").rstrip(".")


def _tuples(rows: Iterable[Iterable[float]], digits: int = 6) -> str:
    return ", ".join(f"({', '.join(_number(value, digits) for value in row)})" for row in rows)


def _integers(values: np.ndarray) -> str:
    return ", ".join(map(str, values.ravel().tolist()))
