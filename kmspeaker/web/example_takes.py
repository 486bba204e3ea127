"""Takes of the ready examples: shown without asking the model, whoever comes.

``scripts/build_example_takes.py`` writes them beside the examples for the bundled model; for
another model each is made once, when first asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.examples import Example
from kmspeaker.media.audio import load_sound
from kmspeaker.reference.load import Reference
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.tracking import FaceTrack
from kmspeaker.web.session import SessionReference


@dataclass(frozen=True)
class ExampleTake:
    """An example as one visitor after another sees it."""

    reference: Reference
    animation: FaceAnimation
    seconds: float
    """How long reading the reference took when it was read."""


class ExampleTakes:
    """By the examples' names, for one model."""

    def __init__(self, examples: Mapping[str, Example], model_name: str) -> None:
        """Know what is bundled for ``model_name``, digest included."""
        self._examples = examples
        self._takes: dict[str, ExampleTake] = {}
        for name, example in examples.items():
            take = _load(example, model_name)
            if take is not None:
                self._takes[name] = take

    @property
    def complete(self) -> bool:
        """Whether no example needs the model."""
        return len(self._takes) == len(self._examples)

    def of(self, name: str) -> ExampleTake | None:
        """The take, if it was made before."""
        return self._takes.get(name)

    def remember(self, name: str, reference: SessionReference, animation: FaceAnimation) -> None:
        """Keep a take that had to be made."""
        self._takes[name] = ExampleTake(
            Reference(reference.performance, reference.face_track, reference.source),
            animation,
            reference.read_seconds,
        )


def bundled(example: Example) -> tuple[Path, Path]:
    """The files of an example's take and of its reference's track."""
    folder = example.reference.parent
    return folder / f"{example.name}.take.npz", folder / f"{example.name}.track.npz"


def save_example_take(example: Example, take: ExampleTake) -> None:
    """Write what ``ExampleTakes`` reads."""
    animation, performance = take.animation, take.reference.performance
    file, track = bundled(example)
    assert take.reference.track is not None
    take.reference.track.save(track)
    np.savez_compressed(
        file,
        weights=animation.weights.astype(np.float16),
        fps=animation.fps,
        model=animation.model,
        seed=animation.seed,
        steps=animation.steps,
        stages=list(animation.stage_seconds),
        stage_seconds=list(animation.stage_seconds.values()),
        seconds=take.seconds,
        performance=performance.weights.astype(np.float16),
        performance_fps=performance.fps,
        present=performance.present,
        bridged=performance.bridged,
        head=performance.head,
        doubtful=performance.doubtful,
    )


def _load(example: Example, model_name: str) -> ExampleTake | None:
    file, track = bundled(example)
    if not file.is_file() or not track.is_file():
        return None
    with np.load(file) as arrays:
        if str(arrays["model"]) != model_name or int(arrays["seed"]) != example.seed:
            return None
        stages = zip(arrays["stages"].tolist(), arrays["stage_seconds"].tolist(), strict=True)
        animation = FaceAnimation(
            weights=arrays["weights"].astype(np.float32),
            fps=float(arrays["fps"]),
            identity=example.identity,
            use="localize" if example.use == "localize" else "stylize",
            sound=load_sound(example.speech),
            model=model_name,
            seed=example.seed,
            steps=int(arrays["steps"]),
            stage_seconds=dict(stages),
        )
        performance = Performance(
            weights=arrays["performance"].astype(np.float32),
            fps=float(arrays["performance_fps"]),
            present=arrays["present"],
            bridged=arrays["bridged"],
            head=arrays["head"],
            doubtful=arrays.get("doubtful", np.zeros(len(arrays["present"]), bool)),
        )
        seconds = float(arrays["seconds"])
    return ExampleTake(
        Reference(performance, FaceTrack.load(track), example.reference), animation, seconds
    )
