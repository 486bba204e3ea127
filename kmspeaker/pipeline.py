"""The whole program in one call, ``animate``; ``stylize`` and ``localize`` are its plain uses.

Place in the flow: command line, batch and app go through here, and everything here through the
stages. Evaluation and training call ``model.sampling`` themselves. The pipeline holds what is
loaded; nothing of a request stays on it, so that two visitors may share one.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from kmspeaker.animation.animation import FaceAnimation, Use
from kmspeaker.animation.controls import NEUTRAL, Controls
from kmspeaker.animation.editing import apply_controls, fit_timing, head_motion
from kmspeaker.animation.silence import settle_lips
from kmspeaker.baselines.systems import System, load_system, rival
from kmspeaker.baselines.without_network import RIVALS
from kmspeaker.errors import InputError
from kmspeaker.face.rig import FaceModel, Weights
from kmspeaker.hub import resolve_model, verify_model
from kmspeaker.limits import DEFAULT_MODEL, MAX_SECONDS
from kmspeaker.media.audio import Sound
from kmspeaker.model.network import KMSpeaker
from kmspeaker.model.sampling import generate_batch, global_style_of
from kmspeaker.progress import Progress, StageProgress
from kmspeaker.reference.load import Neutral, Reference, load_reference
from kmspeaker.reference.performance import Performance
from kmspeaker.speech.encoders import SpeechEncoder, load_encoder, speech_features

MOST_TAKES = 16
"""Takes made at once."""


@dataclass(frozen=True)
class Pipeline:
    """A face, a speech encoder and a model, ready to speak."""

    face: FaceModel
    encoder: SpeechEncoder
    model: System
    model_name: str
    """Which weights speak: name and the first eight digits of their sha256, ``small@1a2b3c4d``."""

    @classmethod
    def load(
        cls,
        model: str = DEFAULT_MODEL,
        *,
        device: str = "auto",
        beside: "Pipeline | None" = None,
        progress: Progress | None = None,
    ) -> "Pipeline":
        """Load a model by name and everything it needs.

        Args:
            model: a bundled name, a folder, or ``owner/repo@revision`` on the Hugging Face Hub; or
                a rival without a network (``baselines.without_network``), around the default model.
            device: "cpu", "cuda", or "auto" for a GPU where there is one.
            beside: one that is loaded: its face is shared, its encoder where both hear with the
                same, and a rival is built around its model where that is one of ours.
            progress: told the fraction of a download that is done.

        Raises:
            InputError: the model is not to be had or not what its manifest says, or ``device`` is
                not there.
        """
        device = _device(device)
        if model in RIVALS and beside is not None and isinstance(beside.model, KMSpeaker):
            name = f"{model}@{beside.model_name.rsplit('@', 1)[-1]}"
            return replace(beside, model=rival(model, beside.model), model_name=name)
        folder = resolve_model(DEFAULT_MODEL if model in RIVALS else model, progress=progress)
        digest = verify_model(folder)
        system: System = load_system(folder, "cpu" if model in RIVALS else device)
        if model in RIVALS:
            assert isinstance(system, KMSpeaker)
            name, system = model, rival(model, system)
        else:
            name = model if "/" in model and not Path(model).exists() else folder.name
        hears = system.config.speech_encoder
        if beside is not None and beside.model.config.speech_encoder == hears:
            encoder = beside.encoder
        else:
            encoder = load_encoder(hears, device)
        face = FaceModel.load() if beside is None else beside.face
        return cls(face, encoder, system, f"{name}@{digest[:8]}")

    @property
    def fps(self) -> float:
        """The rate of what it generates, frames a second."""
        return self.model.config.fps

    def reference(
        self,
        path: Path,
        *,
        progress: Progress | None = None,
        max_seconds: float = MAX_SECONDS,
        neutral: Neutral | None = None,
        rate: float | None = None,
    ) -> Reference:
        """Read a reference: a video, a saved track or a Live Link Face CSV.

        Args:
            path: the file.
            progress: told the fraction done.
            max_seconds: longer ones are refused.
            neutral: when the person is at rest, seconds, or a picture of that; found where None.
            rate: rows a second of a CSV whose time codes do not tell.

        Raises:
            InputError: it is none of these, shows no face, or is too long; or ``neutral`` shows
                none.
        """
        return load_reference(
            path,
            self.face,
            fps=self.fps,
            progress=progress,
            max_seconds=max_seconds,
            neutral=neutral,
            rate=rate,
        )

    def animate(
        self,
        sound: Sound,
        performance: Performance,
        *,
        use: Use,
        identity: str | None = None,
        seeds: Sequence[int] = (0,),
        controls: Controls = NEUTRAL,
        second: Performance | None = None,
        steps: int | None = None,
        progress: StageProgress | None = None,
    ) -> tuple[FaceAnimation, ...]:
        """Animations of one speech and one performance, one for each seed, as one batch.

        Args:
            sound: the speech.
            performance: whose style to take, of any length; with ``localize`` the upper face also
                follows it frame by frame. Where it has ended, or shows no face, its style alone is
                followed.
            use: "stylize" (example-based generation) or "localize" (dubbing).
            identity: one of ``face.identities``; the first where None.
            seeds: each gives another animation, the same as it would be alone.
            controls: what else is asked; the defaults change nothing.
            second: the performance whose style ``controls.style_mix`` blends in.
            steps: steps of the sampler; the model's own number where None.
            progress: told each stage and the fraction of it that is done.

        Returns:
            Animations as long as the speech, in the order of ``seeds``.

        Raises:
            InputError: an unknown identity, a performance without a face, no seeds or a bad one, a
                bad number of steps, or a style to blend in that is not given.
        """
        identity = self.face.identities[0] if identity is None else identity
        self.face.neutral(identity)  # refuses an unknown one before any work
        check_seeds(seeds)
        report = progress or (lambda stage, fraction: None)
        started = time.perf_counter()
        report("listen", 0.0)
        frames = max(1, round(sound.seconds * self.fps))
        features = speech_features(self.encoder, sound, fps=self.fps, frames=frames)
        encoded = time.perf_counter()
        report("listen", 1.0)
        performance_in_time = fit_timing(performance, frames, self.fps, controls)
        batch = self.motion(
            features,
            self._global_style(performance, second, controls),
            performance_in_time if use == "localize" else None,
            seeds=seeds,
            guidance=controls.guidance,
            steps=steps,
            progress=lambda fraction: report("generate", fraction),
        )
        batch = [
            apply_controls(
                settle_lips(weights, self.face, self.fps), performance_in_time, self.face, controls
            )
            for weights in batch
        ]
        generated = time.perf_counter()
        return tuple(
            FaceAnimation(
                weights=weights,
                fps=self.fps,
                identity=identity,
                use=use,
                sound=sound,
                model=self.model_name,
                seed=seed,
                steps=self.model.config.steps if steps is None else steps,
                stage_seconds={"listen": encoded - started, "generate": generated - encoded},
                head=head_motion(performance_in_time) if controls.head == "reference" else None,
                controls=controls,
            )
            for seed, weights in zip(seeds, batch, strict=True)
        )

    def style_of(self, performance: Performance) -> Float[Tensor, "1 d_style"]:
        """What a performance is to the system; ``motion`` takes it.

        Raises:
            InputError: no frame shows a face.
        """
        if isinstance(self.model, KMSpeaker):
            return global_style_of(self.model, self.face, performance)
        return self.model.style_of(self.face, performance)

    def motion(
        self,
        features: Float32[np.ndarray, "frames d_speech"],
        style: Float[Tensor, "1 d_style"],
        performance: Performance | None = None,
        *,
        seeds: Sequence[int] = (0,),
        guidance: float = 1.0,
        steps: int | None = None,
        progress: Progress | None = None,
    ) -> tuple[Weights, ...]:
        """The system's motion alone, as ``animate`` has it before lips are settled and controlled.

        See ``model.sampling.generate_batch`` for the arguments and errors.
        """
        made = (
            partial(generate_batch, self.model)
            if isinstance(self.model, KMSpeaker)
            else self.model.animate
        )
        return made(
            self.face,
            features,
            style,
            performance,
            seeds=seeds,
            guidance=guidance,
            steps=steps,
            progress=progress,
        )

    def stylize(
        self,
        sound: Sound,
        reference: Performance,
        *,
        identity: str | None = None,
        seed: int = 0,
        steps: int | None = None,
        progress: StageProgress | None = None,
    ) -> FaceAnimation:
        """Say the speech in the style of a reference: one plain animation, see ``animate``."""
        (animation,) = self.animate(
            sound,
            reference,
            use="stylize",
            identity=identity,
            seeds=(seed,),
            steps=steps,
            progress=progress,
        )
        return animation

    def localize(
        self,
        sound: Sound,
        performance: Performance,
        *,
        identity: str | None = None,
        seed: int = 0,
        steps: int | None = None,
        progress: StageProgress | None = None,
    ) -> FaceAnimation:
        """Dub a performance: lips say the speech, the upper face follows frame by frame.

        One plain animation, see ``animate``.
        """
        (animation,) = self.animate(
            sound,
            performance,
            use="localize",
            identity=identity,
            seeds=(seed,),
            steps=steps,
            progress=progress,
        )
        return animation

    def _global_style(
        self, first: Performance, second: Performance | None, controls: Controls
    ) -> Float[Tensor, "1 d_style"]:
        """The global style, blended, then taken towards or away from the mean style.

        The mean style is that of the training data, measured when the model was saved. (Ours: the
        paper has no such control.)
        """
        style = self.style_of(first)
        if controls.style_mix > 0:
            if second is None:
                raise InputError(
                    f"Got style_mix {controls.style_mix:g} without a second reference; give one, "
                    "or set it to 0."
                )
            style = torch.lerp(style, self.style_of(second), controls.style_mix)
        return torch.lerp(self.model.style_mean[None], style, controls.style_strength)


def check_seeds(seeds: Sequence[int], most: int = MOST_TAKES) -> None:
    """Refuse seeds that ``animate`` could not use, before any work is done for them.

    Args:
        seeds: One for each take.
        most: Takes that may be made at once; a page allows fewer.

    Raises:
        InputError: None or too many, or one that is negative or too large.
    """
    if not 1 <= len(seeds) <= most:
        raise InputError(f"Got {len(seeds)} seeds; 1 to {most} takes can be made at once.")
    for seed in seeds:
        if not 0 <= seed < 2**31:
            raise InputError(f"Got seed {seed}; it must be 0 or more and below {2**31}.")


def _device(name: str) -> str:
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"Got the device {name!r}; it is one of auto, cpu, cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("Got the device cuda, but torch finds no GPU here; use cpu or auto.")
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name
