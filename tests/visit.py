"""A page without a server, and visitors who give it files."""

import shutil
from pathlib import Path

import gradio as gr
import numpy as np
from speaker import FakeSpeaker

from kmspeaker.examples import FOLDER, load_examples
from kmspeaker.media.audio import Sound, write_wav
from kmspeaker.web.handlers import Handlers, PageFields
from kmspeaker.web.limits import Limits
from kmspeaker.web.models import Models
from kmspeaker.web.service import Service
from kmspeaker.web.session import Session
from kmspeaker.web.sessions import Sessions

RATE = 16_000


class Page:
    """Handlers around a ``FakeSpeaker``, and a folder of uploads."""

    def __init__(
        self,
        folder: Path,
        speaker: FakeSpeaker | None = None,
        limits: Limits | None = None,
        others: dict | None = None,
    ) -> None:
        self.speaker = speaker or FakeSpeaker()
        self.uploads = folder / "uploads"
        self.uploads.mkdir()
        self.sessions = Sessions(folder / "visitors", self.uploads)
        service = Service(Models(self.speaker, others), limits or Limits())
        self.handlers = Handlers(service, self.sessions, load_examples())

    def speech(self, name: str = "speech.wav", seconds: float = 1.0) -> str:
        path = self.uploads / name
        tone = 0.5 * np.sin(np.arange(round(seconds * RATE)) * 0.1).astype(np.float32)
        write_wav(path, Sound(tone, RATE))
        return str(path)

    def video(self, name: str = "face.mp4") -> str:
        return str(shutil.copyfile(FOLDER / "delighted.mp4", self.uploads / name))

    def fields(self, **changed) -> PageFields:
        values = {"identity": "clara", "consent": True} | changed
        values.setdefault("speech", self.speech())
        values.setdefault("video", self.video())
        return PageFields(**values)

    def session(self, who: str = "one") -> Session:
        return self.sessions.of(who)

    def generate(self, who: str = "one", **changed):
        return self.handlers.generate(self.fields(**changed), visitor(who))


def visitor(name: str) -> gr.Request:
    """A request of somebody's open page."""
    return gr.Request(session_hash=name)
