"""Do the lips follow real people, and do they close?

``python -m kmspeaker.evaluation.lips CLIPS --model NAME --corpus CORPUS``

Real people: videos whose sound is surely in step. The model hears the sound and nothing else; its
lip opening is compared with the tracked one, beside two rivals that a model must beat: smoothed
loudness, and a ridge regression of the same speech features fitted on the corpus the model learnt
from.
Held-out speech: closures, contacts, open vowels and rest, where the phones are known.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64
from scipy.ndimage import gaussian_filter1d
from tqdm import tqdm

from kmspeaker.audio import SAMPLE_RATE, Sound, load_sound
from kmspeaker.corpus.store import Corpus
from kmspeaker.errors import InputError
from kmspeaker.evaluation.card import write_section
from kmspeaker.evaluation.closures import Closures, neutral_style, resting_gap, score_held_out
from kmspeaker.evaluation.ridge import Ridge, fit_ridge
from kmspeaker.performance import Performance
from kmspeaker.pipeline import Pipeline
from kmspeaker.speech import speech_features
from kmspeaker.tracking import FaceTrack, track_video

IN_SYNC = ("LipNet_", "audio_visual_speech_", "LipReadingQuiz_")
"""Beginnings of the names of clips whose sound is surely in step with the picture."""
KNOWN_PEOPLE = ("LipNet_test_video",)
"""Clips in sync of somebody the corpus learns from (GRID's first speaker): no proof of anything."""
LARGEST_LAG = 0.08
"""Seconds by which a curve may be moved to fit best."""
LAG_STEP = 0.01
SMOOTHINGS = (0.0, 0.02, 0.04, 0.06, 0.08, 0.12, 0.16, 0.24)
"""Seconds; loudness is given the one that suits it best."""
RESAMPLES = 2000
CARD_SECTION = "Lips, measured"
OUTER_EYES = (33, 263)
INNER_LIPS = (13, 14)
FOREHEAD, CHIN = 10, 152

Curve = Float[np.ndarray, " frames"]


@dataclass(frozen=True)
class Agreement:
    """How two curves go together at the best lag."""

    correlation: float
    lag: float
    """Seconds by which the second follows the first; negative where it is ahead."""


@dataclass(frozen=True)
class Row:
    """One contestant over all clips."""

    correlation: float
    """Median."""
    low: float
    high: float
    """95 % bootstrap interval of the median."""
    lag: float
    """Median, seconds; positive where the lips are late."""
    clips: Mapping[str, Agreement]


@dataclass(frozen=True)
class Report:
    """All that one run has measured."""

    model: str
    rows: Mapping[str, Row]
    """``model``, ``ridge`` and ``loudness``."""
    loudness_smoothing: float
    dropped: Mapping[str, str]
    """Clips that were not used, and why."""
    held_out: Mapping[str, Closures]
    """``model``, and ``corpus`` for what the corpus itself does on the same clips."""


def agreement(
    times: Float[np.ndarray, " frames"],
    real: Float[np.ndarray, " frames"],
    other_times: Float[np.ndarray, " other_frames"],
    other: Float[np.ndarray, " other_frames"],
) -> Agreement:
    """Correlation of a curve with a real one at the lag, within 80 ms, that suits it best.

    Args:
        times: Of the real curve, seconds.
        real: The real curve.
        other_times: Of the other; may be of another rate.
        other: The curve that is judged.
    """
    steps = round(LARGEST_LAG / LAG_STEP)
    lags = np.arange(-steps, steps + 1) * LAG_STEP
    # Flat curves say nothing: they count as uncorrelated.
    found = [
        Agreement(_correlation(real, np.interp(times + lag, other_times, other)), float(lag))
        for lag in lags
    ]
    return max(found, key=lambda one: (round(one.correlation, 6), -abs(one.lag)))


def row_of(clips: Mapping[str, Agreement]) -> Row:
    """Median over clips with its bootstrap interval."""
    values = np.array([clip.correlation for clip in clips.values()])
    rng = np.random.default_rng(0)
    medians = np.median(rng.choice(values, (RESAMPLES, len(values))), axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    lag = float(np.median([clip.lag for clip in clips.values()]))
    return Row(float(np.median(values)), float(low), float(high), lag, dict(clips))


def lip_opening(
    track: FaceTrack,
) -> tuple[Float64[np.ndarray, " seen"], Float64[np.ndarray, " seen"]]:
    """Times and inner-lip opening of the frames with a face, in distances of the outer eyes."""
    seen = track.confidence > 0
    points = track.landmarks[seen, :, :2].astype(np.float64)
    size = np.median(np.linalg.norm(points[:, OUTER_EYES[0]] - points[:, OUTER_EYES[1]], axis=1))
    down = points[:, CHIN] - points[:, FOREHEAD]
    down = down / np.linalg.norm(down, axis=1, keepdims=True)
    apart = points[:, INNER_LIPS[1]] - points[:, INNER_LIPS[0]]
    return track.times[seen], (apart * down).sum(1) / size


def loudness(sound: Sound, fps: float, frames: int) -> Float64[np.ndarray, " frames"]:
    """Root mean square of the sound around each frame."""
    power = np.concatenate([[0.0], np.cumsum(sound.samples.astype(np.float64) ** 2)])
    centres = np.arange(frames) / fps * sound.sample_rate
    half = sound.sample_rate / fps / 2
    first = np.clip(centres - half, 0, len(sound)).astype(int)
    last = np.clip(centres + half, 0, len(sound)).astype(int)
    return np.sqrt((power[last] - power[first]) / np.maximum(last - first, 1))


def score_real(
    paths: Sequence[Path], pipeline: Pipeline, ridge: Ridge, style: Performance, tracks: Path | None
) -> tuple[dict[str, Row], float, dict[str, str]]:
    """Model, ridge and loudness on real clips; the loudness's smoothing; the clips left out."""
    fps = pipeline.fps
    model: dict[str, Agreement] = {}
    ridges: dict[str, Agreement] = {}
    loud: dict[float, dict[str, Agreement]] = {smoothing: {} for smoothing in SMOOTHINGS}
    dropped: dict[str, str] = {}
    for path in tqdm(paths, desc="real clips"):
        try:
            times, real = lip_opening(_track(path, tracks))
            sound = load_sound(path, sample_rate=SAMPLE_RATE)
        except InputError as error:
            dropped[path.name] = str(error)
            continue
        frames = round(sound.seconds * fps)
        at = np.arange(frames) / fps
        said = pipeline.stylize(sound, style)
        gap = pipeline.face.lip_gap(said.weights, said.identity)
        model[path.name] = agreement(times, real, at, gap)
        heard = speech_features(pipeline.encoder, sound, fps=fps, frames=frames)
        ridges[path.name] = agreement(times, real, at, ridge.predict(heard))
        level = loudness(sound, fps, frames)
        for smoothing in SMOOTHINGS:
            smooth = gaussian_filter1d(level, smoothing * fps) if smoothing else level
            loud[smoothing][path.name] = agreement(times, real, at, smooth)
    if not model:
        raise InputError("Got no clip that could be used; see that each shows a face with sound.")
    rows = {smoothing: row_of(clips) for smoothing, clips in loud.items()}
    best = max(rows, key=lambda smoothing: rows[smoothing].correlation)
    named = {"model": row_of(model), "ridge": row_of(ridges), "loudness": rows[best]}
    return named, best, dropped


def evaluate(
    clips: Path,
    model: str,
    corpus_folder: Path,
    *,
    tracks: Path | None = None,
    held_out: int = 24,
    device: str = "auto",
) -> Report:
    """Everything this module measures.

    Args:
        clips: Folder of videos; only those that ``IN_SYNC`` names and ``KNOWN_PEOPLE`` does not.
        model: As ``Pipeline.load`` takes it.
        corpus_folder: The corpus the model was trained on: the ridge learns from its train split,
            closures are counted on its test split.
        tracks: Folder in which face tracks are kept between runs.
        held_out: How many test clips are generated.
        device: "auto", "cpu" or "cuda".

    Raises:
        InputError: No such clips, model or corpus.
    """
    paths = sorted(
        path
        for path in clips.glob("*.mp4")
        if path.name.startswith(IN_SYNC) and path.stem not in KNOWN_PEOPLE
    )
    if not paths:
        raise InputError(f"Got no video named {' or '.join(IN_SYNC)}* in {clips}.")
    pipeline = Pipeline.load(model, device=device)
    corpus = Corpus.open(corpus_folder)
    if corpus.encoder != pipeline.encoder.name:
        raise InputError(
            f"Got a corpus of {corpus.encoder} features and a model of {pipeline.encoder.name}; "
            "evaluate a model on the corpus it was trained on."
        )
    style = neutral_style(corpus)
    ridge = fit_ridge(corpus, resting_gap(pipeline.face))
    rows, smoothing, dropped = score_real(paths, pipeline, ridge, style, tracks)
    scores = score_held_out(corpus, pipeline, style, held_out)
    return Report(pipeline.model_name, rows, smoothing, dropped, scores)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and write it as JSON if asked to."""
    parser = argparse.ArgumentParser(prog="python -m kmspeaker.evaluation.lips")
    parser.add_argument("clips", type=Path, help="folder of real talking clips")
    parser.add_argument("--model", default="small")
    parser.add_argument("--corpus", type=Path, required=True, help="what the model learnt from")
    parser.add_argument("--json", type=Path, help="write the report here")
    parser.add_argument("--tracks", type=Path, help="folder that keeps tracks between runs")
    parser.add_argument("--held-out", type=int, default=24, help="test clips to generate")
    parser.add_argument("--card", type=Path, help="write the figures into this model card")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    try:
        report = evaluate(
            options.clips,
            options.model,
            options.corpus,
            tracks=options.tracks,
            held_out=options.held_out,
            device=options.device,
        )
        if options.card is not None:
            write_section(options.card, CARD_SECTION, markdown(report))
    except InputError as error:
        sys.stderr.write(f"kmspeaker.evaluation.lips: {error}\n")
        return 2
    if options.json is not None:
        options.json.write_text(json.dumps(asdict(report), indent=1))
    sys.stdout.write(table(report))
    return 0


def table(report: Report) -> str:
    """The report for people."""
    lines = [f"{report.model}: lips on {len(report.rows['model'].clips)} real clips"]
    for name, row in report.rows.items():
        lines.append(
            f"  {name:9s} correlation {row.correlation:.2f} [{row.low:.2f}, {row.high:.2f}], "
            f"lag {1000 * row.lag:+.0f} ms"
        )
    lines.append(f"  loudness smoothed by {1000 * report.loudness_smoothing:.0f} ms")
    lines += [f"  not used: {name} ({reason})" for name, reason in report.dropped.items()]
    for name, score in report.held_out.items():
        lines.append(
            f"  {name} on held-out speech: {score.lips_closed:.0%} of {score.bilabials} p b m "
            f"closed, {score.teeth_met:.0%} of {score.labiodentals} f v met, "
            f"{score.vowels_shut:.0%} of {score.open_vowels} open vowels shut, silence at "
            f"{score.silence_speed:.0%} of the speed of speech"
        )
    return "\n".join(lines) + "\n"


def markdown(report: Report) -> str:
    """The report for the model's card."""
    lines = [
        f"Opening between the lips against that tracked on {len(report.rows['model'].clips)} real "
        "clips of people never trained on, from their sound and a neutral style alone: median "
        "correlation with 95 % bootstrap interval, median lag.",
        "",
        "| | correlation | lag |",
        "|---|---|---|",
    ]
    for name, row in report.rows.items():
        lines.append(
            f"| {name} | {row.correlation:.2f} [{row.low:.2f}, {row.high:.2f}] | "
            f"{1000 * row.lag:+.0f} ms |"
        )
    lines += [
        "",
        "Ridge is a ridge regression of the same speech features, fitted on the same corpus; "
        "loudness is smoothed as suits it best. On held-out speech with known phones:",
        "",
        "| | p b m closed | f v met | open vowels shut | lip speed in silence |",
        "|---|---|---|---|---|",
    ]
    for name, score in report.held_out.items():
        lines.append(
            f"| {name} | {score.lips_closed:.0%} of {score.bilabials} | {score.teeth_met:.0%} of "
            f"{score.labiodentals} | {score.vowels_shut:.1%} of {score.open_vowels} | "
            f"{score.silence_speed:.0%} of that in speech |"
        )
    return "\n".join(lines)


def _track(path: Path, folder: Path | None) -> FaceTrack:
    if folder is None:
        return track_video(path)
    kept = folder / f"{path.stem}.npz"
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        track_video(path).save(kept)
    return FaceTrack.load(kept)


def _correlation(a: Curve, b: Curve) -> float:
    if a.std() < 1e-9 or b.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


if __name__ == "__main__":
    sys.exit(main())
