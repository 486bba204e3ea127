"""Rendered heads as a video with their sound: one, or up to twelve beside each other."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageDraw, ImageFont
from scipy.interpolate import PchipInterpolator

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.errors import InputError
from kmspeaker.export.provenance import GENERATOR, credited_provenance
from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.video_writer import write_video
from kmspeaker.progress import Progress

Picture = UInt8[np.ndarray, "height width 3"]

MOST_HEADS = 12
MOST_SIDE, MOST_FPS = 1920, 60.0
"""A picture's longer side in pixels and its rate may not be above these."""
_COLUMNS = (1, 2, 3, 2, 3, 3, 4, 4, 5, 5, 4, 4)
"""Of one head, of two, and so on."""
_LABEL_HEIGHT = 0.045
"""Of a label's letters, as a share of the tile's shorter side."""
_INK, _PAPER = (38, 42, 50), (255, 255, 255, 190)


def write_mp4(
    animation: FaceAnimation,
    face: FaceModel,
    path: Path,
    *,
    size: int = 720,
    fps: float | None = None,
    progress: Progress | None = None,
) -> None:
    """Render one head, ``size`` pixels square; see ``write_comparison`` for the rest."""
    write_comparison(
        (animation,), ("",), face, path, width=size, height=size, fps=fps, progress=progress
    )


def write_comparison(
    animations: Sequence[FaceAnimation],
    labels: Sequence[str],
    face: FaceModel,
    path: Path,
    *,
    width: int = 1920,
    height: int = 1080,
    fps: float | None = None,
    nameless: bool = False,
    progress: Progress | None = None,
) -> None:
    """Render heads beside each other, seen by one camera, with the first one's sound.

    Whoever is done earlier holds the last picture.

    Args:
        animations: One to ``MOST_HEADS``, all beginning at once.
        labels: One under each head; empty for none.
        face: The rig with their identities.
        path: The ``.mp4``.
        width: Pixels, of the whole picture.
        height: Pixels.
        fps: Pictures a second; between frames the motion is interpolated. The first's own if None.
        nameless: Tell nobody, in the file's own facts either, who moves which head.
        progress: Told the fraction done; an exception it raises stops the work.

    Raises:
        InputError: A number beyond its limit, or there is no OpenGL library to render with.
    """
    fps = animations[0].fps if fps is None and animations else fps or 0.0
    _check(len(animations), len(labels), width, height, fps)
    columns = _COLUMNS[len(animations) - 1]
    tile = (width // columns, height // -(-len(animations) // columns))
    frames = max(round(animation.seconds * fps) for animation in animations)
    with ExitStack() as stack:
        renderers = {
            identity: stack.enter_context(HeadRenderer(face, identity, *tile))
            for identity in {animation.identity for animation in animations}
        }
        heads = [
            _painter(renderers[animation.identity], at_rate(animation, fps), label, tile)
            for animation, label in zip(animations, labels, strict=True)
        ]
        write_video(
            path,
            _pictures(heads, frames, columns, progress),
            fps,
            animations[0].sound,
            comment=json.dumps(
                _nameless_comment(animations, labels, face)
                if nameless
                else _comment(animations, labels, face)
            ),
        )


def at_rate(animation: FaceAnimation, fps: float) -> FaceAnimation:
    """The animation at another rate; between frames it never overshoots, so closed lips stay so."""
    if fps == animation.fps or len(animation) < 2:
        return animation
    known = np.arange(len(animation)) / animation.fps
    times = np.arange(max(1, round(animation.seconds * fps))) / fps

    def between(values: Float32[np.ndarray, "frames n"]) -> Float32[np.ndarray, "others n"]:
        moving = PchipInterpolator(known, values, axis=0)
        return moving(np.minimum(times, known[-1])).astype(np.float32)

    return replace(
        animation,
        weights=between(animation.weights).clip(0, 1),
        head=None if animation.head is None else between(animation.head),
        fps=fps,
    )


def _check(heads: int, labels: int, width: int, height: int, fps: float) -> None:
    if not 1 <= heads <= MOST_HEADS or heads != labels:
        raise InputError(
            f"Got {heads} heads and {labels} labels; give 1 to {MOST_HEADS}, and a label each."
        )
    if not 64 <= min(width, height) <= max(width, height) <= MOST_SIDE:
        raise InputError(f"Got a picture of {width}x{height}; each side has 64 to {MOST_SIDE}.")
    if not 1 <= fps <= MOST_FPS:
        raise InputError(f"Got {fps:g} pictures a second; it must be from 1 to {MOST_FPS:g}.")


def _painter(
    renderer: HeadRenderer, animation: FaceAnimation, label: str, tile: tuple[int, int]
) -> Callable[[int], Picture]:
    """What draws one head at a frame; the last picture is kept for as long as nothing moves."""
    label_picture = _label(label, tile) if label else None
    kept: tuple[bytes, Picture] | None = None

    def paint(frame: int) -> Picture:
        nonlocal kept
        frame = min(frame, len(animation) - 1)
        weights = animation.weights[frame]
        head = None if animation.head is None else animation.head[frame]
        key = weights.tobytes() + (b"" if head is None else head.tobytes())
        if kept is None or kept[0] != key:
            picture = renderer.frame(weights, head)
            if label_picture is not None:
                _stamp(picture, label_picture)
            kept = key, picture
        return kept[1]

    return paint


def _pictures(
    heads: Sequence[Callable[[int], Picture]],
    frames: int,
    columns: int,
    progress: Progress | None,
) -> Iterator[Picture]:
    for frame in range(frames):
        tiles = [paint(frame) for paint in heads]
        tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
        rows = [np.hstack(tiles[k : k + columns]) for k in range(0, len(tiles), columns)]
        yield np.vstack(rows)
        if progress is not None:
            progress((frame + 1) / frames)


def _label(text: str, tile: tuple[int, int]) -> UInt8[np.ndarray, "rows columns 4"]:
    """Dark letters on a light slip, RGBA, no wider than the tile."""
    width = tile[0]
    size = max(11, round(min(tile) * _LABEL_HEIGHT))
    font = ImageFont.load_default(size)
    while text and font.getlength(text) > width - 2 * size:
        text = text.removesuffix("…")[:-1].rstrip() + "…" if len(text) > 2 else ""
    slip = Image.new(
        "RGBA", (min(width, round(font.getlength(text)) + 2 * size), round(1.9 * size))
    )
    draw = ImageDraw.Draw(slip)
    draw.rounded_rectangle((0, 0, slip.width - 1, slip.height - 1), size * 0.6, fill=_PAPER)
    draw.text((slip.width / 2, slip.height / 2), text, fill=_INK, font=font, anchor="mm")
    return np.array(slip)


def _stamp(picture: Picture, label: UInt8[np.ndarray, "rows columns 4"]) -> None:
    """Put a label in the middle of the picture's foot."""
    rows, columns = label.shape[:2]
    top, left = picture.shape[0] - rows - rows // 3, (picture.shape[1] - columns) // 2
    under = picture[top : top + rows, left : left + columns]
    opacity = label[..., 3:].astype(np.uint16)
    under[:] = (label[..., :3] * opacity + under * (255 - opacity)) // 255


def _comment(animations: Sequence[FaceAnimation], labels: Sequence[str], face: FaceModel) -> dict:
    sources = [credited_provenance(animation, face) for animation in animations]
    if len(sources) == 1:
        return sources[0]
    return {
        "heads": [{"label": label, **each} for label, each in zip(labels, sources, strict=True)]
    }


def _nameless_comment(
    animations: Sequence[FaceAnimation], labels: Sequence[str], face: FaceModel
) -> dict:
    """What remains of ``_comment`` where nothing may tell who moves a head."""
    heads = [
        {"label": label, "identity": animation.identity, "head": face.credit(animation.identity)}
        for label, animation in zip(labels, animations, strict=True)
    ]
    hidden = "saved while names were hidden; whoever saved it can tell what moves each head"
    return {"generator": GENERATOR, "heads": heads, "synthetic": f"synthetic heads, {hidden}"}
