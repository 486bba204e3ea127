"""What MSMD and DiffPoseTalk share: diffusion of a window that goes on from the one before.

Place in the flow: ``msmd`` and ``diffposetalk`` add how they read a style and what they lower.
Training takes the two windows of an excerpt as one batch: the first has learnt features of a
beginning before it, the second the last frames of the first (the true ones, as in both methods'
code), or features of a beginning as well where it does not follow directly. A clip of any length is
made window after window, the last one filled up with its last frame of speech and cut (theirs are
filled up with silence and marked so). Sources: baselines 2.1, 2.3, 6.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from kmspeaker.baselines.baseline import Baseline
from kmspeaker.baselines.denoiser import Conditions, Denoiser, WindowDiffusionConfig
from kmspeaker.baselines.diffusion import SCHEDULES
from kmspeaker.baselines.excerpt import Excerpt, squared
from kmspeaker.model.windows import frame_noise


@dataclass(frozen=True)
class Errors:
    """How far made windows are from the true ones, mm², each a mean over frames and items."""

    position: Float[Tensor, ""]
    velocity: Float[Tensor, ""]
    """Of frame differences, also with the last frame of the window before."""
    roughness: Float[Tensor, ""]
    """Squared change of velocity of what was made, which L_smooth holds down."""

    @classmethod
    def of(
        cls,
        made: Float[Tensor, "batch frames coeffs"],
        true: Float[Tensor, "batch frames coeffs"],
        follows: Bool[Tensor, " batch"],
        gram: Float[Tensor, "coeffs coeffs"],
    ) -> "Errors":
        """Of windows in whitened coefficients; where one follows, what precedes it was true."""
        error = made - true
        change = torch.cat([error[:, :1] * follows[:, None, None], error.diff(dim=1)], dim=1)
        return cls(*(squared(e, gram).mean() for e in (error, change, made.diff(n=2, dim=1))))


class WindowDiffusion(Baseline):
    """A baseline that denoises windows."""

    config: WindowDiffusionConfig
    config_class = WindowDiffusionConfig

    def __init__(self, config: WindowDiffusionConfig, *, extra: int = 0) -> None:
        """The denoiser of a config.

        Args:
            config: sizes and sampler.
            extra: channels that the denoiser answers besides the motion's.
        """
        super().__init__(config)
        self.schedule = SCHEDULES[config.schedule](config.diffusion_steps)
        self.denoiser = Denoiser(config, config.n_coeffs + extra)
        self.null_style = nn.Parameter(torch.zeros(config.d_style))

    def compose(
        self,
        answer: Float[Tensor, "batch window n_out"],
        style: Float[Tensor, "batch d_style"],
    ) -> Float[Tensor, "batch window coeffs"]:
        """Motion of what the denoiser answers: here just that."""
        del style
        return answer

    def predict(
        self,
        x_n: Float[Tensor, "batch window coeffs"],
        step: Int64[Tensor, " batch"],
        conditions: Conditions,
    ) -> Float[Tensor, "batch window coeffs"]:
        """The data expected at noisy windows, each at its own step of the diffusion."""
        style = torch.where(conditions.styled[:, None], conditions.style, self.null_style)
        return self.compose(self.denoiser(x_n, step, conditions, style), style)

    def conditions(
        self,
        excerpt: Excerpt,
        style: Float[Tensor, "batch 2 d_style"],
        hears: Bool[Tensor, "batch 2"],
        styled: Bool[Tensor, "batch 2"],
    ) -> Conditions:
        """Of both windows of each item, the items one after the other.

        Args:
            excerpt: two windows of each item.
            style: that each window is made in.
            hears: whether its speech is told.
            styled: whether its style is told.
        """
        first = excerpt.motion.shape[2] - self.config.previous_frames

        def previous(sequence: Tensor) -> Tensor:
            end = sequence[:, 0, first:]
            return torch.stack([torch.zeros_like(end), end], dim=1)

        return Conditions(
            torch.cat([previous(excerpt.speech), excerpt.speech], dim=2).flatten(0, 1),
            previous(excerpt.motion).flatten(0, 1),
            torch.stack([torch.zeros_like(excerpt.adjacent), excerpt.adjacent], dim=1).flatten(),
            style.flatten(0, 1),
            hears.flatten(),
            styled.flatten(),
        )

    def denoised(self, excerpt: Excerpt, conditions: Conditions) -> Float[Tensor, "windows f c"]:
        """What is made of the windows' motion after noise of random steps, for training."""
        true = excerpt.motion.flatten(0, 1)
        step = torch.randint(1, len(self.schedule) + 1, true.shape[:1], device=true.device)
        x_n = self.schedule.noised(true, torch.randn_like(true), step)
        return self.predict(x_n, step, conditions)

    def guided(
        self, x_n: Float[Tensor, "takes window coeffs"], step: int, conditions: Conditions
    ) -> Float[Tensor, "takes window coeffs"]:
        """Incremental guidance without a classifier: from null to speech, then on to the style.

        ``null + audio_guidance (heard - null) + style_guidance (both - heard)``, where passes that
        count nothing are not made: with both at 1 only the last is.
        """
        audio, style = self.config.audio_guidance, self.config.style_guidance
        told = {(False, False): 1 - audio, (True, False): audio - style, (True, True): style}
        at = torch.full(x_n.shape[:1], step, device=x_n.device)
        answer = torch.zeros_like(x_n)
        for (hears, styled), weight in told.items():
            if weight != 0:
                partly = dataclasses.replace(
                    conditions,
                    hears=torch.full_like(conditions.hears, hears),
                    styled=torch.full_like(conditions.styled, styled),
                )
                answer = answer + weight * self.predict(x_n, at, partly)
        return answer

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
        """Motion window by window; the arguments are those of ``Baseline.make``.

        Neither method can follow a performance, so ``performance`` and ``guidance``, which leads
        towards one, are left out.
        """
        del performance, guidance
        config, takes, frames = self.config, len(seeds), len(speech)
        window, kept = config.window_frames, config.previous_frames
        count = -(-frames // window)
        filled = torch.cat([speech, speech[-1:].expand(count * window - frames, -1)])
        heard = torch.cat([speech.new_zeros(kept, speech.shape[1]), filled])  # previous first
        noise = torch.stack([frame_noise(len(filled), config.n_coeffs, seed) for seed in seeds])
        noise = noise.to(speech.device)
        told = torch.ones(takes, dtype=torch.bool, device=speech.device)
        motion = noise.new_zeros(takes, kept, config.n_coeffs)
        for index in range(count):
            begin = index * window
            conditions = Conditions(
                heard[begin : begin + kept + window].expand(takes, -1, -1),
                motion[:, begin : begin + kept],
                told if index else ~told,
                style.expand(takes, -1),
                told,
                told,
            )
            made = self.schedule.sample(
                lambda x_n, step, conditions=conditions: self.guided(x_n, step, conditions),
                noise[:, begin : begin + window],
                steps=steps,
                bend=config.bend,
                progress=lambda done, index=index: progress((index + done) / count),
            )
            motion = torch.cat([motion, made], dim=1)
        return motion[:, kept : kept + frames]
