"""Where a corpus lies: safetensors shards and one index, read lazily.

``corpus.json`` is written last and lists every clip; ``shard-0000.safetensors`` holds, for each of
its clips, ``<name>/weights`` float16 (frames, 52) and ``<name>/features`` float16 (frames, dim),
and in its header the clips' records, so that an interrupted build finds what it has done. An hour
takes about 95 MB with 384 features a frame at 30 frames/s.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from kmspeaker.corpus.visemes import Phone, viseme
from kmspeaker.errors import InputError

VERSION = 1
INDEX = "corpus.json"
Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class Clip:
    """What is known of one clip."""

    name: str
    frames: int
    shard: str
    speaker: str
    actor: str
    emotion: str
    intensity: str
    text: str
    phones: tuple[Phone, ...]
    """Empty where the lips are captured rather than made."""
    split: Split
    source: str
    licence: str


@dataclass(frozen=True)
class Motion:
    """A clip's arrays; row ``k`` lies at ``k / fps`` seconds."""

    weights: Float32[np.ndarray, "frames 52"]
    features: Float32[np.ndarray, "frames dim"]


@dataclass(frozen=True)
class Corpus:
    """A finished corpus on disk."""

    folder: Path
    fps: float
    encoder: str
    """Name of the speech encoder whose features are stored."""
    seed: int
    clips: tuple[Clip, ...]

    @classmethod
    def open(cls, folder: Path | str) -> "Corpus":
        """Read the index and see that every shard is there.

        Raises:
            InputError: No index, an index of another version, or a missing shard.
        """
        folder = Path(folder)
        path = folder / INDEX
        if not path.is_file():
            raise InputError(
                f"Got no {INDEX} in {folder}; build the corpus first or let its build finish."
            )
        try:
            index = json.loads(path.read_text())
        except ValueError as error:
            raise InputError(f"Got {path}, which is not JSON ({error}); build it again.") from error
        if index.get("version") != VERSION:
            raise InputError(
                f"Got a corpus of version {index.get('version')} in {folder}, needed is {VERSION}; "
                "build it again."
            )
        clips = tuple(_clip_of(record, path) for record in index["clips"])
        for clip in clips:
            if not (folder / clip.shard).is_file():
                raise InputError(
                    f"Got no {clip.shard} in {folder}, which holds clip {clip.name}; build again."
                )
        return cls(folder, float(index["fps"]), index["encoder"], int(index["seed"]), clips)

    def split(self, name: Split) -> tuple[Clip, ...]:
        """The clips of one split."""
        return tuple(clip for clip in self.clips if clip.split == name)

    @property
    def minutes(self) -> float:
        """Duration of all clips."""
        return sum(clip.frames for clip in self.clips) / self.fps / 60

    def read(self, clip: Clip) -> Motion:
        """The arrays of one clip.

        Raises:
            InputError: The shard lacks them, they differ in length, or hold NaN.
        """
        try:
            with safe_open(self.folder / clip.shard, framework="numpy") as shard:
                weights, features = (
                    shard.get_tensor(f"{clip.name}/{part}").astype(np.float32)
                    for part in ("weights", "features")
                )
        except (SafetensorError, OSError) as error:
            raise InputError(
                f"Cannot read clip {clip.name} from {clip.shard} ({error}); build it again."
            ) from error
        check_arrays(clip.name, clip.frames, weights, features)
        return Motion(weights, features)


def check_arrays(name: str, frames: int, weights: np.ndarray, features: np.ndarray) -> None:
    """Refuse arrays that cannot be a clip.

    Raises:
        InputError: Unequal lengths or numbers that are not finite.
    """
    if not len(weights) == len(features) == frames:
        raise InputError(
            f"Got clip {name} with {len(weights)} frames of motion and {len(features)} of speech, "
            f"both must be {frames}; build it again."
        )
    for part, array in (("motion", weights), ("speech features", features)):
        if not np.isfinite(array).all():
            raise InputError(f"Got NaN or infinity in the {part} of clip {name}; leave it out.")


def write_shard(
    path: Path, clips: Sequence[Clip], motions: Mapping[str, Motion], fingerprint: str
) -> None:
    """Write a shard whole or not at all; ``fingerprint`` names the plan it belongs to.

    Raises:
        InputError: A clip's arrays cannot be one.
    """
    tensors: dict[str, np.ndarray] = {}
    for clip in clips:
        motion = motions[clip.name]
        check_arrays(clip.name, clip.frames, motion.weights, motion.features)
        tensors[f"{clip.name}/weights"] = motion.weights.astype(np.float16)
        tensors[f"{clip.name}/features"] = motion.features.astype(np.float16)
    header = {"fingerprint": fingerprint, "clips": json.dumps([asdict(clip) for clip in clips])}
    partial = path.with_suffix(".part")
    try:
        save_file(tensors, partial, metadata=header)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def shard_clips(path: Path, fingerprint: str) -> tuple[Clip, ...] | None:
    """The clips of a finished shard of this plan; None if it has yet to be written."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as shard:
            header = shard.metadata() or {}
    except SafetensorError:
        return None
    if header.get("fingerprint") != fingerprint:
        return None
    return tuple(_clip_of(record, path) for record in json.loads(header["clips"]))


def write_index(
    folder: Path, clips: Sequence[Clip], *, fps: float, encoder: str, seed: int
) -> None:
    """Finish a corpus."""
    index = {
        "version": VERSION,
        "fps": fps,
        "encoder": encoder,
        "seed": seed,
        "clips": [asdict(clip) for clip in clips],
    }
    partial = folder / f"{INDEX}.part"
    partial.write_text(json.dumps(index, allow_nan=False))
    partial.replace(folder / INDEX)


def _clip_of(record: dict[str, Any], path: Path) -> Clip:
    known = {field.name for field in fields(Clip)}
    if set(record) != known:
        raise InputError(
            f"Got clip {record.get('name')} in {path} with keys {sorted(set(record) ^ known)} "
            "missing or unknown; build the corpus again."
        )
    if record["split"] not in SPLITS or not record["licence"]:
        raise InputError(
            f"Got clip {record['name']} in {path} with split {record['split']!r} and licence "
            f"{record['licence']!r}; both must be set, build the corpus again."
        )
    for name, start, end in record["phones"]:
        viseme(name)
        if not (math.isfinite(start) and math.isfinite(end)):
            raise InputError(f"Got clip {record['name']} in {path} with a phone without times.")
    phones = tuple((str(name), float(start), float(end)) for name, start, end in record["phones"])
    return Clip(**{**record, "phones": phones})
