"""All open pages: who has which, and who makes room when the machine has no more."""

import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from kmspeaker.errors import InputError
from kmspeaker.web.heap import give_back
from kmspeaker.web.room import Room, array_ids
from kmspeaker.web.session import Session

LONGEST_STAY = 3600.0
"""Seconds after which an unused folder is removed even if the visitor never said goodbye."""
LONGEST_LOOSE, LONGEST_UNASKED = 60.0, 300.0
"""Seconds after which an upload that nothing was asked with is the first to go, and goes anyway."""
MADE_ROOM = (
    "This page was full, and you had not used it for longest: your files and takes were deleted "
    "to make room for others. Please give your files once more."
)
FORGOTTEN = (
    "You had not used this page for an hour, so your files and takes were deleted; please give "
    "your files once more."
)
LEFT = (
    "The connection to this page was lost, and your files and takes were deleted as if you had "
    "left; please give your files once more."
)
_MOST_TOLD = 10_000


class Sessions:
    """All open pages, by Gradio's session hash."""

    def __init__(
        self,
        root: Path,
        upload_root: Path,
        *,
        room: Room | None = None,
        shared: Any = (),
        alone: bool = False,
    ) -> None:
        """Start with none.

        Args:
            root: Where the folders are made; what lies there is served to whoever knows its name.
            upload_root: Where Gradio puts uploads; only files in there are deleted with a session.
            room: What all visitors together may take.
            shared: What is in memory anyway, such as the face.
            alone: Whether nobody else puts files in ``upload_root``.
        """
        self.root = root
        self._upload_root = upload_root.resolve()
        self._alone = alone
        self._room = room or Room()
        self._shared_by = shared  # kept, so that the identities of its arrays stay theirs
        self._shared = array_ids([shared])
        self._open: dict[str, Session] = {}
        self._notices: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, key: str | None) -> Session:
        """The visitor's session, made if it is new; without a key a new one that nobody shares."""
        key = key or secrets.token_urlsafe(24)
        self.remove_forgotten()
        with self._lock:
            if key not in self._open:
                folder = self.root / secrets.token_urlsafe(24)
                folder.mkdir(parents=True)
                session = Session(folder, notice=self._notices.pop(key, ""))
                session.reserve = partial(self._reserve, session)
                self._open[key] = session
            session = self._open[key]
            session.touched = time.monotonic()
            return session

    def claim(self, key: str, paths: Iterable[Path]) -> None:
        """Uploads are this visitor's from now on, and go with them; other files are nobody's."""
        ours = {path for path in paths if path.resolve().is_relative_to(self._upload_root)}
        if ours:
            self.of(key).uploads.update(ours)

    def close(self, key: str | None) -> None:
        """Stop the visitor's work and delete what they gave and got."""
        with self._lock:
            session = self._end(key, LEFT) if key and key in self._open else None
        if session is not None:
            self._delete(session)

    def remove_forgotten(self) -> None:
        """Close the sessions that nothing was asked of for ``LONGEST_STAY``."""
        now = time.monotonic()
        with self._lock:
            old = [
                key
                for key, session in self._open.items()
                if now - session.touched > LONGEST_STAY and not session.jobs
            ]
            gone = [self._end(key, FORGOTTEN) for key in old]
        for session in gone:
            self._delete(session)

    def make_room(self, asker: Session | None = None, more: int = 0) -> bool:
        """Delete until all visitors together, and ``more`` bytes on the disk, are within ``room``.

        Uploads that nothing was made of go first, then the sessions that were not used for longest
        and for which no work is done, then the asker's own oldest files and takes.

        Args:
            asker: For whom; weighed anew. All where None.
            more: Bytes on the disk that the asker is about to need.

        Returns:
            Whether there is room now.
        """
        with self._lock:
            weighed = list(self._open.values()) if asker is None else [asker]
        for session in weighed:
            session.weigh(self._shared)
        loose = self._loose()
        gone: list[Session] = []
        with self._lock:
            while loose and self._over(more, loose):
                loose.pop(0)[0].unlink(missing_ok=True)
            while self._over(more, loose):
                idle = [k for k, s in self._open.items() if s is not asker and not s.jobs]
                if not idle:
                    break
                oldest = min(idle, key=lambda key: self._open[key].touched)
                gone.append(self._end(oldest, MADE_ROOM))
        for session in gone:
            self._delete(session)
        while self._over(more, loose) and asker is not None and asker.drop_oldest():
            asker.weigh(self._shared)
        return not self._over(more, loose)

    def sweep(self) -> None:
        """Delete uploads of nobody: the older ones, and the empty files that Gradio leaves.

        An empty file that is young may be one that Gradio is about to fill.
        """
        now = time.time()
        for path, size in self._loose():
            with suppress(OSError):
                age = now - path.stat().st_mtime
                if age > LONGEST_UNASKED or (size == 0 and age > LONGEST_LOOSE):
                    path.unlink()
                    if path.parent != self._upload_root:
                        path.parent.rmdir()

    def weights(self) -> tuple[int, int]:
        """Bytes in memory and on the disk of all sessions, when they were last weighed."""
        with self._lock:
            sessions = list(self._open.values())
        return sum(s.memory for s in sessions), sum(s.disk for s in sessions)

    def watch(self, every: float = 20.0) -> None:
        """Remove what must go also while nobody comes, as long as the program runs."""

        def watching() -> None:
            while True:
                time.sleep(every)
                self.remove_forgotten()
                self.sweep()
                self.make_room()
                give_back()

        threading.Thread(target=watching, name="forgotten sessions", daemon=True).start()

    def _reserve(self, session: Session, more: int) -> None:
        if not self.make_room(session, more) and more:
            raise InputError(
                f"This would take {more / 1e6:,.0f} MB, and all visitors of this page together "
                f"have {self._room.disk / 1e6:,.0f} MB; choose another format or a shorter take."
            )

    def _over(self, more: int, loose: list[tuple[Path, int]]) -> bool:
        sessions = list(self._open.values())
        disk = sum(s.disk for s in sessions) + sum(size for _, size in loose) + more
        return disk > self._room.disk or sum(s.memory for s in sessions) > self._room.memory

    def _loose(self) -> list[tuple[Path, int]]:
        """Uploads that belong to no session, and their bytes, oldest first."""
        if not self._alone:
            return []
        with self._lock:
            owned = set().union(*(session.uploads for session in self._open.values()))
        owned = {path.resolve() for path in owned}
        found: list[tuple[float, Path, int]] = []
        latest = time.time() - LONGEST_LOOSE
        for path in self._upload_root.rglob("*"):
            try:
                status = path.stat()
            except OSError:
                continue
            if path.is_file() and path not in owned and status.st_mtime < latest:
                found.append((status.st_mtime, path, status.st_size))
        return [(path, size) for _, path, size in sorted(found)]

    def _end(self, key: str, notice: str) -> Session:
        """Take a session off the list; its owner is told if they come back."""
        session = self._open.pop(key)
        if session.holds:
            self._notices[key] = notice
            while len(self._notices) > _MOST_TOLD:
                self._notices.popitem(last=False)
        return session

    def _delete(self, session: Session) -> None:
        session.stop()
        shutil.rmtree(session.folder, ignore_errors=True)
        with self._lock:
            # Two visitors who upload the same file share Gradio's one copy of it.
            others = set().union(*(other.uploads for other in self._open.values()))
        for upload in session.uploads - others:
            folder = upload.resolve().parent
            if folder.is_relative_to(self._upload_root):
                upload.unlink(missing_ok=True)
                if folder != self._upload_root:  # Gradio gives each upload a folder of its own
                    with suppress(OSError):
                        folder.rmdir()
