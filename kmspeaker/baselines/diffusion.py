"""Denoising diffusion by predicting the data, and a sampler of few steps without chance.

Place in the flow: ``window_diffusion`` trains and samples MSMD's and DiffPoseTalk's networks by it.
Step 0 is data, the last step noise, as diffusion papers count (``model.flow`` counts the other way,
from 0 to 1). At step ``n`` a sample is ``sqrt(kept) data + sqrt(1 - kept) noise``, where ``kept``
falls from 1 to nearly 0. Training is DDPM's (Ho et al. 2020) with the answer ``x_0`` in place of
the noise, as both methods have it. Sampling differs from theirs: they take all 500 or 1,000 steps
of DDPM and draw noise at each; here DDIM (Song et al. 2021, its eta 0) takes about ten and draws
none beyond the first, because two processors are to answer while somebody waits. Nothing here knows
of faces or speech.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int64
from torch import Tensor

Denoise = Callable[[Tensor, int], Tensor]
"""Answers the data expected at a noisy sample and its step, in the sample's shape."""


@dataclass(frozen=True)
class Schedule:
    """How much of the data's power is left at each step."""

    kept: Float[Tensor, " steps"]
    """From exactly 1 at step 0; never 0, so that noise is always defined."""

    @classmethod
    def cosine(cls, steps: int) -> "Schedule":
        """A squared cosine (Nichol and Dhariwal 2021): offset .008, no step keeps under .001."""
        place = torch.arange(steps + 1, dtype=torch.float64) / steps
        falling = ((place + 0.008) / 1.008 * math.pi / 2).cos() ** 2
        return cls._of_rates((1 - falling[1:] / falling[:-1]).clamp(max=0.999))

    @classmethod
    def linear(cls, steps: int) -> "Schedule":
        """Ho et al.: rates from .0001 to .02 in a thousand steps, as much larger in fewer."""
        scale = 1000 / steps
        rates = torch.linspace(1e-4 * scale, 0.02 * scale, steps, dtype=torch.float64)
        return cls._of_rates(rates.clamp(max=0.999))

    @classmethod
    def _of_rates(cls, rates: Tensor) -> "Schedule":
        """Of each step's share of power that becomes noise, DDPM's beta."""
        return cls(torch.cat([torch.ones(1), (1 - rates).cumprod(0).float()]))

    def __len__(self) -> int:
        """Steps from data to noise."""
        return len(self.kept) - 1

    def noised(
        self, data: Float[Tensor, "batch ..."], noise: Tensor, step: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "batch ..."]:
        """Each item at its own step."""
        kept = self.kept.to(data.device)[step].reshape(-1, *[1] * (data.dim() - 1))
        return kept.sqrt() * data + (1 - kept).sqrt() * noise

    def sample(
        self,
        denoise: Denoise,
        noise: Float[Tensor, "*shape"],
        *,
        steps: int,
        bend: float = 1.0,
        progress: Callable[[float], None] = lambda fraction: None,
    ) -> Float[Tensor, "*shape"]:
        """Carry noise to data by DDIM without new noise.

        As in ``model.flow.sample``, few equal steps cost spread, the more so the narrower the data
        are against the noise; steps that grow shorter towards the data keep more of it. Of data
        three tenths as wide as the noise, ten equal steps keep .79 and ten with a bend of 1.5 keep
        .86 (``tests/baselines/test_diffusion.py`` holds both).

        Args:
            denoise: called once a step, with the step's number.
            noise: what the sample begins as.
            steps: at least 1; those that would fall on one step of the schedule are one.
            bend: 1 for equal steps; more for shorter ones towards the data.
            progress: told the fraction done after each step.
        """
        assert steps >= 1
        stops = {round(len(self) * (1 - done / steps) ** bend) for done in range(steps + 1)}
        stops = sorted(stops, reverse=True)
        x = noise
        for done, (step, following) in enumerate(pairwise(stops), start=1):
            here, there = float(self.kept[step]), float(self.kept[following])
            data = denoise(x, step)
            left = (x - math.sqrt(here) * data) / math.sqrt(1 - here)
            x = math.sqrt(there) * data + math.sqrt(1 - there) * left
            progress(done / (len(stops) - 1))
        return x


SCHEDULES: dict[str, Callable[[int], Schedule]] = {
    "cosine": Schedule.cosine,
    "linear": Schedule.linear,
}
