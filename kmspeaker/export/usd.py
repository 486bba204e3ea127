"""USD as text: the textured head, its 52 shapes as UsdSkel blend shapes, and their animation.

What readers need to know: one ``SkelRoot`` with one mesh (a subset and a material each surface), a
``Skeleton`` of one joint ``head`` at the base of the skull and a ``SkelAnimation`` with a sample a
frame, time codes being frames. Hair is a second mesh on the same joint. Shapes list only the points
they move. Blend shapes are linear: where a blink meets another shape of the lids, the lids cross a
little, which they do not on the page. Pictures and sound are named relative to the file; the sound
is a ``SpatialAudio`` that is heard from everywhere. Written as text by hand because the USD library
is too large to install for this; metres, y up, z out of the face.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.export.material import hair_normals
from kmspeaker.export.normals import vertex_normals
from kmspeaker.export.provenance import credited_provenance
from kmspeaker.face.hair import OPAQUE, Hair
from kmspeaker.face.head_pose import HEAD_PIVOT, head_quaternions
from kmspeaker.face.rig import ARKIT_NAMES, PART_NAMES, FaceModel
from kmspeaker.face.surfaces import SURFACES, Surface

_METRES = 1e-3
_SMALLEST_MOVE = 0.05
"""mm; points that a shape moves less are left out of it."""

_ON_THE_JOINT = """\
        int[] primvars:skel:jointIndices = [0] (
            elementSize = 1
            interpolation = "constant"
        )
        float[] primvars:skel:jointWeights = [1] (
            elementSize = 1
            interpolation = "constant"
        )
"""
"""What binds every vertex of a mesh to the one joint."""


def write_usd(
    animation: FaceAnimation,
    face: FaceModel,
    path: Path,
    *,
    texture: str,
    hair_texture: str,
    sound: str,
) -> None:
    """Write the animation.

    Args:
        animation: What to write.
        face: The rig that plays it.
        path: The file; must end in ``.usda``.
        texture: Name of the picture beside it.
        hair_texture: Name of the hair's picture beside it, for those who wear some.
        sound: Name of the sound beside it.
    """
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_layer(animation, face, texture, hair_texture, sound))


def _layer(
    animation: FaceAnimation, face: FaceModel, texture: str, hair_texture: str, sound: str
) -> Iterator[str]:
    facts = credited_provenance(animation, face)
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
    hair = face.hair(animation.identity)
    if hair is not None:
        yield from _hair(hair, face.neutral(animation.identity))
    yield from _materials(texture, hair_texture if hair is not None else None)
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
    pivot = _tuples(_METRES * np.array([HEAD_PIVOT]))
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
        float3[] extent = [{_tuples(np.stack([points.min(0), points.max(0)]))}]
        int[] faceVertexCounts = [{", ".join(["3"] * len(face.faces))}]
        int[] faceVertexIndices = [{_integers(face.faces)}]
        normal3f[] normals = [{_tuples(normals, 4)}] (
            interpolation = "vertex"
        )
        point3f[] points = [{_tuples(points)}]
{_ON_THE_JOINT}        texCoord2f[] primvars:st = [{_tuples(face.render_uv)}] (
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
            uniform vector3f[] normalOffsets = [{_tuples(turns, 3)}]
            uniform vector3f[] offsets = [{_tuples(_METRES * delta[rows])}]
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


def _hair(hair: Hair, neutral: Float32[np.ndarray, "vertices 3"]) -> Iterator[str]:
    style = hair.style
    strands = style.worn(neutral).astype(np.float32)
    points = _METRES * strands
    yield f"""    def Mesh "Hair" (
        prepend apiSchemas = ["SkelBindingAPI", "MaterialBindingAPI"]
    )
    {{
        uniform bool doubleSided = 1
        float3[] extent = [{_tuples(np.stack([points.min(0), points.max(0)]))}]
        int[] faceVertexCounts = [{", ".join(["3"] * len(style.faces))}]
        int[] faceVertexIndices = [{_integers(style.faces)}]
        normal3f[] normals = [{_tuples(hair_normals(style, strands), 4)}] (
            interpolation = "vertex"
        )
        rel material:binding = </Head/Materials/hair>
        point3f[] points = [{_tuples(points)}]
{_ON_THE_JOINT}        texCoord2f[] primvars:st = [{_tuples(style.uv)}] (
            interpolation = "vertex"
        )
        rel skel:skeleton = </Head/Skeleton>
        uniform token subdivisionScheme = "none"
    }}

"""


def _materials(texture: str, hair_texture: str | None) -> Iterator[str]:
    yield '    def Scope "Materials"\n    {\n'
    for surface in SURFACES:
        yield _material(surface, texture)
    if hair_texture is not None:
        yield _material(Surface("hair", (), roughness=0.7), hair_texture, cut_out=OPAQUE)
    yield "    }\n"


def _material(surface: Surface, texture: str, cut_out: float | None = None) -> str:
    """``cut_out`` is the opacity below which there is nothing."""
    own = f"/Head/Materials/{surface.name}"
    opacity = output = ""
    if cut_out is not None:
        opacity = f"""
                float inputs:opacity.connect = <{own}/texture.outputs:a>
                float inputs:opacityThreshold = {cut_out:g}"""
        output = "\n                float outputs:a"
    return f"""        def Material "{surface.name}"
        {{
            token outputs:surface.connect = <{own}/surface.outputs:surface>

            def Shader "surface"
            {{
                uniform token info:id = "UsdPreviewSurface"
                color3f inputs:diffuseColor.connect = <{own}/texture.outputs:rgb>
                float inputs:metallic = 0{opacity}
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
                float3 outputs:rgb{output}
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


def _number(value: float) -> str:
    """Rounded to a millionth, without zeros at its end."""
    return f"{round(value, 6) + 0.0:.6f}".rstrip("0").rstrip(".")


def _tuples(rows: Float[np.ndarray, "rows columns"], digits: int = 6) -> str:
    """Rounded, to a micrometre where they are lengths; all in one go, for there are many."""
    rounded = np.round(rows.astype(np.float64), digits) + 0.0
    row = f"({', '.join(['%.6g'] * rows.shape[1])})"
    return ", ".join([row] * len(rows)) % tuple(rounded.ravel().tolist())


def _integers(values: np.ndarray) -> str:
    return ", ".join(map(str, values.ravel().tolist()))
