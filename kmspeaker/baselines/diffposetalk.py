"""DiffPoseTalk (SIGGRAPH 2024): diffusion in a style that was learnt by contrast.

Sources: baselines 6. Its parts: a style encoder learns first, alone: of all windows in a batch it
has to find the other one of the same clip (NT-Xent). It is then frozen, and the denoiser learns to
make windows from speech and style, where style is left out for .45 of them and both for .1, so that
sampling can lead from nothing to the speech and from there to the style (incremental guidance).

What differs from the original, and why:

- Whitened coefficients of our motion space and frozen Whisper features at 30 frames a second, as
  all baselines here have, for FLAME's expression, jaw and head rotation and a HuBERT that learns
  along at 25.
- One run trains both: the first ``style_steps`` steps belong to the style encoder, at the batch of
  the run (theirs: 26,000 of batch 32, then 90,000).
- A window has the style of the other window of its clip, as a take has its reference's; which one
  the original takes is not in our sources.
- The weights are the paper's, 1, 2e6, 1e7 and 1e5 of squared metres averaged over vertices and
  axes, put in mm² of squared distance: a millionth, and a third.
- Ten steps of DDIM for 500 of DDPM: see ``diffusion``.
- Sizes: width 128 and 4 layers for 512 and 8, style 64 for 128. See ``denoiser`` and
  ``window_diffusion``.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kmspeaker.baselines.denoiser import WindowDiffusionConfig
from kmspeaker.baselines.excerpt import Excerpt, Grams
from kmspeaker.baselines.window_diffusion import Errors, WindowDiffusion
from kmspeaker.model.layers import sinusoids


@dataclass(frozen=True)
class DiffPoseTalkConfig(WindowDiffusionConfig):
    """Settings of DiffPoseTalk."""

    system: str = "diffposetalk"
    audio_guidance: float = 1.15
    style_guidance: float = 1.15
    style_layers: int = 4
    style_steps: int = 300
    """First steps of training, which are the style encoder's; it is frozen after them. The contrast
    is down to .1 nats by then (theirs: 26,000 steps, among many more people)."""
    temperature: float = 0.1
    """Of NT-Xent."""
    drop_style: float = 0.45
    drop_both: float = 0.1
    simple_weight: float = 1.0
    """Of whitened coefficients, squared, the mean over them."""
    vertex_weight: float = 2 / 3
    """Of mm²."""
    velocity_weight: float = 10 / 3
    smooth_weight: float = 0.1 / 3


class StyleEncoder(nn.Module):
    """A transformer over a window of motion, its mean over the frames that show a face.

    The last layer norm keeps the style's length about the same, which the denoiser never changes.
    """

    def __init__(self, n_coeffs: int, d_style: int, heads: int, layers: int) -> None:
        super().__init__()
        self.motion = nn.Linear(n_coeffs, d_style)
        layer = nn.TransformerEncoderLayer(
            d_style, heads, 2 * d_style, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(
            layer, layers, nn.LayerNorm(d_style), enable_nested_tensor=False
        )

    def forward(
        self,
        motion: Float[Tensor, "windows frames coeffs"],
        present: Bool[Tensor, "windows frames"],
    ) -> Float[Tensor, "windows d_style"]:
        """The style of each window; each needs at least one frame present."""
        x = self.motion(motion * present[..., None])
        place = torch.arange(x.shape[1], device=x.device)
        x = self.layers(x + sinusoids(place, x.shape[-1]), src_key_padding_mask=~present)
        return (x * present[..., None]).sum(1) / present.sum(1, keepdim=True)


def nt_xent(style: Float[Tensor, "batch 2 d_style"], temperature: float) -> Float[Tensor, ""]:
    """How badly each style's cosine tells its pair's other half from all other styles, nats."""
    unit = F.normalize(style.flatten(0, 1), dim=-1)
    alike = (unit @ unit.T / temperature).fill_diagonal_(-torch.inf)
    other = torch.arange(len(unit), device=unit.device) ^ 1  # pairs lie side by side
    return F.cross_entropy(alike, other)


class DiffPoseTalk(WindowDiffusion):
    """Contrastive style, guided diffusion."""

    config: DiffPoseTalkConfig  # pyright: ignore[reportIncompatibleVariableOverride]
    config_class = DiffPoseTalkConfig

    def __init__(self, config: DiffPoseTalkConfig) -> None:
        super().__init__(config)
        self.style_encoder = StyleEncoder(
            config.n_coeffs, config.d_style, config.heads, config.style_layers
        )

    def loss(self, excerpt: Excerpt, grams: Grams, step: int) -> dict[str, Tensor]:
        """The style encoder's loss in the first steps, then the denoiser's.

        Each phase leaves the other's parameters without a gradient. See ``Baseline.loss``.
        """
        config, items, device = self.config, len(excerpt), excerpt.motion.device
        contrasting = step < config.style_steps
        self.style_encoder.train(self.training and contrasting)
        motion = excerpt.motion.flatten(0, 1)
        present = torch.ones(motion.shape[:2], dtype=torch.bool, device=device)
        with torch.set_grad_enabled(contrasting and torch.is_grad_enabled()):
            style = self.style_encoder(motion, present).unflatten(0, (items, 2))
        if contrasting:
            contrast = nt_xent(style, config.temperature)
            return {"loss": contrast, "contrast": contrast}
        chance = torch.rand(items, 2, device=device)
        conditions = self.conditions(
            excerpt,
            style.flip(1),
            hears=chance >= config.drop_both,
            styled=chance >= config.drop_both + config.drop_style,
        )
        made = self.denoised(excerpt, conditions)
        errors = Errors.of(made, motion, conditions.follows, grams.whole)
        simple = F.mse_loss(made, motion)
        total = (
            config.simple_weight * simple
            + config.vertex_weight * errors.position
            + config.velocity_weight * errors.velocity
            + config.smooth_weight * errors.roughness
        )
        return {"loss": total, "simple": simple, **vars(errors)}

    def phase_of(self, step: int) -> int:
        """The style encoder's, then the denoiser's; see ``Baseline.phase_of``."""
        return 0 if step < self.config.style_steps else self.config.style_steps

    def encode_style(
        self,
        motion: Float[Tensor, "windows frames coeffs"],
        present: Bool[Tensor, "windows frames"],
    ) -> Float[Tensor, "windows d_style"]:
        """What the contrast has taught the encoder to see."""
        return self.style_encoder(motion, present)
