"""Draw the README's pictures from an animation that `kmspeaker stylize ... -o take.npz` wrote.

python -m scripts.draw_head stills take.npz docs/head
    docs/head_closed.webp and docs/head_open.webp: where the lips are closest and widest apart
python -m scripts.draw_head preview one.npz two.npz -o docs/preview.webp
    takes of the same speech side by side, each on its own head: a small looping picture
python -m scripts.draw_head turntable -o docs/turntable.mp4
    the bundled example, once around the head while it speaks
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from kmspeaker.examples import load_examples
from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.media.audio import load_sound
from kmspeaker.media.video_writer import write_video
from kmspeaker.web.example_takes import bundled

BLINK_FREE = 0.35
"""An instant with the eyes more closed than this makes no portrait."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    stills = commands.add_parser("stills", help="one picture with the lips closed, one wide open")
    stills.add_argument("take", type=Path)
    stills.add_argument("output", type=Path, help="start of the two files' names")
    stills.add_argument("--identity", help="another head than the take's own")
    stills.add_argument("--size", type=int, default=720)
    stills.add_argument("--yaw", type=float, default=16.0)
    stills.set_defaults(run=draw_stills)
    preview = commands.add_parser("preview", help="a looping picture of several takes")
    preview.add_argument("takes", type=Path, nargs="+")
    preview.add_argument("-o", "--output", type=Path, required=True, help=".webp")
    preview.add_argument("--size", type=int, default=288, help="pixels of each head")
    preview.add_argument("--yaw", type=float, default=14.0)
    preview.add_argument("--start", type=float, default=0.0, help="seconds")
    preview.add_argument("--seconds", type=float, default=4.0)
    preview.add_argument("--fps", type=float, default=15.0)
    preview.add_argument("--quality", type=int, default=72)
    preview.set_defaults(run=draw_preview)
    turntable = commands.add_parser("turntable", help="the first example, once around")
    turntable.add_argument("-o", "--output", type=Path, required=True, help=".mp4")
    turntable.add_argument("--size", type=int, default=360)
    turntable.set_defaults(run=draw_turntable)
    options = parser.parse_args()
    options.run(options)


def draw_stills(options: argparse.Namespace) -> None:
    weights, fps, identity = read_take(options.take)
    identity = options.identity or identity
    face = FaceModel.load()
    closed, opened = closed_and_open(face, weights, identity)
    with HeadRenderer(face, identity, options.size, options.size, yaw=options.yaw) as renderer:
        for name, frame in (("closed", closed), ("open", opened)):
            path = options.output.with_name(f"{options.output.name}_{name}.webp")
            Image.fromarray(renderer.frame(weights[frame])).save(path, quality=88)
            print(f"{path}: {identity} at {frame / fps:.2f} s")


def draw_preview(options: argparse.Namespace) -> None:
    face = FaceModel.load()
    times = options.start + np.arange(round(options.seconds * options.fps)) / options.fps
    columns = []
    for take in options.takes:
        weights, fps, name = read_take(take)
        shown = weights[np.clip(np.round(times * fps).astype(int), 0, len(weights) - 1)]
        with HeadRenderer(face, name, options.size, options.size, yaw=options.yaw) as renderer:
            columns.append(np.stack([renderer.frame(frame) for frame in shown]))
    pictures = [Image.fromarray(frame) for frame in np.concatenate(columns, axis=2)]
    pictures[0].save(
        options.output,
        save_all=True,
        append_images=pictures[1:],
        duration=round(1000 / options.fps),
        loop=0,
        quality=options.quality,
        method=6,
    )
    print(f"{options.output}: {len(pictures)} pictures, {options.output.stat().st_size:,} bytes")


def draw_turntable(options: argparse.Namespace) -> None:
    face, example = FaceModel.load(), next(iter(load_examples().values()))
    with np.load(bundled(example)[0], allow_pickle=False) as take:
        weights, fps = take["weights"].astype(np.float32), float(take["fps"])
    identity = example.identity
    turns = np.linspace(0, 2 * np.pi, len(weights), endpoint=False)
    with HeadRenderer(face, identity, options.size, options.size, yaw=0.0) as renderer:
        frames = [
            renderer.frame(pose, np.array([turn, 0.0, 0.0]))
            for pose, turn in zip(weights, turns, strict=True)
        ]
    write_video(options.output, frames, fps, load_sound(example.speech))
    print(f"{options.output}: {len(frames)} frames, {options.output.stat().st_size:,} bytes")


def closed_and_open(face: FaceModel, weights: np.ndarray, identity: str) -> tuple[int, int]:
    """The frames with the lips closest and widest apart among those that do not blink.

    The closed one is taken while speaking: between openings, not in the rest before the first word.
    """
    gap = face.lip_gap(weights, identity)
    awake = (
        weights[:, [ARKIT_INDEX["eyeBlinkLeft"], ARKIT_INDEX["eyeBlinkRight"]]].max(axis=1)
        < BLINK_FREE
    )
    speaking = np.zeros(len(gap), bool)
    wide = np.flatnonzero(gap > 0.5 * gap.max())
    speaking[wide.min() : wide.max() + 1] = True
    usable = awake & speaking if (awake & speaking).any() else np.ones(len(gap), bool)
    closed = np.where(usable, gap, np.inf).argmin()
    opened = np.where(usable, gap, -np.inf).argmax()
    return int(closed), int(opened)


def read_take(path: Path) -> tuple[np.ndarray, float, str]:
    with np.load(path, allow_pickle=False) as take:
        return take["weights"], float(take["fps"]), str(take["identity"])


if __name__ == "__main__":
    main()
