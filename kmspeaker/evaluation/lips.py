"""Do the lips follow real people?

Videos whose sound is surely in step. The model hears the sound and nothing else; its lip opening is
compared with the tracked one, beside two rivals that a model must beat: smoothed loudness, and a
ridge regression of the same speech features fitted on the corpus the model learnt from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64
from scipy.ndimage import gaussian_filter1d
from tqdm import tqdm

from kmspeaker.animation.metrics import correlation
from kmspeaker.errors import InputError
from kmspeaker.evaluation.bootstrap import median, significance
from kmspeaker.evaluation.context import Subject
from kmspeaker.evaluation.report import Finding, Part, Target
from kmspeaker.evaluation.ridge import Ridge, fit_ridge
from kmspeaker.face.landmarks import CHIN, FOREHEAD, INNER_LOWER_LIP, INNER_UPPER_LIP, OUTER_EYES
from kmspeaker.media.audio import SAMPLE_RATE, Sound, load_sound
from kmspeaker.reference.tracking import FaceTrack, track_video
from kmspeaker.speech.encoders import speech_features

IN_SYNC = ("LipNet_", "audio_visual_speech_", "LipReadingQuiz_")
"""Beginnings of the names of clips whose sound is surely in step with the picture."""
KNOWN_PEOPLE = ("LipNet_test_video", "LipNet_swiz3n")
"""Clips in sync of people the corpus learns from, found by looking at the faces (GRID's first
speaker, and the man of ``grid_more``): no proof of anything."""
LARGEST_LAG = 0.08
"""Seconds by which a curve may be moved to fit best."""
LAG_STEP = 0.01
SMOOTHINGS = (0.0, 0.02, 0.04, 0.06, 0.08, 0.12, 0.16, 0.24)
"""Seconds; loudness is given the one that suits it best."""
FOLLOWS = Target(least=0.84)
ON_TIME = Target(least=-1 / 30, most=1 / 30)
"""Seconds: within one frame."""

Curve = Float[np.ndarray, " frames"]


@dataclass(frozen=True)
class Agreement:
    """How two curves go together at the best lag."""

    correlation: float
    lag: float
    """Seconds by which the second follows the first; negative where it is ahead."""


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
        Agreement(
            correlation(real, np.interp(times + lag, other_times, other), flat=0.0), float(lag)
        )
        for lag in lags
    ]
    return max(found, key=lambda one: (round(one.correlation, 6), -abs(one.lag)))


def lip_opening(
    track: FaceTrack,
) -> tuple[Float64[np.ndarray, " seen"], Float64[np.ndarray, " seen"]]:
    """Times and inner-lip opening of the frames with a face, in distances of the outer eyes."""
    seen = track.confidence > 0
    points = track.landmarks[seen, :, :2].astype(np.float64)
    size = np.median(np.linalg.norm(points[:, OUTER_EYES[0]] - points[:, OUTER_EYES[1]], axis=1))
    down = points[:, CHIN] - points[:, FOREHEAD]
    down = down / np.linalg.norm(down, axis=1, keepdims=True)
    apart = points[:, INNER_LOWER_LIP] - points[:, INNER_UPPER_LIP]
    return track.times[seen], (apart * down).sum(1) / size


def loudness(sound: Sound, fps: float, frames: int) -> Float64[np.ndarray, " frames"]:
    """Root mean square of the sound around each frame."""
    power = np.concatenate([[0.0], np.cumsum(sound.samples.astype(np.float64) ** 2)])
    centres = np.arange(frames) / fps * sound.sample_rate
    half = sound.sample_rate / fps / 2
    first = np.clip(centres - half, 0, len(sound)).astype(int)
    last = np.clip(centres + half, 0, len(sound)).astype(int)
    return np.sqrt((power[last] - power[first]) / np.maximum(last - first, 1))


def measure(subject: Subject) -> Part:
    """Model, ridge and loudness on real clips.

    Raises:
        InputError: No folder of clips, none that is named as those in sync are, or none of use.
    """
    paths = real_clips(subject.clips)
    ridge = fit_ridge(subject.corpus, subject.pipeline.face.lip_opening)
    found: dict[str, dict[str, Agreement]] = {}
    dropped: dict[str, str] = {}
    for path in tqdm(paths, desc="real clips"):
        try:
            times, real = lip_opening(track_of(path, subject.tracks))
            sound = load_sound(path, sample_rate=SAMPLE_RATE)
        except InputError as error:
            dropped[path.stem] = str(error)
            continue
        for name, (at, curve) in contestants(subject, sound, ridge).items():
            found.setdefault(name, {})[path.stem] = agreement(times, real, at, curve)
    if not found:
        raise InputError("Got no clip that could be used; see that each shows a face with sound.")
    return _part(found, dropped)


def real_clips(folder: Path | None) -> list[Path]:
    """Videos in sync of people whom the corpus has not learnt from.

    Raises:
        InputError: There are none.
    """
    if folder is None:
        raise InputError("Got no folder of real talking clips; name it with --clips.")
    paths = sorted(
        path
        for path in folder.glob("*.mp4")
        if path.name.startswith(IN_SYNC) and path.stem not in KNOWN_PEOPLE
    )
    if not paths:
        raise InputError(f"Got no video named {' or '.join(IN_SYNC)}* in {folder}.")
    return paths


def contestants(subject: Subject, sound: Sound, ridge: Ridge) -> Mapping[str, tuple[Curve, Curve]]:
    """Times and lip opening that each reads from a sound; loudness once for each smoothing."""
    fps = subject.fps
    frames = max(1, round(sound.seconds * fps))
    at = np.arange(frames) / fps
    heard = speech_features(subject.pipeline.encoder, sound, fps=fps, frames=frames)
    gap = subject.say(heard, subject.neutral) @ subject.pipeline.face.lip_opening
    curves = {"model": gap, "ridge": ridge.predict(heard)}
    level = loudness(sound, fps, frames)
    for smoothing in SMOOTHINGS:
        curves[_loudness(smoothing)] = (
            gaussian_filter1d(level, smoothing * fps) if smoothing else level
        )
    return {name: (at, curve.astype(np.float64)) for name, curve in curves.items()}


def _part(found: Mapping[str, Mapping[str, Agreement]], dropped: Mapping[str, str]) -> Part:
    curves = {name: [one.correlation for one in clips.values()] for name, clips in found.items()}
    lags = {name: [one.lag for one in clips.values()] for name, clips in found.items()}
    loudest = max(map(_loudness, SMOOTHINGS), key=lambda name: float(np.median(curves[name])))
    rivals = "; ".join(
        f"{name} {significance(curves['model'], curves[name])}" for name in ("ridge", loudest)
    )
    return Part(
        title="lips follow real people",
        on=f"{len(curves['model'])} clips of people never trained on, from their sound and a "
        "neutral style alone",
        findings=(
            Finding(
                "correlation of the lips' opening with the tracked one",
                median(curves["model"]),
                target=FOLLOWS,
            ),
            Finding("ridge regression of the same speech features", median(curves["ridge"])),
            Finding(loudest, median(curves[loudest])),
            Finding("lag of the lips", median(lags["model"]), "ms", target=ON_TIME),
            Finding("lag of the ridge", median(lags["ridge"]), "ms"),
        ),
        notes=(
            "Correlations at the best lag within 80 ms. The ridge learnt from the same corpus; "
            f"loudness is smoothed as suits it best. The model against them: {rivals}.",
            *(f"Not used: {name} ({reason})" for name, reason in dropped.items()),
        ),
        each={
            name: {clip: one.correlation for clip, one in clips.items()}
            for name, clips in found.items()
            if name in ("model", "ridge", loudest)
        },
    )


def _loudness(smoothing: float) -> str:
    return f"loudness smoothed by {1000 * smoothing:.0f} ms"


def track_of(path: Path, folder: Path | None) -> FaceTrack:
    """A video's face, tracked once where a folder keeps it."""
    if folder is None:
        return track_video(path)
    kept = folder / f"{path.stem}.npz"
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        track_video(path).save(kept)
    return FaceTrack.load(kept)
