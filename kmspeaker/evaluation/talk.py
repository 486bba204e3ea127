"""How lips of takes move beside those of the person who spoke: by band, in pauses, at closures.

A correlation alone hides how lips are wrong: whether they shut where people's stay apart, whether
they are slow or nervous, whether they close at the right moments. Measured on tracked people on our
head, in millimetres, from their sound alone and the model's mean style, beside two rivals that know
no lips: loudness, and a ridge regression fitted on other people's talk. All of it is ours.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64
from scipy.signal import butter, sosfiltfilt
from tqdm import tqdm

from kmspeaker.animation.metrics import correlation
from kmspeaker.errors import InputError
from kmspeaker.evaluation.bootstrap import mean, median, ratio, significance
from kmspeaker.evaluation.expression_clips import FPS, Tracked
from kmspeaker.evaluation.lips import agreement, loudness
from kmspeaker.evaluation.report import Finding, Part, Target
from kmspeaker.evaluation.ridge import Ridge, fit_ridge_on
from kmspeaker.face.lip_contact import CLOSED
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.audio import SAMPLE_RATE, Sound, load_sound
from kmspeaker.speech.encoders import SpeechEncoder, speech_features

BANDS = ((0.0, 1.5), (1.5, 4.0), (4.0, 8.0))
"""Hz: phrases, syllables, and what consonants do."""
NERVOUS = 6.0
"""Hz above which little of people's lips moves."""
QUIET = 30.0
"""dB under the clip's loud moments (95th percentile) below which nobody speaks."""
SHORT_PAUSE = (0.3, 0.6)
"""Seconds; longer ones are long pauses."""
CLICK = 0.06
"""Seconds of sound within a pause, or of silence within speech, that do not count."""
BEFORE = 0.2
"""Seconds before speech begins again."""
SLACK = 0.08
"""Seconds by which a closure may be early or late."""
SHIFTS = 40
"""Times by which a curve is turned around to see what it hits by chance."""
LOUDNESS_SMOOTHING = 2.0
"""Frames."""
LEAST_SECONDS = 1.5
FOLLOWS = Target(least=0.76)
PAUSED = Target(least=0.35, most=0.50)

Curve = Float64[np.ndarray, " frames"]
Curves = Sequence[Float64[np.ndarray, " _"]]
"""Of several clips, each of its own length."""
Animate = Callable[[Float32[np.ndarray, "frames dim"]], Curve]
"""Speech features to the lips' opening above the neutral's, mm."""


@dataclass(frozen=True)
class Talker:
    """A clip of somebody who talks."""

    name: str
    sound: Sound
    opening: Curve
    """Of the lips above the neutral's on our head, mm."""
    features: Float32[np.ndarray, "frames dim"]

    @property
    def times(self) -> Curve:
        """Of the frames, seconds."""
        return np.arange(len(self.opening)) / FPS


def read_talkers(
    clips: Sequence[Tracked], face: FaceModel, encoder: SpeechEncoder
) -> tuple[list[Talker], dict[str, str]]:
    """The clips with sound whose face is never lost, and of the others why not."""
    found: list[Talker] = []
    dropped: dict[str, str] = {}
    for tracked in clips:
        performance, name = tracked.performance, tracked.clip.name
        try:
            sound = load_sound(tracked.clip.path, sample_rate=SAMPLE_RATE)
        except InputError as error:
            dropped[name] = str(error)
            continue
        frames = int(min(sound.seconds, performance.seconds) * FPS)
        if frames < LEAST_SECONDS * FPS:
            dropped[name] = f"{frames / FPS:.1f} s of face and sound"
        elif not performance.present[:frames].all():
            dropped[name] = "its face is lost now and then"
        else:
            opening = performance.weights[:frames].astype(np.float64) @ face.lip_opening
            features = speech_features(encoder, sound, fps=FPS, frames=frames)
            found.append(Talker(name, sound, opening, features))
    return found, dropped


def fit_talk_ridge(talkers: Sequence[Talker]) -> Ridge:
    """A ridge regression from speech features to the opening, each clip standardised."""
    return fit_ridge_on(
        [
            (one.features, (one.opening - one.opening.mean()) / max(one.opening.std(), 1e-6))
            for one in talkers
        ]
    )


def pauses(sound: Sound, frames: int) -> list[tuple[int, int]]:
    """First frame of each pause between words, and the first of the speech that ends it."""
    return pauses_in(loudness(sound, FPS, frames))


def pauses_in(loud: Curve) -> list[tuple[int, int]]:
    """The same of the loudness of each frame."""
    frames = len(loud)
    level = 20 * np.log10(loud + 1e-6)
    quiet = level < np.quantile(level, 0.95) - QUIET
    click = max(1, round(CLICK * FPS))
    for what in (False, True):  # fill clicks within pauses, then drops within speech
        for first, last in _runs(quiet == what):
            if last - first <= click and first > 0 and last < frames:
                quiet[first:last] = not what
    return [
        (first, last)
        for first, last in _runs(quiet)
        if first > 0 and last < frames and last - first >= SHORT_PAUSE[0] * FPS
    ]


def _runs(mask: Bool[np.ndarray, " frames"]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


@dataclass(frozen=True)
class Pausing:
    """Openings in pauses as shares of a clip's 95th percentile; lists of one number a pause."""

    short: tuple[float, ...]
    long: tuple[float, ...]
    before: tuple[float, ...]
    """In the 200 ms before speech begins again."""


def pausing(opening: Curve, moments: Sequence[tuple[int, int]]) -> Pausing:
    """How far apart lips stand in pauses."""
    share = opening / max(float(np.quantile(opening, 0.95)), 1e-6)
    short, long = [], []
    for first, last in moments:
        kind = short if last - first < SHORT_PAUSE[1] * FPS else long
        kind.append(float(share[first:last].mean()))
    ready = round(BEFORE * FPS)
    before = [float(share[last - ready : last].mean()) for _, last in moments]
    return Pausing(tuple(short), tuple(long), tuple(before))


def in_band(curve: Curve, low: float, high: float) -> Curve:
    """What of a curve moves between two rates, Hz."""
    edge, kind = ((low, high), "bandpass") if low > 0 else (high, "lowpass")
    filtered = sosfiltfilt(butter(3, edge, kind, fs=FPS, output="sos"), curve - curve.mean())
    return np.asarray(filtered, np.float64)


def nervousness(curve: Curve) -> float:
    """Share of a curve's variance above ``NERVOUS``."""
    sections = butter(3, NERVOUS, "highpass", fs=FPS, output="sos")
    fast = np.asarray(sosfiltfilt(sections, curve - curve.mean()))
    return float(fast.var() / max(float(curve.var()), 1e-9))


@dataclass(frozen=True)
class Closing:
    """Closures of a person, and what of them somebody else's lips have."""

    closures: int
    hit: int
    by_chance: float
    """How many would be hit, were the lips as often closed at other times."""
    closed_frames: int
    right_frames: int
    """Closed frames near which the person's lips are closed too."""


def closing(real: Curve, other: Curve) -> Closing:
    """Of two curves of the same frames, mm above the neutral's."""
    slack = round(SLACK * FPS)
    shut = other < CLOSED
    real_shut = real < CLOSED
    closures = _runs(real_shut)

    def hits(mask: np.ndarray) -> int:
        return sum(bool(mask[max(0, a - slack) : b + slack].any()) for a, b in closures)

    turns = np.unique(np.linspace(FPS / 2, max(len(real) - FPS / 2, FPS / 2), SHIFTS).astype(int))
    near = np.convolve(real_shut, np.ones(2 * slack + 1), "same") > 0
    return Closing(
        closures=len(closures),
        hit=hits(shut),
        by_chance=float(np.mean([hits(np.roll(shut, turn)) for turn in turns])),
        closed_frames=int(shut.sum()),
        right_frames=int((shut & near).sum()),
    )


def part(talkers: Sequence[Talker], animate: Animate, ridge: Ridge | None) -> Part:
    """The table.

    Args:
        talkers: People the model and the ridge have not seen.
        animate: The model.
        ridge: Fitted on other people's talk; None without any.

    Raises:
        InputError: There is nobody.
    """
    if not talkers:
        raise InputError("Got no clip with sound and a face throughout; give clips of talk.")
    curves: dict[str, list[Curve]] = {"model": [], "loudness": []}
    for one in tqdm(talkers, desc="talk", leave=False):
        frames = len(one.opening)
        curves["model"].append(animate(one.features).astype(np.float64))
        level = loudness(one.sound, FPS, frames)
        weights = np.exp(-0.5 * (np.arange(-6, 7) / LOUDNESS_SMOOTHING) ** 2)
        curves["loudness"].append(np.convolve(level, weights / weights.sum(), "same"))
        if ridge is not None:
            curves.setdefault("ridge", []).append(ridge.predict(one.features))
    names = {"model": "takes", "ridge": "ridge of others' talk", "loudness": "loudness"}
    agreements = {
        who: [
            agreement(one.times, one.opening, one.times, curve)
            for one, curve in zip(talkers, own, strict=True)
        ]
        for who, own in curves.items()
    }
    follows = {who: [each.correlation for each in own] for who, own in agreements.items()}
    shifted = {
        who: [
            np.interp(one.times + each.lag, one.times, curve)
            for one, each, curve in zip(talkers, agreements[who], own, strict=True)
        ]
        for who, own in curves.items()
    }
    findings = [
        Finding(
            f"lips follow the person: {names[who]}",
            median(own),
            target=FOLLOWS if who == "model" else None,
        )
        for who, own in follows.items()
    ]
    findings += _band_rows(talkers, shifted, names)
    findings += _pause_rows(talkers, curves["model"])
    findings += _loudness_rows(talkers, curves["model"])
    findings += _closure_rows(talkers, shifted["model"])
    rivals = "; ".join(
        f"{names[who]} {significance(follows['model'], own)}"
        for who, own in follows.items()
        if who != "model"
    )
    return Part(
        title="lips move as the person's",
        rule_made=False,
        on=f"{len(talkers)} clips of people never trained on",
        findings=tuple(findings),
        notes=(
            "Correlations at the best lag within 80 ms, by which the curves are shifted for bands "
            f"and closures. The model against its rivals: {rivals}.",
        ),
        each={
            names[who]: {one.name: value for one, value in zip(talkers, own, strict=True)}
            for who, own in follows.items()
        },
    )


def _band_rows(
    talkers: Sequence[Talker], curves: Mapping[str, Curves], names: Mapping[str, str]
) -> list[Finding]:
    rows: list[Finding] = []
    for low, high in BANDS:
        band = f"{low:g} to {high:g} Hz" if low else f"below {high:g} Hz"
        real = [in_band(one.opening, low, high) for one in talkers]
        for who, own in curves.items():
            moved = [in_band(curve, low, high) for curve in own]
            pairs = list(zip(moved, real, strict=True))
            rows.append(
                Finding(
                    f"{band}: {names[who]}",
                    median([correlation(a, b, flat=0.0) for a, b in pairs]),
                )
            )
            if who == "model":
                sizes = [float(a.std() / max(b.std(), 1e-6)) for a, b in pairs]
                rows.append(Finding(f"{band}: amplitude over the person's", median(sizes)))
    for what, own in (("takes", curves["model"]), ("people", [one.opening for one in talkers])):
        rows.append(
            Finding(
                f"variance above {NERVOUS:g} Hz: {what}", median([nervousness(c) for c in own]), "%"
            )
        )
    return rows


def _pause_rows(talkers: Sequence[Talker], curves: Curves) -> list[Finding]:
    moments = [pauses(one.sound, len(one.opening)) for one in talkers]
    found = {
        "takes": [pausing(c, m) for c, m in zip(curves, moments, strict=True)],
        "people": [pausing(one.opening, m) for one, m in zip(talkers, moments, strict=True)],
    }
    kinds = {
        "short": f"opening in pauses of {SHORT_PAUSE[0]:g} to {SHORT_PAUSE[1]:g} s",
        "long": "opening in longer pauses",
        "before": f"opening in the {1000 * BEFORE:.0f} ms before speech",
    }
    return [
        Finding(
            f"{title}, of the clip's 95th percentile: {who}",
            mean([value for one in own for value in getattr(one, kind)]),
            "",
            "pauses",
            PAUSED if (kind, who) == ("short", "takes") else None,
        )
        for kind, title in kinds.items()
        for who, own in found.items()
    ]


def _loudness_rows(talkers: Sequence[Talker], curves: Curves) -> list[Finding]:
    """Whether lips open by loudness alone: real ones hardly do."""
    levels = [loudness(one.sound, FPS, len(one.opening)) for one in talkers]
    rows: list[Finding] = []
    for what, own in (("takes", curves), ("people", [one.opening for one in talkers])):
        for tenth, name in ((0, "quietest"), (9, "loudest")):
            shares = []
            for curve, level in zip(own, levels, strict=True):
                low, high = np.quantile(level, (tenth / 10, (tenth + 1) / 10))
                chosen = (low <= level) & (level <= high)
                share = curve[chosen].mean() / max(float(np.quantile(curve, 0.95)), 1e-6)
                shares.append(float(share))
            rows.append(
                Finding(f"opening in the {name} tenth of the sound: {what}", median(shares))
            )
    return rows


def _closure_rows(talkers: Sequence[Talker], curves: Curves) -> list[Finding]:
    counts = [closing(one.opening, curve) for one, curve in zip(talkers, curves, strict=True)]
    closures = [float(one.closures) for one in counts]
    frames = [float(one.closed_frames) for one in counts]
    return [
        Finding("closures hit", ratio([float(one.hit) for one in counts], closures), "%"),
        Finding("closures hit by chance", ratio([o.by_chance for o in counts], closures), "%"),
        Finding(
            "closed frames that are right",
            ratio([float(one.right_frames) for one in counts], frames),
            "%",
        ),
    ]
