"""What the page keeps of each visitor: a folder nobody else can guess, deleted when they leave."""

import secrets
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from kmspeaker.animation import FaceAnimation
from kmspeaker.performance import Performance

LONGEST_STAY = 3600.0
"""Seconds after which an unused folder is removed even if the visitor never said goodbye."""


@dataclass(frozen=True)
class KnownReference:
    """A reference that was read already, so that Generate need not read it again."""

    source: Path
    performance: Performance
    track: Path | None
    """The saved track, where there was a video."""
    shown: dict[str, str | None]
    """The stage's ``reference`` value."""
    seconds_taken: float


@dataclass
class Session:
    """One open page."""

    folder: Path
    reference: KnownReference | None = None
    take: FaceAnimation | None = None
    take_shown: dict[str, str] | None = None
    uploads: set[Path] = field(default_factory=set)
    touched: float = field(default_factory=time.monotonic)

    def file(self, kind: str, suffix: str) -> Path:
        """A new name in the folder; nothing of it comes from the visitor."""
        return self.folder / f"{kind}-{secrets.token_hex(6)}{suffix}"


class Sessions:
    """All open pages, by Gradio's session hash."""

    def __init__(self, root: Path, upload_root: Path) -> None:
        """Start with none.

        Args:
            root: Where the folders are made; what lies there is served to whoever knows its name.
            upload_root: Where Gradio puts uploads; only files in there are deleted with a session.
        """
        self.root = root
        self._upload_root = upload_root.resolve()
        self._open: dict[str, Session] = {}
        self._lock = threading.Lock()

    def of(self, key: str) -> Session:
        """The visitor's session, made if it is new."""
        with self._lock:
            self._remove_forgotten()
            if key not in self._open:
                folder = self.root / secrets.token_urlsafe(24)
                folder.mkdir(parents=True)
                self._open[key] = Session(folder)
            session = self._open[key]
            session.touched = time.monotonic()
            return session

    def close(self, key: str) -> None:
        """Delete what the visitor gave and got."""
        with self._lock:
            session = self._open.pop(key, None)
        if session is not None:
            self._delete(session)

    def _remove_forgotten(self) -> None:
        now = time.monotonic()
        for key, session in list(self._open.items()):
            if now - session.touched > LONGEST_STAY:
                self._delete(self._open.pop(key))

    def _delete(self, session: Session) -> None:
        shutil.rmtree(session.folder, ignore_errors=True)
        for upload in session.uploads:
            if upload.resolve().is_relative_to(self._upload_root):
                upload.unlink(missing_ok=True)
