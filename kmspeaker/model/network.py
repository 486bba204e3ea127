"""The network of KM-Speaker (paper 3.1, Table 4) and its folder of weights.

Place in the flow: ``training`` fits it; ``sampling`` carries noise to motion with it. All
statistics are buffers, so a folder is complete.
"""

import dataclasses
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kmspeaker.model.conditions import (
    EXPRESSION_WIDTH,
    ExpressionEncoder,
    GlobalStyleEncoder,
    SpeechProjection,
    TemporalStyleEncoder,
)
from kmspeaker.model.folder import read_config, read_weights, require_settings, write_folder
from kmspeaker.model.layers import FlowLayer, band, sinusoids
from kmspeaker.model.linear_reading import CONTEXT
from kmspeaker.model.motion_space import WEIGHTS, MotionSpace


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Sizes of the network, and what it was trained to understand."""

    d_model: int
    """Width of every layer and of the three conditions."""
    layers: int
    heads: int
    feed_forward: int
    """Hidden width of the feed-forward blocks; the paper's is twice ``d_model``."""
    condition_width: int
    """Hidden width of the adaptive norms' nets; the paper's is ``d_model``."""
    fps: float
    """Frames of motion a second."""
    window_frames: int
    """Frames the network sees at a time, in training and in use."""
    window_overlap: int
    """Least number of frames that neighbouring windows share in use."""
    speech_encoder: str
    """Name of the encoder, one of ``speech.ENCODERS``; features of two never mix."""
    d_speech: int
    """Width of its features."""
    steps: int
    """Steps of the sampler where the caller names none."""
    bend: float = 1.0
    """Of the sampler's steps (``flow.sample``): above 1 they grow shorter towards the data, so that
    few keep the motion's spread. The paper's are equal."""
    lower_noise: float = 1.0
    """Share of the noise with which the sampler begins the lower face, which speech and style tell
    nearly all of. Less than 1 follows the speech more closely and varies less from seed to seed;
    the upper face keeps its own. The paper has 1."""
    upper_noise: float = 1.0
    """The same of the upper face. More than 1 makes up for the liveliness that few steps and a
    network of means lose; much more, and it blinks all the time. The paper has 1."""
    opening_share: float = 0.0
    """Of a linear reading of the speech in how far lips open (``model.opening``). Ours; the paper
    has none."""
    keeps_contacts: bool = False
    """Whether lips touch, and the lower one the teeth, wherever a linear reading of the speech
    hears p, b, m, f or v (``model.contact_reading``). Ours; the paper has none."""
    upper_share: float = 0.0
    """Of a linear reading of the performance's keypoints in the upper face of localization
    (``model.upper_reading``). Ours; the paper has none."""
    n_coeffs: int = 128
    """Components of the motion space; set by the data when training begins."""
    speech_reach: float = 0.2
    """Seconds of speech before and after a frame that its cross-attention sees (DiffPoseTalk's
    alignment, softened). Ours: the paper masks nothing."""
    speech_kernel: int = 1
    """Frames of the convolution over speech; 1 is the paper's bare linear layer."""
    aligned_conditions: bool = False
    """Whether each motion frame's token also gets that frame's speech and temporal style added, and
    a linear path leads from each to the motion. In the paper's table speech enters by
    cross-attention and style by the norms alone. Ours, for trainings of hours instead of days: the
    attention need not find the diagonal first, nor the upper face be steered by scales and shifts
    alone."""
    style_statistics: bool = False
    """Whether mean and spread of the reference's keypoints stand beside the style vector and have a
    linear path to the motion. An encoder that has seen a few actors in a few states gives back
    poses of those; on this rig a held pose is a linear function of its keypoints, whoever holds it.
    Ours; in the paper's table the style vector is all."""
    tells_made_lips: bool = False
    """Whether a learnt vector in the condition marks lips made by rule, so that the network need
    not give their mean with captured ones: they teach it many voices, and in use it speaks with
    real people's. Ours; the paper has captured lips alone."""
    dropout: float = 0.1
    """In the flow layers; the style encoders have the paper's own."""
    speech_dropout: float = 0.0
    """Share of the speech features dropped in each window of training. Ours."""
    global_style: bool = True
    """Whether the network is told a global style. False is the paper's ablation (Fig. 13)."""
    implicit_style: bool = False
    """Whether both styles are read from MeshTalk's expression encoder of the whole set of keypoints
    and not from the keypoints: the paper's ablation (Tables 1 and 2), with ``keypoint_set`` dense.
    """
    keypoint_set: str = "ours"
    n_keypoints: int = 55
    n_upper_keypoints: int = 47
    """Keypoints of the upper face, from which the temporal style is read."""
    rig: str = ""
    """``motion_space.rig_fingerprint`` of the face it was trained on."""

    @property
    def d_statistics(self) -> int:
        """Numbers of ``style_statistics``: the mean's three axes and one spread a keypoint."""
        return 4 * self.n_keypoints if self.style_statistics else 0

    @property
    def channels(self) -> tuple[int, int]:
        """Numbers a frame that the global and the temporal style are read from."""
        if self.implicit_style:
            return EXPRESSION_WIDTH, EXPRESSION_WIDTH
        return 3 * self.n_keypoints, 3 * self.n_upper_keypoints


PAPER = ModelConfig(
    d_model=512,
    layers=8,
    heads=8,
    feed_forward=1024,
    condition_width=512,
    fps=60.0,
    window_frames=200,
    window_overlap=50,
    speech_encoder="w2v-bert-2.0",
    d_speech=1024,
    steps=50,
)
BASE = ModelConfig(
    d_model=256,
    layers=8,
    heads=8,
    feed_forward=512,
    condition_width=256,
    fps=30.0,
    window_frames=128,
    window_overlap=32,
    speech_encoder="whisper-tiny.en",
    d_speech=384,
    steps=8,
    bend=1.5,
    lower_noise=0.0,
    upper_noise=1.2,
    opening_share=0.75,
    keeps_contacts=True,
    upper_share=1.0,
    speech_kernel=5,
    aligned_conditions=True,
    style_statistics=True,
    tells_made_lips=True,
    speech_dropout=0.5,
)
SMALL = dataclasses.replace(
    BASE,
    d_model=192,
    layers=4,
    heads=6,
    feed_forward=384,
    condition_width=96,
    steps=2,  # with more, lips are followed no better, and the upper face moves no more
    dropout=0.0,  # so small that hours of speech do not overfit it, and a fifth off a step
)
PRESETS = {"paper": PAPER, "base": BASE, "small": SMALL}


class KMSpeaker(nn.Module):
    """Predicts clean motion from noisy motion, speech, and the two styles.

    The conditions are encoded apart, once for many calls: ``encode_speech``, ``encode_global`` and
    ``encode_temporal`` take raw features and keypoints in mm, and ``forward`` takes what they gave.
    """

    keypoint_mean: Tensor
    """(keypoints, 3) mm, over the training data."""
    keypoint_scale: Tensor
    """(keypoints, 1) mm: one spread for a keypoint's three axes keeps its directions."""
    upper: Tensor
    """(keypoints,) True for the upper face."""
    speech_mean: Tensor
    speech_scale: Tensor
    style_mean: Tensor
    """(d_style,) the mean global style of the training data, which ``style_strength`` leads to."""
    opening_slope: Tensor
    """(d_speech with context,) the linear reading of the lips' opening; zeros without natural talk
    to fit it on."""
    opening_direction: Tensor
    """(52,) the weights that move with one mm of opening."""
    contact_slope: Tensor
    """(d_speech with context, 2) the linear reading of contacts; zeros without speech of which the
    phones are known."""
    contact_offset: Tensor
    """(2,)"""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        d = config.d_model
        self.motion = MotionSpace(config.n_coeffs)
        self.register_buffer("keypoint_mean", torch.zeros(config.n_keypoints, 3))
        self.register_buffer("keypoint_scale", torch.ones(config.n_keypoints, 1))
        upper = torch.arange(config.n_keypoints) < config.n_upper_keypoints
        self.register_buffer("upper", upper)
        self.register_buffer("speech_mean", torch.zeros(config.d_speech))
        self.register_buffer("speech_scale", torch.ones(config.d_speech))
        self.register_buffer("style_mean", torch.zeros(d + config.d_statistics))
        inputs = (2 * CONTEXT + 1) * config.d_speech
        self.register_buffer("opening_slope", torch.zeros(inputs))
        self.register_buffer("opening_direction", torch.zeros(WEIGHTS))
        self.register_buffer("contact_slope", torch.zeros(inputs, 2))
        self.register_buffer("contact_offset", torch.zeros(2))

        self.speech = SpeechProjection(
            config.d_speech, d, config.speech_kernel, config.speech_dropout
        )
        whole, above = config.channels
        self.expression = (
            ExpressionEncoder(3 * config.n_keypoints, EXPRESSION_WIDTH)
            if config.implicit_style
            else None
        )
        self.global_style = GlobalStyleEncoder(whole, d, config.heads)
        self.temporal_style = TemporalStyleEncoder(above, d, linear=config.aligned_conditions)
        numbers = config.d_statistics
        self.statistics_in = nn.Linear(numbers, d, bias=False) if numbers else None
        self.statistics_out = nn.Linear(numbers, config.n_coeffs, bias=False) if numbers else None
        self.time = nn.Sequential(nn.Linear(d, d), nn.SiLU(), nn.Linear(d, d))
        self.motion_in = nn.Linear(config.n_coeffs, d)
        # Without biases: no temporal style is zeros, and the head has a bias of its own.
        aligned = config.aligned_conditions
        self.speech_in = nn.Linear(d, d, bias=False) if aligned else None
        self.temporal_in = nn.Linear(d, d, bias=False) if aligned else None
        self.speech_out = nn.Linear(d, config.n_coeffs, bias=False) if aligned else None
        self.temporal_out = nn.Linear(d, config.n_coeffs, bias=False) if aligned else None
        self.made_lips = nn.Parameter(torch.zeros(d)) if config.tells_made_lips else None
        self.layers = nn.ModuleList(
            FlowLayer(d, config.heads, config.feed_forward, config.condition_width, config.dropout)
            for _ in range(config.layers)
        )
        self.head = nn.Sequential(
            nn.Linear(d, d // 2), nn.GELU(), nn.Linear(d // 2, config.n_coeffs)
        )

    def encode_speech(
        self, features: Float[Tensor, "batch frames d_speech"]
    ) -> Float[Tensor, "batch frames d_model"]:
        """Features of the config's encoder at the config's rate, standardised and projected."""
        return self.speech((features - self.speech_mean) / self.speech_scale)

    def encode_global(
        self,
        keypoints: Float[Tensor, "batch frames keypoints 3"],
        present: Bool[Tensor, "batch frames"] | None = None,
    ) -> tuple[Float[Tensor, "batch d_model"], Float[Tensor, "batch d_model"]]:
        """Mean and log-variance of the global style of full-face keypoints (mm from neutral)."""
        seen = ((keypoints - self.keypoint_mean) / self.keypoint_scale).flatten(2)
        if self.expression is not None:
            seen = self.expression(seen)
        return self.global_style(seen, self._present(present, keypoints))

    def mean_style(
        self,
        keypoints: Float[Tensor, "batch frames keypoints 3"],
        present: Bool[Tensor, "batch frames"] | None = None,
    ) -> Float[Tensor, "batch d_style"]:
        """The global style as ``forward`` takes it: the vector's mean, and the statistics."""
        mean, _ = self.encode_global(keypoints, present)
        return torch.cat([mean, self.style_statistics(keypoints, present)], dim=1)

    def style_statistics(
        self,
        keypoints: Float[Tensor, "batch frames keypoints 3"],
        present: Bool[Tensor, "batch frames"] | None = None,
    ) -> Float[Tensor, "batch statistics"]:
        """Mean and spread of full-face keypoints (mm from neutral), standardised.

        Empty without the config's ``style_statistics``. They stand behind the style vector.
        """
        if not self.config.d_statistics:
            return keypoints.new_zeros(len(keypoints), 0)
        keypoints = (keypoints - self.keypoint_mean) / self.keypoint_scale
        shown = self._present(present, keypoints)[:, :, None, None]
        count = shown.sum(1, keepdim=True).clamp(min=1)
        mean = (keypoints * shown).sum(1, keepdim=True) / count
        spread = (((keypoints - mean) * shown).square().sum(1) / count[:, 0]).sum(-1).sqrt()
        return torch.cat([mean.flatten(1), spread], dim=1)

    def encode_temporal(
        self,
        keypoints: Float[Tensor, "batch frames keypoints 3"],
        present: Bool[Tensor, "batch frames"] | None = None,
    ) -> Float[Tensor, "batch frames d_model"]:
        """Temporal style of keypoints (mm from neutral); of the upper ones unless implicit."""
        seen = (keypoints - self.keypoint_mean) / self.keypoint_scale
        if self.expression is None:
            seen = seen[:, :, self.upper].flatten(2)
        else:
            seen = self.expression(seen.flatten(2))
        return self.temporal_style(seen, self._present(present, keypoints))

    def forward(
        self,
        x_t: Float[Tensor, "batch frames coeffs"],
        t: Float[Tensor, " batch"],
        speech: Float[Tensor, "batch frames d_model"],
        global_style: Float[Tensor, "batch d_style"],
        temporal_style: Float[Tensor, "batch frames d_model"] | None = None,
        made: Bool[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch frames coeffs"]:
        """The clean motion expected at ``(x_t, t)``; no temporal style is the same as zeros.

        ``made`` says, in training, whose lips were made by rule; without it lips are real people's.
        """
        frames, d_model = x_t.shape[1], self.config.d_model
        place = sinusoids(torch.arange(frames, device=x_t.device), d_model).to(x_t.dtype)
        time = self.time(sinusoids(1000 * t, d_model).to(x_t.dtype))
        if not self.config.global_style:
            global_style = torch.zeros_like(global_style)
        style, statistics = global_style.split([d_model, self.config.d_statistics], dim=1)
        condition = (style + time)[:, None]
        if self.statistics_in is not None:
            condition = condition + self.statistics_in(statistics)[:, None]
        if self.made_lips is not None and made is not None:
            condition = condition + made[:, None, None] * self.made_lips
        if temporal_style is not None:
            condition = condition + temporal_style
        reach = round(self.config.speech_reach * self.config.fps)
        speech_mask = band(frames, reach, x_t.device)
        x = self.motion_in(x_t) + place
        if self.speech_in is not None:
            x = x + self.speech_in(speech)
        if self.temporal_in is not None and temporal_style is not None:
            x = x + self.temporal_in(temporal_style)
        memory = speech + place
        for layer in self.layers:
            x = layer(x, condition, memory, speech_mask)
        motion = self.head(x)
        if self.statistics_out is not None:
            motion = motion + self.statistics_out(statistics)[:, None]
        if self.speech_out is not None:
            motion = motion + self.speech_out(speech)
        if self.temporal_out is not None and temporal_style is not None:
            motion = motion + self.temporal_out(temporal_style)
        return motion

    def _present(self, present: Tensor | None, keypoints: Tensor) -> Tensor:
        if present is not None:
            return present
        return torch.ones(keypoints.shape[:2], dtype=torch.bool, device=keypoints.device)

    def save(self, folder: Path, card: str) -> None:
        """Write the folder that ``load`` reads; see ``folder.write_folder``."""
        write_folder(folder, self, dataclasses.asdict(self.config), card)

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> "KMSpeaker":
        """The model of a folder, in evaluation mode and single precision.

        Raises:
            InputError: a file is missing or altered, the config has an unknown or missing setting,
                or the tensors are not the config's.
        """
        settings = read_config(folder)
        require_settings(
            folder, settings, {field.name for field in dataclasses.fields(ModelConfig)}
        )
        model = cls(ModelConfig(**settings))
        read_weights(folder, model)
        return model.to(device).eval()
