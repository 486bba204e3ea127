"""Whisper's encoder (Radford et al. 2022) for speech of any length up to 30 s.

The names of the parameters are those of ``transformers``' ``WhisperEncoder``, which itself accepts
nothing but exactly 30 s and is slow to import. ``speech.encoders`` calls it, and
``animation.metrics`` draws the spectrogram.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from kmspeaker.media.audio import SAMPLE_RATE

WINDOW, HOP = 400, 160
"""Samples: 25 ms and 10 ms."""
DYNAMIC_RANGE = 8.0
"""Powers of ten below the loudest, 80 dB."""
DECODER_NORM = "layer_norm."
"""Parameters of the normalisation that only Whisper's decoder reads; the file has them."""


@dataclass(frozen=True)
class WhisperConfig:
    """Sizes of the encoder; the fields of ``transformers``' configuration that matter here."""

    d_model: int
    encoder_layers: int
    encoder_attention_heads: int
    encoder_ffn_dim: int
    num_mel_bins: int
    max_source_positions: int
    model_type: str = "whisper"


class WhisperEncoder(nn.Module):
    """Log-mel spectrogram in; out of each layer one feature for every two of its frames.

    Whisper's last normalisation is left out: it prepares the last layer for the decoder.
    """

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        d_model = config.d_model
        self.config = config
        self.conv1 = nn.Conv1d(config.num_mel_bins, d_model, 3, padding=1)
        self.conv2 = nn.Conv1d(d_model, d_model, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(config.max_source_positions, d_model)
        self.layers = nn.ModuleList([_Layer(config) for _ in range(config.encoder_layers)])

    def forward(
        self, mel: Float[Tensor, "batch mels mel_frames"]
    ) -> list[Float[Tensor, "batch features d_model"]]:
        """What each layer gives; feature ``k`` is centred on mel frame ``2 k``, ``k * 20`` ms."""
        x = F.gelu(self.conv1(mel))
        x = F.gelu(self.conv2(x)).transpose(1, 2)
        x = x + self.embed_positions.weight[: x.shape[1]]
        states = []
        for layer in self.layers:
            x = layer(x)
            states.append(x)
        return states


class _Attention(nn.Module):
    """Multi-head self-attention over all features."""

    def __init__(self, d_model: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model, bias=False)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(
        self, x: Float[Tensor, "batch features d_model"]
    ) -> Float[Tensor, "batch features d_model"]:
        query, key, value = (
            projection(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        attended = F.scaled_dot_product_attention(query, key, value)
        return self.out_proj(attended.transpose(1, 2).flatten(2))


class _Layer(nn.Module):
    """Attention and a feed-forward network, each normalised before and added to its input."""

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__()
        self.self_attn = _Attention(config.d_model, config.encoder_attention_heads)
        self.self_attn_layer_norm = nn.LayerNorm(config.d_model)
        self.fc1 = nn.Linear(config.d_model, config.encoder_ffn_dim)
        self.fc2 = nn.Linear(config.encoder_ffn_dim, config.d_model)
        self.final_layer_norm = nn.LayerNorm(config.d_model)

    def forward(
        self, x: Float[Tensor, "batch features d_model"]
    ) -> Float[Tensor, "batch features d_model"]:
        x = x + self.self_attn(self.self_attn_layer_norm(x))
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))


def load_whisper_encoder(folder: Path) -> WhisperEncoder:
    """Read ``config.json`` and ``model.safetensors``.

    Every weight must be there and used, but for ``DECODER_NORM``.
    """
    config = WhisperConfig(**json.loads((folder / "config.json").read_text()))
    encoder = WhisperEncoder(config)
    weights = load_file(folder / "model.safetensors")
    encoder.load_state_dict({k: v for k, v in weights.items() if not k.startswith(DECODER_NORM)})
    return encoder.eval().requires_grad_(False)


def log_mel(samples: Float[Tensor, " samples"], mels: int = 80) -> Float[Tensor, "mels mel_frames"]:
    """Whisper's own spectrogram; frame ``m`` is centred at ``m * 10`` ms.

    What lies 80 dB below the loudest frame is cut off there, so all of an utterance must be given
    at once.
    """
    window = torch.hann_window(WINDOW, device=samples.device)
    spectrum = torch.stft(samples, WINDOW, HOP, window=window, return_complex=True)
    power = spectrum[:, :-1].abs().square()
    log = (_mel_filters(mels).to(power) @ power).clamp(min=1e-10).log10()
    log = torch.maximum(log, log.max() - DYNAMIC_RANGE)
    return (log + 4) / 4


@cache
def _mel_filters(mels: int) -> Float[Tensor, "mels bins"]:
    from torchaudio.functional import melscale_fbanks

    return melscale_fbanks(
        WINDOW // 2 + 1, 0.0, SAMPLE_RATE / 2, mels, SAMPLE_RATE, norm="slaney", mel_scale="slaney"
    ).T
