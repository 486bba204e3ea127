"""What the page's buttons do: the service's work, its results as the stage's value and short texts.

Nothing is known here of where things stand on the page; ``page.layout`` is the layout.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import gradio as gr

from kmspeaker.animation.animation import Use
from kmspeaker.animation.controls import Controls
from kmspeaker.errors import InputError
from kmspeaker.examples import FOLDER as EXAMPLE_FOLDER
from kmspeaker.examples import Example
from kmspeaker.face.rig import FaceModel
from kmspeaker.web.errors import readable
from kmspeaker.web.example_takes import ExampleTakes
from kmspeaker.web.page.facts import reference_facts, take_facts
from kmspeaker.web.service import Order, Service, detail, job, seeds_of
from kmspeaker.web.session import OWN_PREFIX, Session, SessionTake
from kmspeaker.web.session_files import write_fit, write_reference, write_takes
from kmspeaker.web.sessions import Sessions
from kmspeaker.web.stage_value import MOST_SHOWN, stage_value
from kmspeaker.web.visitors import visitor

PageUpdate = tuple[dict[str, Any], str, str, dict[str, Any]]
"""The stage's value, what to say of the reference and of the takes, and the list of takes."""


_PROGRESS = gr.Progress()
"""A default by which Gradio knows that a handler reports progress."""


@dataclass(frozen=True)
class PageFields:
    """The page's inputs as they are."""

    speech: str | None = None
    video: str | None = None
    file: str | None = None
    use: str = "stylize"
    identity: str = ""
    seed: int | float | None = 0
    consent: bool = False
    count: int | float | None = 1
    second: str | None = None
    models: list[str] = field(default_factory=list)
    controls: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reference(self) -> str | None:
        """The video or the file, whichever is there."""
        return self.video or self.file


class Handlers:
    """The page's actions; whatever belongs to a visitor is in their session."""

    def __init__(
        self, service: Service, sessions: Sessions, examples: Mapping[str, Example]
    ) -> None:
        """Start without visitors."""
        self._service = service
        self._sessions = sessions
        self._examples = examples
        self.example_takes = ExampleTakes(examples, service.models.own.model_name)

    @readable
    def follow(
        self,
        source: str | None,
        identity: str,
        consent: bool,
        request: gr.Request,
        progress: gr.Progress = _PROGRESS,
    ) -> tuple[dict[str, Any], str, str, dict[str, Any], None]:
        """Read a reference as soon as it is given; none if it was taken away.

        Returns:
            The page's update, and nothing for the other input.
        """
        session = self._session(request, uses=False)
        if source is None:
            if session.current is not None:
                session.forget(session.current)
            session.current = None
            return *self._update(session, identity, [], ""), None
        _require_consent(consent, source)
        self._service.count_job(visitor(request))
        with job(session, source) as stop:
            session.current = self._service.read(session, Path(source), progress, stop)
        return *self._update(session, identity, [], reference_facts(session.current)), None

    @readable
    def keep(self, source: str | None, request: gr.Request) -> None:
        """An upload that is read later is deleted with all else when its visitor leaves."""
        if source is not None and request.session_hash:
            self._sessions.claim(request.session_hash, [Path(source)])

    @readable
    def take_voice(
        self,
        source: str | None,
        consent: bool,
        request: gr.Request,
        progress: gr.Progress = _PROGRESS,
    ) -> str | None:
        """The sound of a video, or of a recording that browsers do not play, as the speech.

        Returns:
            The speech.
        """
        if source is None:
            return None
        session = self._session(request, uses=False)
        _require_consent(consent, source)
        self._service.count_job(visitor(request))
        with job(session, source):
            return str(self._service.voice(session, Path(source), progress))

    @readable
    def take_own_voice(self, request: gr.Request, progress: gr.Progress = _PROGRESS) -> str:
        """What is heard in the reference's own video, as the speech.

        Returns:
            The speech.
        """
        session = self._session(request)
        reference = session.current
        if reference is None:
            raise InputError("There is no face to follow yet; give a video first.")
        if not reference.heard:
            raise InputError(
                "Got a reference without sound; give a video that is heard, or a speech of its own."
            )
        self._service.count_job(visitor(request))
        with job(session):
            return str(self._service.voice(session, reference.source, progress))

    @readable
    def say_neutral(
        self,
        moment: float | None,
        identity: str,
        request: gr.Request,
        progress: gr.Progress = _PROGRESS,
    ) -> PageUpdate:
        """Measure the reference against its face at a moment; as it was at first where None."""
        session = self._session(request)
        reference = session.current
        if reference is None:
            raise InputError("There is no face to follow yet; give a video first.")
        seconds = None if moment is None else float(moment)
        self._service.count_job(visitor(request))
        with job(session) as stop:
            fit = self._service.fit(reference, seconds, progress, stop)
        session.current = write_fit(session, reference, fit, seconds, self._service.face)
        return self._update(session, identity, [], reference_facts(session.current))

    @readable
    def check(self, fields: PageFields, request: gr.Request) -> None:
        """Say at once what is missing or too much, before a place in the queue is taken."""
        order = _order(fields, self._service.face)
        self._session(request, uses=_gone(order))
        self._service.check(order, visitor(request))

    @readable
    def generate(
        self, fields: PageFields, request: gr.Request, progress: gr.Progress = _PROGRESS
    ) -> PageUpdate:
        """Make the takes."""
        order = _order(fields, self._service.face)
        session = self._session(request, uses=_gone(order))
        with job(session, fields.speech, fields.reference, fields.second) as stop:
            takes = self._service.make(session, order, visitor(request), progress, stop)
        return self._update_with(session, fields.identity, takes)

    @readable
    def play_example(
        self, name: str, request: gr.Request, progress: gr.Progress = _PROGRESS
    ) -> tuple[str, str, None, str, str, int, dict[str, Any], str, str, dict[str, Any]]:
        """Fill the page with an example and show its take, made before or now.

        Returns:
            Speech, video, no file, use, identity, seed, then what ``generate`` returns.
        """
        example = self._examples[name]
        session = self._session(request, uses=False)
        bundled = self.example_takes.of(name)
        if bundled is None:
            fields = PageFields(
                str(example.speech),
                str(example.reference),
                None,
                example.use,
                example.identity,
                example.seed,
            )
            with job(session) as stop:
                takes = self._service.make(
                    session, _order(fields, self._service.face), visitor(request), progress, stop
                )
            reference = takes[0].reference
            assert reference is not None
            self.example_takes.remember(name, reference, takes[0].animation)
        else:
            known = session.references.values()
            reference = next(
                (r for r in known if r.source == example.reference and r.neutral_at is None), None
            ) or write_reference(
                session, bundled.reference, example.reference, bundled.seconds, self._service.face
            )
            session.current = reference
            takes = write_takes(
                session,
                [bundled.animation],
                reference,
                [f"{example.title} · {detail(bundled.animation)}"],
            )
        return (
            str(example.speech),
            str(example.reference),
            None,
            example.use,
            example.identity,
            example.seed,
            *self._update_with(session, example.identity, takes),
        )

    @readable
    def export(
        self,
        suffix: str,
        key: str | None,
        identity: str,
        request: gr.Request,
        progress: gr.Progress = _PROGRESS,
    ) -> str:
        """Write the chosen take or captured performance, on the head that wears it now.

        Returns:
            The file's path.
        """
        session = self._session(request)
        self._service.count_job(visitor(request))
        with job(session) as stop:
            animation = session.animation(key, identity)
            files = self._service.export(session, animation, suffix, identity, progress, stop)
        return str(files[0])

    @readable
    def export_shown(
        self, stage: dict[str, Any], request: gr.Request, progress: gr.Progress = _PROGRESS
    ) -> str:
        """Write the heads that stand on the stage as one video.

        Returns:
            The file's path.
        """
        session = self._session(request)
        keys, identity = stage["shown"][:MOST_SHOWN], stage["identity"]
        names = stage.get("names")
        self._service.count_job(visitor(request))
        with job(session) as stop:
            return str(self._service.export_shown(session, keys, identity, progress, stop, names))

    @readable
    def export_track(self, request: gr.Request) -> str:
        """The reference's track: it can be used again and does not show the person."""
        reference = self._session(request).current
        if reference is None or reference.track is None:
            raise InputError("There is no tracked video yet; give a reference video first.")
        return str(reference.track)

    def cancel(self, request: gr.Request) -> None:
        """Stop what this visitor waits for."""
        self._sessions.of(request.session_hash).stop()

    def leave(self, request: gr.Request) -> None:
        """Forget the visitor."""
        self._sessions.close(request.session_hash)

    def _session(self, request: gr.Request, *, uses: bool = True) -> Session:
        """The visitor's; what happened to their files meanwhile is told once.

        Args:
            request: Theirs.
            uses: Whether what is asked needs what was there: then nothing else is said.
        """
        session = self._sessions.of(request.session_hash)
        notice, session.notice = session.notice, ""
        if notice and uses:
            raise InputError(notice)
        if notice:
            gr.Warning(notice, title="Please give your files once more")
        return session

    def _update_with(self, session: Session, identity: str, takes: list[SessionTake]) -> PageUpdate:
        reference = takes[0].reference
        assert reference is not None
        return self._update(
            session,
            identity,
            takes,
            reference_facts(reference),
            take_facts([take.animation for take in takes], reference.read_seconds),
        )

    def _update(
        self,
        session: Session,
        identity: str,
        takes: list[SessionTake],
        about_reference: str,
        about_takes: str = "",
    ) -> PageUpdate:
        keys = [take.key for take in takes]
        shown = keys or ([session.current.key] if session.current is not None else [])
        newest_first = [*reversed(session.takes.values()), *reversed(session.references.values())]
        entries = [(f"{each.label}: {each.detail}", each.key) for each in newest_first]
        chosen = next((key for key in shown if key in dict(entries).values()), None)
        take_list = gr.update(choices=entries, value=chosen or (entries[0][1] if entries else None))
        return stage_value(session, identity, keys), about_reference, about_takes, take_list


def _order(fields: PageFields, face: FaceModel) -> Order:
    if fields.speech is None:
        raise InputError("There is no speech yet; upload a recording or use the microphone.")
    if fields.reference is None:
        raise InputError(
            "There is no face to follow yet; upload a video, use the camera, or try an example."
        )
    if fields.use not in ("stylize", "localize"):
        raise InputError(f"Got the use {fields.use!r}; choose 'stylize' or 'localize'.")
    for upload in (fields.speech, fields.reference, fields.second):
        if upload is not None:
            _require_consent(fields.consent, upload)
    return Order(
        speech=Path(fields.speech),
        reference=Path(fields.reference),
        use=cast(Use, fields.use),
        # A head of one's own is put on afterwards: which one matters to no take.
        identity=face.identities[0] if fields.identity.startswith(OWN_PREFIX) else fields.identity,
        seeds=seeds_of(fields.seed, fields.count),
        second=Path(fields.second) if fields.second else None,
        controls=Controls.read(fields.controls),
        models=tuple(fields.models),
    )


def _gone(order: Order) -> bool:
    """Whether a file that is asked for is not on this server any more."""
    return not all(path.is_file() for path in (order.speech, order.reference))


def _require_consent(consent: bool, upload: str) -> None:
    if not consent and not Path(upload).is_relative_to(EXAMPLE_FOLDER):
        raise InputError(
            "Voices and faces are personal; please tick the box above the inputs first."
        )
