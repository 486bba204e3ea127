"""The panel under the stage: curves of whatever is on it, the sound they belong to, the numbers.

The browser draws curves from the weights it has anyway (``metrics.rows`` times weights), so a
take costs only its sound's spectrogram, fetched when the panel is opened. Numbers come from here.
"""

import threading
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gradio as gr

from kmspeaker.animation.animation import FaceAnimation
from kmspeaker.animation.metrics import (
    BANDS,
    MEASURES,
    SPECTRA_PER_SECOND,
    WAVE_PER_SECOND,
    Numbers,
    inspect,
    rows,
    spectrogram,
    waveform,
)
from kmspeaker.errors import InputError
from kmspeaker.face.rig import ARKIT_NAMES, FaceModel
from kmspeaker.limits import MAX_SECONDS
from kmspeaker.media.audio import SAMPLE_RATE, Sound, load_sound
from kmspeaker.web.errors import readable
from kmspeaker.web.packing import pack_arrays
from kmspeaker.web.page.viewer import STATIC, mounting
from kmspeaker.web.session import Session, SessionReference, SessionTake
from kmspeaker.web.sessions import Sessions
from kmspeaker.web.stage_value import stage_value

NUMBERS: Mapping[str, str] = {
    "Lips follow the reference": (
        "How closely the lips open and close along with the reference's: 1 is alike, 0 unrelated; "
        "only where both say the same words, told by comparing their sounds."
    ),
    "Upper face off the reference": (
        "How far brows, eyes and cheeks are on average from where the reference has them; only a "
        "dub follows it moment by moment, a take in its style does not."
    ),
    "Unsteadiness of the lips": (
        "How far lips lie off a smooth path from one picture to the next; much more than the "
        "reference's looks like trembling, much less looks dull."
    ),
    "Lip closures": (
        "How often open lips come together and part again; which sounds (p, b, m) should close "
        "them cannot be told without the text."
    ),
    "Closures kept": (
        "How many of the reference's lip closures the take makes too, within 60 ms; only where "
        "both say the same words."
    ),
}
"""What each row of the table is, in plain words."""
OTHER_WORDS = "other words"


def plotly_folder() -> Path:
    """Where the plotly package keeps ``plotly.min.js``; the page asks no other server for it."""
    spec = find_spec("plotly")  # importing it would slow the start
    assert spec is not None and spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations))) / "package_data"


def curves(face: FaceModel, **options: Any) -> gr.HTML:
    """The panel; its value is what ``Inspector.of`` returns.

    Args:
        face: The rig.
        options: Passed on to ``gr.HTML``.
    """
    return gr.HTML(
        html_template=(STATIC / "curves.html").read_text(),
        js_on_load=mounting("curves.js"),
        apply_default_css=False,
        static=str(STATIC),
        plotly=str(plotly_folder() / "plotly.min.js"),
        rows={
            name: [round(float(x), 4) for x in row]
            for name, row in zip(MEASURES, rows(face), strict=True)
        },
        names=list(ARKIT_NAMES),
        numbers=[{"name": name, "help": text} for name, text in NUMBERS.items()],
        **options,
    )


class Inspector:
    """Numbers and sounds of the visitors' takes; each take is inspected once."""

    def __init__(self, face: FaceModel, sessions: Sessions) -> None:
        """Start with nothing inspected."""
        self._face = face
        self._sessions = sessions
        self._numbers: dict[Path, Numbers] = {}
        self._lock = threading.Lock()

    @readable
    def inspect(self, request: gr.Request) -> dict[str, Any]:
        """The panel's value for the visitor who asks."""
        return self.of(self._sessions.of(request.session_hash))

    def of(self, session: Session) -> dict[str, Any]:
        """Every head the stage may show, and what is known of it.

        A take has ``numbers`` (texts of the take and of its reference, in the order of
        ``NUMBERS``), ``spectrum`` (a file for ``curves.js``), the key of the ``reference`` it was
        made from and where that lies on the clock: at ``(clock - shift) * rate`` of its own time.
        """
        with session.lock:
            takes, current = list(session.takes.values()), session.current
        self._forget_deleted()
        extras = {take.key: self._curves_of(take) for take in takes}
        heads = stage_value(session, "")["heads"]
        return {
            "heads": [{**head, **extras.get(head["key"], {})} for head in heads],
            "reference": current.key if current else None,
        }

    def _forget_deleted(self) -> None:
        with self._lock:  # another visitor's take may be inspected meanwhile
            known = list(self._numbers)
        gone = [path for path in known if not path.exists()]
        with self._lock:
            for path in gone:
                self._numbers.pop(path, None)

    def _curves_of(self, take: SessionTake) -> dict[str, Any]:
        if not take.spectrum.exists():
            take.spectrum.write_bytes(sound_arrays(take.animation.sound))
        curves: dict[str, Any] = {"spectrum": str(take.spectrum)}
        if take.reference is None:
            return curves
        with self._lock:
            numbers = self._numbers.get(take.motion)
        if numbers is None:
            numbers = inspect(
                self._face, take.animation, take.reference.performance, _sound(take.reference)
            )
            with self._lock:
                self._numbers[take.motion] = numbers
        return {
            **curves,
            "reference": take.reference.key,
            "numbers": texts(numbers, take.animation),
            **_place(numbers, take.animation, take.reference),
        }


def sound_arrays(sound: Sound) -> bytes:
    """A speech for the browser's eyes: its waveform and its spectrogram."""
    return pack_arrays(
        {"spectrogram": spectrogram(sound), "waveform": waveform(sound)},
        {
            "bands": BANDS,
            "spectraPerSecond": SPECTRA_PER_SECOND,
            "wavePerSecond": WAVE_PER_SECOND,
            "seconds": sound.seconds,
        },
    )


def texts(numbers: Numbers, take: FaceAnimation) -> list[list[str]]:
    """For each of ``NUMBERS`` what the take has and what its reference has."""
    words = "no sound to compare" if numbers.alignment is None else OTHER_WORDS
    if numbers.alignment is not None and numbers.alignment.same:
        words = "does not move"
    off = "face not seen" if take.use == "localize" else "only for dubs"
    return [
        [words if numbers.follows is None else f"{numbers.follows:.2f}", ""],
        [off if numbers.upper_error is None else f"{numbers.upper_error:.2f} mm", ""],
        [_millimetres(numbers.jitter), _millimetres(numbers.own_jitter)],
        [_often(numbers.closures), _often(numbers.own_closures)],
        [words if numbers.kept is None else "{} of {}".format(*numbers.kept), ""],
    ]


def _millimetres(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} mm"


def _often(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} a second"


def _place(numbers: Numbers, take: FaceAnimation, reference: SessionReference) -> dict[str, Any]:
    """Where the reference lies beside the take: a dub's controls say it, or the same words."""
    if take.use == "localize":
        own = reference.performance.seconds
        rate = own / take.seconds if take.controls.fit == "stretch" else 1.0
        return {"shift": take.controls.offset, "rate": rate, "hold": take.controls.fit == "hold"}
    if numbers.alignment is not None and numbers.alignment.same:
        shift, rate = numbers.alignment.line
        return {"shift": shift, "rate": rate, "hold": False}
    return {}


def _sound(reference: SessionReference) -> Sound | None:
    """What is heard in the reference's video, if anything."""
    if reference.face_track is None:
        return None
    try:
        return load_sound(reference.source, sample_rate=SAMPLE_RATE, max_seconds=MAX_SECONDS)
    except InputError:  # a silent video or a saved track
        return None
