"""The work behind the page and its API: references read, takes made, files written, for a visitor.

Both ask in the same words (``Order``), within the same limits; whatever belongs to a visitor is in
their session.
"""

import html
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import ascii_uppercase

import gradio as gr

from kmspeaker.animation.animation import FaceAnimation, Use
from kmspeaker.animation.controls import Controls
from kmspeaker.baselines.systems import title
from kmspeaker.errors import InputError
from kmspeaker.export import FORMATS, save_animation, save_comparison, save_on_head
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.audio import Sound, load_sound, write_wav
from kmspeaker.pipeline import check_seeds
from kmspeaker.reference.load import Reference
from kmspeaker.reference.performance import Performance
from kmspeaker.reference.retarget import retarget
from kmspeaker.web.errors import Stopped, page_progress
from kmspeaker.web.gpu import on_gpu
from kmspeaker.web.limits import Limits, RateLimit, check_reference, check_speech
from kmspeaker.web.models import Models
from kmspeaker.web.session import TAKES_KEPT, Session, SessionReference, SessionTake, Stop
from kmspeaker.web.session_files import file_name, write_reference, write_takes
from kmspeaker.web.stage_value import MOST_SHOWN

_STAGE_TEXTS = {"listen": "Listening to the speech", "generate": "Making the face move"}
MOST_TAKES = 4
"""Takes of one order and one model."""
_ON_ANY_HEAD = (".glb", ".csv")
_NOT_OURS = (
    "Your own GLB is saved as GLB or CSV only: choose one of our heads for other files and videos."
)
NAMELESS = tuple(ascii_uppercase[:MOST_SHOWN])
"""What heads are called while names are hidden."""
VOICES_KEPT = 4
"""Sounds taken out of a visitor's videos; older ones are deleted."""
_GPU_SECONDS = (10, 120)
"""Least and most to borrow a GPU for."""


@dataclass(frozen=True)
class Order:
    """What a visitor wants spoken, by whom, how; ``seeds_of`` gives its seeds."""

    speech: Path
    reference: Path
    use: Use
    identity: str
    seeds: tuple[int, ...] = (0,)
    second: Path | None = None
    """Whose style ``controls.style_mix`` blends in."""
    controls: Controls = field(default_factory=Controls)
    models: tuple[str, ...] = ()
    """The page's own where empty."""

    @property
    def takes(self) -> int:
        """How many it makes."""
        return len(self.seeds) * max(1, len(self.models))


class Service:
    """Everything a visitor may ask of the machine."""

    def __init__(self, models: Models, limits: Limits) -> None:
        """Start without visitors."""
        self.models = models
        self.face = models.own.face
        self.limits = limits
        self.rate = RateLimit(limits.takes)
        self._jobs = RateLimit(limits.jobs, words=("does", "jobs beside takes"))
        self._speak = on_gpu(self._speak_here, _gpu_seconds)

    def check(self, order: Order, visitor: str) -> None:
        """Refuse before any work what cannot be done.

        Raises:
            InputError: Unknown identity or model, no second reference to blend in, too many takes
                lately, or files beyond the limits.
        """
        self.face.neutral(order.identity)
        for model in order.models:
            self.models.check(model)
        if order.controls.style_mix > 0 and order.second is None:
            raise InputError(
                "There is no second reference to blend in yet; give one under Style, or set its "
                "share to 0."
            )
        if order.takes > TAKES_KEPT:
            raise InputError(
                f"Got {len(order.models)} systems with {len(order.seeds)} takes each; this page "
                f"keeps {TAKES_KEPT} takes, so choose fewer systems or fewer takes."
            )
        self.rate.check(visitor, order.takes)
        check_speech(order.speech, self.limits)
        check_reference(order.reference, self.limits)
        if order.second is not None:
            check_reference(order.second, self.limits)

    def count_job(self, visitor: str) -> None:
        """Remember work that is no take: a video read, a file written, a head tried.

        Raises:
            InputError: It is too much.
        """
        self._jobs.count(visitor)

    def voice(self, session: Session, source: Path, progress: gr.Progress | None) -> Path:
        """The sound of a video or recording as a file that every browser plays.

        Raises:
            InputError: It has none, or none that can be used.
        """
        page_progress(progress, "Taking the sound out of the file")(0.0)
        check_speech(source, self.limits)
        sound = load_sound(source, max_seconds=self.limits.max_seconds)
        session.reserve(2 * len(sound))
        path = session.file("voice", ".wav")
        write_wav(path, sound)
        for old in session.voices()[:-VOICES_KEPT]:
            old.unlink(missing_ok=True)
        return path

    def read(
        self, session: Session, source: Path, progress: gr.Progress | None, stop: Stop
    ) -> SessionReference:
        """Read a reference, or find it read already."""
        with session.lock:
            # Of several fits of one video the one on show.
            known = [session.current, *reversed(session.references.values())]
        earlier = next((each for each in known if each and each.source == source), None)
        if earlier is not None:
            return earlier
        check_reference(source, self.limits)
        started = time.perf_counter()
        reference = self.models.own.reference(
            source,
            progress=page_progress(progress, "Finding the face in the reference", stop),
            max_seconds=self.limits.max_seconds,
        )
        if stop.is_set():
            raise Stopped
        seconds = time.perf_counter() - started
        copying = page_progress(progress, "Making a copy that browsers can show", stop)
        return write_reference(session, reference, source, seconds, self.face, copying)

    def fit(
        self,
        reference: SessionReference,
        neutral_at: float | None,
        progress: gr.Progress | None,
        stop: Stop,
    ) -> Reference:
        """A reference measured against the face at a moment, seconds; where None, found again.

        Raises:
            InputError: It has no picture, or the moment shows no face that can be neutral.
        """
        report = page_progress(progress, "Measuring the face anew", stop)
        report(0.0)
        track = reference.face_track
        if track is None:
            raise InputError(
                "Got a file of motion, which says itself what is neutral; give a video to choose a "
                "moment of."
            )
        track = replace(track, neutral=None)
        if neutral_at is not None:
            track = track.with_neutral_at(neutral_at)
        performance = retarget(track, self.face, fps=reference.performance.fps)
        report(1.0)
        return Reference(performance, track, reference.source)

    def make(
        self, session: Session, order: Order, visitor: str, progress: gr.Progress | None, stop: Stop
    ) -> list[SessionTake]:
        """Make the takes of an order and put them in the visitor's catalogue."""
        self.check(order, visitor)
        page_progress(progress, "Reading the speech", stop)(0.0)
        sound = load_sound(order.speech, max_seconds=self.limits.max_seconds)
        reference = self.read(session, order.reference, progress, stop)
        second = None
        if order.second is not None and order.controls.style_mix > 0:
            second = self.read(session, order.second, progress, stop).performance
        session.current = reference
        self.rate.count(visitor, order.takes)
        models = order.models or (self.models.own_name,)
        animations: list[FaceAnimation] = []
        labels: list[str] | None = None if len(models) == 1 else []
        faults: dict[str, InputError] = {}
        for model in models:
            try:
                takes = self._speak(
                    sound, reference.performance, order, second, model, progress, stop
                )
            except InputError as error:
                faults[model] = error
                continue
            animations += takes
            if labels is not None:
                labels += [title(model)] * len(takes)
        if stop.is_set():
            raise Stopped
        if not animations:
            raise next(iter(faults.values()))
        for model, error in faults.items():  # the others are to be seen all the same
            gr.Warning(html.escape(str(error)), title=f"{title(model)} did not speak")
        details = [detail(animation) for animation in animations]
        return write_takes(session, animations, reference, details, labels)

    def export(
        self,
        session: Session,
        animation: FaceAnimation,
        suffix: str,
        identity: str,
        progress: gr.Progress | None,
        stop: Stop,
    ) -> tuple[Path, ...]:
        """Write an animation on a head in one format; the file first, then what lies beside it."""
        if suffix not in FORMATS:
            raise InputError(f"Got the format {suffix!r}; choose one of {', '.join(FORMATS)}.")
        face = session.face or self.face
        head = session.other_mesh(identity)
        if head is None:
            face.neutral(identity)
            animation = replace(animation, identity=identity)
        elif suffix not in _ON_ANY_HEAD:
            raise InputError(_NOT_OURS)
        session.reserve(_bytes_of(animation, suffix, face))
        path = session.download() / f"{file_name(animation)}{suffix}"
        text = f"Writing {suffix[1:].upper()}"
        if head is not None and suffix == ".glb":
            return save_on_head(animation, head, path)
        return save_animation(animation, face, path, progress=page_progress(progress, text, stop))

    def export_shown(
        self,
        session: Session,
        keys: Sequence[str],
        identity: str,
        progress: gr.Progress | None,
        stop: Stop,
        names: Sequence[str] | None = None,
    ) -> Path:
        """Write a video of takes and references beside each other, with their labels.

        The first one's sound is heard, and takes come first.

        Args:
            session: The visitor's.
            keys: Of takes and references.
            identity: Who wears them.
            progress: Shows how much is written.
            stop: Read meanwhile.
            names: What each is called while the visitor does not want to know who it is; the file
                then tells nobody either.

        Raises:
            InputError: There is none of them.
        """
        with session.lock:
            takes = [session.takes[key] for key in keys if key in session.takes]
            references = [session.references[key] for key in keys if key in session.references]
        if not takes and not references:
            raise InputError("There is nobody on the stage; show a head, then save the video.")
        if session.other_mesh(identity) is not None:
            raise InputError(_NOT_OURS)
        heads = (*takes, *references)
        nameless = names is not None and len(names) == len(keys) and all(map(is_nameless, names))
        called = dict(zip(keys, names or (), strict=False)) if nameless else {}
        labels = [called.get(head.key, head.label) for head in heads]
        animations = [take.animation for take in takes]
        animations += [reference.captured(identity) for reference in references]
        folder = session.download()
        return save_comparison(
            [replace(animation, identity=identity) for animation in animations],
            labels,
            session.face or self.face,
            folder / f"km-speaker_side-by-side_{len(labels)}.mp4",
            nameless=bool(called),
            progress=page_progress(progress, "Writing the video", stop),
        )

    def _speak_here(
        self,
        sound: Sound,
        performance: Performance,
        order: Order,
        second: Performance | None,
        model: str,
        progress: gr.Progress | None,
        stop: Stop,
    ) -> tuple[FaceAnimation, ...]:
        number = f"{order.models.index(model) + 1} of {len(order.models)}" if order.models else ""
        who = f"{title(model)} ({number}): " if len(order.models) > 1 else ""

        def report(stage: str, fraction: float) -> None:
            text = _STAGE_TEXTS.get(stage, stage.capitalize())
            page_progress(progress, who + text, stop)(fraction)

        return self.models.get(model).animate(
            sound,
            performance,
            use=order.use,
            identity=order.identity,
            seeds=order.seeds,
            controls=order.controls,
            second=second,
            progress=report,
        )


@contextmanager
def job(session: Session, *uploads: str | Path | None) -> Iterator[Stop]:
    """Work that ends when the visitor says stop or leaves.

    Args:
        session: The visitor's.
        uploads: What it reads, to be deleted with the session.
    """
    session.uploads.update(Path(path) for path in uploads if path)
    stop = Stop(session.file("job", ""))
    session.jobs.add(stop)
    try:
        yield stop
    except FileNotFoundError as error:
        if stop.is_set():  # the visitor left, and the folder with them
            raise Stopped from error
        raise
    finally:
        session.jobs.discard(stop)
        session.touched = time.monotonic()
        session.reserve(0)
        stop.set()


def _bytes_of(animation: FaceAnimation, suffix: str, face: FaceModel) -> int:
    """About how large a file becomes; the formats with every vertex of every frame matter."""
    vertices = face.neutral(face.identities[0]).size * 4 * len(animation.weights)
    return {".npz": vertices, ".zip": 2 * vertices}.get(suffix, 0)


def is_nameless(name: str) -> bool:
    """Whether the stage calls a head so while names are hidden: ``Head A``, ``Head B``, ..."""
    return name.startswith("Head ") and name[5:] in NAMELESS


def _gpu_seconds(sound: Sound, performance: Performance, order: Order, *rest: object) -> int:
    del performance, rest
    least, most = _GPU_SECONDS
    return min(most, round(least + 0.1 * sound.seconds * len(order.seeds)))


def seeds_of(first: int | float | None, count: int | float | None = 1) -> tuple[int, ...]:
    """The seeds of a page's two fields, in a row; an empty seed is 0, an empty count 1.

    Raises:
        InputError: More takes than ``MOST_TAKES``, or a seed that is negative or too large.
    """
    start = int(first or 0)
    seeds = range(start, start + int(count or 1))
    check_seeds(seeds, MOST_TAKES)
    return tuple(seeds)


def detail(animation: FaceAnimation) -> str:
    """How a take was made, in a few words."""
    changed = animation.controls.changed()
    settings = [f"{name.replace('_', ' ')} {value}" for name, value in changed.items()]
    words = [animation.model.rsplit("@", 1)[0].rsplit("/", 1)[-1], f"seed {animation.seed}"]
    if animation.use == "localize":
        words.append("dub")
    return " · ".join([*words, *settings])
