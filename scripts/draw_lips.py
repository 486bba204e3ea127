"""Draw tracked and generated lips of real clips side by side: curves, and outlines at instants.

python -m scripts.draw_lips ../data/clips docs/lips.webp --corpus corpora/open --model small
    three clips: those at the quartiles of the model's own agreement with the tracked lips
python -m scripts.draw_lips ... --only LipNet_brbk7n audio_visual_speech_1 LipReadingQuiz_2
    these three

No picture of anybody is drawn: lips are the outlines of landmarks.
"""

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from tqdm import tqdm

from kmspeaker.corpus.store import Corpus
from kmspeaker.errors import InputError
from kmspeaker.evaluation.context import EvaluationContext
from kmspeaker.evaluation.lips import (
    Agreement,
    agreement,
    lip_opening,
    real_clips,
    track_of,
)
from kmspeaker.face.landmarks import LIPS, MOUTH_CORNERS, OUTER_EYES, OUTER_LIPS
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.audio import SAMPLE_RATE, load_sound
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.tracking import FaceTrack
from kmspeaker.speech.encoders import speech_features
from scripts.charts import COLOURS, FAINT, INK, Chart, Sheet

WIDTH, ROW = 1100, 400
INSTANTS = 8
LIP, MOUTH = (214, 122, 122), (60, 26, 30)
PIXELS_PER_MM = 1.6
TRACKED, GENERATED = COLOURS[4], COLOURS[0]


@dataclass(frozen=True)
class SpokenClip:
    """A real clip and what the model says from its sound; lengths in mm of the model's head."""

    name: str
    times: np.ndarray
    tracked: np.ndarray
    tracked_lips: np.ndarray
    """(frames, points, 2) outer and inner ring, upright, y up."""
    at: np.ndarray
    generated: np.ndarray
    generated_lips: np.ndarray
    agreement: Agreement


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("clips", type=Path, help="folder of real talking people")
    parser.add_argument("output", type=Path, help=".png")
    parser.add_argument("--corpus", type=Path, required=True, help="what the model learnt from")
    parser.add_argument("--model", default="small")
    parser.add_argument("--tracks", type=Path, help="folder that keeps tracks between runs")
    parser.add_argument("--only", nargs=3, metavar="CLIP", help="these clips")
    options = parser.parse_args()
    context = EvaluationContext(
        Pipeline.load(options.model), Corpus.open(options.corpus), options.clips, options.tracks
    )
    paths = real_clips(options.clips)
    if options.only:
        paths = [path for path in paths if path.stem in options.only]
    spoken = []
    for path in tqdm(paths, desc="clips"):
        try:
            spoken.append(speak(context, path))
        except InputError as error:
            print(f"{path.stem} left out: {error}")
    if len(spoken) < 3:
        raise InputError(f"Got {len(spoken)} usable clips in {options.clips}; three are drawn.")
    spoken.sort(key=lambda one: one.agreement.correlation)
    selection = [spoken[round(share * (len(spoken) - 1))] for share in (0.75, 0.5, 0.25)]
    if options.only:
        selection = spoken[::-1]
    sheet = Sheet(WIDTH, ROW * len(selection))
    for row, one in enumerate(selection):
        draw_clip(sheet, one, row * ROW)
    sheet.finished().save(options.output, quality=88)
    print(f"{options.output}: {', '.join(one.name for one in selection)}")


def speak(context: EvaluationContext, path: Path) -> SpokenClip:
    """The clip's lips as tracked, and as generated from its sound."""
    face, pipeline = context.pipeline.face, context.pipeline
    track = track_of(path, context.tracks)
    times, opening = lip_opening(track)
    sound = load_sound(path, sample_rate=SAMPLE_RATE)
    frames = max(1, round(sound.seconds * context.fps))
    features = speech_features(pipeline.encoder, sound, fps=context.fps, frames=frames)
    weights = context.animate(features, context.neutral)
    landmarks = face.landmarks(weights, face.identities[0])
    at = np.arange(frames) / context.fps
    gap = face.lip_gap(weights, face.identities[0])
    return SpokenClip(
        name=path.stem,
        times=times,
        tracked=opening * eye_distance(face),
        tracked_lips=upright_lips(track, eye_distance(face)),
        at=at,
        generated=gap,
        generated_lips=centred(landmarks[:, LIPS, :2]),
        agreement=agreement(times, opening, at, gap),
    )


def eye_distance(face: FaceModel) -> float:
    """Between the outer corners of the eyes of the head that speaks, mm."""
    still = np.zeros((1, len(face.deltas)), np.float32)
    corners = face.landmarks(still, face.identities[0])[0, OUTER_EYES, :]
    return float(np.linalg.norm(corners[0] - corners[1]))


def upright_lips(track: FaceTrack, size: float) -> np.ndarray:
    """Lips of the frames with a face, turned level by the eyes and scaled to ``size``."""
    points = track.landmarks[track.confidence > 0, :, :2].astype(float)
    across = points[:, OUTER_EYES[1]] - points[:, OUTER_EYES[0]]
    length = np.linalg.norm(across, axis=1)
    across /= length[:, None]
    down = np.stack([-across[:, 1], across[:, 0]], axis=1)
    lips = points[:, LIPS]
    level = np.stack([(lips * across[:, None]).sum(2), -(lips * down[:, None]).sum(2)], axis=2)
    return centred(level * size / np.median(length))


def centred(lips: np.ndarray) -> np.ndarray:
    """About the middle of the mouth's corners."""
    corners = (*(LIPS.index(corner) for corner in MOUTH_CORNERS),)
    return lips - lips[:, corners].mean(axis=1, keepdims=True)


def draw_clip(sheet: Sheet, one: SpokenClip, top: int) -> None:
    """Curves, and below them lips at instants, tracked above generated."""
    end = float(max(one.times[-1], one.at[-1]))
    high = 1.1 * float(max(one.tracked.max(), one.generated.max()))
    chart = Chart(sheet, (110, top + 50, WIDTH - 30, top + 220), (0, end), (-1, high))
    fit = one.agreement
    chart.axes(
        f"{one.name}: opening between the lips, mm; r = {fit.correlation:.2f}, "
        f"lag {1000 * fit.lag:+.0f} ms",
        "seconds",
    )
    chart.curve(one.times, one.tracked, TRACKED, 2)
    chart.curve(one.at, one.generated, GENERATED, 2)
    chart.legend(("tracked", "generated"), (TRACKED, GENERATED))
    for name, y in (("tracked", 290), ("generated", 352)):
        sheet.text((20, top + y), name, anchor="lm", size=14)
    columns = np.linspace(170, WIDTH - 90, INSTANTS)
    for x, time in zip(columns, instants(one), strict=False):
        tick = chart.place(time, 0)[0]
        sheet.line([(tick, top + 220), (tick, top + 240), (x, top + 262)], FAINT, 1)
        sheet.line([(tick, top + 220), (tick, top + 226)], INK, 2)
        for times, lips, y in (
            (one.times, one.tracked_lips, 290),
            (one.at, one.generated_lips, 352),
        ):
            draw_lips(sheet, lips[int(np.abs(times - time).argmin())], (x, top + y))


def instants(one: SpokenClip) -> list[float]:
    """One in each part of the clip: in turns where the tracked lips are widest and closest."""
    edges = np.linspace(one.times[0], min(one.times[-1], one.at[-1]), INSTANTS + 1)
    moments = []
    for k, (start, end) in enumerate(pairwise(edges)):
        inside = np.flatnonzero((one.times >= start) & (one.times < end))
        pick = np.argmax if k % 2 == 0 else np.argmin
        if len(inside):
            moments.append(float(one.times[inside[pick(one.tracked[inside])]]))
    return moments


def draw_lips(sheet: Sheet, lips: np.ndarray, middle: tuple[float, float]) -> None:
    places = np.array(middle) + lips * PIXELS_PER_MM * np.array([1, -1])
    for points, colour in (
        (places[: len(OUTER_LIPS)], LIP),
        (places[len(OUTER_LIPS) :], MOUTH),
    ):
        sheet.polygon([(float(x), float(y)) for x, y in points], colour)


if __name__ == "__main__":
    main()
