"""Many pairs in one go: ``python -m kmspeaker batch``.

Each pair gets a folder of its own that appears whole or not at all, so that a batch can be stopped
and taken up again: what was made from the same files in the same way is kept. A pair that cannot be
used is reported and does not stop the others. The work is done here, in several processes or on a
Ray cluster, whose machines must then see the same disk; all make the same bits.
"""

import csv
import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

from kmspeaker import __version__
from kmspeaker.batch.jobs import DEFAULT_OPTIONS, REPORTS, Pair, PairOptions, read_pairs
from kmspeaker.errors import InputError
from kmspeaker.export import FORMATS, provenance, save_animation
from kmspeaker.hub import resolve_model, verify_model
from kmspeaker.limits import DEFAULT_MODEL, MAX_SECONDS
from kmspeaker.media.audio import load_sound
from kmspeaker.media.files import replacing
from kmspeaker.parallel import Workers
from kmspeaker.pipeline import Pipeline, check_seeds
from kmspeaker.progress import Progress
from kmspeaker.reference.performance import Performance

RECORD = "batch.json"
"""In every pair's folder: what it was made from, how, and which files it holds."""
UNFINISHED = ".unfinished-"
State = Literal["made", "kept", "failed"]


@dataclass(frozen=True)
class Settings:
    """What holds for all pairs of a batch."""

    model: str = DEFAULT_MODEL
    device: str = "auto"
    formats: tuple[str, ...] = (".glb",)
    """Endings of ``export.FORMATS``."""
    steps: int | None = None
    max_seconds: float = MAX_SECONDS
    reference_fps: float | None = None
    """Rows a second of performances that are CSVs whose time codes do not tell."""

    def __post_init__(self) -> None:
        """Refuse what no pair could be made with."""
        for ending in self.formats:
            if ending not in FORMATS:
                raise InputError(f"Got the format {ending!r}; choose from {', '.join(FORMATS)}.")
        if not self.formats:
            raise InputError(f"Got no format; choose from {', '.join(FORMATS)}.")
        if self.steps is not None and self.steps < 1:
            raise InputError(f"Got {self.steps} steps; give 1 or more.")


@dataclass(frozen=True)
class Outcome:
    """What became of a pair."""

    name: str
    place: str
    state: State
    speech: str
    performance: str
    seconds: float = 0.0
    """Of animation."""
    files: tuple[str, ...] = ()
    """Relative to the batch's folder."""
    error: str = ""
    """One sentence, where it failed."""


@dataclass(frozen=True)
class Report:
    """What became of all pairs, in their order."""

    output: Path
    outcomes: tuple[Outcome, ...] = field(default_factory=tuple)

    def count(self, state: State) -> int:
        """How many pairs ended so."""
        return Counter(outcome.state for outcome in self.outcomes)[state]

    def line(self) -> str:
        """All in a line."""
        counts = ", ".join(f"{self.count(state)} {state}" for state in ("made", "kept", "failed"))
        return f"{self.output}: {counts}; see {REPORTS[0]}"


def run_batch(
    jobs: Path,
    output: Path,
    *,
    options: PairOptions = DEFAULT_OPTIONS,
    settings: Settings | None = None,
    workers: Workers | None = None,
    progress: Progress | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Report:
    """Make an animation of every pair; run it again to go on where it was stopped.

    Args:
        jobs: A folder or a spreadsheet, see ``jobs.read_pairs``.
        output: Folder to write to: one folder for each pair, ``report.csv`` and ``report.json``.
        options: How each is made, where its row does not say otherwise.
        settings: What holds for all pairs.
        workers: Where the work is done; here by default.
        progress: Called with the fraction of the pairs that are done.
        on_outcome: Called with each pair's outcome as soon as there is one.

    Raises:
        InputError: The list, the model or the output folder cannot be used, or a process has died.
            What is wrong with single pairs is in the report instead.
    """
    settings, progress = settings or Settings(), progress or (lambda fraction: None)
    on_outcome = on_outcome or (lambda outcome: None)
    pairs = read_pairs(jobs, options)
    model = verify_model(resolve_model(settings.model))
    with _lock_folder(output, jobs):
        outcomes: dict[str, Outcome] = {}

        def note(outcome: Outcome) -> None:
            outcomes[outcome.name] = outcome
            on_outcome(outcome)
            progress(len(outcomes) / len(pairs))

        try:
            waiting = []
            for pair in pairs:
                outcome = _earlier_outcome(pair, settings, model, output)
                if outcome is None:
                    waiting.append(pair)
                else:
                    note(outcome)
            for outcome in (workers or Workers()).map(
                partial(_open_maker, settings, model, output.resolve()), waiting
            ):
                note(outcome)
        finally:
            in_order = [outcomes[pair.name] for pair in pairs if pair.name in outcomes]
            report = Report(output, tuple(in_order))
            _write_report(report)
    return report


@contextmanager
def _lock_folder(output: Path, jobs: Path) -> Iterator[None]:
    """The output folder, for this batch alone, without what a killed one has left half done."""
    if output.resolve() == jobs.resolve():
        raise InputError(f"Got {output} as jobs and as output; choose another folder for output.")
    try:
        output.mkdir(parents=True, exist_ok=True)
        handle = os.open(output, os.O_RDONLY)
    except OSError as error:
        raise InputError(
            f"Cannot make the folder {output} ({error.strerror or error}); choose another."
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"Another batch is at work in {output}; wait for it or choose another folder."
            ) from error
        for unfinished in output.glob(f"{UNFINISHED}*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        yield
    finally:
        os.close(handle)


def _earlier_outcome(pair: Pair, settings: Settings, model: str, output: Path) -> Outcome | None:
    """The outcome of a pair that needs no work: it cannot be used, or has been made before."""
    if pair.fault:
        return _outcome(pair, "failed", error=pair.fault)
    folder = output / pair.name
    if not folder.exists():
        return None
    record = _record(folder)
    if record is None or {path.name for path in folder.iterdir()} - {RECORD, *record["files"]}:
        return _outcome(
            pair,
            "failed",
            error=f"There is a folder {folder} with files that no batch has made; move it away.",
        )
    whole = all(
        (folder / name).is_file() and (folder / name).stat().st_size == size
        for name, size in record["files"].items()
    )
    try:
        same = whole and record["fingerprint"] == _fingerprint(pair, settings, model)
    except OSError:
        same = False  # whoever makes it says which file cannot be read
    if not same:
        return None
    return _outcome(pair, "kept", float(record["seconds"]), record["files"])


def _record(folder: Path) -> dict[str, Any] | None:
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
        sizes = dict(record["files"])
        return {"fingerprint": str(record["fingerprint"]), "seconds": record["seconds"]} | {
            "files": {str(name): int(size) for name, size in sizes.items()}
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _fingerprint(pair: Pair, settings: Settings, model: str) -> str:
    """The same for the same files and the same options, wherever they lie."""
    options = pair.options
    files = (pair.speech, pair.performance, *([options.second] if options.second else []))
    recipe = {
        "files": [_digest(path) for path in files],
        "wish": {**asdict(options), "second": None},  # so spelt in records on disk
        "formats": settings.formats,
        "steps": settings.steps,
        "reference_fps": settings.reference_fps,
        "model": model,
        "version": __version__,
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open_maker(settings: Settings, model: str, output: Path) -> Callable[[Pair], Outcome]:
    """What a worker opens once: the pipeline."""
    pipeline = Pipeline.load(settings.model, device=settings.device)

    @lru_cache(maxsize=2)
    def performance(path: Path, rate: float | None = None) -> Performance:
        """One actor's performance, and the style mixed in, are often those of many rows in turn."""
        reference = pipeline.reference(path, max_seconds=settings.max_seconds, rate=rate)
        return reference.performance

    def make(pair: Pair) -> Outcome:
        try:
            return _make(pair, pipeline, performance, settings, model, output)
        except InputError as error:
            return _outcome(pair, "failed", error=str(error))
        except Exception as error:
            fault = f"The program failed ({type(error).__name__}: {error}); please report this."
            return _outcome(pair, "failed", error=" ".join(fault.split()))

    return make


def _make(
    pair: Pair,
    pipeline: Pipeline,
    performance: Callable[..., Performance],
    settings: Settings,
    model: str,
    output: Path,
) -> Outcome:
    options = pair.options
    if options.identity is not None:
        pipeline.face.neutral(options.identity)
    check_seeds((options.seed,))
    sound = load_sound(pair.speech, max_seconds=settings.max_seconds)
    fingerprint = _fingerprint(pair, settings, model)
    mixed = options.second is not None and options.controls.style_mix > 0
    second = performance(options.second) if mixed and options.second is not None else None
    (animation,) = pipeline.animate(
        sound,
        performance(pair.performance, settings.reference_fps),
        use=options.use,
        identity=options.identity,
        seeds=(options.seed,),
        controls=options.controls,
        second=second,
        steps=settings.steps,
    )
    try:
        with _replacing_folder(output / pair.name) as folder:
            for ending in settings.formats:
                save_animation(animation, pipeline.face, folder / f"{pair.name}{ending}")
            sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
            record = {
                **provenance(animation),
                "speech": str(pair.speech),
                "performance": str(pair.performance),
                "seconds": round(animation.seconds, 3),
                "files": sizes,
                "fingerprint": fingerprint,
            }
            (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise InputError(
            f"Cannot write {output / pair.name} ({error.strerror or error}); make room or choose "
            "another folder."
        ) from error
    return _outcome(pair, "made", animation.seconds, sizes)


@contextmanager
def _replacing_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that takes the place of ``path`` once the block has ended well."""
    unfinished, former = (
        path.with_name(f"{UNFINISHED}{secrets.token_hex(4)}") for _ in ("new", "old")
    )
    unfinished.mkdir()
    try:
        yield unfinished
        if path.exists():
            path.rename(former)
        unfinished.rename(path)
    finally:
        for left in (unfinished, former):
            shutil.rmtree(left, ignore_errors=True)


def _outcome(
    pair: Pair,
    state: State,
    seconds: float = 0.0,
    files: Mapping[str, int] | Sequence[str] = (),
    error: str = "",
) -> Outcome:
    return Outcome(
        name=pair.name,
        place=pair.place,
        state=state,
        speech=str(pair.speech),
        performance=str(pair.performance),
        seconds=round(seconds, 3),
        files=tuple(f"{pair.name}/{name}" for name in files),
        error=error,
    )


def _write_report(report: Report) -> None:
    """The outcomes as a table for people and as JSON for programs."""
    table, structured = (report.output / name for name in REPORTS)
    rows = [asdict(outcome) for outcome in report.outcomes]
    with replacing(structured) as unfinished:
        unfinished.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    with replacing(table) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(Outcome.__dataclass_fields__))
        writer.writeheader()
        for row in rows:
            writer.writerow({**row, "files": " ".join(row["files"])})
