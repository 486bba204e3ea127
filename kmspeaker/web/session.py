"""What the page keeps of one visitor: a folder nobody else can guess, deleted when they leave."""

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.animation.capture import captured, own_sound
from kmspeaker.errors import InputError
from kmspeaker.face.rig import FaceModel
from kmspeaker.heads.arkit_glb import ArkitHead
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.tracking import FaceTrack
from kmspeaker.web.room import disk_of, memory_of

TAKES_KEPT = 24
"""A visitor's newest takes, two rounds of all systems; older ones are deleted."""
REFERENCES_KEPT = 4
DOWNLOADS_KEPT = 12
"""A visitor's newest written files with what lies beside them; older ones are deleted."""
OVERHEAD = 100_000
"""Bytes that a page costs before anything is given to it."""
OWN_PREFIX = "own-"
"""Begins the name of every head that a visitor brought; no bundled one has it."""


@dataclass(frozen=True)
class SessionReference:
    """A reference that was read already, so that Generate need not read it again."""

    key: str
    """What the stage calls it: ``reference``, ``reference-2``, ..."""
    label: str
    source: Path
    performance: Performance
    face_track: FaceTrack | None
    track: Path | None
    """The saved track, where there was a video."""
    motion: Path
    """What ``packing.reference_arrays`` packed."""
    video: Path | None
    read_seconds: float
    """How long it took to read."""
    neutral_at: float | None = None
    """The moment that the visitor called neutral, seconds."""
    notes: tuple[str, ...] = ()
    """What had to be assumed to read it."""
    heard: bool = False
    """Whether it is a video with sound."""

    @property
    def files(self) -> set[Path]:
        """What lies in the visitor's folder for it."""
        return {path for path in (self.motion, self.track, self.video) if path is not None}

    @property
    def detail(self) -> str:
        """How it was read, in a few words."""
        if self.neutral_at is not None:
            return f"captured · neutral at {self.neutral_at:.2f} s"
        told = self.face_track is not None and self.face_track.neutral is not None
        return "captured · neutral as its track says" if told else "captured"

    def captured(self, identity: str) -> FaceAnimation:
        """Its own performance on that head, with the video's own sound."""
        return captured(self.performance, own_sound(self.source), identity)


@dataclass(frozen=True)
class SessionTake:
    """A take and what the browser reads of it."""

    key: str
    """What the stage calls it: ``take-1``, ``take-2``, ..."""
    label: str
    detail: str
    """How it was made, in a few words."""
    animation: FaceAnimation
    motion: Path
    """What ``packing.take_arrays`` packed."""
    sound: Path
    """The speech, compressed; takes of one speech share it."""
    reference: SessionReference | None
    """Whom it follows."""

    @property
    def spectrum(self) -> Path:
        """What the curves show of the speech; ``curves`` writes it."""
        return self.sound.with_suffix(".bin")

    @property
    def files(self) -> set[Path]:
        """What lies in the visitor's folder for it."""
        return {self.motion, self.sound, self.spectrum}


class Stop:
    """A flag that a job reads at each report of progress: the visitor wants it no more.

    A job may run in another process (``web.gpu``), which gets a copy. So the flag is a file, which
    is there as long as the job may go on and is gone with the visitor's folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Let the job go on.

        Args:
            path: The flag's own file, which is made; without it only this process sees the flag.
        """
        self._path = path
        self._set = False
        if path is not None:
            path.touch()

    def set(self) -> None:
        """Let the job end at its next report of progress."""
        self._set = True
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def is_set(self) -> bool:
        """Whether the job shall end."""
        return self._set or (self._path is not None and not self._path.exists())


@dataclass
class Session:
    """One open page."""

    folder: Path
    takes: dict[str, SessionTake] = field(default_factory=dict)
    """By key, oldest first."""
    references: dict[str, SessionReference] = field(default_factory=dict)
    """By key, oldest first."""
    current: SessionReference | None = None
    """The reference the inputs name now."""
    uploads: set[Path] = field(default_factory=set)
    jobs: set[Stop] = field(default_factory=set)
    face: FaceModel | None = None
    """The face with a head of the visitor's own, once there is one."""
    head: ArkitHead | None = None
    """A head of another mesh that takes can be written onto."""
    identities: dict[str, dict[str, str]] = field(default_factory=dict)
    """The browser's files of the visitor's own head."""
    touched: float = field(default_factory=time.monotonic)
    notice: str = ""
    """What the visitor is to be told when they come back; empty once it is said."""
    reserve: Callable[[int], None] = lambda more: None
    """Make room on the disk for that many bytes more; ``Sessions.make_room`` of this visitor."""
    memory: int = 0
    """Bytes, when it was last weighed."""
    disk: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)
    _counts: dict[str, int] = field(default_factory=dict)

    def file(self, kind: str, suffix: str) -> Path:
        """A new name in the folder; nothing of it comes from the visitor."""
        return self.folder / f"{kind}-{secrets.token_hex(6)}{suffix}"

    def download(self) -> Path:
        """A new folder for a file to save and what lies beside it; the oldest ones go."""
        folder = self.file("download", "")
        folder.mkdir()
        for old in self.downloads()[:-DOWNLOADS_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        return folder

    def downloads(self) -> list[Path]:
        """Folders of ``download``, oldest first."""
        return sorted(self.folder.glob("download-*"), key=_age)

    def voices(self) -> list[Path]:
        """Sounds taken out of videos, oldest first."""
        return sorted(self.folder.glob("voice-*"), key=_age)

    def weigh(self, shared: frozenset[int]) -> None:
        """See how much of the machine it takes.

        Args:
            shared: Arrays that are there anyway, see ``room.memory_of``.
        """
        with self.lock:
            things = [*self.takes.values(), *self.references.values(), self.current]
            things += [self.face, self.head]
            uploads = list(self.uploads)
        self.memory = OVERHEAD + memory_of(things, shared)
        self.disk = disk_of([self.folder, *uploads])

    @property
    def holds(self) -> bool:
        """Whether anything would be lost with it."""
        return bool(self.takes or self.references or self.uploads or self.face or self.head)

    def drop_oldest(self) -> bool:
        """Delete the oldest of what can be made again; False where there is only the newest."""
        with self.lock:
            downloads = self.downloads()
            if len(downloads) > 1:
                shutil.rmtree(downloads[0], ignore_errors=True)
                return True
            if len(self.takes) > 1:
                oldest = self.takes.pop(next(iter(self.takes)))
                _delete_unused(oldest.files, self.takes)
                return True
            for reference in list(self.references.values()):
                if reference is not self.current:
                    self.forget(reference)  # not where a take follows it
                    if reference.key not in self.references:
                        return True
        return False

    def other_mesh(self, identity: str) -> ArkitHead | None:
        """The visitor's head by that name, where it is none of the program's mesh."""
        return self.head if "body" in self.identities.get(identity, {}) else None

    def number(self, kind: str) -> int:
        """1 for the first thing of its kind, and so on."""
        with self.lock:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            return self._counts[kind]

    def keep(self, item: SessionTake | SessionReference) -> None:
        """Put a take or reference in the catalogue, in the place of what has its key.

        The oldest beyond the limit is deleted.
        """
        with self.lock:
            if isinstance(item, SessionTake):
                _keep(item, self.takes, TAKES_KEPT)
            else:
                _keep(item, self.references, REFERENCES_KEPT)

    def forget(self, reference: SessionReference) -> None:
        """Delete a reference that was taken away, unless a take follows it."""
        with self.lock:
            if any(take.reference is reference for take in self.takes.values()):
                return
            if self.references.pop(reference.key, None) is not None:
                _delete_unused(reference.files, self.references)

    def take(self, key: str | None = None) -> SessionTake:
        """The take of that key, or the newest.

        Raises:
            InputError: There is none.
        """
        with self.lock:
            if not self.takes:
                raise InputError("There is no take to download yet; press Generate first.")
            if not key:
                return list(self.takes.values())[-1]
            if key not in self.takes:
                raise InputError(
                    f"Got the take {key!r}, which is not here any more; "
                    f"choose one of {', '.join(self.takes)}."
                )
            return self.takes[key]

    def animation(self, key: str | None, identity: str) -> FaceAnimation:
        """What can be downloaded under that key: a take, or a reference's own performance.

        Args:
            key: Of one or the other; the newest take where there is none.
            identity: Whose head wears a performance; a take stays as it was made.

        Raises:
            InputError: There is none.
        """
        with self.lock:
            reference = self.references.get(key or "")
        return self.take(key).animation if reference is None else reference.captured(identity)

    def stop(self) -> None:
        """Let everything this visitor waits for end."""
        for job in list(self.jobs):
            job.set()


Item = TypeVar("Item", SessionTake, SessionReference)


def _keep(item: Item, items: dict[str, Item], most: int) -> None:
    replaced = items.get(item.key)
    items[item.key] = item
    if replaced is not None:
        _delete_unused(replaced.files, items)
    while len(items) > most:
        oldest = items.pop(next(iter(items)))
        _delete_unused(oldest.files, items)


def _delete_unused(files: set[Path], items: Mapping[str, SessionTake | SessionReference]) -> None:
    used = set().union(*(item.files for item in items.values()))
    for path in files - used:
        path.unlink(missing_ok=True)


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
