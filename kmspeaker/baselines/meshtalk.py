"""MeshTalk: a categorical latent space that a cross-modal loss divides between sound and face.

Source: "MeshTalk: 3D Face Animation from Speech using Cross-Modality Disentanglement" (ICCV 2021,
arXiv 2104.08223): sections 3.1 and 3.2 and the supplement's layers. Written from a description of
these, with no line of the authors' code, whose licence is not ours.

What differs, and why:

- Coefficients of the motion space in place of vertices, and no encoder of a neutral mesh, whose
  features MeshTalk adds to the decoder's: there is one head, and layers' biases say as much.
- Frozen Whisper features at the frame rate in place of 80 mel bands: what all baselines hear. Six
  dilated convolutions as theirs, but of three taps and small dilations: a frame hears ±13 frames,
  the second of sound of MeshTalk's code, though not of the half before and none after in its paper.
- 16 heads of 32 classes (code 16 × 128, paper 64 × 128), so that all has a million parameters.
- Our masks of the upper and the lower face in the cross-modal loss, by ``Grams``, since MeshTalk's
  are of its own mesh: its mouth is narrower, and most of its jaw is in neither. Both terms are
  means over all vertices and not over their mask's. No loss of eyelids, which has keypoints of
  its mesh.
- In dubbing (localization), as theirs: the performance's expressions, the new speech.
- MeshTalk has no style, and its autoregressive model of speech alone ignores any reference. In
  stylization (ours) the reference's expressions, averaged to a few, play forth and back, which has
  no jump where it turns. This is dubbing of a vague memory of the reference.
- Layers begin with weights that keep the spread (He's): with torch's own, choices begin as all but
  chance, and it is long before either input is heard. The paper's 50,000 steps are not ours.
- Classes are drawn in training and the likeliest ones in use, so all takes are the same.
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
from kmspeaker.model.conditions import LEAK, ExpressionEncoder

DILATIONS = (1, 2, 3)
"""Of the convolutions over speech, in turn."""


@dataclasses.dataclass(frozen=True)
class MeshTalkConfig(BaselineConfig):
    """Sizes of MeshTalk."""

    system: str = "meshtalk"
    layers: int = 6
    """Dilated convolutions over speech."""
    heads: int = 16
    """Of the latent space: choices a frame."""
    classes: int = 32
    """That each head chooses among."""
    feed_forward: int = 256
    """Hidden width of the fusion and the decoder."""
    d_audio: int = 96
    """Width of the convolutions over speech."""
    d_style: int = 8 * 128
    """A multiple of ``d_model``: so many expressions of the reference are played."""
    previous_frames: int = 0
    """Recurrent layers run through clips of any length."""
    dropout: float = 0.2
    """Over speech."""


class AudioEncoder(nn.Module):
    """Standardised features to a code a frame: convolutions, each averaged with what it reads."""

    def __init__(self, config: MeshTalkConfig) -> None:
        super().__init__()
        width = config.d_audio
        self.enter = nn.Conv1d(config.d_speech, width, 3, padding=1)
        dilations = (DILATIONS[index % len(DILATIONS)] for index in range(config.layers))
        self.layers = nn.ModuleList(
            nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
            for dilation in dilations
        )
        self.dropout = nn.Dropout(config.dropout)
        self.out = nn.Linear(width, config.d_model)

    def forward(
        self, speech: Float[Tensor, "batch frames d_speech"]
    ) -> Float[Tensor, "batch frames d_model"]:
        """What is said around each frame."""
        x = F.leaky_relu(self.enter(speech.transpose(1, 2)), LEAK)
        for layer in self.layers:
            x = (x + self.dropout(F.leaky_relu(layer(x), LEAK))) / 2
        return self.out(x.transpose(1, 2))


class Fusion(nn.Module):
    """Expression and speech of each frame to one choice of every head."""

    def __init__(self, config: MeshTalkConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.layers = nn.Sequential(
            nn.Linear(2 * config.d_model, config.feed_forward),
            nn.LeakyReLU(LEAK),
            nn.Linear(config.feed_forward, config.heads * config.classes),
        )

    def forward(
        self,
        expression: Float[Tensor, "batch frames d_model"],
        audio: Float[Tensor, "batch frames d_model"],
    ) -> Float[Tensor, "batch frames heads classes"]:
        """Logits of the classes."""
        logits = self.layers(torch.cat([expression, audio], -1))
        return logits.unflatten(-1, (self.heads, -1))


class Decoder(nn.Module):
    """Choices over time to coefficients."""

    def __init__(self, config: MeshTalkConfig) -> None:
        super().__init__()
        d_model = config.d_model
        self.enter = nn.Linear(config.heads * config.classes, d_model)
        self.past = nn.LSTM(d_model, d_model, num_layers=2, batch_first=True)
        self.widen = nn.Linear(d_model, config.feed_forward)
        self.out = nn.Linear(config.feed_forward, config.n_coeffs)

    def forward(
        self, chosen: Float[Tensor, "batch frames heads classes"]
    ) -> Float[Tensor, "batch frames coeffs"]:
        """The motion of one-hot choices; what the recurrent layers say is added to what they read.

        (MeshTalk adds features of a neutral mesh at each width; see the file's head.)
        """
        x = F.leaky_relu(self.enter(chosen.flatten(2)), LEAK)
        x = x + self.past(x)[0]
        return self.out(F.leaky_relu(self.widen(x), LEAK))


def choose(
    logits: Float[Tensor, "*shape classes"], *, drawn: bool
) -> Float[Tensor, "*shape classes"]:
    """One class of each head as a one-hot vector.

    Args:
        logits: of the classes.
        drawn: by their probabilities, with the gradients of a softmax of the same draw
            (straight-through Gumbel softmax); else the likeliest.
    """
    if drawn:
        return F.gumbel_softmax(logits, tau=1.0, hard=True)
    return F.one_hot(logits.argmax(-1), logits.shape[-1]).to(logits.dtype)


def cross_modal(
    by_expression: Float[Tensor, "batch frames coeffs"],
    by_audio: Float[Tensor, "batch frames coeffs"],
    motion: Float[Tensor, "batch frames coeffs"],
    grams: Grams,
) -> dict[str, Tensor]:
    """The cross-modal loss: the upper face follows the expression, the lower one the sound.

    Args:
        by_expression: made of the motion's own expression and another's sound.
        by_audio: made of another's expression and the motion's own sound.
        motion: what both should be, each in its region.
        grams: of the regions.
    """
    return {
        "upper": squared(by_expression - motion, grams.upper).mean(),
        "lower": squared(by_audio - motion, grams.lower).mean(),
    }


class MeshTalk(Baseline):
    """MeshTalk by its expression encoder; ``style`` is a few expressions of the reference.

    Where there is a performance to follow, its expressions are used and the style is not, as in
    MeshTalk's dubbing.
    """

    config_class: ClassVar[type[BaselineConfig]] = MeshTalkConfig

    def __init__(self, config: MeshTalkConfig) -> None:
        super().__init__(config)
        assert config.d_style % config.d_model == 0, "a style is a number of expressions"
        self.expression_encoder = ExpressionEncoder(config.n_coeffs, config.d_model)
        self.audio_encoder = AudioEncoder(config)
        self.fusion = Fusion(config)
        self.decoder = Decoder(config)
        self.apply(_start)

    def loss(self, excerpt: Excerpt, grams: Grams, step: int) -> dict[str, Tensor]:
        """Matched reconstruction and the two cross-modal terms, weights 1 as theirs.

        "Another" is another item of the batch, by one cyclic shift for all.
        """
        del step
        batch = len(excerpt)
        rows = torch.arange(batch, device=excerpt.motion.device)
        window = torch.randint(2, (batch,), device=rows.device)
        motion, speech = excerpt.motion[rows, window], excerpt.speech[rows, window]
        expression, audio = self.expression_encoder(motion), self.audio_encoder(speech)
        shift = int(torch.randint(1, max(batch, 2), ()))
        matched, by_expression, by_audio = self.decode(
            torch.cat([expression, expression, expression.roll(shift, 0)]),
            torch.cat([audio, audio.roll(shift, 0), audio]),
        ).chunk(3)
        parts = {
            "matched": squared(matched - motion, grams.whole).mean(),
            **cross_modal(by_expression, by_audio, motion, grams),
        }
        return {"loss": torch.stack(list(parts.values())).sum(), **parts}

    def decode(
        self,
        expression: Float[Tensor, "batch frames d_model"],
        audio: Float[Tensor, "batch frames d_model"],
    ) -> Float[Tensor, "batch frames coeffs"]:
        """Motion with an expression that says a sound."""
        return self.decoder(choose(self.fusion(expression, audio), drawn=self.training))

    def encode_style(
        self,
        motion: Float[Tensor, "windows frames coeffs"],
        present: Bool[Tensor, "windows frames"],
    ) -> Float[Tensor, "windows d_style"]:
        """A few expressions in their order, each the mean of its part of the window.

        Frames that are not present show the last one that was, or the first that will be.
        """
        expression = self.expression_encoder(_held(motion, present))
        parts = self.config.d_style // self.config.d_model
        return F.adaptive_avg_pool1d(expression.transpose(1, 2), parts).transpose(1, 2).flatten(1)

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
        """As ``Baseline.make``; ``steps`` and ``guidance`` change nothing."""
        del steps, guidance
        if performance is None:
            keys = style.unflatten(1, (-1, self.config.d_model))
            expression = forth_and_back(keys[0], len(speech), self.config.window_frames)[None]
        else:
            expression = self.expression_encoder(performance[None])
        made = self.decode(expression, self.audio_encoder(speech[None]))
        progress(1.0)
        return made.expand(len(seeds), -1, -1)


def forth_and_back(
    keys: Float[Tensor, "keys channels"], frames: int, window: int
) -> Float[Tensor, "frames channels"]:
    """Keys of a window played for so many frames, forwards and backwards by turns.

    Between keys it is linear.

    Args:
        keys: means of equal parts of a window.
        frames: how many to play.
        window: frames that one way takes.
    """
    way = torch.arange(frames, device=keys.device) / window % 2
    place = torch.minimum(way, 2 - way) * (len(keys) - 1)
    first = place.long().clamp(max=max(0, len(keys) - 2))
    second = (first + 1).clamp(max=len(keys) - 1)
    return torch.lerp(keys[first], keys[second], (place - first)[:, None].to(keys.dtype))


def _start(layer: nn.Module) -> None:
    """Keep the spread of what passes through a layer."""
    if isinstance(layer, nn.Linear | nn.Conv1d):
        nn.init.kaiming_normal_(layer.weight, LEAK, nonlinearity="leaky_relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _held(
    motion: Float[Tensor, "windows frames coeffs"], present: Bool[Tensor, "windows frames"]
) -> Float[Tensor, "windows frames coeffs"]:
    """Each frame, or the present one before it, or where there is none the first after it."""
    place = torch.arange(motion.shape[1], device=motion.device)
    last = place.where(present, -1).cummax(1).values
    shown = last.where(last >= 0, present.int().argmax(1, keepdim=True))
    return motion.gather(1, shown[..., None].expand_as(motion))
