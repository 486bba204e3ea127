"""What the panel of curves is told of a visitor's takes."""

from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from takes import moving_take
from visit import Page, visitor

from kmspeaker.animation.controls import Controls
from kmspeaker.animation.metrics import Numbers
from kmspeaker.animation.speech_match import Alignment
from kmspeaker.examples import load_examples
from kmspeaker.face.rig import FaceModel
from kmspeaker.media.audio import Sound, load_sound
from kmspeaker.reference.performance import Performance
from kmspeaker.web.page.curves import NUMBERS, Inspector, plotly_folder, sound_arrays, texts


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page(tmp_path)


@pytest.fixture
def inspector(page: Page, face: FaceModel) -> Inspector:
    return Inspector(face, page.sessions)


def numbers(**values) -> Numbers:
    nothing = dict.fromkeys(
        ("follows", "upper_error", "own_jitter", "own_closures", "kept", "alignment")
    )
    return Numbers(**{**nothing, "jitter": 0.1, "closures": 1.0, **values})


def like(likeness: float) -> Alignment:
    return Alignment(likeness, np.arange(2.0), np.arange(2.0))


def test_a_take_is_told_with_its_numbers_its_sound_and_its_reference(
    page: Page, inspector: Inspector
):
    assert inspector.of(page.session()) == {"heads": [], "reference": None}
    page.generate()
    value = inspector.of(page.session())
    take, reference = value["heads"]
    assert (take["key"], take["reference"], value["reference"]) == (
        "take-1",
        "reference",
        "reference",
    )
    assert len(take["numbers"]) == len(NUMBERS)
    assert take["numbers"][0] == ["other words", ""]
    assert Path(take["spectrum"]).parent == page.session().folder
    assert "numbers" not in reference
    assert inspector.of(page.session("another")) == {"heads": [], "reference": None}


def test_a_take_is_inspected_once(page: Page, inspector: Inspector, monkeypatch):
    page.generate()
    first = inspector.of(page.session())
    monkeypatch.setattr("kmspeaker.web.page.curves.inspect", None)
    assert inspector.of(page.session()) == first


def test_a_dubs_reference_lies_where_its_controls_put_it(page: Page, inspector: Inspector):
    page.generate(use="localize", controls={"offset": 0.5, "fit": "stretch"})
    take, reference = inspector.of(page.session())["heads"]
    assert (take["shift"], take["hold"]) == (0.5, False)
    assert take["rate"] == pytest.approx(3.0), "three seconds of performance in one of speech"
    assert take["numbers"][1][0].endswith(" mm")
    assert "shift" not in reference


def test_the_sounds_picture_goes_with_its_last_take(page: Page, inspector: Inspector, monkeypatch):
    monkeypatch.setattr("kmspeaker.web.session.TAKES_KEPT", 1)
    page.generate()
    spectrum = Path(inspector.of(page.session())["heads"][0]["spectrum"])
    assert spectrum.exists()
    page.generate()
    inspector.of(page.session())
    assert not spectrum.exists()


def test_ten_seconds_of_speech_cost_little():
    speech = load_sound(load_examples()["delighted"].speech, sample_rate=16_000)
    ten = Sound(np.resize(speech.samples, 160_000), 16_000)
    assert len(sound_arrays(ten)) < 30_000


def test_what_cannot_be_told_is_said_in_words(face: FaceModel):
    style = moving_take(face)
    dub = replace(style, use="localize", controls=Controls())
    assert [row[0] for row in texts(numbers(), style)] == [
        "no sound to compare",
        "only for dubs",
        "0.10 mm",
        "1.0 a second",
        "no sound to compare",
    ]
    assert texts(numbers(), dub)[1][0] == "face not seen"
    others = numbers(alignment=like(0.2), own_closures=2.0, own_jitter=0.2)
    assert texts(others, style)[0][0] == "other words"
    assert [row[1] for row in texts(others, style)] == ["", "", "0.20 mm", "2.0 a second", ""]
    same = numbers(alignment=like(0.9), follows=0.87, kept=(12, 14), upper_error=0.314)
    assert [row[0] for row in texts(same, dub)][:2] == ["0.87", "0.31 mm"]
    assert texts(same, dub)[4][0] == "12 of 14"


def test_a_reference_without_a_picture_has_no_sound(page: Page, inspector: Inspector):
    page.generate()
    session = page.session()
    take = session.take()
    assert take.reference is not None
    still = replace(
        take.reference,
        face_track=None,
        performance=Performance.from_weights(np.zeros((30, 52), np.float32), 30.0),
    )
    session.takes[take.key] = replace(take, reference=still)
    assert inspector.of(session)["heads"][0]["numbers"][0][0] == "no sound to compare"


def test_plotly_is_served_from_its_package():
    assert (plotly_folder() / "plotly.min.js").stat().st_size > 1e6


def test_two_visitors_panels_at_once_know_each_their_own(
    page: Page, inspector: Inspector, monkeypatch: pytest.MonkeyPatch
):
    made_up, looked = numbers(), []
    monkeypatch.setattr("kmspeaker.web.page.curves.inspect", lambda *given: made_up)
    for who in ("one", "two", "three"):
        page.generate(who)
    inspector.of(page.session("one"))
    exists = Path.exists

    def meanwhile(path: Path) -> bool:
        """Another visitor looks while the first one's files are checked."""
        if path.name.startswith("take-") and not looked:
            looked.append(path)
            inspector.of(page.session("two"))
        return exists(path)

    monkeypatch.setattr(Path, "exists", meanwhile)
    value = inspector.of(page.session("three"))
    assert looked and [head["key"] for head in value["heads"]] == ["take-1", "reference"]
    assert len(inspector._numbers) == 3


def test_what_goes_wrong_in_the_panel_is_a_sentence(
    page: Page, inspector: Inspector, monkeypatch: pytest.MonkeyPatch
):
    def broken(*given: object) -> None:
        raise RuntimeError("dictionary changed size")

    monkeypatch.setattr(inspector, "of", broken)
    with pytest.raises(gr.Error) as caught:
        inspector.inspect(visitor("one"))
    assert "dictionary" not in caught.value.message and "Sorry" in caught.value.message
