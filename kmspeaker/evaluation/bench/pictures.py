"""Takes of all systems side by side: the same frames, the same view, geometry alone.

Place in the flow: ``page`` shows what is drawn here, as the paper's Figures 4, 7, 8, 9, 10 and 13
do. Pictures are WebP within the page.
"""

import base64
import html
import io
from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from kmspeaker.evaluation.bench.comparison import Comparison
from kmspeaker.evaluation.bench.trials import FPS, Trial
from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.rig import FaceModel, Weights

FRAMES = 6
"""Of a take, evenly."""
WIDTH, HEIGHT = 132, 156
_DRAWN = (206, 236)
_FACE = (slice(18, 18 + HEIGHT), slice(37, 37 + WIDTH))
"""A head is drawn whole, and its face cut out."""
QUALITY = 70
EVERY = 3
"""Frames of a moving picture are so many apart."""

Picture = UInt8[np.ndarray, "height width 3"]


def strips(comparison: Comparison, face: FaceModel) -> str:
    """The kept examples of a comparison as HTML: a row for each system, and what it answers to.

    Raises:
        InputError: There is no OpenGL library to draw with.
    """
    parts: list[str] = []
    by_name = {trial.name: trial for trial in comparison.trials.trials}
    for name in comparison.answers[0].examples:
        shown = _motions(comparison, by_name[name])
        frames = np.linspace(0, len(by_name[name].real) - 1, FRAMES + 2)[1:-1].round().astype(int)
        drawn = draw(face, _identity(face, by_name[name]), shown, frames)
        times = ", ".join(f"{frame / FPS:.1f}" for frame in frames)
        rows = "".join(
            f"<tr><td>{html.escape(system)}</td><td><img alt='{html.escape(system)}' "
            f"src='{_still(np.concatenate(list(pictures), axis=1))}'></td></tr>"
            for system, pictures in drawn.items()
        )
        parts.append(
            f"<h4>{html.escape(name)}</h4><div class=wide><table class=strips>{rows}</table></div>"
            f"<p class=note>At {times} s, seed 0.</p>"
        )
    return "".join(parts)


def moving(comparison: Comparison, face: FaceModel, columns: int = 5) -> str:
    """The first example as one moving picture of all systems under one clock."""
    by_name = {trial.name: trial for trial in comparison.trials.trials}
    name = next(iter(comparison.answers[0].examples), None)
    if name is None:
        return ""
    shown = _motions(comparison, by_name[name])
    frames = np.arange(0, len(by_name[name].real), EVERY)
    drawn = draw(face, _identity(face, by_name[name]), shown, frames)
    blank = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    cells = [*drawn.values()]
    pages = []
    for k in range(len(frames)):
        tiles = [cell[k] for cell in cells] + [blank] * (-len(cells) % columns)
        lines = [
            np.concatenate(tiles[at : at + columns], 1) for at in range(0, len(tiles), columns)
        ]
        pages.append(Image.fromarray(np.concatenate(lines)))
    buffer = io.BytesIO()
    pages[0].save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=pages[1:],
        duration=round(1000 * EVERY / FPS),
        loop=0,
        quality=QUALITY,
    )
    order = ", ".join(drawn)
    return (
        f"<p><img alt='all systems move' src='{_address(buffer)}'></p>"
        f"<p class=note>{html.escape(name)}; row by row: {html.escape(order)}.</p>"
    )


def draw(
    face: FaceModel,
    identity: str,
    motions: Mapping[str, Weights],
    frames: np.ndarray,
) -> dict[str, list[Picture]]:
    """Bare heads of some frames of each motion, all in one view.

    Raises:
        InputError: There is no such identity, or no OpenGL library to draw with.
    """
    with HeadRenderer(face, identity, *_DRAWN, bare=True) as renderer:
        return {
            name: [renderer.frame(weights[frame])[_FACE] for frame in frames]
            for name, weights in motions.items()
        }


def _motions(comparison: Comparison, trial: Trial) -> dict[str, Weights]:
    """What a trial is held against, then every system that has it."""
    shown = {"the speech's own motion": trial.real}
    if trial.follow is not None:
        shown["the performance to follow"] = trial.follow.weights
    else:
        frames = np.arange(len(trial.real)) % len(trial.style)
        shown["the style's reference"] = trial.style.weights[frames]
    for answers in comparison.answers:
        if trial.name in answers.examples:
            shown[answers.system] = answers.examples[trial.name]
    return shown


def _identity(face: FaceModel, trial: Trial) -> str:
    return trial.person if trial.person in face.identities else face.identities[0]


def _still(picture: Picture) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "WEBP", quality=QUALITY)
    return _address(buffer)


def _address(buffer: io.BytesIO) -> str:
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
