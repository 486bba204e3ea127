"""Builds a corpus: videos are screened, clips planned, and plans made into clips, shard by shard.

Each shard appears whole or not at all, so that a build can be killed and resumed, and it is the
same with any number of workers, here or on Ray.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from kmspeaker.corpus.config import Config
from kmspeaker.corpus.performances.recordings import Recording, read_facegood
from kmspeaker.corpus.performances.videos import RejectedVideo, open_screener, read_videos
from kmspeaker.corpus.plan import Plan, fingerprint, plan_clips
from kmspeaker.corpus.speech.voices import read_utterances
from kmspeaker.corpus.store import Clip, Corpus, Motion, shard_clips, write_index, write_shard
from kmspeaker.corpus.studio import Studio
from kmspeaker.errors import InputError
from kmspeaker.face.rig import FaceModel
from kmspeaker.parallel import Workers
from kmspeaker.progress import Progress

CLIPS_A_SHARD = 24
RECIPE = 7
"""Raise it when the same plan makes other clips, so that no old shard is taken over."""
FACEGOOD = "capture/facegood"
"""Folder of captured lips below the data folder, where there is one."""
SCREENING = 0.2
"""Share of the progress that is the screening of videos."""
Job = tuple[str, tuple[Plan, ...]]
"""A shard's file name and what goes into it."""


@dataclass(frozen=True)
class Report:
    """What a build has made."""

    corpus: Corpus
    seconds: float
    """Time taken, all in all."""
    built_minutes: float
    """Minutes made in this run; the rest was there."""

    @property
    def real_time_factor(self) -> float:
        """Seconds of work for a second of corpus."""
        return self.seconds / max(60 * self.built_minutes, 1e-9)

    def lines(self) -> list[str]:
        """For people: what there is, by split and by source, and what was left out."""
        corpus = self.corpus
        lines = [
            f"{corpus.folder}: {len(corpus.clips)} clips, {corpus.minutes:.1f} minutes, "
            f"{len({clip.speaker for clip in corpus.clips})} voices, "
            f"{corpus.bytes_an_hour / 1e6:.0f} MB an hour",
            *_table(corpus.minutes_by("split")),
            *_table(corpus.minutes_by("lips", "source", "licence")),
        ]
        for source, reasons in corpus.dropped.items():
            counts = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
            lines.append(f"  videos of {source} left out: {counts}")
        work = f"{self.built_minutes:.1f} minutes made in {self.seconds:.0f} s"
        return [*lines, f"{work}, {1 / max(self.real_time_factor, 1e-9):.0f} times real time"]


def build(
    config: Config,
    output: Path,
    *,
    workers: Workers | None = None,
    progress: Progress | None = None,
) -> Report:
    """Build or resume a corpus in ``output``.

    Raises:
        InputError: The data cannot be used (the clip is named), or another corpus lies there.
    """
    began = time.perf_counter()
    workers, progress = workers or Workers(), progress or (lambda _: None)
    _check_actors(config)
    if output.exists() and not output.is_dir():
        raise InputError(f"Got {output}, which is a file; name a folder for the corpus.")
    utterances = read_utterances(config.data / "speech")
    recordings, dropped = _read_recordings(
        config, output, workers, lambda share: progress(SCREENING * share)
    )
    plans = plan_clips(config, utterances, recordings)
    mark = fingerprint(plans, fps=config.fps, encoder=config.encoder, seed=config.seed, make=RECIPE)
    jobs = [
        (f"shard-{number:04d}.safetensors", plans[first : first + CLIPS_A_SHARD])
        for number, first in enumerate(range(0, len(plans), CLIPS_A_SHARD))
    ]
    finished = _finished_shards(output, jobs, mark)
    output.mkdir(parents=True, exist_ok=True)
    waiting = [job for job in jobs if job[0] not in finished]
    results = workers.map(partial(_open_studio, config, recordings), waiting)
    frames = 0
    for (shard, _), clips in zip(waiting, results, strict=True):
        finished[shard] = tuple(clip for clip, _ in clips)
        write_shard(
            output / shard, finished[shard], {clip.name: motion for clip, motion in clips}, mark
        )
        frames += sum(clip.frames for clip, _ in clips)
        progress(SCREENING + (1 - SCREENING) * len(finished) / len(jobs))
    write_index(
        output,
        [clip for shard, _ in jobs for clip in finished[shard]],
        fps=config.fps,
        encoder=config.encoder,
        seed=config.seed,
        recipe=config.recipe(),
        dropped=dropped,
    )
    progress(1.0)
    return Report(Corpus.open(output), time.perf_counter() - began, frames / config.fps / 60)


def _table(minutes: dict[tuple[str, ...], float]) -> list[str]:
    return [f"  {', '.join(keys)}: {value:.1f} minutes" for keys, value in minutes.items()]


def _read_recordings(
    config: Config, output: Path, workers: Workers, progress: Progress
) -> tuple[tuple[Recording, ...], dict[str, dict[str, int]]]:
    """All captured lips, and how many videos of each source were left out for which reason."""
    folder = config.data / FACEGOOD
    late = config.lips_late.get(folder.name, 0.0)
    recordings = list(read_facegood(folder, config.fps, late)) if folder.is_dir() else []
    videos = read_videos(config.data, config.videos)
    screening = replace(config, tracks=config.tracks or output / "tracks")
    dropped: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for number, result in enumerate(workers.map(partial(open_screener, screening), videos), 1):
        if isinstance(result, RejectedVideo):
            dropped[result.source][result.reason] += 1
        else:
            recordings.append(result)
        progress(number / len(videos))
    counts = {source: dict(sorted(own.items())) for source, own in sorted(dropped.items())}
    return tuple(recordings), counts


def _finished_shards(output: Path, jobs: Sequence[Job], mark: str) -> dict[str, tuple[Clip, ...]]:
    """The clips of the shards that an earlier run of the same plan has left."""
    finished: dict[str, tuple[Clip, ...]] = {}
    planned = {shard for shard, _ in jobs}
    for path in sorted(output.glob("shard-*.safetensors")):
        clips = shard_clips(path, mark) if path.name in planned else None
        if clips is None:
            raise InputError(
                f"Got another corpus in {output} ({path.name} is of another plan or "
                "damaged); choose an empty folder or remove it."
            )
        finished[path.name] = clips
    return finished


def _open_studio(
    config: Config, recordings: Sequence[Recording]
) -> Callable[[Job], list[tuple[Clip, Motion]]]:
    studio = Studio(config, recordings)
    return lambda job: [studio.make(plan, job[0]) for plan in job[1]]


def _check_actors(config: Config) -> None:
    face = FaceModel.load()
    for names in config.actors.values():
        for name in names:
            face.neutral(name)  # refuses who is unknown, and names those who are
