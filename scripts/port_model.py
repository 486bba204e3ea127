"""Carry a model over to the head of today: ``port_model.py OLD_RIG MODEL OUT``.

A model of the former head (MakeHuman) knows ARKit weights, which mean the same on any rig, and
keypoints in mm, which do not. Both rigs are linear, so the keypoints of the old one follow from
those of the new by a fixed matrix: the least squares over the motion the model learnt. It is folded
into the first layers of both style encoders. A stop-gap to go on training from
(``python -m kmspeaker.training ... --from OUT``); lips close in mm only after that.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch

from kmspeaker.face.keypoints import keypoint_set
from kmspeaker.face.rig import FaceModel
from kmspeaker.model.motion_space import rig_fingerprint
from kmspeaker.model.network import KMSpeaker
from kmspeaker.training.normalization import SMALLEST_SPREAD_MM

RIDGE = 1e-3
"""Of the mean variance of a coordinate: keypoints need not tell apart what they hardly show."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Carry a model over to another rig.")
    parser.add_argument("old_rig", type=Path, help="rig.npz of the head it was trained on")
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    face = FaceModel.load()
    former = KMSpeaker.load(options.model)
    state = former.state_dict()
    with np.load(options.old_rig) as rig:
        old = rig["deltas"][:, rig["ours_indices"]].astype(np.float64)
        if not np.array_equal(rig["ours_upper"], keypoint_set(face, "ours").upper):
            raise SystemExit("The rigs have other upper keypoints.")
    points = keypoint_set(face, "ours")
    new = face.deltas[:, points.indices].astype(np.float64)
    basis = state["motion.basis"].numpy().astype(np.float64)
    covariance = basis.T @ basis + 1e-4 * np.eye(len(old))
    mean = np.einsum("w,wkx->kx", state["motion.mean"].numpy(), new)
    spread = np.einsum("wkx,wv,vkx->kx", new, covariance, new).mean(1, keepdims=True)
    scale = np.maximum(np.sqrt(spread), SMALLEST_SPREAD_MM)
    old_scale = state["keypoint_scale"].numpy().astype(np.float64)
    # What is left of the mean: the old one was taken over the old training clips.
    old_mean = np.einsum("w,wkx->kx", state["motion.mean"].numpy(), old)
    print("mean differs by at most", np.abs(old_mean - state["keypoint_mean"].numpy()).max(), "mm")
    for name, chosen in (
        ("global_style.before.0.conv.weight", np.ones(len(points), bool)),
        ("temporal_style.linear.weight", points.upper),
        ("temporal_style.layers.0.weight", points.upper),
    ):
        matrix = standardised(
            new[:, chosen], old[:, chosen], covariance, scale[chosen], old_scale[chosen]
        )
        weight = state[name].numpy().astype(np.float64)
        # rows of the matrix: the new coordinates; columns: the old ones
        state[name] = torch.from_numpy(
            np.einsum("no,do...->dn...", matrix, weight).astype(np.float32)
        )
    state["keypoint_mean"] = torch.from_numpy(mean.astype(np.float32))
    state["keypoint_scale"] = torch.from_numpy(scale.astype(np.float32))
    model = KMSpeaker(dataclasses.replace(former.config, rig=rig_fingerprint(face, "ours")))
    model.load_state_dict(state)
    card = (options.model / "README.md").read_text()
    model.save(options.out, f"Ported to the head of ICT-FaceKit, not trained on it.\n\n{card}")


def standardised(
    new: np.ndarray,
    old: np.ndarray,
    covariance: np.ndarray,
    scale: np.ndarray,
    old_scale: np.ndarray,
) -> np.ndarray:
    """(new, old) matrix from standardised keypoints of one rig to those of the other."""
    a = (new / scale).reshape(len(new), -1)
    b = (old / old_scale).reshape(len(old), -1)
    normal = a.T @ covariance @ a
    ridge = RIDGE * np.trace(normal) / len(normal)
    matrix = np.linalg.solve(normal + ridge * np.eye(len(normal)), a.T @ covariance @ b)
    left = b - a @ matrix
    lost = np.trace(left.T @ covariance @ left) / np.trace(b.T @ covariance @ b)
    print(f"{len(new[0])} keypoints: {lost:.2%} of the old variance is lost")
    return matrix


if __name__ == "__main__":
    main()
