"""The three conditions of the network: speech, global style and temporal style.

Layers, widths and dropouts are the paper's Table 4. Ours, because it is silent: sinusoidal
positions, GELU and the order of norms in the transformer layer, the number of heads, and how frames
without a face are left out.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kmspeaker.model.layers import sinusoids


class SpeechProjection(nn.Module):
    """Frozen speech features to the network's width.

    The paper has one linear layer. A ``kernel`` above 1 adds a residual convolution over time
    (ours): neighbouring frames of speech then reach a frame in one step, without attention having
    to learn where to look. A ridge regression on five frames of context is a strong rival with
    little training, and this gives the network the same start.
    """

    def __init__(self, d_speech: int, d_model: int, kernel: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout1d(dropout)
        self.linear = nn.Linear(d_speech, d_model)
        self.context = (
            nn.Conv1d(d_model, d_model, kernel, padding=kernel // 2) if kernel > 1 else None
        )

    def forward(
        self, features: Float[Tensor, "batch frames d_speech"]
    ) -> Float[Tensor, "batch frames d_model"]:
        """Project standardised features."""
        speech = self.linear(self.dropout(features.transpose(1, 2)).transpose(1, 2))
        if self.context is None:
            return speech
        return speech + F.gelu(self.context(speech.transpose(1, 2))).transpose(1, 2)


class _ConvBlock(nn.Module):
    """Convolution, dropout, ELU, layer norm, in this order."""

    def __init__(self, channels: int, width: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, width, 3, padding=1)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "batch frames channels"]) -> Float[Tensor, "batch frames w"]:
        x = self.conv(x.transpose(1, 2)).transpose(1, 2)
        return self.norm(F.elu(self.dropout(x)))


class GlobalStyleEncoder(nn.Module):
    """E_glob: full-face keypoints over time to the mean and log-variance of one style vector.

    Convolutions, one transformer layer, convolutions, then the mean over the frames that show a
    face. Frames without a face count as rest (zero) for the convolutions beside them, and neither
    the attention nor the mean takes them in.
    """

    def __init__(self, channels: int, d_model: int, heads: int) -> None:
        super().__init__()
        self.before = nn.Sequential(
            _ConvBlock(channels, d_model, 0.2), _ConvBlock(d_model, d_model, 0.2)
        )
        self.position_dropout = nn.Dropout(0.1)
        self.attention = nn.TransformerEncoderLayer(
            d_model, heads, d_model, dropout=0.1, activation="gelu", batch_first=True
        )
        self.after = _ConvBlock(d_model, 2 * d_model, 0.1)
        self.out = nn.Conv1d(2 * d_model, 2 * d_model, 3, padding=1)

    def forward(
        self,
        keypoints: Float[Tensor, "batch frames channels"],
        present: Bool[Tensor, "batch frames"],
    ) -> tuple[Float[Tensor, "batch d_model"], Float[Tensor, "batch d_model"]]:
        """Mean and log-variance; every item needs at least one frame present."""
        mask = present[..., None]
        x = self.before(keypoints * mask)
        position = torch.arange(x.shape[1], device=x.device)
        x = self.position_dropout(x + sinusoids(position, x.shape[-1]).to(x.dtype))
        x = self.attention(x, src_key_padding_mask=~present)
        x = self.after(x * mask)
        x = self.out(x.transpose(1, 2)).transpose(1, 2)
        pooled = (x * mask).sum(1) / mask.sum(1)
        mean, log_variance = pooled.chunk(2, dim=-1)
        return mean, log_variance


class TemporalStyleEncoder(nn.Module):
    """E_temp: each frame's upper-face keypoints to that frame's style, frames apart.

    The paper has two linear layers. ``linear`` adds a third beside them, without a bias (ours): the
    motion of the upper face is a linear function of its keypoints on this rig.
    """

    def __init__(self, channels: int, d_model: int, *, linear: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(channels, d_model), nn.GELU(), nn.Linear(d_model, d_model)
        )
        self.linear = nn.Linear(channels, d_model, bias=False) if linear else None

    def forward(
        self,
        keypoints: Float[Tensor, "batch frames channels"],
        present: Bool[Tensor, "batch frames"],
    ) -> Float[Tensor, "batch frames d_model"]:
        """Zero where the performance is absent, which is what no temporal style means."""
        style = self.layers(keypoints)
        if self.linear is not None:
            style = style + self.linear(keypoints)
        return style * present[..., None]


EXPRESSION_WIDTH = 128
"""Of MeshTalk's expression encoder."""
LEAK = 0.2
"""Of its leaky rectifiers."""


class ExpressionEncoder(nn.Module):
    """MeshTalk's: a face over time to an expression a frame that knows the frames before.

    Its supplement's widths are those of ``width`` 128; it takes vertices divided by their spread.
    The paper compares our keypoints with it (Tables 1 and 2).
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.frames = nn.Sequential(
            nn.Linear(channels, 2 * width),
            nn.LeakyReLU(LEAK),
            nn.Linear(2 * width, width),
            nn.LeakyReLU(LEAK),
        )
        self.past = nn.LSTM(width, width, batch_first=True)
        self.out = nn.Linear(width, width)

    def forward(
        self, motion: Float[Tensor, "batch frames channels"]
    ) -> Float[Tensor, "batch frames width"]:
        """Expressions of frames of coefficients, or of any other channels."""
        return self.out(self.past(self.frames(motion))[0])
