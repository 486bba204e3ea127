"""Where a corpus lies: safetensors shards and one index, read lazily.

``corpus.json`` is written last and lists every clip; ``shard-0000.safetensors`` holds, for each of
its clips, ``<name>/weights`` float16 (frames, 52) and ``<name>/features`` float16 (frames, dim),
and in its header the clips' records, so that an interrupted build finds what it has done and an
index that was changed by hand is noticed. What an hour takes on disk, ``corpus build`` prints.
"""

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float32
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from kmspeaker.corpus.lips.visemes import Phone, viseme
from kmspeaker.errors import InputError
from kmspeaker.media.files import replacing

VERSION = 3
INDEX = "corpus.json"
PLAN = "plan"
"""Key of a shard's header."""
Lips = Literal["made", "captured"]
Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class Clip:
    """One clip's record in the index."""

    name: str
    frames: int
    shard: str
    speaker: str
    actor: str
    emotion: str
    intensity: str
    text: str
    phones: tuple[Phone, ...]
    """Empty only where the lips are captured and nobody has written down what is said."""
    split: Split
    source: str
    licence: str
    lips: Lips = "made"
    """Made from the phones, or captured with the sound."""


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
    recipe: Mapping[str, Any]
    """The configuration it was built from, without places."""
    dropped: Mapping[str, Mapping[str, int]]
    """Videos left out, by source and reason."""

    @classmethod
    def open(cls, folder: Path | str) -> "Corpus":
        """Read the index and see that every shard is there.

        Raises:
            InputError: No index, an index of another version, a missing shard, or a record that
                cannot be a clip's or is not the one its shard was written with.
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
        clips = tuple(clip_of(record, path) for record in index["clips"])
        for clip in clips:
            if not (folder / clip.shard).is_file():
                raise InputError(
                    f"Got no {clip.shard} in {folder}, which holds clip {clip.name}; build again."
                )
        if index.get("digest") != _digest(index["clips"]):
            raise InputError(_describe_change(folder, clips))
        return cls(
            folder,
            float(index["fps"]),
            index["encoder"],
            int(index["seed"]),
            clips,
            index["recipe"],
            index["dropped"],
        )

    def split(self, name: Split) -> tuple[Clip, ...]:
        """The clips of one split."""
        return tuple(clip for clip in self.clips if clip.split == name)

    @property
    def minutes(self) -> float:
        """Duration of all clips."""
        return sum(clip.frames for clip in self.clips) / self.fps / 60

    def minutes_by(self, *keys: str) -> dict[tuple[str, ...], float]:
        """Duration by fields of a clip, as ``minutes_by("source", "licence")``."""
        minutes: dict[tuple[str, ...], float] = defaultdict(float)
        for clip in self.clips:
            minutes[tuple(getattr(clip, key) for key in keys)] += clip.frames / self.fps / 60
        return dict(sorted(minutes.items()))

    @property
    def bytes_an_hour(self) -> float:
        """What an hour takes on disk, the index's share included."""
        files = {self.folder / INDEX, *(self.folder / clip.shard for clip in self.clips)}
        return sum(file.stat().st_size for file in files) / (self.minutes / 60)

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
        # In rows: safetensors writes memory as it lies, and a mirrored face's lies in columns.
        tensors[f"{clip.name}/weights"] = np.ascontiguousarray(motion.weights, np.float16)
        tensors[f"{clip.name}/features"] = np.ascontiguousarray(motion.features, np.float16)
    # One key, because safetensors writes several in no certain order.
    plan = {"fingerprint": fingerprint, "clips": [asdict(clip) for clip in clips]}
    header = {PLAN: json.dumps(plan, allow_nan=False)}
    with replacing(path) as unfinished:
        save_file(tensors, unfinished, metadata=header)


def shard_clips(path: Path, fingerprint: str) -> tuple[Clip, ...] | None:
    """The clips of a finished shard of this plan; None if it has yet to be written."""
    plan = _header(path)
    if plan is None or plan.get("fingerprint") != fingerprint:
        return None
    return tuple(clip_of(record, path) for record in plan["clips"])


def write_index(
    folder: Path,
    clips: Sequence[Clip],
    *,
    fps: float,
    encoder: str,
    seed: int,
    recipe: Mapping[str, Any] | None = None,
    dropped: Mapping[str, Mapping[str, int]] | None = None,
) -> None:
    """Finish a corpus."""
    records = json.loads(json.dumps([asdict(clip) for clip in clips], allow_nan=False))
    index = {
        "version": VERSION,
        "fps": fps,
        "encoder": encoder,
        "seed": seed,
        "recipe": recipe or {},
        "dropped": dropped or {},
        "digest": _digest(records),
        "clips": records,
    }
    with replacing(folder / INDEX) as unfinished:
        unfinished.write_text(json.dumps(index, allow_nan=False), encoding="utf-8")


def _header(path: Path) -> dict[str, Any] | None:
    """A shard's records of its clips; None where it is not whole or not ours."""
    try:
        with safe_open(path, framework="numpy") as shard:
            return json.loads((shard.metadata() or {})[PLAN])
    except (SafetensorError, OSError, KeyError, ValueError):
        return None


def _digest(records: Sequence[Mapping[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()


def _describe_change(folder: Path, clips: Sequence[Clip]) -> str:
    """Says which clip of a changed index is not the one that was written."""
    written: dict[str, Mapping[str, Any]] = {}
    for shard in sorted({clip.shard for clip in clips}):
        for record in (_header(folder / shard) or {"clips": []})["clips"]:
            written[record["name"]] = asdict(clip_of(record, folder / shard))
    for clip in clips:
        own = written.get(clip.name, {})
        for key, value in asdict(clip).items():
            if own.get(key) != value:
                return (
                    f"Got clip {clip.name} with {key} {_short(value)} in {folder / INDEX}, but it "
                    f"was written with {_short(own.get(key))}; restore {INDEX} or build it again."
                )
    return f"Got {folder / INDEX}, whose clips were changed; restore it or build the corpus again."


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def clip_of(record: dict[str, Any], path: Path) -> Clip:
    """One record of the index in ``path``.

    Raises:
        InputError: It cannot be a clip's.
    """
    names = {field.name for field in fields(Clip)}
    if set(record) != names:
        raise InputError(
            f"Got clip {record.get('name')} in {path} with keys {sorted(set(record) ^ names)} "
            "missing or unknown; build the corpus again."
        )
    if record["split"] not in SPLITS or not record["licence"]:
        raise InputError(
            f"Got clip {record['name']} in {path} with split {record['split']!r} and licence "
            f"{record['licence']!r}; both must be set, build the corpus again."
        )
    if record["lips"] not in get_args(Lips) or (record["lips"] == "made" and not record["phones"]):
        raise InputError(
            f"Got clip {record['name']} in {path} with lips {record['lips']!r} and "
            f"{len(record['phones'])} phones; made lips have phones, build the corpus again."
        )
    for name, start, end in record["phones"]:
        viseme(name)
        if not (math.isfinite(start) and math.isfinite(end)):
            raise InputError(f"Got clip {record['name']} in {path} with a phone without times.")
    phones = tuple((str(name), float(start), float(end)) for name, start, end in record["phones"])
    return Clip(**{**record, "phones": phones})
