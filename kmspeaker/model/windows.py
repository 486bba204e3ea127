"""Long clips by overlapping windows that are blended at every step of the sampler.

The network sees ``window`` frames at a time. Windows overlap, each fades in and out over the
overlap, and the fades of all windows sum to one at every frame. Blending the predictions inside the
sampler's loop, not the finished windows, keeps one motion through the joint (as MultiDiffusion does
for pictures and EgoAllo for bodies).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from kmspeaker.model.flow import Predict


@dataclass(frozen=True)
class Windows:
    """Where the windows of one clip lie and how much each counts at each of its frames."""

    frames: int
    """Length of the clip."""
    length: int
    """Length of every window; the clip's own where that is shorter."""
    starts: Int64[Tensor, " windows"]
    """First frame of each window; the last window ends with the clip."""
    shares: Float[Tensor, "windows length"]
    """Ramps that sum to one at every frame of the clip."""

    @classmethod
    def over(cls, frames: int, *, window: int, overlap: int) -> "Windows":
        """Windows for a clip of ``frames``, neighbours sharing at least ``overlap`` frames."""
        length = min(frames, window)
        stride = window - overlap
        count = 1 + max(0, -(-(frames - window) // stride))
        # Spread evenly: every window is whole, and no last one is a sliver.
        starts = torch.linspace(0, frames - length, count, dtype=torch.float64).round().long()
        ramp = torch.ones(count, length)
        for index in range(1, count):
            shared = int(starts[index - 1]) + length - int(starts[index])
            rising = (torch.arange(shared) + 0.5) / shared
            ramp[index, :shared] *= rising
            ramp[index - 1, length - shared :] *= 1 - rising
        whole = cls(frames, length, starts, ramp)
        total = whole._overlay(ramp[..., None])
        return cls(frames, length, starts, ramp / whole.cut(total)[..., 0])

    def __len__(self) -> int:
        return len(self.starts)

    def cut(self, clip: Tensor) -> Tensor:
        """Each window's part of ``clip (frames, channels)`` as ``(windows, length, channels)``."""
        return clip.unfold(0, self.length, 1)[self.starts.to(clip.device)].transpose(1, 2)

    def blend(self, parts: Tensor) -> Tensor:
        """One clip ``(frames, channels)`` from what the windows say, weighted by their shares."""
        return self._overlay(parts * self.shares.to(parts.device, parts.dtype)[..., None])

    def _overlay(self, parts: Tensor) -> Tensor:
        clip = parts.new_zeros(self.frames, parts.shape[-1])
        place = self.starts[:, None] + torch.arange(self.length)
        return clip.index_add(0, place.flatten().to(parts.device), parts.flatten(0, 1))

    def predict(self, predict_windows: Callable[[Tensor, float], Tensor]) -> Predict:
        """A predictor of whole clips ``(clips, frames, channels)`` from one of windows.

        All windows of all clips are one batch, clip after clip.
        """

        def whole(x_t: Tensor, t: float) -> Tensor:
            answers = predict_windows(torch.cat([self.cut(clip) for clip in x_t]), t)
            return torch.stack([self.blend(parts) for parts in answers.split(len(self))])

        return whole


def frame_noise(frames: int, channels: int, seed: int) -> Float[Tensor, "frames channels"]:
    """Standard normal noise drawn frame after frame, so that a longer clip begins with the same.

    (torch's own generator does not promise this: it redraws the last values of an odd length.)
    """
    drawn = np.random.default_rng(seed).standard_normal((frames, channels))
    return torch.from_numpy(drawn.astype(np.float32))
