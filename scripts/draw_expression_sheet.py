"""Draw what of ten held expressions is kept: the reference, the head that plays it, and a take.

python -m scripts.draw_expression_sheet
    docs/expressions_kept.jpg, and a table of weights as acted and as read
PYTHONPATH=EARLIER python scripts/draw_expression_sheet.py --save FOLDER
    what the program in EARLIER, a checkout of a former version, reads and says; nothing is drawn
python -m scripts.draw_expression_sheet --before FOLDER
    with columns of that version
python -m scripts.draw_expression_sheet --video docs/styles.mp4
    also eight of them as a video with its sound: the reference, and beside it the take

Ten of our heads hold an expression from the first frame to the last while they talk; each is drawn,
encoded, and tracked as any video is. Retargeting learnt from drawings of this same rig, these six
emotions among them, so the figures flatter it: how real people are read is for ``evaluate
expression`` to say.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter1d

from kmspeaker.errors import InputError
from kmspeaker.export.render import HeadRenderer
from kmspeaker.face.rig import FaceModel, Weights
from kmspeaker.media.audio import Sound, load_sound
from kmspeaker.media.video_writer import write_video
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.retarget import retarget
from kmspeaker.reference.tracking import track_video
from scripts.draw_states import cut_out
from scripts.emotions import EMOTIONS, posed

ROOT = Path(__file__).parent.parent
SPEECH = ROOT / "assets/examples/delighted.wav"
PLAYER = "clara"
"""Whose head plays them all; she acts none."""
FPS, SECONDS = 30.0, 2.0
SIZE = 320
"""Pixels of a frame, each way."""
STRENGTH = (0.6, 0.8)
"""Of full strength; an expression is held at one between."""
SWAY = 0.06
"""How much a held weight moves, a share of it, standard deviation."""
TURNS = (3.0, 1.5, 1.0)
"""Yaw, pitch and roll, degrees, standard deviation."""
SLOW = 0.25
"""Seconds over which held weights and the head move."""
SYLLABLES = 4.0
"""A second."""
SYLLABLE: Mapping[str, float] = {"jawOpen": 0.2, "mouthLowerDown": 0.15, "mouthUpperUp": 0.04}
"""Where the mouth is widest."""
REFERENCE_AT, TAKE_AT = 1.0, 2.2
"""Seconds at which a reference with its head, and a take, are drawn."""
NEAR, BLINK_FREE = 0.4, 0.15
"""Seconds by which takes may leave their instant to find eyes less closed than this."""
SHOWN = ("browDown", "browInnerUp", "mouthSmile", "mouthFrown", "eyeSquint")
"""In the table."""
MARGIN, GUTTER, HEADER, GAP = 116, 12, 56, 3
"""Pixels beside rows, between groups of columns, above them, and below each row."""
CAPTION = 26
"""Pixels above each pair of the video."""
IN_VIDEO = (
    *("angry", "disgusted", "fearful", "happy", "sad", "surprised"),
    *("raised brows", "sneer"),
)
INK, FAINT = (40, 44, 52), (120, 126, 138)

Picture = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class Role:
    """Who holds which expression."""

    name: str
    performer: str
    shapes: Mapping[str, float]
    """At full strength; names without a side mean both."""
    talks: float = 1.0
    """How widely, as a share of ``SYLLABLE``."""


ROLES = (
    *(
        Role(name, performer, EMOTIONS[name])
        for name, performer in zip(
            EMOTIONS, ("mei", "victor", "karim", "ingrid", "samuel", "amara"), strict=True
        )
    ),
    Role(
        "closed smile",
        "noah",
        {"mouthSmile": 0.9, "mouthDimple": 0.4, "cheekSquint": 0.6, "eyeSquint": 0.3},
        talks=0.0,
    ),
    Role("raised brows", "hana", {"browInnerUp": 1.0, "browOuterUp": 1.0, "eyeWide": 0.3}),
    Role(
        "wry",
        "malik",
        {"mouthSmileLeft": 1.0, "cheekSquintLeft": 0.6, "browOuterUpRight": 1.0},
    ),
    Role(
        "sneer",
        "sofia",
        {"noseSneer": 0.9, "mouthUpperUp": 0.5, "browDown": 0.5, "eyeSquint": 0.4},
    ),
)


@dataclass(frozen=True)
class Reading:
    """What a version of the program makes of a reference."""

    retargeted: Weights
    take: Weights

    def save(self, path: Path) -> None:
        np.savez_compressed(path, retargeted=self.retargeted, take=self.take)

    @classmethod
    def load(cls, path: Path) -> "Reading":
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["retargeted"], arrays["take"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs/expressions_kept.jpg")
    parser.add_argument("--save", type=Path, help="write what is read here, and draw nothing")
    parser.add_argument("--before", type=Path, help="what an earlier version saved")
    parser.add_argument("--video", type=Path, help=".mp4 of references and takes side by side")
    options = parser.parse_args()
    before = None if options.before is None else saved_before(options.before)
    pipeline, sound = Pipeline.load(device="cpu"), load_sound(SPEECH)
    acted = {role.name: act(role) for role in ROLES}
    references, now, films = {}, {}, {}
    for role in ROLES:
        frames = film(pipeline.face, role.performer, *acted[role.name])
        references[role.name] = frames[round(REFERENCE_AT * FPS)]
        films[role.name] = [cut_out(frame) for frame in frames]
        now[role.name] = read(pipeline, frames, sound)
        print(f"{role.name}, {role.performer}: read", flush=True)
    if options.save is not None:
        options.save.mkdir(parents=True, exist_ok=True)
        for name, reading in now.items():
            reading.save(options.save / f"{name}.npz")
        return
    if options.video is not None:
        pictures = video(pipeline.face, films, {name: one.take for name, one in now.items()})
        write_video(options.video, pictures, FPS, sound)
        print(f"{options.video}: {options.video.stat().st_size:,} bytes")
    versions = {"now": now} if before is None else {"before": before, "now": now}
    picture = sheet(pipeline.face, references, versions)
    picture.save(options.output, quality=76, optimize=True)
    print(f"{options.output}: {options.output.stat().st_size:,} bytes\n")
    print(table({name: weights for name, (weights, _) in acted.items()}, versions))


def saved_before(folder: Path) -> dict[str, Reading]:
    """What an earlier version made of each reference.

    Raises:
        InputError: It is not there.
    """
    files = {role.name: folder / f"{role.name}.npz" for role in ROLES}
    missing = [file.name for file in files.values() if not file.is_file()]
    if missing:
        raise InputError(f"Got no {missing[0]} in {folder}; let the earlier version --save there.")
    return {name: Reading.load(file) for name, file in files.items()}


def act(role: Role) -> tuple[Weights, Float32[np.ndarray, "frames 3"]]:
    """Weights and head of a performance that holds its expression and talks meanwhile."""
    rng = np.random.default_rng((10, *role.name.encode()))
    frames = round(SECONDS * FPS)
    held = rng.uniform(*STRENGTH) * posed(role.shapes) * (1 + SWAY * wander(rng, frames, 52))
    wave = (1 - np.cos(2 * np.pi * SYLLABLES * np.arange(frames) / FPS)) / 2
    wave = wave * np.clip(0.6 + 0.3 * wander(rng, frames, 1)[:, 0], 0, 1)
    weights = held + role.talks * wave[:, None] * posed(SYLLABLE)
    head = np.radians(TURNS) * wander(rng, frames, 3)
    return weights.clip(0, 1).astype(np.float32), head.astype(np.float32)


def wander(rng: np.random.Generator, frames: int, count: int) -> np.ndarray:
    """(frames, count) slow motion about 0 with a standard deviation of about 1."""
    width = SLOW * FPS
    motion = gaussian_filter1d(rng.normal(size=(frames, count)), width, axis=0, mode="wrap")
    return motion * np.sqrt(2 * np.sqrt(np.pi) * width)


def film(
    face: FaceModel, identity: str, weights: Weights, head: Float32[np.ndarray, "frames 3"]
) -> list[Picture]:
    """The performance as the frames of a video."""
    with HeadRenderer(face, identity, SIZE, SIZE, yaw=0.0) as renderer:
        return [renderer.frame(*pose) for pose in zip(weights, head, strict=True)]


def read(pipeline: Pipeline, frames: Sequence[Picture], sound: Sound) -> Reading:
    """The video as any other is read, and the speech in its style."""
    with TemporaryDirectory() as folder:
        video = Path(folder) / "reference.mp4"
        write_video(video, frames, FPS)
        performance = retarget(track_video(video), pipeline.face, fps=FPS)
    take = pipeline.stylize(sound, performance, identity=PLAYER)
    said = Performance.from_weights(take.weights, take.fps).resampled(FPS)
    return Reading(performance.weights, said.weights)


def sheet(
    face: FaceModel,
    references: Mapping[str, Picture],
    versions: Mapping[str, Mapping[str, Reading]],
) -> Image.Image:
    """A row for each reference; beside it the head that plays it and takes, of each version."""
    with HeadRenderer(face, PLAYER, SIZE, SIZE, yaw=0.0) as renderer:

        def drawn(weights: Weights, frame: int) -> Picture:
            return cut_out(renderer.frame(weights[frame]))

        rows = []
        for name, reference in references.items():
            played = [one[name].retargeted for one in versions.values()]
            takes = [one[name].take for one in versions.values()]
            instant = awake(takes)
            rows.append(
                (
                    [cut_out(reference)],
                    [drawn(weights, round(REFERENCE_AT * FPS)) for weights in played],
                    [drawn(weights, instant) for weights in takes],
                )
            )
    high, wide = cut_out(next(iter(references.values()))).shape[:2]
    high += GAP
    captions = (
        ("reference", ("acted",)),
        ("head that plays it", (*versions,)),
        ("take of other speech", (*versions,)),
    )
    columns = 1 + 2 * len(versions)
    image = Image.new(
        "RGB", (MARGIN + columns * wide + 2 * GUTTER, HEADER + len(rows) * high - GAP), "white"
    )
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(16)
    left = MARGIN
    for group, (caption, names) in enumerate(captions):
        middle = left + len(names) * wide / 2
        draw.text((middle, 17), caption, INK, font, anchor="mm")
        for k, name in enumerate(names):
            x = left + k * wide
            draw.text((x + wide / 2, 40), name, FAINT, font, anchor="mm")
            for row, pictures in enumerate(rows):
                image.paste(Image.fromarray(pictures[group][k]), (x, HEADER + row * high))
        left += len(names) * wide + GUTTER
    small = ImageFont.load_default(14)
    for row, role in enumerate(ROLES):
        y = HEADER + (row + 0.5) * high
        draw.text((MARGIN - 10, y - 10), role.name, INK, font, anchor="rm")
        draw.text((MARGIN - 10, y + 10), role.performer, FAINT, small, anchor="rm")
    return image


def video(
    face: FaceModel, films: Mapping[str, Sequence[Picture]], takes: Mapping[str, Weights]
) -> Iterator[Picture]:
    """Frames of ``IN_VIDEO`` in two rows, each the reference, played to and fro, and its take."""
    high, wide = next(iter(films.values()))[0].shape[:2]
    columns = len(IN_VIDEO) // 2
    size = (columns * (2 * wide + GUTTER) - GUTTER) // 2 * 2, 2 * (high + CAPTION)
    font = ImageFont.load_default(15)
    with HeadRenderer(face, PLAYER, SIZE, SIZE, yaw=0.0) as renderer:
        for frame in range(min(map(len, takes.values()))):
            image = Image.new("RGB", size, "white")
            draw = ImageDraw.Draw(image)
            for number, name in enumerate(IN_VIDEO):
                x = number % columns * (2 * wide + GUTTER)
                y = number // columns * (high + CAPTION)
                film = films[name]
                turn = frame % (2 * len(film) - 2)
                shown = film[turn if turn < len(film) else 2 * len(film) - 2 - turn]
                for picture, left in (
                    (shown, x),
                    (cut_out(renderer.frame(takes[name][frame])), x + wide),
                ):
                    image.paste(Image.fromarray(picture), (left, y + CAPTION))
                draw.text((x + wide, y + CAPTION / 2), name, INK, font, anchor="mm")
            yield np.asarray(image)


def awake(takes: Sequence[Weights]) -> int:
    """The frame nearest to ``TAKE_AT`` in which the eyes of all are open, or else most open."""
    lids = np.stack([take @ posed({"eyeBlink": 0.5}) for take in takes]).max(axis=0)
    away = np.abs(np.arange(len(lids)) - round(TAKE_AT * FPS))
    near = away <= NEAR * FPS
    return int(np.where(near, np.where(lids < BLINK_FREE, away / len(lids), 1 + lids), 9).argmin())


def table(acted: Mapping[str, Weights], versions: Mapping[str, Mapping[str, Reading]]) -> str:
    """Mean weights of each reference: as acted, and on the head that plays it."""
    who = {"acted": acted}
    for version, readings in versions.items():
        who[version] = {name: reading.retargeted for name, reading in readings.items()}
    means = {
        version: np.array([[mean(weights, shape) for shape in SHOWN] for weights in of.values()])
        for version, of in who.items()
    }
    lines = [" " * 16 + "".join(f"{shape:^{7 * len(who) + 2}}" for shape in SHOWN)]
    lines.append(" " * 16 + ("".join(f"{version:>7}" for version in who) + "  ") * len(SHOWN))
    rows = {name: {v: means[v][k] for v in who} for k, name in enumerate(acted)}
    rows["mean distance"] = {v: np.abs(means[v] - means["acted"]).mean(axis=0) for v in who}
    for name, values in rows.items():
        lines.append(
            f"{name:16}"
            + "".join(
                "".join(f"{values[version][k]:7.2f}" for version in who) + "  "
                for k in range(len(SHOWN))
            )
        )
    return "\n".join(lines)


def mean(weights: Weights, shape: str) -> float:
    """Over time, and both sides where there are two."""
    return float(weights[:, posed({shape: 1}) > 0].mean())


if __name__ == "__main__":
    main()
