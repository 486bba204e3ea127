"""Contact sheets of the head: ``PYTHONPATH=. python scripts/draw_expressions.py``.

docs/shapes.jpg: every shape at 1, on one head
docs/emotions.jpg: neutral, six emotions and a blink, on six heads; ``--before PICTURE`` puts a
    sheet of the same poses on the former head below
docs/closeups.jpg: lips closed, lower lip on teeth, an open vowel, rounded, a blink, gaze down
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from emotions import EMOTIONS, posed
from PIL import Image, ImageDraw

from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.rig import ARKIT_NAMES, FaceModel

DOCS = Path(__file__).parent.parent / "docs"
PEOPLE = ("clara", "kenji", "amara", "victor", "mei", "karim")
CLOSE = {
    "lips closed (p, b, m)": {"mouthPress": 0.25},
    "lip on teeth (f, v)": {"jawOpen": 0.06, "mouthRollLower": 0.6, "mouthUpperUp": 0.25},
    "open vowel": {"jawOpen": 0.55, "mouthLowerDown": 0.2, "mouthUpperUp": 0.15},
    "rounded (w, o)": {"mouthPucker": 0.7, "mouthFunnel": 0.2},
    "blink": {"eyeBlink": 1.0},
    "gaze down": {"eyeLookDown": 0.8},
}
MOUTH, EYES = (440, 690, 840, 930), (370, 460, 910, 700)  # of a picture 1280 high
LARGE = 1280


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw contact sheets of the head.")
    parser.add_argument("--before", type=Path, help="a sheet of the former head, to put below")
    options = parser.parse_args()
    face = FaceModel.load()
    save(sheet(face, ("clara",), {n: {n: 1.0} for n in ARKIT_NAMES}, 180, wrap=9), "shapes.jpg")
    poses: dict[str, Mapping[str, float]] = {"neutral": {}, **EMOTIONS, "blink": {"eyeBlink": 1}}
    picture = sheet(face, PEOPLE, poses, 200)
    if options.before is not None:
        below = Image.open(options.before).convert("RGB")
        below = below.resize((picture.shape[1], below.height * picture.shape[1] // below.width))
        picture = np.concatenate([picture, np.asarray(below)])
    save(picture, "emotions.jpg")
    save(close_ups(face), "closeups.jpg")


def sheet(
    face: FaceModel,
    people: tuple[str, ...],
    poses: Mapping[str, Mapping[str, float]],
    size: int,
    wrap: int | None = None,
) -> np.ndarray:
    """Pictures with their names, a person a row, or so many a row."""
    pictures = []
    for identity in people:
        with HeadRenderer(face, identity, size, size, yaw=0.0) as renderer:
            pictures += [
                named(renderer.frame(posed(shapes)), name) for name, shapes in poses.items()
            ]
    wide = wrap or len(poses)
    pictures += [np.full_like(pictures[0], 255)] * (-len(pictures) % wide)
    rows = [np.concatenate(pictures[k : k + wide], 1) for k in range(0, len(pictures), wide)]
    return np.concatenate(rows)


def close_ups(face: FaceModel) -> np.ndarray:
    """Mouths and eyes, three people a row."""
    rows = []
    for name, shapes in CLOSE.items():
        box = EYES if name in ("blink", "gaze down") else MOUTH
        row = []
        for identity in PEOPLE[:3]:
            with HeadRenderer(face, identity, LARGE, LARGE, yaw=8.0) as renderer:
                cut = Image.fromarray(renderer.frame(posed(shapes))).crop(box)
            row.append(named(np.asarray(cut.resize((400, 240))), name))
        rows.append(np.concatenate(row, 1))
    return np.concatenate(rows)


def named(picture: np.ndarray, name: str) -> np.ndarray:
    """With its name in the corner."""
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).text((5, 4), name, fill=(60, 60, 70))
    return np.asarray(image)


def save(picture: np.ndarray, name: str) -> None:
    """As a JPEG in ``docs``."""
    Image.fromarray(picture).save(DOCS / name, quality=85)
    print(f"{DOCS / name}: {(DOCS / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
