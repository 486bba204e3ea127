"""The page's named endpoints, for programs: ``gradio_client``, ``curl`` and, by option, MCP.

They do what the page does, within the same limits, and answer errors with the same sentences. A
caller that names its session (``gradio_client`` does) finds its takes again in ``/export``.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from kmspeaker.animation.animation import FaceAnimation, Use
from kmspeaker.animation.controls import Controls
from kmspeaker.errors import InputError
from kmspeaker.export import FORMATS, provenance
from kmspeaker.reference.performance import Performance
from kmspeaker.web.errors import page_progress, readable_plain
from kmspeaker.web.queueing import ONE_AT_A_TIME
from kmspeaker.web.service import Order, Service, job, seeds_of
from kmspeaker.web.session import Session
from kmspeaker.web.sessions import Sessions
from kmspeaker.web.visitors import visitor


class Api:
    """The endpoints' work; parameters and docstrings are what callers read."""

    def __init__(self, service: Service, sessions: Sessions) -> None:
        """Start without callers."""
        self._service = service
        self._sessions = sessions

    @readable_plain
    def stylize(  # noqa: D417 - Gradio fills in the others
        self,
        request: gr.Request,
        speech: str,
        reference: str,
        identity: str = "",
        seed: int = 0,
        controls: dict[str, Any] | None = None,
        second: str | None = None,
        format: str = ".glb",
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds it by its default
    ) -> tuple[list[str], dict[str, Any]]:
        """Say a speech in the style of a reference performance; any language, up to ten minutes.

        Voices and faces are personal: by calling this you say that you may use them. Files are kept
        for this session alone and deleted with it, after an hour at most.

        Args:
            speech: A recording; any audio file, or a video with sound.
            reference: Whose style to take: a video, a saved track (.npz) or a Live Link Face .csv.
            identity: Whose head: a name that /identities lists, the first where empty.
            seed: Another seed gives another take.
            controls: Fields of Controls, e.g. {"style_strength": 1.5}; or null.
            second: A second reference, blended in by the share controls.style_mix; or null.
            format: The ending of the file to write, one of those offered.

        Returns:
            The files: the animation first, then what lies beside it.
            The facts: the take's key for /export, seconds, frames a second, model, seed, version.
        """
        fields = (speech, reference, identity, seed, controls, second, format)
        return self._make("stylize", *fields, request, progress)

    @readable_plain
    def localize(  # noqa: D417
        self,
        request: gr.Request,
        speech: str,
        reference: str,
        identity: str = "",
        seed: int = 0,
        controls: dict[str, Any] | None = None,
        second: str | None = None,
        format: str = ".glb",
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[list[str], dict[str, Any]]:
        """Dub a performance: lips say the speech, the upper face follows it frame by frame.

        Voices and faces are personal: by calling this you say that you may use them. Files are kept
        for this session alone and deleted with it, after an hour at most.

        Args:
            speech: The new recording; any audio file, or a video with sound.
            reference: The performance: a video, a saved track (.npz) or a Live Link Face .csv.
            identity: Whose head: a name that /identities lists, the first where empty.
            seed: Another seed gives another take.
            controls: Fields of Controls, e.g. {"fit": "stretch"}; or null.
            second: A second reference, blended in by the share controls.style_mix; or null.
            format: The ending of the file to write, one of those offered.

        Returns:
            The files: the animation first, then what lies beside it.
            The facts: the take's key for /export, seconds, frames a second, model, seed, version.
        """
        fields = (speech, reference, identity, seed, controls, second, format)
        return self._make("localize", *fields, request, progress)

    @readable_plain
    def track(  # noqa: D417
        self,
        request: gr.Request,
        video: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[str, dict[str, Any]]:
        """Find the face in a video and give its track, which does not show the person.

        Args:
            video: A video of a face.

        Returns:
            The track (.npz), which can be given as a reference.
            The facts: seconds, and the shares of frames that show the face and in which the fit
                is in doubt.
        """
        if not video:
            raise InputError("There is no video; give one.")
        session = self._sessions.of(request.session_hash)
        self._service.count_job(visitor(request))
        with job(session, video) as stop:
            reference = self._service.read(session, Path(video), progress, stop)
        if reference.track is None:
            raise InputError("Got a file without a picture; a video is needed.")
        return str(reference.track), _seen(reference.performance)

    @readable_plain
    def capture(  # noqa: D417
        self,
        request: gr.Request,
        video: str,
        identity: str = "",
        neutral: float | None = None,
        format: str = ".glb",
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[list[str], dict[str, Any]]:
        """Give the performance of the face in a video, with the video's own sound, on a head.

        Nothing is generated. Faces are personal: by calling this you say that you may use it.

        Args:
            video: A video of a face, a saved track (.npz) or a Live Link Face .csv.
            identity: Whose head: a name that /identities lists, the first where empty.
            neutral: Second of the video at which the face is at rest; found where null.
            format: The ending of the file to write, one of those offered.

        Returns:
            The files: the animation first, then what lies beside it.
            The facts: seconds, frames a second, the shares of frames that show the face and in
                which the fit is in doubt.
        """
        if not video:
            raise InputError("There is no video; give one.")
        _check_format(format)
        session = self._sessions.of(request.session_hash)
        identity = identity or self._service.face.identities[0]
        self._service.face.neutral(identity)  # refuses an unknown one before any work
        self._service.count_job(visitor(request))
        with job(session, video) as stop:
            reference = self._service.read(session, Path(video), progress, stop)
            if neutral is not None:
                fit = self._service.fit(reference, neutral, progress, stop)
                reference = replace(reference, performance=fit.performance)
            animation = reference.captured(identity)
            files = self._write(session, animation, format, identity, progress)
        facts = {"fps": animation.fps, **_seen(reference.performance), **provenance(animation)}
        return files, facts

    @readable_plain
    def identities(self) -> list[dict[str, str]]:
        """List the heads that can speak.

        Returns:
            For each its name, as /stylize takes it, and a few words about it.
        """
        face = self._service.face
        return [{"name": name, "description": one.description} for name, one in face.people.items()]

    @readable_plain
    def export(  # noqa: D417
        self,
        request: gr.Request,
        take: str = "",
        format: str = ".glb",
        identity: str = "",
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> list[str]:
        """Write a take of this session again, in another format or on another head.

        Args:
            take: Its key in the facts of /stylize or /localize; the newest where empty.
            format: The ending of the file to write, one of those offered.
            identity: Whose head wears it; the one it was made on where empty.

        Returns:
            The files: the animation first, then what lies beside it.
        """
        session = self._sessions.of(request.session_hash)
        notice, session.notice = session.notice, ""
        if notice and not session.takes:
            raise InputError(notice)
        self._service.count_job(visitor(request))
        return self._write(session, session.take(take).animation, format, identity, progress)

    def _make(
        self,
        use: Use,
        speech: str,
        reference: str,
        identity: str,
        seed: int,
        controls: dict[str, Any] | None,
        second: str | None,
        format: str,
        request: gr.Request,
        progress: gr.Progress,
    ) -> tuple[list[str], dict[str, Any]]:
        if not speech or not reference:
            raise InputError("A speech and a reference are needed; give both files.")
        _check_format(format)
        order = Order(
            speech=Path(speech),
            reference=Path(reference),
            use=use,
            identity=identity or self._service.face.identities[0],
            seeds=seeds_of(seed),
            second=Path(second) if second else None,
            controls=Controls.read(controls or {}),
        )
        session = self._sessions.of(request.session_hash)
        with job(session, speech, reference, second) as stop:
            (take,) = self._service.make(session, order, visitor(request), progress, stop)
            animation = take.animation
            files = self._write(session, animation, format, "", progress)
        facts = {
            "take": take.key,
            "seconds": animation.seconds,
            "fps": animation.fps,
            **provenance(animation),
        }
        return files, facts

    def _write(
        self,
        session: Session,
        animation: FaceAnimation,
        format: str,
        identity: str,
        progress: gr.Progress,
    ) -> list[str]:
        identity = identity or animation.identity
        with job(session) as stop:
            page_progress(progress, "Writing", stop)(0.0)
            files = self._service.export(session, animation, format, identity, progress, stop)
        return [str(path) for path in files]


def _check_format(format: str) -> None:
    if format not in FORMATS:
        raise InputError(f"Got the format {format!r}; choose one of {', '.join(FORMATS)}.")


def _seen(performance: Performance) -> dict[str, float]:
    return {
        "seconds": performance.seconds,
        "seen": float(performance.present.mean()),
        "doubtful": float(performance.doubtful.mean()),
    }


def endpoints(service: Service, sessions: Sessions) -> None:
    """Add the endpoints to the page being built; nothing of them is seen on it."""
    api, face = Api(service, sessions), service.face
    with gr.Row(visible=False):
        trigger = gr.Button()
        speech = gr.File(label="speech", type="filepath")
        reference = gr.File(label="reference", type="filepath")
        video = gr.File(label="video", type="filepath")
        second = gr.File(label="second", type="filepath", value=None)
        identity = gr.Textbox(face.identities[0], label="identity")
        wearer = gr.Textbox("", label="identity")
        seed = gr.Number(0, label="seed", precision=0)
        controls = gr.JSON({}, label="controls")
        neutral = gr.Number(None, label="neutral")
        take = gr.Textbox("", label="take")
        format = gr.Dropdown(list(FORMATS), value=".glb", label="format")
        files = gr.File(label="files", file_count="multiple")
        file = gr.File(label="track")
        facts = gr.JSON(label="facts")
        heads = gr.JSON(label="identities")
    # Gradio's own word for any JSON is none that MCP clients understand.
    controls.api_info = lambda: {"type": "object", "description": "field names and their values"}
    fields = [speech, reference, identity, seed, controls, second, format]
    calls: list[tuple[Any, Any, Any, dict[str, Any]]] = [
        (api.stylize, fields, [files, facts], ONE_AT_A_TIME),
        (api.localize, fields, [files, facts], ONE_AT_A_TIME),
        (api.track, [video], [file, facts], ONE_AT_A_TIME),
        (api.capture, [video, wearer, neutral, format], [files, facts], ONE_AT_A_TIME),
        (api.identities, [], heads, {"queue": False}),
        (api.export, [take, format, wearer], files, ONE_AT_A_TIME),
    ]
    for call, inputs, outputs, options in calls:
        trigger.click(call, inputs, outputs, api_name=call.__name__, **options)
