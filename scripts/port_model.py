"""Carry a model over to the motion space of another corpus: ``port_model.py MODEL CORPUS OUT``.

A model begun from another keeps that one's motion space and statistics (``--from``), which do not
fit a corpus whose poses are wider. All that leads into and out of them is linear, so their change
is folded into the layers beside them: what was learnt about speech stays, the rest is learnt anew.
Of what the former model had no path for, the new one begins with none (zeros).
"""

import argparse
import dataclasses
from pathlib import Path

import torch
from torch import Tensor

from kmspeaker.corpus.store import Corpus
from kmspeaker.face.contacts import STIFFNESS
from kmspeaker.face.rig import FaceModel
from kmspeaker.model.motion_space import MotionSpace
from kmspeaker.model.network import PRESETS, KMSpeaker
from kmspeaker.training.data import read_clips
from kmspeaker.training.held_styles import Wearer
from kmspeaker.training.normalization import all_weights, set_statistics
from kmspeaker.training.options import TrainingOptions


def main() -> None:
    parser = argparse.ArgumentParser(description="Carry a model over to a corpus's motion space.")
    parser.add_argument("model", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", default="small", choices=list(PRESETS))
    asked = parser.parse_args()
    options, face = TrainingOptions(size=asked.size), FaceModel.load()
    former = KMSpeaker.load(asked.model)
    clips = read_clips(Corpus.open(asked.corpus), "train", former.config.window_frames)
    weights = all_weights(clips, Wearer.of(face, STIFFNESS), seed=options.seed)
    space = MotionSpace.fit(weights, face.gram(), options.kept_variance)
    config = dataclasses.replace(
        PRESETS[asked.size],
        n_coeffs=space.n_coeffs,
        rig=former.config.rig,
        d_speech=former.config.d_speech,
    )
    model = KMSpeaker(config)
    set_statistics(model, space, clips, weights, face)
    missing = model.load_state_dict(_ported(former, model), strict=False).missing_keys
    for name, parameter in model.named_parameters():
        if name in missing:
            torch.nn.init.zeros_(parameter)
            print("begins at zero:", name)
    card = (asked.model / "README.md").read_text()
    model.save(asked.out, f"Ported to the motion space of {asked.corpus.name}.\n\n{card}")


def _ported(former: KMSpeaker, model: KMSpeaker) -> dict[str, Tensor]:
    """The former network's parameters in the other's spaces; statistics stay the other's."""
    parameters = {name: tensor.double() for name, tensor in former.named_parameters()}
    old, new = former.motion.double(), model.motion.double()
    # c_old = c_new @ inward + shift, and c_new = c_old @ outward + other_shift
    inward, shift = new.basis @ old.analysis, (new.mean - old.mean) @ old.analysis
    outward, other_shift = old.basis @ new.analysis, (old.mean - new.mean) @ new.analysis
    motion_in = parameters["motion_in.weight"]
    parameters["motion_in.bias"] += motion_in @ shift
    parameters["motion_in.weight"] = motion_in @ inward.T
    for name in ("head.2.weight", "speech_out.weight", "temporal_out.weight"):
        parameters[name] = outward.T @ parameters[name]
    parameters["head.2.bias"] = parameters["head.2.bias"] @ outward + other_shift
    _rescale(parameters, "speech.linear", *_standard(former, model, "speech"))
    scale, offset = _standard(former, model, "keypoint")
    upper = former.upper[:, None].expand(-1, 3).flatten()
    scale, offset = scale.expand(-1, 3).flatten(), offset.flatten()
    _rescale(parameters, "global_style.before.0.conv", scale, offset)
    _rescale(parameters, "temporal_style.layers.0", scale[upper], offset[upper])
    weight = parameters["temporal_style.linear.weight"]
    parameters["temporal_style.linear.weight"] = weight * scale[upper]
    if former.statistics_out is not None:
        _port_statistics(parameters, outward, *_standard(former, model, "keypoint"))
    return {name: tensor.float() for name, tensor in parameters.items()}


def _port_statistics(
    parameters: dict[str, Tensor], outward: Tensor, scale: Tensor, offset: Tensor
) -> None:
    """Means change by scale and offset, spreads by scale; biases beside them take the offsets."""
    scales = torch.cat([scale.expand(-1, 3).flatten(), scale.flatten()])
    offsets = torch.cat([offset.flatten(), torch.zeros(len(scale), dtype=offset.dtype)])
    parameters["statistics_out.weight"] = outward.T @ parameters["statistics_out.weight"]
    for name, bias in (("statistics_out", "head.2.bias"), ("statistics_in", "time.2.bias")):
        weight = parameters[f"{name}.weight"]
        parameters[bias] = parameters[bias] + weight @ offsets
        parameters[f"{name}.weight"] = weight * scales


def _standard(former: KMSpeaker, model: KMSpeaker, what: str) -> tuple[Tensor, Tensor]:
    """Scale and offset that turn the other's standardised numbers into the former's."""
    old_mean, old_scale = (getattr(former, f"{what}_{part}").double() for part in ("mean", "scale"))
    mean, scale = (getattr(model, f"{what}_{part}").double() for part in ("mean", "scale"))
    return scale / old_scale, (mean - old_mean) / old_scale


def _rescale(parameters: dict[str, Tensor], layer: str, scale: Tensor, offset: Tensor) -> None:
    weight = parameters[f"{layer}.weight"]
    summed = weight.sum(2) if weight.ndim == 3 else weight
    parameters[f"{layer}.bias"] = parameters[f"{layer}.bias"] + summed @ offset
    shape = (1, -1, 1) if weight.ndim == 3 else (1, -1)
    parameters[f"{layer}.weight"] = weight * scale.view(shape)


if __name__ == "__main__":
    main()
