"""MSMD, "Model See Model Do" (SIGGRAPH 2025): diffusion around poses that the style gives.

Sources: baselines 2.1-2.3. Its parts: a variational encoder reads the style of a window; a decoder
makes K static poses of it; the denoiser, told the style and the speech, answers at every frame and
every step of the diffusion a deviation and how much of each pose: ``X = dX + sum_k alpha_k b_k``.
It learns a window in the style of the other window of the clip (cross-conditioning) or of the
window itself, by half; speech and style each are left out for a tenth.

What differs from the original, and why:

- Whitened coefficients of our motion space and frozen Whisper features at 30 frames a second, as
  all baselines here have, for SEREP codes with head rotation and HuBERT at 25.
- L_simple and the others are in mm² of vertices, not in units of z-scored codes, so the weights of
  smoothness and KL are our own; velocity's .5 is theirs.
- The style encoder is the published code's (one transformer layer between convolutions), which our
  own global encoder copies; its positions are sinusoids, where the code adds one constant to all
  frames.
- A cosine schedule of 500 steps in ten of DDIM, for 1,000 of DDPM: see ``diffusion``.
- Sizes: width 128 and 4 layers for 512 and 8. See ``denoiser`` and ``window_diffusion``.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from kmspeaker.baselines.denoiser import WindowDiffusionConfig
from kmspeaker.baselines.excerpt import Excerpt, Grams
from kmspeaker.baselines.window_diffusion import Errors, WindowDiffusion
from kmspeaker.model.conditions import GlobalStyleEncoder


@dataclass(frozen=True)
class MSMDConfig(WindowDiffusionConfig):
    """Settings of MSMD."""

    system: str = "msmd"
    poses: int = 4
    """K, how many poses the style gives."""
    cross_style: float = 0.5
    """Share of items whose windows have the other window's style."""
    drop_speech: float = 0.1
    drop_style: float = 0.1
    velocity_weight: float = 0.5
    smooth_weight: float = 0.02
    """Of mm² of change of velocity; theirs, .000005 in z-scored codes, counts nothing here."""
    kl_weight: float = 1e-4
    """Of nats beside mm²; theirs is .000001 beside z-scored codes."""


class MSMD(WindowDiffusion):
    """Style-basis diffusion."""

    config: MSMDConfig  # pyright: ignore[reportIncompatibleVariableOverride]
    config_class = MSMDConfig

    def __init__(self, config: MSMDConfig) -> None:
        super().__init__(config, extra=config.poses)
        width = config.d_style
        self.style_encoder = GlobalStyleEncoder(config.n_coeffs, width, config.heads)
        self.poses = nn.ModuleList(
            nn.Sequential(
                nn.Linear(width, width),
                nn.GELU(),
                nn.Linear(width, width),
                nn.GELU(),
                nn.Linear(width, config.n_coeffs),
            )
            for _ in range(config.poses)
        )

    def compose(
        self,
        answer: Float[Tensor, "batch window n_out"],
        style: Float[Tensor, "batch d_style"],
    ) -> Float[Tensor, "batch window coeffs"]:
        """The deviation, and of each of the style's poses as much as is answered."""
        deviation, amount = answer.split([self.config.n_coeffs, self.config.poses], dim=-1)
        basis = torch.stack([pose(style) for pose in self.poses], dim=1)  # (batch, poses, coeffs)
        return deviation + amount @ basis

    def loss(self, excerpt: Excerpt, grams: Grams, step: int) -> dict[str, Tensor]:
        """L_simple + .5 L_vel + smoothness + KL; see ``Baseline.loss``."""
        del step  # one phase
        config, items, device = self.config, len(excerpt), excerpt.motion.device
        motion = excerpt.motion.flatten(0, 1)
        read = self._read(motion, torch.ones(motion.shape[:2], dtype=torch.bool, device=device))
        style = read.rsample().unflatten(0, (items, 2))
        crossed = torch.rand(items, 1, 1, device=device) < config.cross_style
        conditions = self.conditions(
            excerpt,
            torch.where(crossed, style.flip(1), style),
            hears=torch.rand(items, 2, device=device) >= config.drop_speech,
            styled=torch.rand(items, 2, device=device) >= config.drop_style,
        )
        made = self.denoised(excerpt, conditions)
        errors = Errors.of(made, motion, conditions.follows, grams.whole)
        kl = kl_divergence(read, Normal(0.0, 1.0)).sum(-1).mean()
        total = (
            errors.position
            + config.velocity_weight * errors.velocity
            + config.smooth_weight * errors.roughness
            + config.kl_weight * kl
        )
        return {"loss": total, **vars(errors), "kl": kl}

    def encode_style(
        self,
        motion: Float[Tensor, "windows frames coeffs"],
        present: Bool[Tensor, "windows frames"],
    ) -> Float[Tensor, "windows d_style"]:
        """The mean of what the encoder reads."""
        return self._read(motion, present).mean

    def _read(self, motion: Tensor, present: Tensor) -> Normal:
        mean, log_variance = self.style_encoder(motion, present)
        return Normal(mean, (0.5 * log_variance).exp(), validate_args=False)
