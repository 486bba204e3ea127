"""Every format in one ZIP, with a manifest that says what each file is and where it comes from."""

import hashlib
import json
import platform
import tempfile
import zipfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from kmspeaker import __version__
from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.animation.controls import DEFAULTS
from kmspeaker.export.formats import Format
from kmspeaker.export.provenance import licences, provenance
from kmspeaker.face.rig import FaceModel
from kmspeaker.progress import Progress

MANIFEST = "manifest.json"
_LIBRARIES = ("numpy", "torch", "transformers", "mediapipe", "vtk", "av")
_PACKED = (".mp4", ".jpg", ".png")
"""Endings that compressing would not make smaller."""
_EFFORT = {".mp4": 30.0, ".npz": 3.0}
"""Seconds a format takes, roughly, where it is not one; only for the progress."""


def write_zip(
    animation: FaceAnimation,
    face: FaceModel,
    path: Path,
    *,
    name: str,
    formats: Mapping[str, Format],
    progress: Progress,
) -> None:
    """Write the animation in every format, and ``manifest.json``, into one archive.

    Args:
        animation: What to write.
        face: The rig that plays it.
        path: The archive.
        name: Of every file in it, before the ending.
        formats: What to write, by ending.
        progress: Told the fraction done.
    """
    effort = [_EFFORT.get(ending, 1.0) for ending in formats]
    listed: dict[str, dict[str, Any]] = {}
    with (
        tempfile.TemporaryDirectory(dir=path.parent, prefix=".zip-") as folder,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for index, (ending, form) in enumerate(formats.items()):
            start, share = sum(effort[:index]) / sum(effort), effort[index] / sum(effort)

            def report(fraction: float, start: float = start, share: float = share) -> None:
                progress(start + share * fraction)

            named = Path(folder) / f"{name}{ending}"
            for file in form.write(animation, face, named, report):
                if file.name in listed:  # sound beside two of them
                    continue
                packed = zipfile.ZIP_STORED if file.suffix in _PACKED else zipfile.ZIP_DEFLATED
                archive.write(file, file.name, packed)
                listed[file.name] = _facts(file, form.words if file == named else "")
        content = manifest(animation, face) | {"files": listed}
        archive.writestr(MANIFEST, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def manifest(animation: FaceAnimation, face: FaceModel) -> dict[str, Any]:
    """What made the animation: model, seed, steps, every control, versions and licences."""
    controls = {name: getattr(animation.controls, name) for name in DEFAULTS}
    return {
        **provenance(animation),
        **({"controls": controls} if animation.generated else {}),
        "fps": animation.fps,
        "frames": len(animation),
        "seconds": animation.seconds,
        "versions": _versions(),
        "licences": licences(animation, face),
    }


def _versions() -> dict[str, str]:
    found = {"kmspeaker": __version__, "python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def _facts(file: Path, words: str) -> dict[str, Any]:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    facts = {"bytes": file.stat().st_size, "sha256": digest}
    return {"what": words, **facts} if words else facts
