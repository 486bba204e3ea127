"""Draw people who do not exist, with known weights, and read them: ``render_expressions.py``.

SOURCE and LOOKS as for ``build_face.py``; RECORDINGS is a folder of Live Link Face files. Random
people (the scans' identity modes, our skins) are drawn at rest and with random expressions, sides
and light, and FaceLandmarker reads the pictures. Writes one ``.npz`` with what it found and the
weights behind it, from which ``fit_score_inverse.py`` learns.
"""

import argparse
import io
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from emotions import EMOTIONS, posed
from facebuild import corners, ict, seams
from facebuild.head import OWN_MODES, Macros, build_head
from PIL import Image, ImageFilter

from kmspeaker.corpus.performances.recordings import UpperFaces, mirror
from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.rig import ARKIT_INDEX, ARKIT_NAMES, FaceModel
from kmspeaker.reference.landmarker import detect_faces

SIZE = 256
AT_REST = 6
"""The first pictures of each person."""
SIDES = (25.0, 14.0, 8.0)
"""Yaw, pitch and roll, degrees either way."""
OWN = 0.5
"""How strongly own features are drawn, standard deviations."""
SHOWN_WITH: Mapping[str, tuple[tuple[str, float, float, float], ...]] = {
    "mouthSmile": (("cheekSquint", 0.9, 0.4, 1.1), ("mouthUpperUp", 0.4, 0.0, 0.4)),
    "noseSneer": (("mouthUpperUp", 0.8, 0.3, 0.9), ("browDown", 0.8, 0.4, 1.0)),
    "mouthUpperUp": (("noseSneer", 0.5, 0.3, 1.0),),
    "browDown": (("noseSneer", 0.25, 0.2, 0.8), ("eyeSquint", 0.4, 0.2, 0.8)),
    "cheekSquint": (("eyeSquint", 0.7, 0.3, 0.9),),
    "mouthFrown": (("mouthShrugLower", 0.5, 0.3, 0.9),),
    "browOuterUp": (("browInnerUp", 0.6, 0.5, 1.0), ("eyeWide", 0.4, 0.3, 1.0)),
}
"""The company of a shape: another, how often, and least and most of it as a share."""
ALONE = (
    *("browDown", "browInnerUp", "browOuterUp", "eyeSquint", "eyeWide", "cheekSquint", "noseSneer"),
    *("mouthSmile", "mouthFrown", "mouthUpperUp", "mouthStretch", "mouthPress", "mouthDimple"),
    *("mouthShrugLower", "mouthShrugUpper", "mouthPucker", "mouthFunnel", "mouthLowerDown"),
    *("mouthRollLower", "mouthRollUpper", "jawOpen"),
)
ONE_SIDED = ("mouthLeft", "mouthRight", "jawLeft", "jawRight")


@dataclass(frozen=True)
class Stranger:
    """Somebody to draw."""

    number: int
    neutral: np.ndarray  # (V, 3) mm
    like: str
    """Whose skin and hair."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw random people with known weights.")
    parser.add_argument("source", type=Path)
    parser.add_argument("looks", type=Path)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--people", type=int, default=48)
    parser.add_argument("--each", type=int, default=126, help="pictures of one")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    strangers = invent(options.source, options.looks, options.people)
    recorded = np.concatenate(UpperFaces.read(options.recordings, 10.0).performances)
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        parts = pool.map(
            draw, strangers, *([value] * len(strangers) for value in (options.each, recorded))
        )
        found: dict[str, list[np.ndarray]] = {}
        for stranger, part in zip(strangers, parts, strict=True):
            print(f"person {stranger.number}: {len(part['scores'])} pictures", flush=True)
            for name, values in part.items():
                found.setdefault(name, []).append(values)
    arrays = {name: np.concatenate(values) for name, values in found.items()}
    np.savez_compressed(options.output, allow_pickle=False, **arrays)


def invent(source: Path, looks: Path, count: int) -> list[Stranger]:
    """People of every age, sex and origin, mended as the cast is."""
    macros = Macros.load(looks / "ict_from_macros.npz")
    grounds = list(corners.coefficients(macros).values())[:-2]
    coefficients, resting = {}, {}
    for number in range(count):
        rng = np.random.default_rng((7, number))
        own = np.zeros(ict.MODES)
        own[list(OWN_MODES)] = rng.normal(0, OWN, len(OWN_MODES)).clip(-2 * OWN, 2 * OWN)
        share = rng.uniform()
        one, other = rng.choice(len(grounds), 2, replace=False)
        name = str(number)
        coefficients[name] = own + share * grounds[one] + (1 - share) * grounds[other]
        brows = rng.uniform(0, 0.25)
        resting[name] = {"browInnerUp": brows, "browOuterUp": brows}
        resting[name]["eyeSquint"] = -rng.uniform(0, 1)
    head = build_head(ict.read_scans(source), coefficients, resting)
    seams.mend_mouth(head)
    seams.mend_lids(head)
    cast = FaceModel.load().identities
    return [
        Stranger(number, head.neutrals[str(number)].astype(np.float32), cast[number % len(cast)])
        for number in range(count)
    ]


def draw(stranger: Stranger, each: int, recorded: np.ndarray) -> dict[str, np.ndarray]:
    """What is found in pictures of one: those at rest first."""
    rng = np.random.default_rng((8, stranger.number))
    face = FaceModel.load().with_identity("stranger", stranger.neutral, like=stranger.like)
    weights = np.stack(
        [posed({})] * AT_REST + [expression(rng, recorded) for _ in range(each - AT_REST)]
    )
    turned = np.radians(rng.uniform(-1, 1, (each, 3)) * SIDES)

    def pictures() -> Iterator[tuple[float, np.ndarray]]:
        with HeadRenderer(face, "stranger", SIZE, SIZE, yaw=0.0) as renderer:
            for k in range(each):
                yield k / 10, photographed(renderer.frame(weights[k], turned[k]), rng)

    kept, landmarks, scores = [], [], []
    for k, (_, _, faces) in enumerate(detect_faces(pictures())):
        if faces:
            kept.append(k)
            landmarks.append(faces[0].landmarks)
            scores.append(faces[0].scores)
    return {
        "person": np.full(len(kept), stranger.number),
        "at_rest": np.array(kept) < AT_REST,
        "weights": weights[kept],
        "landmarks": np.array(landmarks),
        "scores": np.array(scores),
        "turned": turned[kept],
    }


def expression(rng: np.random.Generator, recorded: np.ndarray) -> np.ndarray:
    """(52,) weights: recorded, an emotion, some shapes with their company, or one alone."""
    kind = rng.choice(("recorded", "emotion", "some", "one"), p=(0.25, 0.25, 0.35, 0.15))
    if kind == "recorded":
        weights = recorded[rng.integers(len(recorded))] * rng.uniform(0.6, 1.6)
        weights = mirror(weights[None])[0] if rng.random() < 0.5 else weights
        weights = weights + some(rng, 0.08)
    elif kind == "emotion":
        one, other = rng.choice(list(EMOTIONS), 2, replace=False)
        share = rng.uniform() ** 3
        weights = rng.uniform(0.1, 1.0) * (1 - share) * posed(EMOTIONS[one])
        weights = weights + rng.uniform(0.1, 1.0) * share * posed(EMOTIONS[other])
        weights = weights * rng.uniform(0.6, 1.3, 52)
    elif kind == "some":
        weights = some(rng, 0.18)
    else:
        weights = sided(rng, str(rng.choice(ALONE)), rng.uniform(0.1, 1.0))
    if rng.random() < 0.5:
        weights = weights + speech(rng)
    look(rng, weights)
    weights[ARKIT_INDEX["mouthClose"]] = 0
    weights[ARKIT_INDEX["tongueOut"]] = 0
    return weights.clip(0, 1).astype(np.float32)


def some(rng: np.random.Generator, chance: float) -> np.ndarray:
    """Shapes by chance, each with its company."""
    weights = np.zeros(52)
    for name in (*ALONE[:13], "mouthShrugLower", "mouthPucker"):
        if rng.random() > chance:
            continue
        value = rng.beta(1.2, 1.3)
        weights = np.maximum(weights, sided(rng, name, value))
        for other, often, least, most in SHOWN_WITH.get(name, ()):
            if rng.random() < often:
                shown = value * rng.uniform(least, most)
                weights = np.maximum(weights, sided(rng, other, shown))
    if rng.random() < 0.1:
        weights[ARKIT_INDEX[str(rng.choice(ONE_SIDED))]] = rng.uniform(0.1, 0.7)
    return weights


def sided(rng: np.random.Generator, name: str, value: float) -> np.ndarray:
    """Both sides of a shape, seldom exactly alike."""
    weights = posed({name: value})
    if rng.random() < 0.25:
        return weights * np.where([n.endswith("Left") for n in ARKIT_NAMES], rng.uniform(0, 1), 1)
    return weights * rng.uniform(0.85, 1.0, 52)


def speech(rng: np.random.Generator) -> np.ndarray:
    """A moment of talk: a jaw, and lips that round or spread a little."""
    shapes = {"jawOpen": rng.beta(1, 3), "mouthLowerDown": rng.beta(1, 5)}
    shapes[str(rng.choice(("mouthPucker", "mouthFunnel", "mouthStretch", "mouthUpperUp")))] = (
        rng.beta(1, 4)
    )
    return posed(shapes)


def look(rng: np.random.Generator, weights: np.ndarray) -> None:
    """Eyes that look about, and now and then blink."""
    weights[[k for k, name in enumerate(ARKIT_NAMES) if name.startswith("eyeLook")]] = 0
    across, up = rng.normal(0, 0.25, 2)
    for left, right, amount in (("Out", "In", across), ("In", "Out", -across)):
        weights[ARKIT_INDEX[f"eyeLook{left}Left"]] = max(amount, 0)
        weights[ARKIT_INDEX[f"eyeLook{right}Right"]] = max(amount, 0)
    for name, amount in (("Up", up), ("Down", -up)):
        for side in ("Left", "Right"):
            weights[ARKIT_INDEX[f"eyeLook{name}{side}"]] = max(amount, 0)
    if rng.random() < 0.12:
        weights += posed({"eyeBlink": rng.uniform(0.2, 1.0)})


def photographed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As a camera might have taken it: light from a side, exposure, a lens, noise, JPEG."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    slope = rng.normal(0, 0.25, 2)
    light = rng.uniform(0.6, 1.3) * np.clip(1 + slope[0] * x + slope[1] * y, 0.3, 1.8)
    value = (picture / 255.0) ** rng.uniform(0.7, 1.4) * light[..., None]
    value = value * rng.uniform(0.9, 1.1, 3) + rng.normal(0, rng.uniform(0, 0.03), picture.shape)
    image = Image.fromarray((value.clip(0, 1) * 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.2)))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(rng.integers(50, 95)))
    return np.asarray(Image.open(file).convert("RGB"))


if __name__ == "__main__":
    main()
