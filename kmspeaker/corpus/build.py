"""Builds a corpus: plans are turned into clips, shard by shard, by many processes.

Each shard appears whole or not at all, so that a build can be killed and resumed, and it is the
same with any number of processes.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from kmspeaker.corpus.plan import fingerprint
from kmspeaker.corpus.store import Clip, shard_clips, write_index, write_shard
from kmspeaker.corpus.studio import Options, Studio
from kmspeaker.errors import InputError
from kmspeaker.performance import Progress

CLIPS_A_SHARD = 24
RECIPE = 3
"""Raise it when the same plan makes other clips, so that no old shard is taken over."""


@dataclass(frozen=True)
class Report:
    """What a build did."""

    clips: tuple[Clip, ...]
    minutes: float
    speakers: int
    seconds: float
    """Time taken by the shards made now."""
    built_minutes: float
    """Minutes made now; the rest was there."""

    @property
    def real_time_factor(self) -> float:
        """Seconds of work for a second of corpus."""
        return self.seconds / max(60 * self.built_minutes, 1e-9)


def build(options: Options, *, jobs: int = 1, progress: Progress | None = None) -> Report:
    """Build or resume a corpus in ``options.output``.

    Raises:
        InputError: The data cannot be used (the clip is named), or another corpus lies there.
    """
    studio = Studio(options)
    plans = studio.plans
    mark = fingerprint(plans, fps=options.fps, encoder=options.encoder, recipe=RECIPE)
    options.output.mkdir(parents=True, exist_ok=True)
    count = -(-len(plans) // CLIPS_A_SHARD)
    done = _finished(options, count, mark)
    waiting = [number for number in range(count) if number not in done]
    found, began = set(done), time.perf_counter()
    for number, clips in _made(studio, waiting, mark, jobs):
        done[number] = clips
        if progress is not None:
            progress(len(done) / count)
    seconds = time.perf_counter() - began
    clips = tuple(clip for number in sorted(done) for clip in done[number])
    write_index(options.output, clips, fps=options.fps, encoder=options.encoder, seed=options.seed)
    made = sum(clip.frames for number in done if number not in found for clip in done[number])
    return Report(
        clips,
        sum(clip.frames for clip in clips) / options.fps / 60,
        len({clip.speaker for clip in clips}),
        seconds,
        made / options.fps / 60,
    )


def _finished(options: Options, count: int, mark: str) -> dict[int, tuple[Clip, ...]]:
    """The clips of the shards that an earlier run of the same plan has left."""
    done: dict[int, tuple[Clip, ...]] = {}
    for number in range(count):
        path = _shard_path(options, number)
        clips = shard_clips(path, mark)
        if clips is not None:
            done[number] = clips
        elif path.exists():
            raise InputError(
                f"Got another corpus in {options.output} ({path.name} is of another plan or "
                "damaged); choose an empty folder or remove it."
            )
    return done


def _made(
    studio: Studio, waiting: Sequence[int], mark: str, jobs: int
) -> Iterator[tuple[int, tuple[Clip, ...]]]:
    """Shards as they are finished, in order."""
    if min(jobs, len(waiting)) <= 1:
        yield from ((number, _write(studio, number, mark)) for number in waiting)
        return
    with ProcessPoolExecutor(
        min(jobs, len(waiting)), get_context("spawn"), _open_studio, (studio.options,)
    ) as pool:
        yield from zip(waiting, pool.map(_write_here, waiting, [mark] * len(waiting)), strict=True)


def _write(studio: Studio, number: int, mark: str) -> tuple[Clip, ...]:
    path = _shard_path(studio.options, number)
    first = number * CLIPS_A_SHARD
    made = [studio.make(plan, path.name) for plan in studio.plans[first : first + CLIPS_A_SHARD]]
    clips = tuple(clip for clip, _ in made)
    write_shard(path, clips, {clip.name: motion for clip, motion in made}, mark)
    return clips


_studio: Studio | None = None
"""Of this process, where it is one of many."""


def _open_studio(options: Options) -> None:
    import torch

    global _studio
    torch.set_num_threads(1)
    _studio = Studio(options)


def _write_here(number: int, mark: str) -> tuple[Clip, ...]:
    assert _studio is not None
    return _write(_studio, number, mark)


def _shard_path(options: Options, number: int) -> Path:
    return options.output / f"shard-{number:04d}.safetensors"
