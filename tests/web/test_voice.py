"""The speech may be a video, and a reference's own voice may be the speech."""

from pathlib import Path

import av
import gradio as gr
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from visit import Page, visitor

from kmspeaker.examples import FOLDER
from kmspeaker.media.audio import load_sound
from kmspeaker.web.page.facts import reference_facts
from kmspeaker.web.service import VOICES_KEPT

RATE = 48_000


def film(path: Path, *, sound: bool, seconds: float = 1.0, container: str | None = None) -> str:
    """A second of grey pictures, with a tone or without."""
    with av.open(str(path), "w", format=container) as file:
        picture = file.add_stream("mpeg4", rate=10)
        picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"  # type: ignore[union-attr]
        tone = file.add_stream("aac", rate=RATE) if sound else None
        for _ in range(round(10 * seconds)):
            frame = VideoFrame.from_ndarray(np.full((64, 64, 3), 128, np.uint8), "rgb24")
            file.mux(picture.encode(frame))  # type: ignore[union-attr]
        file.mux(picture.encode(None))  # type: ignore[union-attr]
        if tone is not None:
            samples = 0.5 * np.sin(np.arange(round(RATE * seconds)) * 0.05).astype(np.float32)
            for start in range(0, len(samples), 1024):
                frame = AudioFrame.from_ndarray(samples[None, start : start + 1024], "fltp", "mono")
                frame.sample_rate, frame.pts = RATE, start
                file.mux(tone.encode(frame))  # type: ignore[union-attr]
            file.mux(tone.encode(None))  # type: ignore[union-attr]
    return str(path)


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page(tmp_path)


@pytest.mark.parametrize(
    ("name", "container"),
    [("talk.mp4", None), ("talk.mov", None), ("talk.mkv", None), ("no name for it", "mp4")],
)
def test_a_videos_sound_becomes_the_speech_in_a_file_that_browsers_play(
    page: Page, name: str, container: str | None
):
    video = film(page.uploads / name, sound=True, container=container)
    speech = page.handlers.take_voice(video, True, visitor("one"))
    assert speech is not None
    path = Path(speech)
    assert path.parent == page.session().folder and path.suffix == ".wav"
    heard, before = load_sound(path), load_sound(video)
    assert len(heard) == len(before)
    np.testing.assert_allclose(heard.samples, before.samples, atol=1e-4)
    page.generate(speech=speech)
    page.handlers.leave(visitor("one"))
    assert not path.exists() and not Path(video).exists()


def test_a_video_as_speech_makes_a_take_as_it_is(page: Page):
    video = film(page.uploads / "talk.mp4", sound=True, seconds=2)
    page.generate(speech=video)
    assert page.session().take().animation.seconds == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize(
    ("content", "says"),
    [("silent film", "without a sound track"), ("text", "not sound or video"), ("", "empty")],
)
def test_what_has_no_voice_is_a_sentence(page: Page, content: str, says: str):
    path = page.uploads / "talk.mp4"
    if content == "silent film":
        film(path, sound=False)
    else:
        path.write_text(content)
    with pytest.raises(gr.Error, match=says):
        page.handlers.take_voice(str(path), True, visitor("one"))
    assert not page.session().voices()


def test_a_voice_is_taken_after_the_consent_only(page: Page):
    video = film(page.uploads / "talk.mp4", sound=True)
    with pytest.raises(gr.Error, match="tick the box"):
        page.handlers.take_voice(video, False, visitor("one"))
    assert page.handlers.take_voice(None, False, visitor("one")) is None


def test_the_references_own_voice_is_one_click_and_offered_where_there_is_one(page: Page):
    with pytest.raises(gr.Error, match="no face to follow"):
        page.handlers.take_own_voice(visitor("one"))
    heard = film(page.uploads / "heard.mp4", sound=True)
    _, about, *_ = page.handlers.follow(heard, "clara", True, visitor("one"))
    assert "km-heard" in about
    speech = page.handlers.take_own_voice(visitor("one"))
    assert load_sound(speech).seconds == pytest.approx(load_sound(heard).seconds)
    assert len(page.speaker.read) == 1
    silent = film(page.uploads / "silent.mp4", sound=False)
    _, about, *_ = page.handlers.follow(silent, "clara", True, visitor("one"))
    assert "km-heard" not in about
    with pytest.raises(gr.Error, match="reference without sound"):
        page.handlers.take_own_voice(visitor("one"))


def test_a_saved_track_has_no_voice(page: Page):
    track = FOLDER / "delighted.track.npz"
    page.handlers.follow(str(track), "clara", True, visitor("one"))
    current = page.session().current
    assert current is not None and not current.heard
    assert "km-heard" not in reference_facts(current)


def test_few_voices_are_kept(page: Page):
    video = film(page.uploads / "talk.mp4", sound=True)
    given = [page.handlers.take_voice(video, True, visitor("one")) for _ in range(VOICES_KEPT + 2)]
    kept = [Path(path).exists() for path in given if path]
    assert kept == [False] * 2 + [True] * VOICES_KEPT
