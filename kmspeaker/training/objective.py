"""The loss of one batch (paper Sec. 3.2, 3.3).

Each item is passed with another item's speech or with another item's temporal style. The half of
the face whose condition is the item's own is supervised, the other half is not.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kmspeaker.face.contacts import STIFFNESS
from kmspeaker.face.keypoints import keypoint_track
from kmspeaker.face.rig import FaceModel
from kmspeaker.model import flow
from kmspeaker.model.network import KMSpeaker
from kmspeaker.training.data import Batch
from kmspeaker.training.held_styles import Wearer
from kmspeaker.training.losses import (
    RegionGrams,
    closure_loss,
    kl_divergence,
    motion_loss,
    region_grams,
)
from kmspeaker.training.options import TrainingOptions


def in_bf16(device: torch.device, options: TrainingOptions) -> bool:
    """Whether the network runs in bfloat16: asked for, and the device computes it.

    Processors without AVX-512 only imitate it, fifty times slower than single precision.
    """
    able = device.type != "cpu" or torch.backends.cpu.get_cpu_capability() == "AVX512"
    return able and options.precision == "bf16"


@dataclass(frozen=True)
class Objective:
    """The loss, with the fixed tensors of the face that it needs."""

    options: TrainingOptions
    grams: RegionGrams
    keypoint_deltas: Float[Tensor, "52 keypoints 3"]
    """Displacement of the keypoints by each shape at weight 1, mm."""
    wearer: Wearer | None
    """Puts the batch's held styles on its motion; None without them."""

    @classmethod
    def of(
        cls, face: FaceModel, keypoint_set: str, options: TrainingOptions, device: torch.device
    ) -> "Objective":
        """The objective on a face."""
        grams = region_grams(face, options)
        deltas = keypoint_track(face, np.eye(len(face.deltas), dtype=np.float32), keypoint_set)
        wearer = Wearer.of(face, STIFFNESS).to(device) if options.held_styles else None
        return cls(options, grams.to(device), torch.from_numpy(deltas).to(device), wearer)

    def keypoints(
        self, weights: Float[Tensor, "batch frames 52"]
    ) -> Float[Tensor, "batch frames keypoints 3"]:
        """Keypoint displacements of weights, mm."""
        return torch.einsum("bfw,wkx->bfkx", weights, self.keypoint_deltas)

    def dressed(self, batch: Batch) -> Batch:
        """The batch in its held styles, where there are any."""
        return batch if self.wearer is None else batch.worn(self.wearer)

    def __call__(
        self, model: KMSpeaker, batch: Batch
    ) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
        """The loss of a batch, a mean over its items, and what adds up to it by name.

        Args:
            model: in training mode; its dropout is the only chance here.
            batch: on the model's device.
        """
        options, device = self.options, batch.weights.device
        items, passes = len(batch.weights), len(batch.speech_rows)
        batch = self.dressed(batch)
        x_1 = model.motion.encode(batch.weights)
        t = batch.time
        x_t = flow.interpolate(batch.noise, x_1, t[:, None, None])
        keypoints = self.keypoints(batch.temporal_weights)
        style_keypoints = self.keypoints(batch.style_weights)
        with torch.autocast(device.type, torch.bfloat16, enabled=in_bf16(device, options)):
            style_mean, log_variance = model.encode_global(style_keypoints, batch.style_present)
            style_vector = style_mean + batch.style_noise * (0.5 * log_variance).exp()
            statistics = model.style_statistics(style_keypoints, batch.style_present)
            style = torch.cat([style_vector, statistics], dim=1)
            speech = model.encode_speech(batch.features)
            temporal = model.encode_temporal(keypoints)
            # Both passes have the same x_t, t and global style, and run as one batch.
            present = batch.temporal_present[None, :, :, None]
            predicted = model(
                x_t.repeat(passes, 1, 1),
                t.repeat(passes),
                speech[batch.speech_rows.flatten()],
                style.repeat(passes, 1),
                (temporal.unflatten(0, (passes, items)) * present).flatten(0, 1),
                batch.made_lips.repeat(passes),
            )
        weights = model.motion.decode(predicted.float())
        target = batch.weights.repeat(passes, 1, 1)

        def mean(losses: Tensor, supervised: Tensor) -> Tensor:
            return (losses * supervised.flatten()).sum() / (items * passes)

        lower, upper = (
            motion_loss(weights, target, gram, options.velocity_weight)
            for gram in (self.grams.lower, self.grams.upper)
        )
        lower = lower + options.closure_weight * closure_loss(weights, target, self.grams)
        parts = {
            "lower": mean(lower, batch.lower),
            "upper": mean(upper, batch.upper),
            "kl": kl_divergence(style_mean.float(), log_variance.float()).mean(),
        }
        total = parts["lower"] + parts["upper"] + options.kl_weight * parts["kl"]
        return total, {"loss": total.detach(), **{k: part.detach() for k, part in parts.items()}}
