"""Measure how often faces are found: our heads in made rooms, small and large, dark and bright.

python -m scripts.measure_detection                       prints the tables of docs/detection.md
python -m scripts.measure_detection -o docs/detection.jpg  draws the picture as well
python -m scripts.measure_detection --identities clara amara --widths 14 --rooms dark
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from PIL import Image, ImageDraw, ImageFont

from kmspeaker.face.rig import FaceModel
from kmspeaker.reference.face_graph import Detection, FaceGraph
from kmspeaker.reference.face_search import FaceSearch
from scripts.emotions import EMOTIONS, posed
from scripts.rooms import ROOMS, CutHead, Picture, cut_heads, exposed, placed, room

WIDTHS = (4, 6, 8, 10, 12, 14, 16, 20)
"""Of the picture, in widths of the face."""
BRIGHTNESS = (0.25, 0.5, 1.0, 2.0, 4.0)
POSES = (
    (posed({}), np.zeros(3)),
    (posed({"jawOpen": 0.3}), np.array([0.35, 0.1, 0.05])),
    (posed(EMOTIONS["happy"]), np.array([-0.3, -0.1, -0.05])),
)
"""ARKit weights and turns of the head, in the frames of a film."""
FPS = 25.0
CUT = 3.0
"""Seconds between two films, as at a cut: what the search remembers is of the film before."""
GOAL_WIDTH = 14


@dataclass(frozen=True)
class Film:
    """A head in a room in one light, and what was found of it."""

    identity: str
    room: str
    width: int
    brightness: float
    found: tuple[bool, ...]
    """In each frame, by the search."""
    at_once: tuple[bool, ...]
    """In the first frame, by a look at the whole picture alone."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, help="the picture, .jpg")
    parser.add_argument("--identities", nargs="+")
    parser.add_argument("--widths", nargs="+", type=int, default=WIDTHS)
    parser.add_argument("--brightness", nargs="+", type=float, default=BRIGHTNESS)
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=ROOMS)
    options = parser.parse_args()
    face = FaceModel.load()
    films, shown = [], {}
    for name in options.identities or face.identities:
        heads = cut_heads(face, name, POSES)
        films += measure(name, heads, options.rooms, options.widths, options.brightness)
        shown[name] = heads
        print(f"{name}: {_percent([ok for film in films[-1:] for ok in film.found])}", flush=True)
    print(by_width(films))
    print(by_identity(films))
    if options.output:
        draw(films, shown, options.output)


def measure(
    identity: str,
    heads: Sequence[CutHead],
    rooms: Sequence[str],
    widths: Sequence[int],
    brightness: Sequence[float],
) -> list[Film]:
    """One person in every condition."""
    search, whole = FaceSearch(), FaceGraph(follow=False)
    films, seconds = [], 0.0
    for place in rooms:
        background = room(place)
        for width in widths:
            for light in brightness:
                found, at_once = [], []
                for k in range(len(heads)):
                    picture, box = frame(heads, k, background, width, light, seed=len(films))
                    found.append(_hits(search.faces(seconds + k / FPS, picture)[:1], box))
                    if k == 0:
                        at_once.append(_hits(whole.look(picture), box))
                films.append(Film(identity, place, width, light, tuple(found), tuple(at_once)))
                seconds += CUT
    search.close()
    whole.close()
    return films


def frame(
    heads: Sequence[CutHead],
    k: int,
    background: Picture,
    width: int,
    brightness: float,
    seed: int = 0,
) -> tuple[Picture, Float64[np.ndarray, "4"]]:
    """Frame ``k`` of a film, and the box of the face in it: left, top, right, bottom."""
    x, y = np.random.default_rng(seed).uniform((0.3, 0.35), (0.6, 0.5))
    centre = (x + 0.15 * k / width, y)  # a small step from frame to frame
    picture, box = placed(heads[k % len(heads)], background, 1 / width, centre)
    return exposed(picture, brightness, seed + k), box


def by_width(films: Sequence[Film]) -> str:
    """Shares of frames, as a table of Markdown."""
    widths = sorted({film.width for film in films})
    lines = ["| light | " + " | ".join(f"1/{width}" for width in widths) + " |"]
    lines.append("|---" * (len(widths) + 1) + "|")
    for light in sorted({film.brightness for film in films}):
        cells = [[f for f in films if (f.width, f.brightness) == (w, light)] for w in widths]
        lines.append(_row(f"{light:g}", [_pair(cell) for cell in cells]))
    return "\n".join([*lines, ""])


def by_identity(films: Sequence[Film]) -> str:
    """Shares of frames down to ``GOAL_WIDTH``, and below, as a table of Markdown."""
    lines = ["| who | 1/4 to 1/14 | smaller |", "|---|---|---|"]
    for name in dict.fromkeys(film.identity for film in films):
        own = [film for film in films if film.identity == name]
        goal = [film for film in own if film.width <= GOAL_WIDTH]
        rest = [film for film in own if film.width > GOAL_WIDTH]
        lines.append(_row(name, [_pair(goal), _pair(rest)]))
    goal = [film for film in films if film.width <= GOAL_WIDTH]
    rest = [film for film in films if film.width > GOAL_WIDTH]
    lines.append(_row("all", [_pair(goal), _pair(rest)]))
    return "\n".join([*lines, ""])


def draw(films: Sequence[Film], heads: dict[str, list[CutHead]], path: Path) -> None:
    """One frame of each condition, with the share of frames in which the face was found."""
    widths = sorted({film.width for film in films})
    lights = sorted({film.brightness for film in films})
    size, margin = (176, 99), 24
    sheet = Image.new("RGB", (len(widths) * size[0], margin + len(lights) * size[1]), "white")
    pen, small, large = (
        ImageDraw.Draw(sheet),
        ImageFont.load_default(13),
        ImageFont.load_default(15),
    )
    names = list(heads)
    for column, width in enumerate(widths):
        pen.text((column * size[0] + 6, 5), f"1/{width} of the width", fill="black", font=small)
        for row, light in enumerate(lights):
            cell = [film for film in films if (film.width, film.brightness) == (width, light)]
            index = row * len(widths) + column
            place = ROOMS[(row + column) % 2]
            own = heads[names[(5 * index) % len(names)]]
            picture, _ = frame(own, index % len(POSES), room(place), width, light, seed=index)
            corner = (column * size[0], margin + row * size[1])
            sheet.paste(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS), corner)
            found = _percent([ok for film in cell for ok in film.found])
            bottom = corner[1] + size[1]
            pen.rectangle((corner[0], bottom - 19, corner[0] + 56, bottom), fill="white")
            pen.text((corner[0] + 4, bottom - 18), found, fill="black", font=large)
            if column == 0:
                pen.rectangle((*corner, corner[0] + 60, corner[1] + 18), fill="white")
                pen.text((corner[0] + 4, corner[1] + 1), f"light {light:g}", "black", small)
    sheet.save(path, quality=82, optimize=True)


def _hits(faces: Sequence[Detection], box: Float64[np.ndarray, "4"]) -> bool:
    """Whether one of the faces lies where it is known to be, and is as wide."""
    middle, width = (box[:2] + box[2:]) / 2, box[2] - box[0]
    for face in faces:
        wide = float(np.ptp(face.landmarks[:, 0]))
        if np.abs(face.centre - middle).max() < 0.3 * width and 0.6 < wide / width < 1.5:
            return True
    return False


def _pair(films: Sequence[Film]) -> str:
    found = _percent([ok for film in films for ok in film.found])
    return f"{found} ({_percent([ok for film in films for ok in film.at_once])})"


def _percent(found: Sequence[bool]) -> str:
    return f"{100 * np.mean(found):.1f} %" if len(found) else "-"


def _row(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
