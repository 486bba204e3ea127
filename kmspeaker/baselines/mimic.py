"""MIMIC: style and content of motion apart, and an autoregressive decoder that a style modulates.

Source: "Mimic: Speaking Style Disentanglement for Speech-Driven 3D Facial Animation" (AAAI 2024,
arXiv 2312.10877): the method section and the supplement's table of layers. Written from these, with
no line of the authors' code.

What differs, and why:

- Coefficients of the motion space in place of 15,069 numbers of FLAME vertices, frozen Whisper
  features in place of a wav2vec2 that is tuned, 30 frames a second, windows of 100 frames: what all
  baselines share (``baseline``).
- Three convolutions and two transformer layers a width of 96 in place of five, four and 128, so
  that all of it has about a million parameters.
- One style a clip is learnt from one of its two windows, at times the one that is generated, in
  place of another clip's: a corpus of ours plays each clip in one style.
- The decoder hears the content of the frame it makes alone (FaceFormer's aligned mask), so that its
  attention to content is one linear layer. Its self-attention looks back a window at most, in which
  the paper's bias falls with every period; hence the history simply moves on in clips of any
  length, and there are no joints.
- The unrolling over own frames is whole, as the paper's, but gradients do not pass through a frame
  into the frames that it led to: own frames are made first without gradients, then seen at once.
  This is a hundred times fewer steps to go back through.
- Ours where the facts are silent: classifiers' layers, the contrast between the clips of a batch at
  the same frame, targets of the two cycles that are held, mean squares as the cycle of content.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kmspeaker.baselines.baseline import Baseline, BaselineConfig
from kmspeaker.baselines.excerpt import Excerpt, Grams, squared
from kmspeaker.model.conditions import SpeechProjection
from kmspeaker.model.layers import sinusoids
from kmspeaker.model.windows import Windows

WEIGHTS = {
    "from_content": 1.0,
    "from_audio": 1.0,
    "style_class": 0.25,
    "content_class": 0.5,
    "contrast": 0.5,
    "style_cycle": 25.0,
    "content_cycle": 5.0,
}
"""Of the losses: the supplement's, where 1 is for a squared error in m², times 10⁶ for mm².

Should the paper's mean be over coordinates and not over vertices, its last five count threefold.
"""


@dataclasses.dataclass(frozen=True)
class MimicConfig(BaselineConfig):
    """Sizes of MIMIC."""

    system: str = "mimic"
    d_model: int = 96
    layers: int = 2
    """Transformer layers of each encoder; the decoder has one, as the paper's."""
    feed_forward: int = 192
    previous_frames: int = 0
    """The history moves on by itself."""
    convolutions: int = 3
    """Of the encoders of motion."""
    period: int = 30
    """Frames after which positions repeat and the past counts less; the paper's."""
    dropout: float = 0.1
    """In the encoders."""


def reverse_gradient(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The same numbers, through which gradients come back with the other sign."""
    return 2 * x.detach() - x


class StyleNorm(nn.Module):
    """SALN: a layer norm without parameters, then a scale and a shift read from the style."""

    def __init__(self, d_model: int, d_style: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(d_model, elementwise_affine=False)
        self.read = nn.Linear(d_style, 2 * d_model)
        with torch.no_grad():
            self.read.bias[:d_model] = 1
            self.read.bias[d_model:] = 0

    def gains(self, style: Float[Tensor, "batch d_style"]) -> Float[Tensor, "batch 1 gains"]:
        """Scale and shift of each item, for all of its frames."""
        return self.read(style)[:, None]

    def forward(
        self, x: Float[Tensor, "batch frames d_model"], gains: Float[Tensor, "batch 1 gains"]
    ) -> Float[Tensor, "batch frames d_model"]:
        """Normalise and modulate."""
        scale, shift = gains.chunk(2, dim=-1)
        return self.norm(x) * scale + shift


class MotionEncoder(nn.Module):
    """Coefficients to a code a frame: convolutions, then a transformer.

    The content encoder's norms are over time and without parameters (instance norm), which takes
    out what is constant in a window, the most of its style; the style encoder's are layer norms.
    """

    def __init__(self, config: MimicConfig, width: int, *, over_time: bool) -> None:
        super().__init__()
        d_model = config.d_model
        self.over_time = over_time
        self.enter = nn.Linear(config.n_coeffs, d_model)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(d_model, d_model, 3, padding=1) for _ in range(config.convolutions)
        )
        self.norms = nn.ModuleList(
            nn.Identity() if over_time else nn.LayerNorm(d_model)
            for _ in range(config.convolutions + 1)
        )
        self.linear = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = _transformer(config)
        self.leave = nn.Linear(d_model, width)

    def forward(
        self,
        motion: Float[Tensor, "batch frames coeffs"],
        present: Bool[Tensor, "batch frames"] | None = None,
    ) -> Float[Tensor, "batch frames width"]:
        """Codes of frames; those that are not ``present`` count as the mean and are not seen."""
        if present is not None:
            motion = motion.where(present[..., None], 0)
        x = self.enter(motion)
        for convolution, norm in zip(self.convolutions, self.norms, strict=False):
            x = F.relu(self._normed(norm, convolution(x.transpose(1, 2)).transpose(1, 2)))
        x = self.dropout(self.linear(self._normed(self.norms[-1], x)))
        x = _through(self.layers, _placed(x), None if present is None else ~present)
        return self.leave(x)

    def _normed(self, norm: nn.Module, x: Tensor) -> Tensor:
        if self.over_time:
            return F.instance_norm(x.transpose(1, 2)).transpose(1, 2)
        return norm(x)


class AudioEncoder(nn.Module):
    """Standardised features to the same codes as the content of motion."""

    def __init__(self, config: MimicConfig) -> None:
        super().__init__()
        self.enter = SpeechProjection(config.d_speech, config.d_model, kernel=5)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = _transformer(config)
        self.leave = nn.Linear(config.d_model, config.d_model)

    def forward(
        self, speech: Float[Tensor, "batch frames d_speech"]
    ) -> Float[Tensor, "batch frames d_model"]:
        """Content that is said."""
        return self.leave(_through(self.layers, _placed(self.dropout(self.enter(speech))), None))


class Decoder(nn.Module):
    """Motion frame after frame, from its own past, the content of the frame and the style."""

    slopes: Tensor

    def __init__(self, config: MimicConfig) -> None:
        super().__init__()
        d_model = config.d_model
        self.heads, self.period, self.history = config.heads, config.period, config.window_frames
        self.enter = nn.Linear(config.n_coeffs, d_model)
        self.past = nn.Linear(d_model, 3 * d_model)
        self.past_out = nn.Linear(d_model, d_model)
        self.aligned = nn.Linear(d_model, d_model)
        self.forth = nn.Sequential(
            nn.Linear(d_model, config.feed_forward),
            nn.ReLU(),
            nn.Linear(config.feed_forward, d_model),
        )
        self.norms = nn.ModuleList(StyleNorm(d_model, config.d_style) for _ in range(3))
        self.leave = nn.Linear(d_model, config.n_coeffs)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)
        steps = torch.arange(1, config.heads + 1) / config.heads
        self.register_buffer("slopes", 2 ** (-8 * steps), persistent=False)

    def forward(
        self,
        previous: Float[Tensor, "batch frames coeffs"],
        content: Float[Tensor, "batch frames d_model"],
        style: Float[Tensor, "batch d_style"],
    ) -> Float[Tensor, "batch frames coeffs"]:
        """All frames at once, each from the ones before it, which are given.

        Args:
            previous: the motion one frame earlier, zero before the first.
            content: of motion or of audio.
            style: of each item.
        """
        place = torch.arange(content.shape[1], device=content.device)
        x = self.enter(previous) + self._position(place)
        query, key, value = self._heads(x)
        age = place[:, None] - place
        bias = self._bias(age).masked_fill((age < 0) | (age >= self.history), -torch.inf)
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self._made(x, seen, self.aligned(content), self._gains(style))

    @torch.no_grad()
    def generate(
        self,
        content: Float[Tensor, "batch frames d_model"],
        style: Float[Tensor, "batch d_style"],
        progress: Callable[[float], None] = lambda fraction: None,
    ) -> Float[Tensor, "batch frames coeffs"]:
        """What ``forward`` makes of its own frames, with the keys of the past kept."""
        batch, frames, d_model = content.shape
        aligned, gains = self.aligned(content), self._gains(style)
        age = torch.arange(self.history - 1, -1, -1, device=content.device)
        bias = self._bias(age[None])
        cycle = self._position(torch.arange(self.period, device=content.device))
        keys = content.new_empty(batch, self.heads, frames, d_model // self.heads)
        values = torch.empty_like(keys)
        made = content.new_zeros(batch, frames, self.enter.in_features)
        last = made[:, :1]
        for k in range(frames):
            x = self.enter(last) + cycle[k % self.period]
            query, key, value = self._heads(x)
            keys[:, :, k : k + 1], values[:, :, k : k + 1] = key, value
            past = slice(max(0, k + 1 - self.history), k + 1)
            weights = query @ keys[:, :, past].transpose(2, 3) * query.shape[-1] ** -0.5
            weights = (weights + bias[..., past.start - past.stop :]).softmax(-1)
            last = self._made(x, weights @ values[:, :, past], aligned[:, k : k + 1], gains)
            made[:, k : k + 1] = last
            if k % self.history == 0:
                progress(k / frames)
        return made

    def unrolled(
        self,
        content: Float[Tensor, "batch frames d_model"],
        style: Float[Tensor, "batch d_style"],
    ) -> Float[Tensor, "batch frames coeffs"]:
        """What ``generate`` makes, with gradients of every frame but through its past."""
        own = self.generate(content, style)
        return self(F.pad(own[:, :-1], (0, 0, 1, 0)), content, style)

    def _gains(self, style: Tensor) -> list[Tensor]:
        return [norm.gains(style) for norm in self.norms]  # pyright: ignore[reportCallIssue]

    def _position(self, place: Tensor) -> Tensor:
        """Repeats with the period, so that no clip is too long."""
        return sinusoids(place % self.period, self.enter.out_features)

    def _bias(self, age: Tensor) -> Tensor:
        """(heads, *age): every period that a frame is older counts against it, as in ALiBi."""
        return -self.slopes[:, None, None] * (age // self.period)

    def _heads(self, x: Tensor) -> tuple[Tensor, ...]:
        split = self.past(x).unflatten(-1, (3, self.heads, -1))
        return split.permute(2, 0, 3, 1, 4).unbind()  # each (batch, heads, frames, width)

    def _made(self, x: Tensor, seen: Tensor, aligned: Tensor, gains: list[Tensor]) -> Tensor:
        x = self.norms[0](x + self.past_out(seen.transpose(1, 2).flatten(2)), gains[0])
        x = self.norms[1](x + aligned, gains[1])
        return self.leave(self.norms[2](x + self.forth(x), gains[2]))


class Mimic(Baseline):
    """MIMIC, deterministic: all takes are the same.

    A performance to be followed is left out, since its only input beside speech is the style.
    """

    config_class: ClassVar[type[BaselineConfig]] = MimicConfig

    def __init__(self, config: MimicConfig) -> None:
        super().__init__(config)
        d_model = config.d_model
        self.style_encoder = MotionEncoder(config, config.d_style, over_time=False)
        self.content_encoder = MotionEncoder(config, d_model, over_time=True)
        self.audio_encoder = AudioEncoder(config)
        self.decoder = Decoder(config)
        self.style_class = nn.Linear(config.d_style, config.actors)
        self.content_class = nn.Sequential(
            nn.Linear(d_model, d_model), nn.ReLU(), nn.Linear(d_model, config.actors)
        )
        self.sharpness = nn.Parameter(torch.tensor(1 / 0.07).log())  # of the contrast; CLIP's start

    def loss(self, excerpt: Excerpt, grams: Grams, step: int) -> dict[str, Tensor]:
        """The seven losses of the paper by ``WEIGHTS``; they come unweighted beside their sum."""
        del step
        batch, device = len(excerpt), excerpt.motion.device
        rows = torch.arange(batch, device=device)
        target, source = torch.randint(2, (2, batch), device=device)
        motion, speech = excerpt.motion[rows, target], excerpt.speech[rows, target]
        everywhere = torch.ones(batch, motion.shape[1], dtype=torch.bool, device=device)
        style = self.encode_style(excerpt.motion[rows, source], everywhere)
        content, audio = self.content_encoder(motion), self.audio_encoder(speech)
        other = style.roll(int(torch.randint(1, max(batch, 2), ())), 0)
        from_content, from_audio, swapped = self.decoder.unrolled(
            torch.cat([content, audio, content]), torch.cat([style, style, other])
        ).chunk(3)
        summary = reverse_gradient(content).mean(1)
        cycled = F.cosine_similarity(self.encode_style(swapped, everywhere), other.detach())
        parts = {
            "from_content": squared(from_content - motion, grams.whole).mean(),
            "from_audio": squared(from_audio - motion, grams.whole).mean(),
            "style_class": F.cross_entropy(self.style_class(style), excerpt.actor),
            "content_class": F.cross_entropy(self.content_class(summary), excerpt.actor),
            "contrast": contrast(content, audio, self.sharpness.exp()),
            "style_cycle": 1 - cycled.mean(),
            "content_cycle": F.mse_loss(self.content_encoder(swapped), content.detach()),
        }
        return {
            "loss": torch.stack([WEIGHTS[n] * part for n, part in parts.items()]).sum(),
            **parts,
        }

    def encode_style(
        self,
        motion: Float[Tensor, "windows frames coeffs"],
        present: Bool[Tensor, "windows frames"],
    ) -> Float[Tensor, "windows d_style"]:
        """The mean of the frames' codes over those that are present."""
        codes = self.style_encoder(motion, present)
        mask = present[..., None].to(codes.dtype)
        return (codes * mask).sum(1) / mask.sum(1)

    def make(
        self,
        speech: Float[Tensor, "frames d_speech"],
        style: Float[Tensor, "1 d_style"],
        performance: Float[Tensor, "frames coeffs"] | None,
        *,
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        progress: Callable[[float], None],
    ) -> Float[Tensor, "takes frames coeffs"]:
        """As ``Baseline.make``; ``performance``, ``steps`` and ``guidance`` change nothing.

        Speech is encoded in overlapping windows, the motion is one run of the decoder.
        """
        del performance, steps, guidance
        window = self.config.window_frames
        windows = Windows.over(len(speech), window=window, overlap=window // 5)
        content = windows.blend(self.audio_encoder(windows.cut(speech)))
        made = self.decoder.generate(content[None], style, progress)
        progress(1.0)
        return made.expand(len(seeds), -1, -1)


def contrast(
    content: Float[Tensor, "batch frames d_model"],
    audio: Float[Tensor, "batch frames d_model"],
    sharpness: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """CLIP's loss: at each frame, motion finds its sound among the batch, and sound its motion."""
    content, audio = F.normalize(content, dim=-1), F.normalize(audio, dim=-1)
    scores = sharpness * content.transpose(0, 1) @ audio.permute(1, 2, 0)  # (frames, batch, batch)
    own = scores.diagonal(dim1=1, dim2=2)
    return (scores.logsumexp(1) + scores.logsumexp(2)).mean() / 2 - own.mean()


def _transformer(config: MimicConfig) -> nn.ModuleList:
    return nn.ModuleList(
        nn.TransformerEncoderLayer(
            config.d_model,
            config.heads,
            config.feed_forward,
            dropout=config.dropout,
            batch_first=True,
        )
        for _ in range(config.layers)
    )


def _through(layers: nn.ModuleList, x: Tensor, unseen: Tensor | None) -> Tensor:
    for layer in layers:
        x = layer(x, src_key_padding_mask=unseen)
    return x


def _placed(x: Tensor) -> Tensor:
    """With the place of each frame added."""
    return x + sinusoids(torch.arange(x.shape[1], device=x.device), x.shape[2]).to(x.dtype)
