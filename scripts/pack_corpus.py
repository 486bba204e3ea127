"""Take a corpus where little fits, such as a rented GPU, and make a corpus of it again there.

    python -m scripts.pack_corpus pack corpora/open open.npz
    python -m scripts.pack_corpus unpack open.npz corpora/open

An hour of corpus is 91 MB, packed 8.4. Weights become bytes. Speech features are turned to the
corpus's principal axes and rounded to the same step on each of them, so that an axis along which
little happens costs little; bzip2 does the rest. The index stays as it is.
"""

import argparse
import json
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int8, UInt8

from kmspeaker.corpus.store import INDEX, Clip, Corpus, Motion, clip_of, write_shard
from kmspeaker.errors import InputError
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.files import replacing

MOST_MB = 45.0
STEP = 0.4
"""To which features are rounded; their standard deviation is 0.32.

A ridge regression fitted on what comes back follows the lips from unrounded speech as well: at a
mean correlation of 0.737 for 0.737 on five people kept out of the natural talk, and of 0.696 for
0.698 on made lips. From rounded speech it loses 0.007.
"""
LEVELS = 255
"""Weights are rounded to parts of this."""
LARGEST = 127
"""Steps that a byte holds on either side of the mean."""
THREADS = 8
FINGERPRINT = "packed"
"""Of an unpacked shard, so that no build takes it for its own."""


@dataclass(frozen=True)
class Axes:
    """Where features are rounded: the corpus's principal axes about its mean."""

    mean: Float32[np.ndarray, " dim"]
    axes: Float32[np.ndarray, "dim dim"]
    """One in each column."""
    step: float

    @classmethod
    def of(cls, corpus: Corpus, step: float) -> "Axes":
        """The axes of a corpus's features."""
        dim = corpus.read(corpus.clips[0]).features.shape[1]
        count, total, square = 0, np.zeros(dim), np.zeros((dim, dim))
        for clip in corpus.clips:
            features = corpus.read(clip).features.astype(np.float64)
            count += len(features)
            total += features.sum(0)
            square += features.T @ features
        mean = total / count
        _, axes = np.linalg.eigh(square / count - np.outer(mean, mean))
        return cls(mean.astype(np.float32), axes[:, ::-1].astype(np.float32), step)

    def rounded(
        self, features: Float32[np.ndarray, "frames dim"]
    ) -> Int8[np.ndarray, "dim frames"]:
        """Steps along each axis.

        Raises:
            InputError: There are more than a byte holds.
        """
        steps = np.round((features - self.mean) @ self.axes / self.step)
        if len(steps) and np.abs(steps).max() > LARGEST:
            raise InputError(
                f"Got --step {self.step:g}, of which features lie {np.abs(steps).max():.0f} from "
                f"their mean and at most {LARGEST} fit; give a larger one."
            )
        return np.ascontiguousarray(steps.astype(np.int8).T)

    def features(self, steps: Int8[np.ndarray, "dim frames"]) -> Float64[np.ndarray, "frames dim"]:
        """What ``rounded`` rounded; in double precision, so that every machine gets the same."""
        return self.step * (steps.T.astype(np.float64) @ self.axes.T) + self.mean


@dataclass(frozen=True)
class Report:
    """What packing has cost."""

    megabytes: float
    minutes: float
    lip_error: float
    """mm, the largest of the opening of the lips in any frame."""
    lost: float
    """Share of the features' variance."""

    def __str__(self) -> str:
        return (
            f"{self.minutes:.1f} minutes in {self.megabytes:.1f} MB: the lips are within "
            f"{self.lip_error:.2f} mm, and features keep {1 - self.lost:.1%} of their variance."
        )


def pack(corpus: Corpus, output: Path, *, step: float = STEP, most_mb: float = MOST_MB) -> Report:
    """Write a corpus to one file.

    Raises:
        InputError: It would be larger than ``most_mb``, or cannot be written.
    """
    axes, opening = Axes.of(corpus, step), FaceModel.load().lip_opening
    lip_error, error, variance = 0.0, 0.0, 0.0
    with replacing(output) as unfinished:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_BZIP2) as archive:
            archive.write(corpus.folder / INDEX, INDEX)
            _write(archive, "mean", axes.mean)
            _write(archive, "axes", axes.axes)
            _write(archive, "step", np.array(step))
            for clips in _by_shard(corpus.clips):
                shard = clips[0].shard
                motions = [corpus.read(clip) for clip in clips]
                weights = np.concatenate([motion.weights for motion in motions])
                features = np.concatenate([motion.features for motion in motions])
                levels = np.ascontiguousarray(np.round(weights * LEVELS).astype(np.uint8).T)
                steps = axes.rounded(features)
                _write(archive, f"{shard}/weights", levels)
                _write(archive, f"{shard}/features", steps)
                apart = np.abs((_weights(levels) - weights) @ opening)
                lip_error = max(lip_error, float(apart.max()))
                error += float(((axes.features(steps) - features) ** 2).sum())
                variance += float(((features - axes.mean) ** 2).sum())
        megabytes = unfinished.stat().st_size / 1e6
        if megabytes > most_mb:
            raise InputError(
                f"Got {megabytes:.1f} MB of {corpus.minutes:.0f} minutes, at most {most_mb:g} MB "
                f"are wanted; give a --step above {step:g} or a shorter corpus."
            )
    return Report(megabytes, corpus.minutes, lip_error, error / variance)


def unpack(packed: Path, folder: Path) -> Corpus:
    """Make a corpus of what ``pack`` wrote; its index comes last, when all shards are there.

    Raises:
        InputError: It was not written by ``pack``, is damaged, or the folder holds a corpus.
    """
    if (folder / INDEX).exists():
        raise InputError(f"Got {folder}, which holds a corpus; name another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(packed) as archive:
            index = archive.read(INDEX)
        clips = [clip_of(record, packed) for record in json.loads(index)["clips"]]
        with np.load(packed) as arrays:
            axes = Axes(arrays["mean"], arrays["axes"], float(arrays["step"]))
        with ThreadPoolExecutor(THREADS) as threads:  # bzip2 lets others run
            tuple(threads.map(partial(_unpack_shard, packed, axes, folder), _by_shard(clips)))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise InputError(
            f"Cannot unpack {packed} ({error}); give a file that pack has written."
        ) from error
    with replacing(folder / INDEX) as unfinished:
        unfinished.write_bytes(index)
    return Corpus.open(folder)


def _unpack_shard(packed: Path, axes: Axes, folder: Path, clips: Sequence[Clip]) -> None:
    shard = clips[0].shard
    with np.load(packed) as arrays:
        weights = _weights(arrays[f"{shard}/weights"])
        features = axes.features(arrays[f"{shard}/features"]).astype(np.float32)
    ends = np.cumsum([clip.frames for clip in clips])[:-1]
    parts = zip(clips, np.split(weights, ends), np.split(features, ends), strict=True)
    motions = {clip.name: Motion(*arrays) for clip, *arrays in parts}
    write_shard(folder / shard, clips, motions, FINGERPRINT)


def _weights(levels: UInt8[np.ndarray, "52 frames"]) -> Float32[np.ndarray, "frames 52"]:
    """As a corpus keeps them, in half precision."""
    return (levels.T / LEVELS).astype(np.float16).astype(np.float32)


def _by_shard(clips: Iterable[Clip]) -> list[list[Clip]]:
    shards: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        shards[clip.shard].append(clip)
    return list(shards.values())


def _write(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    with archive.open(f"{name}.npy", "w") as file:
        np.lib.format.write_array(file, array, allow_pickle=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    actions = parser.add_subparsers(dest="action", required=True)
    packing = actions.add_parser("pack", help="a corpus into one file")
    packing.add_argument("corpus", type=Path)
    packing.add_argument("packed", type=Path)
    packing.add_argument("--step", type=float, default=STEP, help="to which features are rounded")
    packing.add_argument("--most-mb", type=float, default=MOST_MB)
    unpacking = actions.add_parser("unpack", help="the file into a corpus")
    unpacking.add_argument("packed", type=Path)
    unpacking.add_argument("corpus", type=Path)
    options = parser.parse_args()
    try:
        if options.action == "unpack":
            corpus = unpack(options.packed, options.corpus)
            print(f"{corpus.folder}: {len(corpus.clips)} clips, {corpus.minutes:.1f} minutes")
        else:
            corpus = Corpus.open(options.corpus)
            print(pack(corpus, options.packed, step=options.step, most_mb=options.most_mb))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
