"""The stage of the page: a Gradio component around ``static/viewer.js``, and the files it reads.

The shapes of the face travel once; a person is one small neutral file and a texture; a take is only
its weights. Everything is a file with an address, so the component's value stays a few names long.
"""

import hashlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from jaxtyping import Float, Int32, UInt8
from PIL import Image

from kmspeaker.assets import node_folder
from kmspeaker.export.material import BOTH_SIDES, hair_normals, hair_surface, surface
from kmspeaker.face.hair import Hair
from kmspeaker.face.head_pose import HEAD_PIVOT
from kmspeaker.face.identities import find_identity
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES, PART_NAMES, FaceModel
from kmspeaker.face.wrinkles import fold_causes, fold_layers
from kmspeaker.heads.glb_geometry import HeadGeometry
from kmspeaker.web.packing import pack_arrays
from kmspeaker.web.page.decimation import LEVELS, decimate, thin_hair

STATIC = Path(__file__).parents[1] / "static"
THREE_VERSION = "0.187.0"
THREE_FILES = {
    "build/three.core.js": (
        "sha384-drH6BueSlcvoXCwAqWkNJvXwu2Ax3mnGOmZnIXaomedIw+uXSP9Bf/XIUINgLUW+"
    ),
    "build/three.module.js": (
        "sha384-T/E3B9AvPtLn5PKD7aTSFqizQcA4kHDfU0lub7u0fvM4w9BMGcSb3yI7r5LqMAMn"
    ),
    "examples/jsm/controls/OrbitControls.js": (
        "sha384-ZVBN/wmVxgX0mUGjFJXakzzdZrAF4g4aHfKyusbjoF0WsVXSoGpeM/qRaVnXtaFo"
    ),
}
"""What the viewer loads of three.js and the hash each file must have, from whatever source."""
THREE_CDN = f"https://cdn.jsdelivr.net/npm/three@{THREE_VERSION}/"

_SMALLEST_MOVE = 0.02
"""mm; what moves a vertex less at weight 1 is not sent."""
_PHONE_TEXTURE = (1024, 512)
"""Pixels; a phone shows no more, and has little memory."""


# Plain functions, not subclasses: Gradio writes a stub beside the source of every component class.


def stage(assets: Mapping[str, Any], **options: Any) -> gr.HTML:
    """Up to twelve 3D heads with their sound, and the reference beside them in step.

    Its value, where ``motion``, ``sound``, ``data`` and ``video`` name files::

        {"heads": [{"key", "label", "detail", "identity", "motion", "repeats"}, ...],
         "shown": [key, ...],
         "sound": file or None,
         "reference": {"data", "video", "repeats", "neutral"} or None,
         "identity": of the head that waits while there are no heads,
         "identities": {name: what ``write_identity`` or ``write_body`` says} of others' heads}

    ``take_arrays`` (or ``reference_arrays``) packed a ``motion``, ``reference_arrays`` the
    ``data``. ``repeats`` (left out: False) says that what is shorter than the
    sound starts again; ``neutral`` are words on what was said to be the face at rest, or None. All
    that is only looking (who is solo, colours, camera) is the browser's and stands in the address.

    Args:
        assets: Where the page's files lie, from ``viewer_assets``.
        options: Passed on to ``gr.HTML``.
    """
    return gr.HTML(
        html_template=(STATIC / "stage.html").read_text(),
        js_on_load=mounting("viewer.js"),
        apply_default_css=False,
        assets=dict(assets),
        static=str(STATIC),
        **options,
    )


def choices(options: list[dict[str, str]], *, name: str, **others: Any) -> gr.HTML:
    """Cards to choose one from; its value is the chosen card's ``value``.

    Args:
        options: For each card ``value``, ``label``, ``description``, perhaps a ``picture``'s path.
        name: What is chosen, for those who hear the page.
        others: Passed on to ``gr.HTML``.
    """
    return gr.HTML(
        html_template=f'<div class="km-choices" role="radiogroup" aria-label="{name}"></div>',
        js_on_load=mounting("cards.js"),
        apply_default_css=False,
        options=options,
        static=str(STATIC),
        **others,
    )


def mounting(module: str) -> str:
    """The script that hands a component over to one of our modules."""
    return (
        "const root = window.gradio_config?.root ?? '';"
        f"import(root + '/gradio_api/file=' + props.static + '/{module}')"
        ".then((module) => module.mount(element, props, watch))"
        ".catch((error) => { element.textContent = 'This part of the page could not be loaded: '"
        " + error.message; });"
    )


def three_folder() -> Path:
    """Where set-up puts three.js."""
    return node_folder() / "node_modules" / "three"


def viewer_assets(face: FaceModel, folder: Path) -> dict[str, Any]:
    """Write the face's files for the browser into ``folder`` and say where everything lies.

    File names carry a hash of their content, so a browser may keep them for good.
    """
    three = three_folder()
    local = [f"{three}/"] if all((three / file).is_file() for file in THREE_FILES) else []
    return {
        "three": [*local, THREE_CDN],
        "integrity": THREE_FILES,
        "basis": str(_write_hashed(folder, "basis", _basis(face))),
        "wrinkles": str((face.folder / "wrinkles.png").resolve()),
        "identities": {name: write_identity(face, name, folder) for name in face.identities},
        "identity": face.identities[0],
    }


def write_identity(face: FaceModel, identity: str, folder: Path) -> dict[str, str]:
    """Write one person's files for the browser into ``folder``; says where they and the skin lie.

    ``small`` is the skin for phones, ``hair`` the picture of what is worn, where anything is.
    """
    person = find_identity(face.people, identity)
    arrays: dict[str, np.ndarray] = {"neutral": person.neutral.astype(np.float32)}
    values: dict[str, Any] = {"folding": person.folding}
    if person.hair is not None:
        arrays |= _hair(person.hair, person.neutral)
        values["tint"] = person.hair.tint
    small = BytesIO()
    with Image.open(person.texture) as picture:
        picture.draft("RGB", _PHONE_TEXTURE)
        smaller = picture.convert("RGB").resize(_PHONE_TEXTURE, Image.Resampling.BOX)
        smaller.save(small, format="JPEG", quality=88)
    files = {
        "neutral": _write_hashed(folder, identity, pack_arrays(arrays, values)),
        "texture": person.texture.resolve(),
        "small": _write_hashed(folder, f"{identity}-small", small.getvalue(), ".jpg"),
    }
    if person.hair is not None:
        files["hair"] = person.hair.style.picture.resolve()
    return {name: str(path) for name, path in files.items()}


def write_body(body: HeadGeometry, identity: str, folder: Path) -> dict[str, str]:
    """Write a head of another mesh for the browser into ``folder``; says where it lies."""
    texture = folder / f"{identity}.jpg"
    Image.fromarray(body.picture).save(texture, quality=88)
    counts = [len(body.shapes[k][0]) if k in body.shapes else 0 for k in range(len(ARKIT_NAMES))]
    moved = [body.shapes[k] for k in sorted(body.shapes)]
    # Those seen from one side first: two calls draw all.
    order = np.argsort(body.both_sides, kind="stable")
    surface = np.tile([0.6, 0.5, 1.0, 1.0], (len(body.source), 1))
    surface[:, 3] = body.opacity
    arrays = {
        "neutral": body.vertices.ravel(),
        "starts": np.cumsum([0, *counts]).astype(np.uint32),
        "indices": np.concatenate([which for which, _ in moved]).astype(np.uint32),
        "deltas": np.concatenate([by for _, by in moved]).ravel(),
        "source": body.source.astype(np.uint32),
        "uv": body.uv.ravel(),
        "surface": _bytes(surface),
        "triangles": body.triangles[order].astype(np.uint32).ravel(),
        "skin": np.unique(np.concatenate([which for which, _ in moved])).astype(np.uint32),
    }
    content = pack_arrays(arrays, {"oneSided": int(3 * (~body.both_sides).sum())})
    return {"body": str(_write_hashed(folder, identity, content)), "texture": str(texture)}


def _write_hashed(folder: Path, name: str, content: bytes, ending: str = ".bin") -> Path:
    path = folder / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}{ending}"
    path.write_bytes(content)
    return path


def _basis(face: FaceModel) -> bytes:
    """The rig for the browser: what moves, folds and closes it without zeros, and its levels."""
    shape, vertex = np.nonzero(np.abs(face.deltas).max(axis=-1) > _SMALLEST_MOVE)
    scales = np.abs(face.deltas).max(axis=(1, 2)) / 32767
    deltas = np.round(face.deltas[shape, vertex] / scales[shape, None]).astype(np.int16)
    points = face.keypoints.values()
    part = face.part[face.faces[:, 0]]
    levels = {"fine": [face.render_faces[part == index] for index in range(len(PART_NAMES))]}
    levels |= {name: decimate(face, level) for name, level in LEVELS.items()}
    return pack_arrays(
        {
            "starts": np.searchsorted(shape, np.arange(len(ARKIT_NAMES) + 1)).astype(np.uint32),
            "scales": scales.astype(np.float32),
            "indices": vertex.astype(np.uint16),
            "deltas": deltas.reshape(-1),
            **_masks("lid", face.lids),
            **_masks("fold", face.fold_masks),
            "foldCauses": fold_causes(ARKIT_NAMES).reshape(-1),
            "foldLayers": np.array(fold_layers(), np.uint8),
            "renderSource": face.render_source.astype(np.uint16),
            "uv": face.render_uv.astype(np.float32).reshape(-1),
            "surface": _bytes(surface(face)[face.render_source]),
            **{
                f"{name}Triangles": np.concatenate(parts).astype(np.uint16).reshape(-1)
                for name, parts in levels.items()
            },
            "pointVertices": np.concatenate([each.indices for each in points]).astype(np.uint16),
            "pointUpper": np.concatenate([each.upper for each in points]).astype(np.uint8),
        },
        {
            "names": list(ARKIT_NAMES),
            "vertexCount": len(face.part),
            "headPivot": HEAD_PIVOT,
            "lidShapes": [ARKIT_INDEX[name] for name in ("eyeBlinkLeft", "eyeBlinkRight")],
            "bothSides": BOTH_SIDES,
            "pointSets": {name: len(each) for name, each in face.keypoints.items()},
            "levels": {name: _groups(parts) for name, parts in levels.items()},
        },
    )


def _hair(hair: Hair, neutral: Float[np.ndarray, "vertices 3"]) -> dict[str, np.ndarray]:
    """What one person's hair looks like: first all of its triangles, then the few for the rest."""
    style = hair.style
    places = style.worn(neutral)
    thin = thin_hair(places, style.faces)
    return {
        "hairPlaces": places.astype(np.float32).reshape(-1),
        "hairNormals": np.round(127 * hair_normals(style, places)).astype(np.int8).reshape(-1),
        "hairUv": np.round(65535 * style.uv).astype(np.uint16).reshape(-1),
        "hairSurface": _bytes(hair_surface(places)),
        "hairTriangles": style.faces.astype(np.uint16).reshape(-1),
        "hairThin": thin.astype(np.uint16).reshape(-1),
    }


def _masks(name: str, masks: Float[np.ndarray, "masks vertices"]) -> dict[str, np.ndarray]:
    """Where each of some masks is more than zero, and how much, 255 for 1."""
    mask, vertex = np.nonzero(masks)
    return {
        f"{name}Starts": np.searchsorted(mask, np.arange(len(masks) + 1)).astype(np.uint32),
        f"{name}Vertices": vertex.astype(np.uint16),
        f"{name}Masks": _bytes(masks[mask, vertex]),
    }


def _groups(parts: list[Int32[np.ndarray, "_ 3"]]) -> list[dict[str, Any]]:
    """Where each part's triangles lie among all, in corners."""
    counts = np.array([3 * len(triangles) for triangles in parts])
    ends = np.cumsum(counts)
    return [
        {"part": name, "start": int(end - count), "count": int(count)}
        for name, end, count in zip(PART_NAMES, ends, counts, strict=True)
    ]


def _bytes(shares: Float[np.ndarray, "..."]) -> UInt8[np.ndarray, " all"]:
    """Numbers from 0 to 1, 255 for 1: what the shaders read as such."""
    return np.round(255 * shares).astype(np.uint8).reshape(-1)
