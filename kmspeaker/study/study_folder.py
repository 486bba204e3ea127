"""A built study: its design, its stimuli, and a manifest that says what each of them is.

Place in the flow: ``build`` writes it; the page, and ``kmspeaker study analyse``, open it. Files
are called by chance, so that nobody who sees an address learns the condition; the manifest, which
is never served, knows. Every file has its sha256 there: one that was changed is refused.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from kmspeaker.errors import InputError
from kmspeaker.study.design import Design
from kmspeaker.study.design_file import read_design

DESIGN, MANIFEST, STIMULI, DATABASE = "design.yaml", "manifest.json", "stimuli", "ratings.db"
MOST_MANIFEST = 32 * 2**20
_PLAYS, _OVERHEAD = 1.5, 4.0
"""How often a stimulus is watched, and seconds it takes to rate it."""


@dataclass(frozen=True)
class Stimulus:
    """One file."""

    item: str
    condition: str
    file: str
    """Below ``stimuli/``."""
    sha256: str
    bytes: int
    seconds: float
    made: Mapping[str, Any]
    """Which weights, seed, steps, and what an anchor was taken from."""


@dataclass(frozen=True)
class Manifest:
    """What a study shows."""

    version: str
    """Of the program that built it."""
    design: str
    """The design's digest."""
    stimuli: tuple[Stimulus, ...]


@dataclass(frozen=True)
class Study:
    """A study that can be taken part in."""

    folder: Path
    design: Design
    manifest: Manifest
    stimuli_hash: str
    """Of the manifest; ``store`` notes it with the first participant."""

    @property
    def database(self) -> str:
        """Where ratings go if nothing else is named."""
        return f"sqlite:///{(self.folder / DATABASE).absolute()}"

    def stimulus(self, item: str, condition: str) -> Stimulus:
        """The stimulus of an item and a condition of the design, the target included."""
        return next(
            each
            for each in self.manifest.stimuli
            if (each.item, each.condition) == (item, condition)
        )

    def path(self, stimulus: Stimulus) -> Path:
        """Its file."""
        return self.folder / STIMULI / stimulus.file

    def intact(self, stimulus: Stimulus) -> bool:
        """Whether its file is what was frozen; read again only when somebody has touched it."""
        path = self.path(stimulus)
        try:
            facts = path.stat()
            return _digest_of(path, facts.st_mtime_ns, facts.st_size) == stimulus.sha256
        except OSError:
            return False

    def expected_seconds(self, item: str, stimuli: int) -> float:
        """How long a page of so many stimuli of an item may take."""
        longest = max(each.seconds for each in self.manifest.stimuli if each.item == item)
        return stimuli * (longest * _PLAYS + _OVERHEAD)


def load_study(folder: Path | str, *, check_files: bool = True) -> Study:
    """Open a built study.

    Args:
        folder: What ``kmspeaker study build`` wrote.
        check_files: Whether to read every stimulus and compare it with the manifest.

    Raises:
        InputError: It is no such folder, its design was changed after it was built, or a stimulus
            is missing or was changed.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise InputError(
            f"Got {folder}, which holds no study; make one with `kmspeaker study build`."
        )
    design = read_design(folder / DESIGN)
    manifest, digest = _read_manifest(folder / MANIFEST)
    if manifest.design != design.digest():
        raise InputError(
            f"Got {folder / DESIGN} changed since the study was built; put it back, or build anew."
        )
    have = {(each.item, each.condition) for each in manifest.stimuli}
    for item in (*design.items, *design.training):
        for condition in design.conditions:
            if (item.name, condition.name) not in have:
                raise InputError(
                    f"Got no stimulus of {item.name} by {condition.name} in {folder / MANIFEST}; "
                    "build the study anew."
                )
    study = Study(folder, design, manifest, digest)
    if check_files:
        for stimulus in manifest.stimuli:
            _check_file(study.path(stimulus), stimulus)
    return study


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write the manifest of stimuli that lie there already."""
    path.write_text(json.dumps(asdict(manifest), indent=1) + "\n", encoding="utf-8")


def _check_file(path: Path, stimulus: Stimulus) -> None:
    what = f"the stimulus of {stimulus.item} by {stimulus.condition}"
    try:
        facts = path.stat()
        digest = _digest_of(path, facts.st_mtime_ns, facts.st_size)
    except OSError as error:
        raise InputError(
            f"Got no {path.name}, {what} ({error.strerror or error}); put it back, or build anew."
        ) from error
    if digest != stimulus.sha256:
        raise InputError(
            f"Got {path.name}, {what}, changed since the study was built; put it back, or build "
            "anew."
        )


@lru_cache(4096)
def _digest_of(path: Path, touched: int, size: int) -> str:
    """The sha256 of a file that was last touched then."""
    del touched, size
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_manifest(path: Path) -> tuple[Manifest, str]:
    try:
        if path.stat().st_size > MOST_MANIFEST:
            raise InputError(f"Got {path} of more than {MOST_MANIFEST >> 20} MiB; build anew.")
        content = path.read_bytes()
        table = json.loads(content)
        stimuli = tuple(_stimulus(row) for row in table["stimuli"])
        manifest = Manifest(str(table["version"]), str(table["design"]), stimuli)
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"Got {path}, which is no manifest of a study; build anew.") from error
    return manifest, hashlib.sha256(content).hexdigest()


def _stimulus(row: Mapping[str, Any]) -> Stimulus:
    stimulus = Stimulus(**{field.name: row[field.name] for field in fields(Stimulus)})
    if Path(stimulus.file).name != stimulus.file:
        raise ValueError(stimulus.file)
    return stimulus
