"""How much of a real style a take keeps: its mean pose, its liveliness, and its localization.

Slopes across references say whether a stronger expression in the reference is a stronger one in the
take, and by how much: 1 keeps all, 0 is the same face for everybody. References are tracked people
and performances recorded as ARKit weights, which no tracker has touched. All of it is ours.
"""

import gzip
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from tqdm import tqdm

from kmspeaker.animation.controls import Controls
from kmspeaker.errors import InputError
from kmspeaker.evaluation.bootstrap import Estimate, bootstrap, mean, median
from kmspeaker.evaluation.expression_clips import FPS
from kmspeaker.evaluation.expression_retrieval import TOP, cut, ranks
from kmspeaker.evaluation.metrics import describe
from kmspeaker.evaluation.report import Finding, Part, Target
from kmspeaker.face.keypoints import keypoint_set, keypoint_track
from kmspeaker.face.rig import ARKIT_INDEX, UPPER_SHAPES, FaceModel, Weights
from kmspeaker.media.audio import Sound
from kmspeaker.model.upper_reading import upper_face_read
from kmspeaker.pipeline import Pipeline
from kmspeaker.reference.live_link import read_live_link
from kmspeaker.reference.performance import Performance

SHAPES = (
    *("browInnerUp", "browOuterUp", "browDown", "eyeWide", "eyeSquint", "cheekSquint"),
    *("noseSneer", "mouthSmile", "mouthFrown", "mouthUpperUp"),
)
"""Whose means are followed from reference to take."""
LEAST_SPREAD = 0.02
"""Standard deviation over the references below which nothing can be said of a shape."""
PIECE = 6.0
"""Seconds of a long recording that are one reference: the expression changes over it."""
SEEDS = (0, 1, 2)
SLOPE = Target(least=0.85, most=1.1)
SHAPE_SLOPE = Target(least=0.75, most=1.1)
DYNAMICS = Target(least=0.85, most=1.15)
FOUND = Target(least=0.6)
LOCALIZED = Target(most=0.30)
MOUTH_REACH = 1.0
"""mm by which no shape of the mouth moves a keypoint that the words leave alone."""


@dataclass(frozen=True)
class Kept:
    """A reference and what was made in its style, at ``FPS``."""

    name: str
    reference: Performance
    stylized: tuple[Weights, ...]
    """One for each of ``SEEDS``, of another's speech."""
    localized: Weights
    """The same speech with the reference's upper face, frame by frame."""


def read_recordings(folders: Sequence[Path]) -> list[tuple[str, Performance]]:
    """Live Link Face recordings, gzipped or not, in pieces of ``PIECE`` seconds.

    Raises:
        InputError: A folder is not there or has none.
    """
    pieces: list[tuple[str, Performance]] = []
    for folder in folders:
        paths = sorted(p for p in folder.glob("*.csv*") if p.suffix in (".csv", ".gz"))
        if not paths:
            raise InputError(
                f"Got no Live Link Face .csv in {folder}; give folders that hold some."
            )
        for path in paths:
            performance = _read_recording(path)
            count = max(1, round(performance.seconds / PIECE))
            edges = np.linspace(0, len(performance), count + 1).astype(int)
            for number, (first, last) in enumerate(pairwise(edges.tolist())):
                piece = cut(performance, first, last)
                if piece.present.mean() > 0.5:
                    pieces.append((f"{path.name.split('.')[0]} {number}", piece))
    return pieces


def _read_recording(path: Path) -> Performance:
    if path.suffix != ".gz":
        return read_live_link(path, FPS)
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder) / path.stem
        unpacked.write_bytes(gzip.decompress(path.read_bytes()))
        return read_live_link(unpacked, FPS)


def make_kept(
    references: Sequence[tuple[str, Performance]], pipeline: Pipeline, sound: Sound
) -> list[Kept]:
    """Takes of one speech in the style of each reference, and a dub of it."""
    kept: list[Kept] = []
    for name, performance in tqdm(references, desc="styles", leave=False):
        own = performance.resampled(FPS)
        takes = pipeline.animate(sound, own, use="stylize", seeds=SEEDS)
        (dub,) = pipeline.animate(sound, own, use="localize", controls=Controls(fit="hold"))
        kept.append(Kept(name, own, tuple(take.weights for take in takes), dub.weights))
    return kept


def part(kept: Sequence[Kept], face: FaceModel, on: str) -> Part:
    """The table of some references.

    Raises:
        InputError: Fewer than three.
    """
    if len(kept) < 3:
        raise InputError(f"Got {len(kept)} references; a slope across them needs three or more.")
    pose = np.stack(
        [_mean_pose(face, one.reference.weights[one.reference.present]) for one in kept]
    )
    taken = np.stack(
        [np.mean([_mean_pose(face, take) for take in one.stylized], axis=0) for one in kept]
    )
    findings = [Finding("slope of the mean upper keypoints", slope(pose, taken), target=SLOPE)]
    findings += _shape_rows(kept)
    stirred = [_stir(face, one.reference.weights[one.reference.present]) for one in kept]
    moved = [float(np.mean([_stir(face, take) for take in one.stylized])) for one in kept]
    alive = [i for i, own in enumerate(stirred) if own > 0.05]
    findings += [
        Finding(
            "dynamics of the upper keypoints, takes over references",
            median([moved[i] / stirred[i] for i in alive]),
            target=DYNAMICS,
        ),
        Finding("dynamics of the upper keypoints, takes", median(moved), "mm"),
        Finding("dynamics of the upper keypoints, references", median(stirred), "mm"),
    ]
    for which in ("all keypoints", "upper keypoints"):
        upper = which == "upper keypoints"
        wanted = [
            describe(Performance.from_weights(one.stylized[0], FPS), face, upper=upper)
            for one in kept
        ]
        among = [describe(one.reference, face, upper=upper) for one in kept]
        found = ranks(wanted, among)
        findings += [
            Finding(
                f"takes find their reference, {which}: first", mean((found == 1).astype(np.float64))
            ),
            Finding(
                f"takes find their reference, {which}: among the first {TOP}",
                mean((found <= TOP).astype(np.float64)),
            ),
            Finding(
                f"takes find their reference, {which}: mean reciprocal rank",
                mean(1 / found),
                target=None if upper else FOUND,
            ),
        ]
    findings += _diversity_rows(kept, face)
    findings += _localization_rows(kept, face)
    return Part(
        title="the style of a reference is kept",
        rule_made=False,
        on=on,
        findings=tuple(findings),
        notes=(
            "Slopes of the takes' means on the references' means, across references; takes say "
            "another's words. Of dubs, cheeks move with the words: the performance's own upper "
            "weights on the dub's mouth show how far. The linear readout finds the upper weights "
            "by least squares from the upper keypoints and the dub's mouth.",
        ),
        each={"slope's pose, mm off": _by_name(kept, np.linalg.norm(pose - taken, axis=1))},
    )


def slope(
    given: Float64[np.ndarray, "items numbers"], taken: Float64[np.ndarray, "items numbers"]
) -> Estimate:
    """Least-squares slope of centred numbers on centred numbers, items resampled whole."""
    rows = np.concatenate([given, taken], axis=1)
    width = given.shape[1]

    def of(samples: np.ndarray) -> np.ndarray:
        centred = samples - samples.mean(axis=-2, keepdims=True)
        x, y = centred[..., :width], centred[..., width:]
        with np.errstate(divide="ignore", invalid="ignore"):
            return (x * y).sum((-1, -2)) / (x * x).sum((-1, -2))

    return bootstrap(rows, of)


def _shape_rows(kept: Sequence[Kept]) -> list[Finding]:
    rows: list[Finding] = []
    for shape in SHAPES:
        names = [n for n in (shape, f"{shape}Left", f"{shape}Right") if n in ARKIT_INDEX]
        columns = [ARKIT_INDEX[name] for name in names]
        given = np.array(
            [one.reference.weights[one.reference.present][:, columns].mean() for one in kept],
            np.float64,
        )
        taken = np.array(
            [np.mean([take[:, columns].mean() for take in one.stylized]) for one in kept],
            np.float64,
        )
        if given.std() >= LEAST_SPREAD:
            estimate = slope(given[:, None], taken[:, None])
            rows.append(Finding(f"slope of {shape}", estimate, target=SHAPE_SLOPE))
    return rows


def _diversity_rows(kept: Sequence[Kept], face: FaceModel) -> list[Finding]:
    """How far takes of other noise are apart, mm."""
    upper = keypoint_set(face, "ours").upper
    apart: dict[str, list[float]] = {"upper": [], "other": []}
    for one in kept:
        points = [keypoint_track(face, take) for take in one.stylized]
        for name, chosen in (("upper", upper), ("other", ~upper)):
            apart[name].append(
                float(
                    np.mean(
                        [
                            np.linalg.norm(a[:, chosen] - b[:, chosen], axis=2).mean()
                            for i, a in enumerate(points)
                            for b in points[i + 1 :]
                        ]
                    )
                )
            )
    return [
        Finding(f"diversity over seeds, {name} keypoints", median(values), "mm")
        for name, values in apart.items()
    ]


def _localization_rows(kept: Sequence[Kept], face: FaceModel) -> list[Finding]:
    """How far the upper keypoints of dubs are off their performance, mm.

    The cheeks move with the words, which are not the performance's: its own upper weights, copied
    onto the dub's mouth, are as far off as a dub without a fault. Where no mouth reaches, a dub has
    no excuse.
    """
    chosen = keypoint_set(face, "ours").upper
    per_weight = keypoint_track(face, np.eye(len(ARKIT_INDEX), dtype=np.float32))[:, chosen]
    reach = np.linalg.norm(per_weight[~UPPER_SHAPES], axis=2).max(axis=0)
    groups = {"upper keypoints": reach >= 0, "keypoints no mouth reaches": reach < MOUTH_REACH}
    names = ("dubs", "its upper weights copied", "a linear readout", "its mean pose")
    off: Mapping[tuple[str, str], list[float]] = {
        (group, name): [] for group in groups for name in names
    }
    for one in kept:
        frames = min(len(one.localized), len(one.reference))
        shown = one.reference.present[:frames]
        own, dub = one.reference.weights[:frames][shown], one.localized[:frames][shown]
        real = _upper(face, own)
        read = np.where(UPPER_SHAPES, upper_face_read(face, own), dub).astype(np.float32)
        made = {
            "dubs": _upper(face, dub),
            "its upper weights copied": _upper(face, np.where(UPPER_SHAPES, own, dub)),
            "a linear readout": _upper(face, read),
            "its mean pose": real.mean(axis=0, keepdims=True),
        }
        for group, counted in groups.items():
            for name, points in made.items():
                distance = np.linalg.norm((points - real)[:, counted], axis=2)
                off[group, name].append(float(distance.mean()))
    return [
        Finding(
            f"{group} off the performance: {name}",
            median(values),
            "mm",
            target=LOCALIZED if name == "dubs" else None,
        )
        for (group, name), values in off.items()
    ]


def _upper(face: FaceModel, weights: Weights) -> Float64[np.ndarray, "frames keypoints 3"]:
    return keypoint_track(face, weights)[:, keypoint_set(face, "ours").upper].astype(np.float64)


def _mean_pose(face: FaceModel, weights: Weights) -> Float64[np.ndarray, " numbers"]:
    return _upper(face, weights).mean(axis=0).reshape(-1)


def _stir(face: FaceModel, weights: Weights) -> float:
    """Mean over the upper keypoints of how far each departs from its mean (rms), mm."""
    points = _upper(face, weights)
    return float(np.sqrt(points.var(axis=0).sum(axis=-1)).mean())


def _by_name(kept: Sequence[Kept], values: np.ndarray) -> dict[str, float]:
    return {one.name: float(value) for one, value in zip(kept, values, strict=True)}
