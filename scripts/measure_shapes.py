"""What mediapipe answers to each shape: ``PYTHONPATH=. python scripts/measure_shapes.py``.

Every head is drawn from the front, at rest and with one shape at 1 at a time (both sides together),
and read by FaceLandmarker. Printed is the score above the head's own neutral, the mean and the
least over the heads, and which other score rises most. ``--emotions FOLDER`` also draws the poses
of six emotions and lets the reader in that folder (``expression_reader.py``) name them.
"""

import argparse
import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
from emotions import EMOTIONS, posed

from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.rig import ARKIT_NAMES, FaceModel, without_side
from kmspeaker.reference.landmarker import Detection, detect_faces

SIZE = 512
READABLE = (
    *("browDown", "browInnerUp", "browOuterUp", "eyeBlink", "eyeSquint", "eyeWide", "mouthSmile"),
    *("mouthFrown", "mouthUpperUp", "mouthLowerDown", "mouthPress", "mouthStretch", "jawOpen"),
    *("mouthPucker", "mouthFunnel", "mouthLeft", "mouthRight", "mouthShrugLower"),
    *("mouthShrugUpper", "mouthRollLower", "mouthRollUpper"),
)
"""Shapes without a side that mediapipe scores at all; it never scores sneers, squinted or puffed
cheeks and jaws moved sideways, whoever's face it is."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Print what mediapipe answers to each shape.")
    parser.add_argument("--emotions", type=Path, help="folder of expression_reader.py")
    options = parser.parse_args()
    face = FaceModel.load()
    print_shapes(face)
    if options.emotions is not None:
        print_emotions(face, options.emotions)


def print_shapes(face: FaceModel) -> None:
    """The table of single shapes."""
    answers: dict[str, list[dict[str, float]]] = {}
    for identity in face.identities:
        poses = [posed({}), *(posed({shape: 1.0}) for shape in READABLE)]
        found = read(face, identity, poses)
        answers[identity] = [scores(each) for each in found]
        neutral = answers[identity][0]
        high = {k: round(v, 2) for k, v in neutral.items() if v > 0.25}
        print(f"{identity:8} at rest, above .25: {high or 'nothing'}")
    for k, shape in enumerate(READABLE, 1):
        rises = {name: each[k][shape] - each[0][shape] for name, each in answers.items()}
        others = [
            (each[k][other] - each[0][other], other)
            for each in answers.values()
            for other in each[k]
            if other != shape
        ]
        least = min(rises, key=lambda name: rises[name])
        most, other = max(others)
        print(
            f"{shape:16} mean {np.mean(list(rises.values())):.2f}  least {rises[least]:.2f} "
            f"({least})  most of others {most:.2f} ({other})"
        )


def print_emotions(face: FaceModel, folder: Path) -> None:
    """How many of the heads' posed emotions the reader names."""
    reader = _load(folder)
    judges = reader.FaceApi(), reader.Facex()
    named: dict[tuple[str, float], list[bool]] = {}
    for identity in face.identities:
        shown = [("neutral", 1.0)]
        shown += [(name, strength) for strength in (1.0, 0.5) for name in EMOTIONS]
        poses = [
            posed({shape: strength * value for shape, value in EMOTIONS.get(name, {}).items()})
            for name, strength in shown
        ]
        with HeadRenderer(face, identity, SIZE, SIZE, yaw=0.0) as renderer:
            pictures = [renderer.frame(pose) for pose in poses]
        timed = ((k / 10, picture) for k, picture in enumerate(pictures))
        for what, picture, (_, _, faces) in zip(shown, pictures, detect_faces(timed), strict=True):
            right = False
            if faces:
                seen = reader.read(picture, faces[0].landmarks[:, :2], *judges)
                right = reader.L[int(seen.argmax())] == what[0]
            named.setdefault(what, []).append(right)
    for (name, strength), right in named.items():
        print(f"{name:10} at {strength:.1f}: {np.mean(right):.2f}")
    for strength in (1.0, 0.5):
        right = [np.mean(named[name, strength]) for name in EMOTIONS]
        print(f"six emotions at {strength:.1f}: {np.mean(right):.2f}")


def read(face: FaceModel, identity: str, poses: list[np.ndarray]) -> list[Detection]:
    """What is found in a picture of each pose.

    Raises:
        SystemExit: no face is found in one.
    """
    with HeadRenderer(face, identity, SIZE, SIZE, yaw=0.0) as renderer:
        pictures = ((k / 10, renderer.frame(pose)) for k, pose in enumerate(poses))
        found = [faces[:1] for _, _, faces in detect_faces(pictures)]
    if not all(found):
        raise SystemExit(f"no face was found in a picture of {identity}")
    return [each[0] for each in found]


def scores(found: Detection) -> dict[str, float]:
    """By shape without a side, the mean of both."""
    sides: dict[str, list[float]] = {}
    for name, score in zip(ARKIT_NAMES, found.scores, strict=True):
        sides.setdefault(without_side(name), []).append(float(score))
    return {name: float(np.mean(each)) for name, each in sides.items()}


def _load(folder: Path) -> ModuleType:
    sys.path.insert(0, str(folder))
    return importlib.import_module("expression_reader")


if __name__ == "__main__":
    main()
