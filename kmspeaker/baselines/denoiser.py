"""The network of MSMD and DiffPoseTalk: a transformer decoder that looks at its own frame's speech.

Place in the flow: ``window_diffusion`` asks it what data lies under a noisy window. Both methods
have the same one (MSMD's grew from DiffPoseTalk's; baselines 2.3, 6): the frames of the window
before and the noisy frames of this one, in front of them a token of the style and the diffusion
step, learnt positions, self-attention over all, cross-attention of each frame to its own speech
alone, and a head of two layers. What differs here: norms stand before the blocks, which learns with
less warm-up; widths are a quarter and layers half of theirs, which is what a laptop trains; no
token tells of a body's shape, since there is one head; windows are always whole, so no channel
marks padding.
"""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from kmspeaker.baselines.baseline import BaselineConfig
from kmspeaker.model.layers import Attention, band, feed_forward_of, sinusoids


@dataclass(frozen=True, kw_only=True)
class WindowDiffusionConfig(BaselineConfig):
    """Settings of the network and of its sampler."""

    d_style: int = 64
    """Half of ``d_model``; of theirs a quarter, which would be too narrow here."""
    steps: int = 10
    dropout: float = 0.1
    reach: int = 0
    """Frames to both sides of its own that a frame's cross-attention hears; both methods have 0."""
    schedule: str = "cosine"
    """A key of ``SCHEDULES``."""
    diffusion_steps: int = 500
    bend: float = 1.5
    """Of the sampler's steps, ``Schedule.sample``; ours."""
    audio_guidance: float = 1.0
    """How far the speech leads from the null to what it says; 1 tells it once."""
    style_guidance: float = 1.0
    """The same of the style, from what the speech says to what both say."""


@dataclass(frozen=True)
class Conditions:
    """What a window is made from."""

    speech: Float[Tensor, "batch heard d_speech"]
    """Standardised features of the previous frames and of the window's."""
    previous: Float[Tensor, "batch previous coeffs"]
    """Motion of the previous frames."""
    follows: Bool[Tensor, " batch"]
    """Whether there are previous frames; else what was learnt of beginnings stands for them."""
    style: Float[Tensor, "batch d_style"]
    hears: Bool[Tensor, " batch"]
    """Whether the speech is told; else its null is."""
    styled: Bool[Tensor, " batch"]
    """Whether the style is told; else its null is."""

    def __getitem__(self, rows: Tensor | slice) -> "Conditions":
        """Some of the items."""
        return Conditions(*(getattr(self, field.name)[rows] for field in fields(self)))


class _Layer(nn.Module):
    """Self-attention, cross-attention to speech, feed-forward, each after a layer norm."""

    def __init__(self, d_model: int, heads: int, feed_forward: int, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(3))
        self.self_attention = Attention(d_model, heads)
        self.cross_attention = Attention(d_model, heads)
        self.feed_forward = feed_forward_of(d_model, feed_forward, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch tokens d_model"],
        speech: Float[Tensor, "batch heard d_model"],
        aligned: Bool[Tensor, "tokens heard"],
    ) -> Float[Tensor, "batch tokens d_model"]:
        normed = self.norms[0](x)
        x = x + self.dropout(self.self_attention(normed, normed))
        x = x + self.dropout(self.cross_attention(self.norms[1](x), speech, aligned))
        return x + self.dropout(self.feed_forward(self.norms[2](x)))


class Denoiser(nn.Module):
    """From a noisy window, its step and its conditions to the data, or what it is composed of."""

    aligned: Tensor
    """(tokens, heard) whether a token's cross-attention hears a frame."""

    def __init__(self, config: WindowDiffusionConfig, n_out: int) -> None:
        super().__init__()
        d_model, window, previous = config.d_model, config.window_frames, config.previous_frames
        self.speech = nn.Linear(config.d_speech, d_model)
        self.motion = nn.Linear(config.n_coeffs, d_model)
        self.style = nn.Linear(config.d_style, d_model)
        self.step = nn.Sequential(
            nn.Linear(d_model, d_model), nn.SiLU(), nn.Linear(d_model, d_model)
        )
        self.position = nn.Parameter(0.02 * torch.randn(1 + previous + window, d_model))
        self.start_motion = nn.Parameter(0.02 * torch.randn(previous, d_model))
        self.start_speech = nn.Parameter(0.02 * torch.randn(previous, d_model))
        self.null_speech = nn.Parameter(0.02 * torch.randn(d_model))
        self.layers = nn.ModuleList(
            _Layer(d_model, config.heads, config.feed_forward, config.dropout)
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(d_model)
        self.out = nn.Sequential(
            nn.Linear(d_model, d_model // 2), nn.GELU(), nn.Linear(d_model // 2, n_out)
        )
        self.previous = previous
        aligned = band(previous + window, config.reach)
        token = torch.ones(1, previous + window, dtype=torch.bool)  # it hears the whole window
        self.register_buffer("aligned", torch.cat([token, aligned]), persistent=False)

    def forward(
        self,
        x_n: Float[Tensor, "batch window coeffs"],
        step: Int64[Tensor, " batch"],
        conditions: Conditions,
        style: Float[Tensor, "batch d_style"],
    ) -> Float[Tensor, "batch window n_out"]:
        """The answer for each frame.

        Args:
            x_n: the noisy window.
            step: of the diffusion, by item.
            conditions: its style and whether that is told are left to the caller.
            style: what the token tells, the null already in its place.
        """
        follows = conditions.follows[:, None, None]
        speech = self.speech(conditions.speech)
        before = torch.where(follows, speech[:, : self.previous], self.start_speech)
        speech = torch.cat([before, speech[:, self.previous :]], dim=1)
        speech = torch.where(conditions.hears[:, None, None], speech, self.null_speech)
        before = torch.where(follows, self.motion(conditions.previous), self.start_motion)
        width = self.position.shape[-1]
        token = self.style(style) + self.step(sinusoids(step, width).to(style.dtype))
        x = torch.cat([token[:, None], before, self.motion(x_n)], dim=1) + self.position
        for layer in self.layers:
            x = layer(x, speech, self.aligned)
        return self.out(self.norm(x[:, 1 + self.previous :]))
