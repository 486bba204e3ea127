"""Do the lips follow real people?

Measured on videos whose sound is in step with the picture, of people outside the corpus. The model
gets the sound and a neutral style alone; its lip opening is correlated with the tracked one, beside
two rivals: smoothed loudness, and a ridge regression from the same speech features, fitted on the
corpus. The measure and its targets are ours; the paper measures no tracked video.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64
from scipy.ndimage import gaussian_filter1d
from tqdm import tqdm

from kmspeaker.animation.metrics import correlation
from kmspeaker.corpus.people import use_of
from kmspeaker.errors import InputError
from kmspeaker.evaluation.bootstrap import median, significance
from kmspeaker.evaluation.context import EvaluationContext
from kmspeaker.evaluation.report import Finding, Part, Target
from kmspeaker.evaluation.ridge import Ridge, fit_ridge
from kmspeaker.face.landmarks import CHIN, FOREHEAD, INNER_LOWER_LIP, INNER_UPPER_LIP, OUTER_EYES
from kmspeaker.media.audio import SAMPLE_RATE, Sound, load_sound
from kmspeaker.reference.tracking import FaceTrack, track_video
from kmspeaker.speech.encoders import speech_features

IN_SYNC = ("LipNet_", "audio_visual_speech_", "LipReadingQuiz_")
"""Beginnings of the names of clips whose sound is in step with the picture."""
LARGEST_LAG = 0.08
"""Seconds by which a curve may be shifted to correlate best."""
LAG_STEP = 0.01
SMOOTHINGS = (0.0, 0.02, 0.04, 0.06, 0.08, 0.12, 0.16, 0.24)
"""Seconds; of loudness, the one with which it does best on these very clips is kept."""
FOLLOWS = Target(least=0.84)
ON_TIME = Target(least=-1 / 30, most=1 / 30)
"""Seconds: within one frame."""

Curve = Float[np.ndarray, " frames"]


@dataclass(frozen=True)
class Agreement:
    """How two curves correlate at the best lag."""

    correlation: float
    lag: float
    """Seconds by which the second follows the first; negative where it is ahead."""


def agreement(
    times: Float[np.ndarray, " frames"],
    real: Float[np.ndarray, " frames"],
    other_times: Float[np.ndarray, " other_frames"],
    other: Float[np.ndarray, " other_frames"],
) -> Agreement:
    """Correlation of a curve with a real one at the lag, within ``LARGEST_LAG``, that is best.

    Args:
        times: Of the real curve, seconds.
        real: The real curve.
        other_times: Of the other; may be of another rate.
        other: The curve that is compared.
    """
    steps = round(LARGEST_LAG / LAG_STEP)
    lags = np.arange(-steps, steps + 1) * LAG_STEP
    # Flat curves count as uncorrelated.
    agreements = [
        Agreement(
            correlation(real, np.interp(times + lag, other_times, other), flat=0.0), float(lag)
        )
        for lag in lags
    ]
    return max(agreements, key=lambda one: (round(one.correlation, 6), -abs(one.lag)))


def lip_opening(
    track: FaceTrack,
) -> tuple[Float64[np.ndarray, " present"], Float64[np.ndarray, " present"]]:
    """Times and inner-lip opening of the frames with a face, in distances of the outer eyes."""
    present = track.confidence > 0
    points = track.landmarks[present, :, :2].astype(np.float64)
    size = np.median(np.linalg.norm(points[:, OUTER_EYES[0]] - points[:, OUTER_EYES[1]], axis=1))
    down = points[:, CHIN] - points[:, FOREHEAD]
    down = down / np.linalg.norm(down, axis=1, keepdims=True)
    opening = points[:, INNER_LOWER_LIP] - points[:, INNER_UPPER_LIP]
    return track.times[present], (opening * down).sum(1) / size


def loudness(sound: Sound, fps: float, frames: int) -> Float64[np.ndarray, " frames"]:
    """Root mean square of the sound around each frame."""
    power = np.concatenate([[0.0], np.cumsum(sound.samples.astype(np.float64) ** 2)])
    centres = np.arange(frames) / fps * sound.sample_rate
    half = sound.sample_rate / fps / 2
    first = np.clip(centres - half, 0, len(sound)).astype(int)
    last = np.clip(centres + half, 0, len(sound)).astype(int)
    return np.sqrt((power[last] - power[first]) / np.maximum(last - first, 1))


def measure(context: EvaluationContext) -> Part:
    """Model, ridge and loudness on real clips.

    Raises:
        InputError: No folder of clips, none that is named as those in sync are, or none of use.
    """
    paths = real_clips(context.clips)
    ridge = fit_ridge(context.corpus, context.pipeline.face.lip_opening)
    agreements: dict[str, dict[str, Agreement]] = {}
    dropped: dict[str, str] = {}
    for path in tqdm(paths, desc="real clips"):
        try:
            times, real = lip_opening(track_of(path, context.tracks))
            sound = load_sound(path, sample_rate=SAMPLE_RATE)
        except InputError as error:
            dropped[path.stem] = str(error)
            continue
        for name, (curve_times, curve) in contestants(context, sound, ridge).items():
            agreements.setdefault(name, {})[path.stem] = agreement(times, real, curve_times, curve)
    if not agreements:
        raise InputError("Got no clip that could be used; see that each shows a face with sound.")
    return _part(agreements, dropped)


def real_clips(folder: Path | None) -> list[Path]:
    """Videos in step of people who are not in the corpus.

    Raises:
        InputError: There are none.
    """
    if folder is None:
        raise InputError("Got no folder of real talking clips; name it with --clips.")
    paths = sorted(
        path
        for path in folder.glob("*.mp4")
        if path.name.startswith(IN_SYNC) and use_of("clips", path.name) != "training"
    )
    if not paths:
        raise InputError(f"Got no video named {' or '.join(IN_SYNC)}* in {folder}.")
    return paths


def contestants(
    context: EvaluationContext, sound: Sound, ridge: Ridge
) -> Mapping[str, tuple[Curve, Curve]]:
    """Times and lip opening of the model and its rivals; loudness once for each smoothing."""
    fps = context.fps
    frames = max(1, round(sound.seconds * fps))
    times = np.arange(frames) / fps
    features = speech_features(context.pipeline.encoder, sound, fps=fps, frames=frames)
    opening = context.animate(features, context.neutral) @ context.pipeline.face.lip_opening
    curves = {"model": opening, "ridge": ridge.predict(features)}
    level = loudness(sound, fps, frames)
    for smoothing in SMOOTHINGS:
        curves[_loudness(smoothing)] = (
            gaussian_filter1d(level, smoothing * fps) if smoothing else level
        )
    return {name: (times, curve.astype(np.float64)) for name, curve in curves.items()}


def _part(agreements: Mapping[str, Mapping[str, Agreement]], dropped: Mapping[str, str]) -> Part:
    curves = {
        name: [one.correlation for one in clips.values()] for name, clips in agreements.items()
    }
    lags = {name: [one.lag for one in clips.values()] for name, clips in agreements.items()}
    loudest = max(map(_loudness, SMOOTHINGS), key=lambda name: float(np.median(curves[name])))
    rivals = "; ".join(
        f"{name} {significance(curves['model'], curves[name])}" for name in ("ridge", loudest)
    )
    return Part(
        title="lips follow real people",
        rule_made=False,
        on=f"{len(curves['model'])} clips of people never trained on, from their sound and a "
        "neutral style of the corpus alone",
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
            "Correlations at the best lag within 80 ms. The ridge is fitted on the same corpus; "
            "loudness has the smoothing with which it does best here. The model against them: "
            f"{rivals}.",
            *(f"Not used: {name} ({reason})" for name, reason in dropped.items()),
        ),
        each={
            name: {clip: one.correlation for clip, one in clips.items()}
            for name, clips in agreements.items()
            if name in ("model", "ridge", loudest)
        },
    )


def _loudness(smoothing: float) -> str:
    return f"loudness smoothed by {1000 * smoothing:.0f} ms"


def track_of(path: Path, folder: Path | None) -> FaceTrack:
    """The face track of a video, kept in ``folder`` where one is given."""
    if folder is None:
        return track_video(path)
    path_of_track = folder / f"{path.stem}.npz"
    if not path_of_track.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        track_video(path).save(path_of_track)
    return FaceTrack.load(path_of_track)
