"""Do the tracker's scores come back from the head?

mediapipe scores the shapes on real frames and again on the head that plays them. Slope 1 is an
amplitude kept; the slope of clips' means shows held expressions, that over time moving ones. Ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64
from tqdm import tqdm

from kmspeaker.animation.metrics import correlation
from kmspeaker.evaluation.bootstrap import Estimate, bootstrap, mean, median
from kmspeaker.evaluation.expression_clips import Tracked, drawn
from kmspeaker.evaluation.expression_reader import NEUTRAL
from kmspeaker.evaluation.lips import lip_opening
from kmspeaker.evaluation.report import Finding, Part
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.reference.landmarker import detect_faces
from kmspeaker.reference.tracking import SEEN

HEAD = "clara"
SIDE = 320
"""Pixels of a rendered picture; the landmarker scales it down anyway."""
RATE = 10.0
"""Frames a second that are compared, at most."""
MOST_FRAMES = 16
"""Of a clip; a longer one is looked at less often."""
SHAPES = (
    *("browDown", "browInnerUp", "browOuterUp", "eyeSquint", "eyeWide", "mouthSmile"),
    *("mouthFrown", "mouthUpperUp", "mouthPress", "jawOpen", "mouthPucker"),
)
"""Both sides' mean, where there are two."""
MOVES = 0.04
"""Standard deviation of a score over a clip from which on it counts as moving."""
RESTING = (
    *("browDown", "browInnerUp", "browOuterUp", "eyeSquint", "eyeWide", "cheekSquint"),
    *("noseSneer", "mouthSmile", "mouthFrown", "mouthUpperUp", "mouthStretch", "mouthPress"),
)
"""Weights that a resting face should leave alone."""

Scores = Float64[np.ndarray, "compared shapes"]


@dataclass(frozen=True)
class Pair:
    """``SHAPES`` of a clip at the same moments."""

    real: Scores
    rendered: Scores
    """Those frames only in which both faces were found."""


def columns(name: str) -> list[int]:
    """Where a shape, or both its sides, are among ARKit's."""
    return [ARKIT_INDEX[n] for n in (name, f"{name}Left", f"{name}Right") if n in ARKIT_INDEX]


def shape_scores(
    scores: Float[np.ndarray, "frames 52"], shapes: Sequence[str] = SHAPES
) -> Float64[np.ndarray, "frames shapes"]:
    """The mean of both sides of each shape."""
    wide = scores.astype(np.float64)
    return np.stack([wide[:, columns(shape)].mean(axis=1) for shape in shapes], axis=1)


def compared(tracked: Tracked) -> Int64[np.ndarray, " compared"]:
    """Frames of the track that show the face, about evenly in time."""
    seen = np.flatnonzero(tracked.track.status == SEEN)
    times = tracked.track.times[seen]
    step = max(1 / RATE, (times[-1] - times[0]) / MOST_FRAMES)
    first_of_step = np.unique(np.floor((times - times[0]) / step + 1e-6), return_index=True)[1]
    return seen[first_of_step]


def round_trips(clips: Sequence[Tracked], face: FaceModel, head: str = HEAD) -> dict[str, Pair]:
    """Every clip's scores and those of the head that plays it, seen from the front.

    Raises:
        InputError: There is no such head, or the landmarker cannot start.
    """
    frames = [compared(tracked) for tracked in clips]
    real = [tracked.track.scores[own] for tracked, own in zip(clips, frames, strict=True)]
    weights = np.concatenate(
        [tracked.weights_at(own) for tracked, own in zip(clips, frames, strict=True)]
    )
    rendered = np.full((len(weights), len(ARKIT_INDEX)), np.nan, np.float32)
    pictures = ((k / RATE, one) for k, one in enumerate(drawn(face, head, weights, SIDE)))
    found = tqdm(detect_faces(pictures), desc="round trip", total=len(weights), leave=False)
    for scores, (_, _, faces) in zip(rendered, found, strict=True):
        if faces:
            scores[:] = max(faces, key=lambda each: each.size).scores
    ends = np.cumsum([len(each) for each in real])[:-1]
    return {
        tracked.clip.name: _pair(before, after)
        for tracked, before, after in zip(clips, real, np.split(rendered, ends), strict=True)
    }


def _pair(
    real: Float32[np.ndarray, "compared 52"], rendered: Float32[np.ndarray, "compared 52"]
) -> Pair:
    known = ~np.isnan(rendered).any(axis=1)
    return Pair(shape_scores(real[known]), shape_scores(rendered[known]))


def slope(
    of: Float64[np.ndarray, "*more items"], on: Float64[np.ndarray, "*more items"]
) -> Float64[np.ndarray, "*more"]:
    """Of the straight line through ``of`` over ``on``, by least squares; NaN if ``on`` is flat."""
    one, other = (each - each.mean(axis=-1, keepdims=True) for each in (of, on))
    spread = (other**2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 1e-12, (one * other).sum(axis=-1) / spread, np.nan)


@dataclass(frozen=True)
class Kept:
    """How much of one shape comes back."""

    means_correlation: Estimate
    means_slope: Estimate
    """Both of clips' means, across clips."""
    time_correlation: Estimate
    time_slope: Estimate
    """Both within clips in which the score moves; the median over these."""


def kept(pairs: Mapping[str, Pair], shape: str) -> Kept:
    """Correlation and slope of one of ``SHAPES``."""
    column = SHAPES.index(shape)
    curves = [
        (pair.real[:, column], pair.rendered[:, column])
        for pair in pairs.values()
        if len(pair.real)
    ]
    means = np.array([(real.mean(), rendered.mean()) for real, rendered in curves])
    means = means.reshape(-1, 2)
    moving = [(real, rendered) for real, rendered in curves if real.std() > MOVES]
    return Kept(
        means_correlation=bootstrap(means, _correlations),
        means_slope=bootstrap(means, lambda items: slope(items[..., 1], items[..., 0])),
        time_correlation=median([correlation(real, seen, flat=0.0) for real, seen in moving]),
        time_slope=median([float(slope(seen, real)) for real, seen in moving]),
    )


def _correlations(items: Float64[np.ndarray, "samples items 2"]) -> Float64[np.ndarray, " samples"]:
    one, other = items[..., 0], items[..., 1]
    with np.errstate(invalid="ignore"):
        return slope(other, one) * one.std(axis=-1) / other.std(axis=-1)


def lips_kept(clips: Sequence[Tracked], face: FaceModel) -> dict[str, float]:
    """By clip: the performance's lip opening correlated with that of its landmarks, no picture."""
    found = {}
    for tracked in clips:
        times, real = lip_opening(tracked.track)
        performance = tracked.performance
        opening = (performance.weights @ face.lip_opening).astype(np.float64)
        at = np.arange(len(performance)) / performance.fps
        found[tracked.clip.name] = correlation(real, np.interp(times, at, opening), flat=0.0)
    return found


def resting_weights(clips: Sequence[Tracked]) -> dict[str, dict[str, float]]:
    """By clip that is acted neutral: the mean over time of each of ``RESTING``."""
    found = {}
    for tracked in clips:
        if tracked.clip.emotion == NEUTRAL:
            weights = tracked.performance.weights[tracked.performance.present]
            means = shape_scores(weights, RESTING).mean(axis=0)
            found[tracked.clip.name] = dict(zip(RESTING, map(float, means), strict=True))
    return found


def part(
    pairs: Mapping[str, Pair],
    lips: Mapping[str, float],
    resting: Mapping[str, Mapping[str, float]],
) -> Part:
    """The table of ``SHAPES``, lips and resting faces."""
    findings = []
    for shape in SHAPES:
        found = kept(pairs, shape)
        findings += [
            Finding(f"{shape}: clip means, correlation", found.means_correlation),
            Finding(f"{shape}: clip means, slope", found.means_slope),
            Finding(f"{shape}: over time, correlation", found.time_correlation, of="moving clips"),
            Finding(f"{shape}: over time, slope", found.time_slope, of="moving clips"),
        ]
    findings += [
        Finding("lip opening of the performance with the landmarks'", median([*lips.values()])),
        Finding(
            "expressive weights of resting faces",
            mean([float(np.mean([*each.values()])) for each in resting.values()]),
            of="neutral clips",
        ),
        Finding(
            "the largest of them",
            mean([max(each.values()) for each in resting.values()]),
            of="neutral clips",
        ),
    ]
    largest = [
        f"{clip} {max(each, key=lambda name: each[name])} {max(each.values()):.2f}"
        for clip, each in resting.items()
    ]
    frames = sum(len(pair.real) for pair in pairs.values())
    return Part(
        title="scores come back",
        rule_made=False,
        on=f"{len(pairs)} clips, {frames} frames, on {HEAD}",
        findings=tuple(findings),
        notes=(
            _table(pairs),
            *(f"largest weight at rest: {', '.join(largest)}" for _ in largest[:1]),
        ),
        each={"lips": dict(lips), **_means(pairs)},
    )


def _means(pairs: Mapping[str, Pair]) -> dict[str, dict[str, float]]:
    """By shape and side, by clip: the mean score."""
    return {
        f"{shape}, {side}": {
            clip: float(scores[:, column].mean()) for clip, scores in found.items() if len(scores)
        }
        for column, shape in enumerate(SHAPES)
        for side, found in (
            ("real", {clip: pair.real for clip, pair in pairs.items()}),
            ("rendered", {clip: pair.rendered for clip, pair in pairs.items()}),
        )
    }


def _table(pairs: Mapping[str, Pair]) -> str:
    """One line a shape, for the eye."""
    lines = ["shape           means: corr slope   time: corr slope   mean real, rendered"]
    stacked = [
        np.concatenate([getattr(p, side) for p in pairs.values()]) for side in ("real", "rendered")
    ]
    for column, shape in enumerate(SHAPES):
        found = kept(pairs, shape)
        figures = (
            found.means_correlation,
            found.means_slope,
            found.time_correlation,
            found.time_slope,
        )
        a, b, c, d = (f"{figure.value:5.2f}" for figure in figures)
        real, rendered = (float(side[:, column].mean()) for side in stacked)
        lines.append(
            f"  {shape:14s}       {a} {b}         {c} {d}          {real:.2f} {rendered:.2f}"
        )
    return "\n".join(lines)
