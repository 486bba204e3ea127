"""What the page's buttons do: public library calls, their results as files and short texts.

Nothing is known here of where things stand on the page; ``demo`` is the layout.
"""

import functools
import html
import logging
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import gradio as gr

from kmspeaker.animation import FaceAnimation
from kmspeaker.audio import Sound, load_sound, write_wav
from kmspeaker.errors import InputError
from kmspeaker.examples import Example
from kmspeaker.export import FORMATS, save_animation
from kmspeaker.face import FaceModel
from kmspeaker.performance import Performance, Progress
from kmspeaker.reference import Reference
from kmspeaker.web.packing import reference_arrays, take_arrays
from kmspeaker.web.sessions import KnownReference, Session, Sessions

_log = logging.getLogger(__name__)

_STAGE_TEXTS = {"listen": "Listening to the speech", "generate": "Making the face move"}
_BROWSER_VIDEO = {".mp4", ".m4v", ".mov", ".webm", ".mkv", ".ogv"}


@runtime_checkable
class Speaker(Protocol):
    """What the page needs of ``pipeline.Pipeline``."""

    @property
    def face(self) -> FaceModel: ...  # noqa: D102
    @property
    def model_name(self) -> str: ...  # noqa: D102

    def reference(  # noqa: D102
        self, path: Path, *, progress: Progress | None = None, max_seconds: float = ...
    ) -> Reference: ...

    def stylize(  # noqa: D102
        self,
        sound: Sound,
        performance: Performance,
        /,
        *,
        identity: str | None = None,
        seed: int = 0,
        progress: Callable[[str, float], None] | None = None,
    ) -> FaceAnimation: ...

    def localize(  # noqa: D102
        self,
        sound: Sound,
        performance: Performance,
        /,
        *,
        identity: str | None = None,
        seed: int = 0,
        progress: Callable[[str, float], None] | None = None,
    ) -> FaceAnimation: ...


def readable(handler: Callable) -> Callable:
    """Turn what goes wrong into a notice: the library's own sentence, never a stack trace."""

    @functools.wraps(handler)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return handler(*args, **kwargs)
        except InputError as error:
            # Gradio renders notices as HTML, and the sentence may hold a file's name.
            raise gr.Error(
                html.escape(str(error)), title="Please check this", print_exception=False
            ) from error
        except gr.Error:
            raise
        except Exception as error:
            _log.exception("%s failed", handler.__name__)
            raise gr.Error(
                "Something went wrong here, not with your files; please try once more.",
                title="Sorry",
                print_exception=False,
            ) from error

    return wrapped


def told(progress: gr.Progress, text: str) -> Progress:
    """A stage's fractions as the page's progress bar."""

    def tell(fraction: float) -> None:
        progress(fraction, desc=text)

    return tell


class Handlers:
    """The page's actions on one pipeline; whatever belongs to a visitor is in their session."""

    def __init__(
        self,
        pipeline: Speaker,
        sessions: Sessions,
        examples: dict[str, Example],
        max_seconds: float,
    ) -> None:
        """Start without visitors."""
        self._pipeline = pipeline
        self._sessions = sessions
        self._examples = examples
        self._max_seconds = max_seconds
        self._speak = on_gpu(self._speak_here)

    @readable
    def follow(
        self,
        source: str | None,
        identity: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds it by its default
    ) -> tuple[dict[str, Any], str, str, None]:
        """Read a reference as soon as it is given; none if it was taken away.

        Returns:
            The stage's value, what to say about the reference, nothing about a take, and nothing
            for the other input.
        """
        session = self._session(request)
        session.reference = session.take = session.take_shown = None
        if source is None:
            return _stage(identity, session), "", "", None
        reference = self._reference(session, Path(source), progress)
        return _stage(identity, session), _reference_facts(reference), "", None

    @readable
    def generate(
        self,
        speech: str | None,
        video: str | None,
        file: str | None,
        use: str,
        identity: str,
        seed: int | float | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[dict[str, Any], str, str]:
        """Make a take.

        Returns:
            The stage's value, what to say about the reference, and about the take.
        """
        session = self._session(request)
        source = video or file
        if speech is None:
            raise InputError("There is no speech yet; upload a recording or use the microphone.")
        if source is None:
            raise InputError(
                "There is no face to follow yet; upload a video, use the camera, or try an example."
            )
        if use not in ("stylize", "localize"):
            raise InputError(f"Got the use {use!r}; choose 'stylize' or 'localize'.")
        self._pipeline.face.neutral(identity)
        session.uploads.add(Path(speech))
        progress(0.0, desc="Reading the speech")
        sound = load_sound(speech, max_seconds=self._max_seconds)
        reference = self._reference(session, Path(source), progress)
        take = self._speak(sound, reference.performance, use, identity, whole_seed(seed), progress)
        session.take, session.take_shown = take, _write_take(session, take)
        return (
            _stage(identity, session),
            _reference_facts(reference),
            take_facts(take, reference.seconds_taken),
        )

    @readable
    def play_example(
        self,
        name: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[str, str, None, str, str, int, dict[str, Any], str, str]:
        """Fill the page with an example and make its take.

        Returns:
            Speech, video, no file, use, identity, seed, then what ``generate`` returns.
        """
        example = self._examples[name]
        speech, video = str(example.speech), str(example.reference)
        made = self.generate(
            speech, video, None, example.use, example.identity, example.seed, request, progress
        )
        return speech, video, None, example.use, example.identity, example.seed, *made

    @readable
    def export(
        self,
        suffix: str,
        identity: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> str:
        """Write the take on show, on the head that wears it now.

        Returns:
            The file's path.
        """
        session = self._session(request)
        if session.take is None:
            raise InputError("There is no take to download yet; press Generate first.")
        if suffix not in FORMATS:
            raise InputError(f"Got the format {suffix!r}; choose one of {', '.join(FORMATS)}.")
        take = replace(session.take, identity=identity)
        self._pipeline.face.neutral(identity)
        folder = session.file("download", "")
        folder.mkdir()
        path = folder / f"{file_name(take)}{suffix}"
        save_animation(
            take,
            self._pipeline.face,
            path,
            progress=told(progress, f"Writing {suffix[1:].upper()}"),
        )
        return str(path)

    @readable
    def export_track(self, request: gr.Request) -> str:
        """The reference's track: it can be used again and does not show the person."""
        reference = self._session(request).reference
        if reference is None or reference.track is None:
            raise InputError("There is no tracked video yet; give a reference video first.")
        return str(reference.track)

    def leave(self, request: gr.Request) -> None:
        """Forget the visitor."""
        self._sessions.close(_key(request))

    def _session(self, request: gr.Request) -> Session:
        return self._sessions.of(_key(request))

    def _reference(self, session: Session, source: Path, progress: gr.Progress) -> KnownReference:
        known = session.reference
        if known is not None and known.source == source:
            return known
        session.uploads.add(source)
        started = time.perf_counter()
        reference = self._pipeline.reference(
            source,
            progress=told(progress, "Finding the face in the reference"),
            max_seconds=self._max_seconds,
        )
        seconds = time.perf_counter() - started
        session.reference = _write_reference(
            session, reference, source, seconds, self._pipeline.face
        )
        return session.reference

    def _speak_here(
        self,
        sound: Sound,
        performance: Performance,
        use: str,
        identity: str,
        seed: int,
        progress: gr.Progress,
    ) -> FaceAnimation:
        def tell(stage: str, fraction: float) -> None:
            progress(fraction, desc=_STAGE_TEXTS.get(stage, stage.capitalize()))

        call = self._pipeline.stylize if use == "stylize" else self._pipeline.localize
        return call(
            sound,
            performance,
            identity=identity,
            seed=seed,
            progress=tell,
        )


def on_gpu(function: Callable) -> Callable:
    """Borrow a GPU for the call where Hugging Face lends them (ZeroGPU); elsewhere nothing."""
    try:
        import spaces  # pyright: ignore[reportMissingImports]
    except ImportError:
        return function
    return spaces.GPU(function)


def whole_seed(seed: int | float | None) -> int:
    """The seed field as a number the model takes; an empty field is 0.

    Raises:
        InputError: It is negative or too large.
    """
    number = int(seed or 0)
    if not 0 <= number < 2**31:
        raise InputError(f"Got seed {number}; it must be 0 or more and below {2**31}.")
    return number


def file_name(take: FaceAnimation) -> str:
    """A download's name: it says how to make the take again."""
    model = re.sub(r"[^A-Za-z0-9.@_]+", "-", take.model)
    return f"km-speaker_{take.use}_{take.identity}_seed{take.seed}_{model}"


def take_facts(take: FaceAnimation, reference_seconds: float) -> str:
    """Which weights spoke, and how long each stage took, as HTML."""
    stages = {"reference": reference_seconds, **take.stage_seconds}
    total = sum(take.stage_seconds.values())
    parts = "".join(
        f"<li><span>{html.escape(stage)}</span><b>{seconds:.2f} s</b></li>"
        for stage, seconds in stages.items()
    )
    speed = f"{take.seconds / total:.1f} times faster than real time" if total > 0 else ""
    return (
        f"<div class='km-facts'><p>Spoken by <b>{html.escape(take.model)}</b>, seed {take.seed}, "
        f"{take.steps} steps. {take.seconds:.1f} s of speech in {total:.1f} s"
        f"{', ' + speed if speed else ''}.</p><ul>{parts}</ul></div>"
    )


def _key(request: gr.Request) -> str:
    return request.session_hash or "no-session"


def _stage(identity: str, session: Session) -> dict[str, Any]:
    reference = session.reference.shown if session.reference else None
    return {"identity": identity, "take": session.take_shown, "reference": reference}


def _write_take(session: Session, take: FaceAnimation) -> dict[str, str]:
    data, sound = session.file("take", ".bin"), session.file("take", ".wav")
    data.write_bytes(take_arrays(take))
    write_wav(sound, take.sound)
    label = f"{take.model} · seed {take.seed}"
    return {"data": str(data), "sound": str(sound), "use": take.use, "label": label}


def _write_reference(
    session: Session, reference: Reference, source: Path, seconds: float, face: FaceModel
) -> KnownReference:
    data = session.file("reference", ".bin")
    data.write_bytes(reference_arrays(reference.performance, reference.track, face))
    video, track = None, None
    if reference.track is not None:
        track = session.file("track", ".npz")
        reference.track.save(track)
        suffix = source.suffix.lower()
        if suffix in _BROWSER_VIDEO:
            video = session.file("reference", suffix)
            shutil.copyfile(source, video)
    shown = {"data": str(data), "video": str(video) if video else None}
    return KnownReference(source, reference.performance, track, shown, seconds)


def _reference_facts(reference: KnownReference) -> str:
    performance = reference.performance
    seen = float(performance.present.mean())
    bridged = float(performance.bridged.sum()) / performance.fps
    text = f"{performance.seconds:.1f} s of performance, face seen in {seen:.0%}"
    if bridged >= 0.1:
        text += f" ({bridged:.1f} s of it bridged)"
    return f"<p class='km-facts'>{text}. Read in {reference.seconds_taken:.1f} s.</p>"
