"""The network's building blocks: plain torch, no face and no audio.

From the paper's Table 4: self-attention, cross-attention to speech and feed-forward, each with an
adaptive layer norm whose scale and shift come from Linear, SiLU, Linear; their widths; dropout.
Ours, because the paper is silent: norms before the blocks and residuals around them, one condition
vector a frame that is the sum of global style, temporal style and time, GELU in the feed-forward,
eight heads, sinusoidal positions, and a band around each frame outside of which its cross-attention
does not look.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


def sinusoids(position: Tensor, width: int, *, longest: float = 10_000.0) -> Tensor:
    """Sines and cosines of ``position`` at ``width / 2`` frequencies; the result has one more axis.

    Args:
        position: any shape, in whatever unit the shortest wavelength 2π is meant.
        width: even.
        longest: wavelength of the slowest pair, over 2π.
    """
    half = width // 2
    rates = torch.exp(-math.log(longest) / half * torch.arange(half, device=position.device))
    angle = position.float()[..., None] * rates
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def band(
    frames: int, reach: int, device: torch.device | None = None
) -> Bool[Tensor, "frames frames"]:
    """True where attention is allowed: at most ``reach`` frames before or after. Ours."""
    place = torch.arange(frames, device=device)
    return (place[:, None] - place).abs() <= reach


class AdaptiveLayerNorm(nn.Module):
    """Layer norm whose scale and shift are read from the condition (Meta-StyleSpeech's SALN).

    The last linear layer starts at zero, so that a fresh block is a plain layer norm.
    """

    def __init__(self, d_model: int, condition_width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(d_model, elementwise_affine=False)
        self.condition = nn.Sequential(
            nn.Linear(d_model, condition_width),
            nn.SiLU(),
            nn.Linear(condition_width, 2 * d_model),
        )
        nn.init.zeros_(self.condition[2].weight)  # pyright: ignore[reportArgumentType]
        nn.init.zeros_(self.condition[2].bias)  # pyright: ignore[reportArgumentType]

    def forward(
        self,
        x: Float[Tensor, "batch frames d_model"],
        condition: Float[Tensor, "batch condition_frames d_model"],
    ) -> Float[Tensor, "batch frames d_model"]:
        """Normalise ``x``; a condition of one frame holds for all frames."""
        scale, shift = self.condition(condition).chunk(2, dim=-1)
        return self.norm(x) * (1 + scale) + shift


class Attention(nn.Module):
    """Multi-head attention.

    Dropout acts on its output, which keeps the fused kernels usable; the paper's "drop .1" may mean
    its weights.
    """

    def __init__(self, d_model: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(d_model, d_model)
        self.key = nn.Linear(d_model, d_model)
        self.value = nn.Linear(d_model, d_model)
        self.out = nn.Linear(d_model, d_model)

    def forward(
        self,
        x: Float[Tensor, "batch frames d_model"],
        memory: Float[Tensor, "batch memory_frames d_model"],
        mask: Bool[Tensor, "frames memory_frames"] | None = None,
    ) -> Float[Tensor, "batch frames d_model"]:
        """Attend from ``x`` to ``memory`` where ``mask`` is True."""
        query = self._split(self.query(x))
        key = self._split(self.key(memory))
        value = self._split(self.value(memory))
        if query.device.type == "cpu":
            # torch's fused attention on a CPU goes back five times slower in bfloat16.
            with torch.autocast("cpu", enabled=False):
                attended = F.scaled_dot_product_attention(
                    query.float(), key.float(), value.float(), attn_mask=mask
                )
        else:
            attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.out(attended.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (batch, heads, frames, width)


def feed_forward_of(d_model: int, width: int, dropout: float) -> nn.Sequential:
    """The two layers that a transformer applies to each frame alone."""
    return nn.Sequential(
        nn.Linear(d_model, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, d_model)
    )


class FlowLayer(nn.Module):
    """Self-attention, cross-attention to speech, feed-forward; each after its own adaptive norm."""

    def __init__(
        self, d_model: int, heads: int, feed_forward: int, condition_width: int, dropout: float
    ) -> None:
        super().__init__()
        self.self_norm = AdaptiveLayerNorm(d_model, condition_width)
        self.self_attention = Attention(d_model, heads)
        self.cross_norm = AdaptiveLayerNorm(d_model, condition_width)
        self.cross_attention = Attention(d_model, heads)
        self.forward_norm = AdaptiveLayerNorm(d_model, condition_width)
        self.feed_forward = feed_forward_of(d_model, feed_forward, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch frames d_model"],
        condition: Float[Tensor, "batch condition_frames d_model"],
        speech: Float[Tensor, "batch frames d_model"],
        speech_mask: Bool[Tensor, "frames frames"],
    ) -> Float[Tensor, "batch frames d_model"]:
        """One layer of the flow network."""
        normed = self.self_norm(x, condition)
        x = x + self.dropout(self.self_attention(normed, normed))
        normed = self.cross_norm(x, condition)
        x = x + self.dropout(self.cross_attention(normed, speech, speech_mask))
        return x + self.feed_forward(self.forward_norm(x, condition))
