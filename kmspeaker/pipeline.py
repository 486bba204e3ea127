"""The whole program in two calls: ``stylize`` and ``localize``.

Everything above (command line, app, evaluation) goes through here, and everything here through the
stages. The pipeline holds what is loaded; nothing of a request stays on it, so that two visitors
may share one.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from kmspeaker.animation import FaceAnimation, Use
from kmspeaker.audio import Sound
from kmspeaker.errors import InputError
from kmspeaker.face import FaceModel
from kmspeaker.generate import generate
from kmspeaker.hub import resolve_model, verify_model
from kmspeaker.limits import DEFAULT_MODEL, MAX_SECONDS
from kmspeaker.model import KMSpeaker
from kmspeaker.performance import Performance, Progress
from kmspeaker.reference import Reference, load_reference
from kmspeaker.speech import SpeechEncoder, load_encoder, speech_features

StageProgress = Callable[[str, float], None]
"""Called with the stage's name and the fraction of it that is done."""


@dataclass(frozen=True)
class Pipeline:
    """A face, a speech encoder and a model, ready to speak."""

    face: FaceModel
    encoder: SpeechEncoder
    model: KMSpeaker
    model_name: str
    """Which weights speak: name and the first eight digits of their sha256, ``small@1a2b3c4d``."""

    @classmethod
    def load(
        cls,
        model: str = DEFAULT_MODEL,
        *,
        device: str = "auto",
        progress: Progress | None = None,
    ) -> "Pipeline":
        """Load a model by name and everything it needs.

        Args:
            model: a bundled name, a folder, or ``owner/repo@revision`` on the Hugging Face Hub.
            device: "cpu", "cuda", or "auto" for a GPU where there is one.
            progress: told the fraction of a download that is done.

        Raises:
            InputError: the model is not to be had or not what its manifest says, or ``device`` is
                not there.
        """
        device = _device(device)
        folder = resolve_model(model, progress=progress)
        digest = verify_model(folder)
        network = KMSpeaker.load(folder, device)
        encoder = load_encoder(network.config.speech_encoder, device)
        name = model if "/" in model and not Path(model).exists() else folder.name
        return cls(FaceModel.load(), encoder, network, f"{name}@{digest[:8]}")

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
    ) -> Reference:
        """Read a reference: a video, a saved track or a Live Link Face CSV.

        Raises:
            InputError: it is none of these, shows no face, or is too long.
        """
        return load_reference(
            path, self.face, fps=self.fps, progress=progress, max_seconds=max_seconds
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
        """Say the speech in the manner of a reference (example-based generation).

        Args:
            sound: the speech.
            reference: the performance whose manner to take; of any length.
            identity: one of ``face.identities``; the first where None.
            seed: another seed gives another take.
            steps: steps of the sampler; the model's own number where None.
            progress: told each stage and the fraction of it that is done.

        Raises:
            InputError: an unknown identity, a reference without a face, or a bad number of steps.
        """
        return self._speak(
            "stylize", sound, reference, None, identity, seed=seed, steps=steps, progress=progress
        )

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

        The arguments are those of ``stylize``. The animation is as long as the speech; where the
        performance has ended, or shows no face, its manner alone is followed.
        """
        return self._speak(
            "localize",
            sound,
            performance,
            performance,
            identity,
            seed=seed,
            steps=steps,
            progress=progress,
        )

    def _speak(
        self,
        use: Use,
        sound: Sound,
        style: Performance,
        temporal: Performance | None,
        identity: str | None,
        *,
        seed: int,
        steps: int | None,
        progress: StageProgress | None,
    ) -> FaceAnimation:
        identity = self.face.identities[0] if identity is None else identity
        self.face.neutral(identity)  # refuses an unknown one before any work
        report = progress or (lambda stage, fraction: None)
        started = time.perf_counter()
        report("listen", 0.0)
        frames = max(1, round(sound.seconds * self.fps))
        features = speech_features(self.encoder, sound, fps=self.fps, frames=frames)
        listened = time.perf_counter()
        report("listen", 1.0)
        weights = generate(
            self.model,
            self.face,
            features,
            style,
            temporal,
            seed=seed,
            steps=steps,
            progress=lambda fraction: report("generate", fraction),
        )
        generated = time.perf_counter()
        return FaceAnimation(
            weights=weights,
            fps=self.fps,
            identity=identity,
            use=use,
            sound=sound,
            model=self.model_name,
            seed=seed,
            steps=self.model.config.steps if steps is None else steps,
            stage_seconds={"listen": listened - started, "generate": generated - listened},
        )


def _device(name: str) -> str:
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"Got the device {name!r}; it is one of auto, cpu, cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("Got the device cuda, but torch finds no GPU here; use cpu or auto.")
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return name
