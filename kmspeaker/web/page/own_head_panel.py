"""A head of the visitor's own: sliders, or a file, that the takes are worn on.

For the page: ``own = own_head_panel()`` where it shall stand, and once all is laid out
``own.connect(OwnHeads(service, sessions), person=..., stage=..., take=..., ready=...)`` with the
cards of heads, the stage, the list of takes and the hidden download button. A head of the program's
mesh becomes one more identity of the session (``Session.face``); its name, ``own-1a2b3c4d``, is
then the cards' value and works wherever an identity does. A GLB with ARKit's targets is shown too,
moved by the browser, and takes are written onto it for download; videos show the program's mesh.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from kmspeaker.errors import InputError
from kmspeaker.export import save_on_head
from kmspeaker.face.rig import FaceModel
from kmspeaker.heads.arkit_glb import ArkitHead
from kmspeaker.heads.glb_geometry import head_geometry
from kmspeaker.heads.load import load_head
from kmspeaker.heads.mesh import write_neutral
from kmspeaker.heads.sliders import OWN, Sliders, sculpt
from kmspeaker.limits import DEFAULT_IDENTITY_INDEX
from kmspeaker.web.errors import readable
from kmspeaker.web.page.events import PRESS_DOWNLOAD, PRIVATE
from kmspeaker.web.page.viewer import write_body, write_identity
from kmspeaker.web.queueing import TWO_AT_A_TIME
from kmspeaker.web.service import Service, job
from kmspeaker.web.session import OWN_PREFIX, Session
from kmspeaker.web.session_files import file_name
from kmspeaker.web.sessions import Sessions
from kmspeaker.web.visitors import visitor

_DRAFTS_KEPT = 8
"""Files, two a head, of heads a visitor has left again; the browser may still be reading them."""

StageUpdate = tuple[str, dict[str, Any], str]
"""The identity's name, the stage's value with everybody wearing it, and a sentence."""


class OwnHeads:
    """What the part's controls do."""

    def __init__(self, service: Service, sessions: Sessions) -> None:
        """Start without visitors."""
        self._service = service
        self._face = service.face
        self._sessions = sessions

    @readable
    def sculpt(
        self, stage: dict[str, Any], values: Mapping[str, int | float], request: gr.Request
    ) -> StageUpdate:
        """Wear the head where the sliders stand."""
        macros = Sliders(**{name: float(value) for name, value in values.items()})
        session = self._sessions.of(request.session_hash)
        with job(session):  # moving a slider is not counted: it costs next to nothing
            draft = sculpt(self._face, macros)
            face = sculpt(self._face, macros, _name(draft, OWN))
            message = f"Wearing your own face, {macros.age:.0f} years."
            return self._wear(session, face, stage, message)

    @readable
    def upload(self, stage: dict[str, Any], path: str | None, request: gr.Request) -> StageUpdate:
        """Wear a mesh sculpted from ours, or keep a head that takes can be written onto."""
        session = self._sessions.of(request.session_hash)
        if path is None:
            session.head = None
            if stage["identity"] in (session.face or self._face).identities:
                return stage["identity"], stage, ""
            session.identities = {}
            return _put_on(self._face.identities[DEFAULT_IDENTITY_INDEX], session, stage, "")
        self._service.count_job(visitor(request))
        with job(session, path):
            own = load_head(Path(path), self._face)
            if isinstance(own, ArkitHead):
                return self._wear_head(session, own, stage)
            face = self._face.with_identity(_name(own, OWN), own.neutral(OWN))
            return self._wear(session, face, stage, "Wearing the face you gave.")

    @readable
    def template(self, identity: str, request: gr.Request) -> str:
        """A head at rest as a mesh to sculpt from."""
        session = self._sessions.of(request.session_hash)
        self._service.count_job(visitor(request))
        with job(session):
            path = session.download() / "km-speaker_head.obj"
            write_neutral(session.face or self._face, identity, path)
            return str(path)

    @readable
    def save(self, key: str | None, request: gr.Request) -> str:
        """The chosen take on the visitor's own GLB."""
        session = self._sessions.of(request.session_hash)
        if session.head is None:
            raise InputError(
                "There is no head of yours yet; give a GLB with ARKit's morph targets first."
            )
        self._service.count_job(visitor(request))
        with job(session):
            animation = session.animation(key, self._face.identities[0])
            path = session.download() / f"{file_name(animation)}_own.glb"
            return str(save_on_head(animation, session.head, path)[0])

    def _wear(
        self, session: Session, face: FaceModel, stage: dict[str, Any], text: str
    ) -> StageUpdate:
        name = face.identities[-1]
        _remove_drafts(session)
        session.face = face
        session.identities = {name: write_identity(face, name, session.folder)}
        return _put_on(name, session, stage, text)

    def _wear_head(self, session: Session, head: ArkitHead, stage: dict[str, Any]) -> StageUpdate:
        lacks = f" It lacks {', '.join(head.missing)}." if head.missing else ""
        session.head = head
        try:
            body = head_geometry(head, self._face)
        except InputError as error:
            message = f"Your head is kept, and takes can be saved on it below. {error}{lacks}"
            return stage["identity"], stage, message
        name = f"{OWN_PREFIX}{hashlib.sha256(head.glb.binary).hexdigest()[:8]}"
        _remove_drafts(session)
        session.identities = {name: write_body(body, name, session.folder)}
        return _put_on(name, session, stage, f"Wearing your head; save takes on it below.{lacks}")


@dataclass(frozen=True)
class OwnHeadPanel:
    """The part's controls."""

    sliders: Mapping[str, gr.Slider]
    mesh: gr.File
    template: gr.Button
    save: gr.Button
    message: gr.HTML

    def connect(
        self,
        own: OwnHeads,
        *,
        person: gr.HTML,
        stage: gr.HTML,
        take: gr.Dropdown,
        ready: gr.DownloadButton,
    ) -> None:
        """Bind the controls to what they do.

        Args:
            own: What they do.
            person: The cards of heads; their value is whose head is worn.
            stage: The stage.
            take: The take to download.
            ready: The hidden download button, ``#download``.
        """

        def sculpt(values: dict[Component, Any], request: gr.Request) -> StageUpdate:
            sliders = {name: values[slider] for name, slider in self.sliders.items()}
            return own.sculpt(values[stage], sliders, request)

        outputs = [person, stage, self.message]
        gr.on(
            [slider.input for slider in self.sliders.values()],
            sculpt,
            {stage, *self.sliders.values()},
            outputs,
            trigger_mode="always_last",
            show_progress="hidden",
            **TWO_AT_A_TIME,
            **PRIVATE,
        )
        options = {**TWO_AT_A_TIME, **PRIVATE}
        for event in (self.mesh.upload, self.mesh.clear):
            event(own.upload, [stage, self.mesh], outputs, show_progress="hidden", **options)
        for button, action, source in (
            (self.template, own.template, person),
            (self.save, own.save, take),
        ):
            saving = button.click(action, source, ready, show_progress="hidden", **options)
            saving.success(None, js=PRESS_DOWNLOAD)


def own_head_panel() -> OwnHeadPanel:
    """Lay the part out: closed until somebody wants it."""
    with gr.Accordion("Own face", open=False, elem_id="own-face", elem_classes="km-direct"):
        at_first = Sliders()
        sliders, rows = {}, list(fields(Sliders))
        for row in (rows[:3], rows[3:]):
            with gr.Row():
                for each in row:
                    sliders[each.name] = gr.Slider(
                        *each.metadata["range"],
                        value=getattr(at_first, each.name),
                        step=1.0 if each.name == "age" else 0.05,
                        label=each.name.capitalize(),
                        info=each.metadata["help"],
                        min_width=180,
                        elem_id=f"own-{each.name}",
                    )
        mesh = gr.File(
            label="Mesh sculpted from ours (.obj .ply .glb), or GLB with ARKit's morph targets",
            file_types=[".obj", ".ply", ".glb"],
            height=110,
            elem_id="own-mesh",
        )
        with gr.Row():
            template = gr.Button("Head to sculpt from, OBJ", size="sm", elem_id="own-template")
            save = gr.Button("Save the take on my GLB", size="sm", elem_id="own-save")
        message = gr.HTML("", apply_default_css=False, elem_id="own-message")
    return OwnHeadPanel(sliders, mesh, template, save, message)


def _put_on(name: str, session: Session, stage: dict[str, Any], text: str) -> StageUpdate:
    heads = [{**head, "identity": name} for head in stage["heads"]]
    update = {**stage, "identity": name, "heads": heads, "identities": session.identities}
    return name, update, text


def _remove_drafts(session: Session) -> None:
    drafts = sorted(session.folder.glob(f"{OWN_PREFIX}*"), key=lambda p: p.stat().st_mtime)
    for old in drafts[:-_DRAFTS_KEPT]:
        old.unlink(missing_ok=True)


def _name(face: FaceModel, identity: str) -> str:
    digest = hashlib.sha256(face.neutral(identity).tobytes()).hexdigest()
    return f"{OWN_PREFIX}{digest[:8]}"
