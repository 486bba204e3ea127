"""A pipeline that needs no weights: the jaw follows loudness, the brows the reference."""

from itertools import pairwise
from pathlib import Path

import numpy as np

from kmspeaker.animation import FaceAnimation
from kmspeaker.audio import Sound
from kmspeaker.face import ARKIT_INDEX, FaceModel
from kmspeaker.performance import Performance, steady
from kmspeaker.reference import Reference
from kmspeaker.tracking import FaceTrack

FPS = 30.0


def made_up_track(frames: int = 90) -> FaceTrack:
    """A face that rests in the middle of a 320x240 picture and is away for its second third."""
    face = FaceModel.load()
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

    def __init__(self) -> None:
        self.face = FaceModel.load()
        self.read: list[Path] = []

    def reference(self, path, *, progress=None, max_seconds=600.0) -> Reference:
        self.read.append(Path(path))
        if progress is not None:
            progress(1.0)
        weights = np.zeros((90, 52), np.float32)
        weights[:, ARKIT_INDEX["browInnerUp"]] = np.linspace(0, 1, 90)
        return Reference(steady(weights, FPS), made_up_track(), Path(path))

    def stylize(self, sound, performance, **options) -> FaceAnimation:
        return self._speak("stylize", sound, performance, **options)

    def localize(self, sound, performance, **options) -> FaceAnimation:
        return self._speak("localize", sound, performance, **options)

    def _speak(
        self,
        use,
        sound: Sound,
        performance: Performance,
        *,
        identity=None,
        seed=0,
        steps=None,
        progress=None,
    ) -> FaceAnimation:
        frames = round(sound.seconds * FPS)
        edges = np.linspace(0, len(sound), frames + 1).astype(int)
        loud = [np.abs(sound.samples[a:b]).max() for a, b in pairwise(edges)]
        weights = np.zeros((frames, 52), np.float32)
        weights[:, ARKIT_INDEX["jawOpen"]] = np.clip(np.array(loud) * 1.5, 0, 0.7)
        weights[:, ARKIT_INDEX["browInnerUp"]] = performance.weights[:, 2].mean()
        if progress is not None:
            progress("motion", 1.0)
        return FaceAnimation(
            weights=weights,
            fps=FPS,
            identity=identity or self.face.identities[0],
            use=use,
            sound=sound,
            model=self.model_name,
            seed=seed,
            steps=steps or 8,
            stage_seconds={"speech": 0.1, "motion": 0.2},
        )
