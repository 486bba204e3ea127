"""A pipeline that needs no weights: the jaw follows loudness, the brows the reference."""

import time
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.animation.controls import NEUTRAL
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.media.audio import Sound
from kmspeaker.reference.load import Reference
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.tracking import FaceTrack

FPS = 30.0
loaded_face = cache(FaceModel.load)


def made_up_track(frames: int = 90) -> FaceTrack:
    """A face that rests in the middle of a 320x240 picture and is away for its second third."""
    face = loaded_face()
    at_rest = face.landmarks(np.zeros((1, 52), np.float32), face.identities[0])[0]
    landmarks = np.zeros((frames, 478, 3), np.float32)
    landmarks[:, :468] = at_rest * (1, -1, -1) + (160, 100, 0)
    confidence = np.ones(frames, np.float32)
    confidence[frames // 3 : 2 * frames // 3] = 0
    return FaceTrack(
        landmarks=landmarks,
        scores=np.zeros((frames, 52), np.float32),
        pose=np.tile(np.eye(4, dtype=np.float32), (frames, 1, 1)),
        confidence=confidence,
        times=np.arange(frames) / FPS,
        width=320,
        height=240,
    )


class FakeSpeaker:
    """Stands in for ``pipeline.Pipeline`` where only the page is tested."""

    model_name = "fake@00000000"

    def __init__(self, *, steps: int = 1, step_seconds: float = 0.0) -> None:
        """Takes ``steps`` of ``step_seconds`` each for a take, and for reading a reference."""
        self.face = loaded_face()
        self.read: list[Path] = []
        self.calls: list[dict] = []
        self.steps = steps
        self.step_seconds = step_seconds

    def reference(self, path, *, progress=None, max_seconds=600.0) -> Reference:
        self.read.append(Path(path))
        for step in range(self.steps):
            time.sleep(self.step_seconds)
            if progress is not None:
                progress((step + 1) / self.steps)
        weights = np.zeros((90, 52), np.float32)
        weights[:, ARKIT_INDEX["browInnerUp"]] = np.linspace(0, 1, 90)
        return Reference(Performance.from_weights(weights, FPS), made_up_track(), Path(path))

    def animate(
        self,
        sound: Sound,
        performance: Performance,
        *,
        use,
        identity=None,
        seeds=(0,),
        controls=NEUTRAL,
        second=None,
        steps=None,
        progress=None,
    ) -> tuple[FaceAnimation, ...]:
        self.calls.append({"controls": controls, "second": second, "seeds": tuple(seeds)})
        frames = round(sound.seconds * FPS)
        edges = np.linspace(0, len(sound), frames + 1).astype(int)
        loud = [np.abs(sound.samples[a:b]).max() for a, b in pairwise(edges)]
        weights = np.zeros((frames, 52), np.float32)
        weights[:, ARKIT_INDEX["jawOpen"]] = np.clip(np.array(loud) * 1.5, 0, 0.7)
        weights[:, ARKIT_INDEX["browInnerUp"]] = performance.weights[:, 2].mean()
        for step in range(self.steps):
            time.sleep(self.step_seconds)
            if progress is not None:
                progress("motion", (step + 1) / self.steps)
        return tuple(
            FaceAnimation(
                weights=weights,
                fps=FPS,
                identity=identity or self.face.identities[0],
                use=use,
                sound=sound,
                model=self.model_name,
                seed=seed,
                steps=steps or 8,
                stage_seconds={"speech": 0.1, "motion": 0.2},
                controls=controls,
            )
            for seed in seeds
        )

    def stylize(self, sound, performance, *, seed=0, **options) -> FaceAnimation:
        return self.animate(sound, performance, use="stylize", seeds=(seed,), **options)[0]

    def localize(self, sound, performance, *, seed=0, **options) -> FaceAnimation:
        return self.animate(sound, performance, use="localize", seeds=(seed,), **options)[0]
