"""The least that a baseline can be."""

from dataclasses import dataclass

import torch
from torch import nn

from kmspeaker.baselines.baseline import Baseline, BaselineConfig
from kmspeaker.baselines.excerpt import squared


@dataclass(frozen=True)
class PlainConfig(BaselineConfig):
    """Small enough for the tests' corpus."""

    window_frames: int = 20
    d_style: int = 8


class PlainSystem(Baseline):
    """A system that is no more than a linear layer."""

    config_class = PlainConfig

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__(config)
        self.says = nn.Linear(config.d_speech, config.n_coeffs)
        self.styled = nn.Linear(config.n_coeffs, config.d_style)

    def loss(self, excerpt, grams, step):
        error = self.says(excerpt.speech) - excerpt.motion
        return {"loss": squared(error, grams.whole).mean()}

    def encode_style(self, motion, present):
        return self.styled(motion).mean(1)

    def make(self, speech, style, performance, *, seeds, steps, guidance, progress):
        return torch.stack([self.says(speech) for _ in seeds])
