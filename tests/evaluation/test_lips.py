"""Lips against real people, and what they do on known phones."""

import dataclasses

import numpy as np
import pytest
from evaluation_data import FPS, PHONES, context_of, corpus_of

from kmspeaker.animation.silence import settle_lips
from kmspeaker.corpus.lips.coarticulation import articulate
from kmspeaker.corpus.lips.contacts import keep_contacts
from kmspeaker.errors import InputError
from kmspeaker.evaluation import lips, phonetic_contacts
from kmspeaker.evaluation.context import ACTED, EvaluationContext
from kmspeaker.evaluation.lips import agreement, lip_opening, loudness
from kmspeaker.evaluation.phonetic_contacts import count, findings
from kmspeaker.evaluation.ridge import fit_ridge
from kmspeaker.face.contacts import Contacts
from kmspeaker.face.rig import ARKIT_INDEX, FaceModel
from kmspeaker.media.audio import SAMPLE_RATE, Sound


@pytest.fixture(scope="module")
def spoken(face):
    weights = articulate(PHONES, 2.0, fps=FPS)
    return keep_contacts(Contacts.of(face), weights, PHONES, FPS)


def test_a_late_curve_is_found_late_and_an_early_one_early():
    times = np.arange(90) / 25
    wave = lambda t: np.sin(7 * t) + 0.5 * np.sin(11 * t)  # noqa: E731
    at = np.arange(110) / FPS
    for late in (-0.05, 0.0, 0.06):
        best = agreement(times, wave(times), at, wave(at - late))
        assert best.lag == pytest.approx(late, abs=0.011)
        assert best.correlation > 0.99


def test_a_face_that_does_not_move_agrees_with_nothing():
    times = np.arange(50) / 25
    assert agreement(times, np.sin(times), times, np.ones(50)).correlation == 0


def test_spoken_phones_close_meet_open_and_rest(face, spoken):
    counts = count(face, spoken, PHONES, FPS)
    assert (counts.bilabials, counts.labiodentals, counts.vowels) == (2, 1, 3)
    assert (counts.closed, counts.met, counts.shut) == (2, 1, 0)
    rows = {row.figure: row.estimate.value for row in findings([counts], "", judged=True)}
    assert rows["p b m closed"] == 1 and rows["open vowels under 3 mm"] == 0
    assert rows["lip speed in long silences over that in speech"] < 0.1


def test_lips_that_never_open_are_found_out_and_so_are_those_that_never_close(face):
    shut = np.zeros((60, 52), np.float32)
    agape = shut.copy()
    agape[:, ARKIT_INDEX["jawOpen"]] = 0.4
    for weights, closed, never in ((shut, 2, 3), (agape, 0, 0)):
        counts = count(face, weights, PHONES, FPS)
        assert counts.closed == closed and counts.shut == never


def test_shares_are_of_all_phones_not_of_clips(face, spoken):
    quiet = count(face, spoken, PHONES[:1], FPS)
    agape = np.zeros((60, 52), np.float32)
    agape[:, ARKIT_INDEX["jawOpen"]] = 0.4
    counts = [count(face, spoken, PHONES, FPS), quiet, count(face, agape, PHONES[:2], FPS)]
    closed = findings(counts, "", judged=False)[0]
    assert closed.estimate.value == pytest.approx(2 / 3)
    assert closed.of == "clips, 3 p b m" and closed.target is None


def test_contacts_are_counted_on_real_speech_alone(face, tmp_path):
    context = context_of(face, corpus_of(face, tmp_path))
    assert "real speech (made up)" in phonetic_contacts.measure(context).on
    acted = tuple(dataclasses.replace(clip, source=ACTED) for clip in context.corpus.clips)
    synthesised = dataclasses.replace(context.corpus, clips=acted)
    with pytest.raises(InputError, match="no real test clip"):
        phonetic_contacts.measure(dataclasses.replace(context, corpus=synthesised))


def trembling(face: FaceModel, frames: int) -> np.ndarray:
    """Lips that speak in the phones of ``PHONES`` and tremble half a millimetre in its silences."""
    times = np.arange(frames) / FPS
    jaw = np.where((times > 0.6) & (times < 1.4), 0.3 * np.sin(10 * times) ** 2, 0)
    per_weight = face.lip_opening[ARKIT_INDEX["jawOpen"]]
    weights = np.zeros((frames, 52), np.float32)
    weights[:, ARKIT_INDEX["jawOpen"]] = jaw + (0.25 + 0.25 * np.sin(20 * times)) / per_weight
    return weights


def test_silence_is_measured_with_and_without_the_filter(face, tmp_path, monkeypatch):
    context = context_of(face, corpus_of(face, tmp_path))
    filters: list[bool] = []

    def animate(self, features, style, temporal=None, *, seed=0, settle=True):
        filters.append(settle)
        return trembling(face, len(features))

    monkeypatch.setattr(EvaluationContext, "animate", animate)
    rows = {row.figure: row for row in phonetic_contacts.measure(context).findings}
    assert filters == [False]
    name = "lip speed in long silences over that in speech"
    filtered, alone = rows[name], rows[f"without the silence filter: {name}"]
    assert filtered.target is not None and alone.target is None
    assert filtered.estimate.value < 0.5 * alone.estimate.value
    counts = count(face, trembling(face, 300), PHONES, FPS)
    speeds = counts.resting / counts.resting_frames, counts.moving / counts.moving_frames
    assert alone.estimate.value == pytest.approx(speeds[0] / speeds[1])


def test_the_program_stills_lips_and_the_context_does_so_unless_told_otherwise(face, tmp_path):
    context = context_of(face, corpus_of(face, tmp_path))
    features = context.read(context.corpus.split("test")[0], 60).features
    network = context.animate(features, context.neutral, settle=False)
    assert np.array_equal(
        context.animate(features, context.neutral), settle_lips(network, face, FPS)
    )


def test_ridge_finds_a_linear_law(face, tmp_path):
    corpus = corpus_of(face, tmp_path)
    ridge = fit_ridge(corpus, face.lip_opening)
    motion = corpus.read(corpus.split("test")[0])
    predicted = ridge.predict(motion.features)
    assert np.corrcoef(predicted, motion.weights @ face.lip_opening)[0, 1] > 0.99


def test_loudness_follows_the_sound():
    samples = np.zeros(SAMPLE_RATE, np.float32)
    samples[8000:] = 0.5
    level = loudness(Sound(samples, SAMPLE_RATE), FPS, 30)
    assert level[:14].max() == 0 and level[17:].min() == pytest.approx(0.5)


def test_tracked_lips_open_and_close(speaking_track):
    times, gap = lip_opening(speaking_track)
    assert len(times) == len(gap) == len(speaking_track)
    assert -0.02 < np.quantile(gap, 0.05) < 0.03 and 0.05 < gap.max() < 0.4


def test_a_model_is_measured_beside_its_rivals(face, tmp_path, loud_clip):
    video, least = loud_clip
    context = context_of(face, corpus_of(face, tmp_path, dim=384))
    folder = tmp_path / "clips"
    folder.mkdir()
    clip = "LipNet_example"
    (folder / f"{clip}.mp4").symlink_to(video)
    (folder / "LipNet_broken.mp4").write_bytes(b"text")
    (folder / "LipNet_test_video.mp4").write_bytes(b"never opened")
    part = lips.measure(dataclasses.replace(context, clips=folder, tracks=tmp_path / "tracks"))
    model, ridge, loud = part.each.values()
    assert set(model) == set(ridge) == set(loud) == {clip}
    assert loud[clip] > least
    assert [row.target is not None for row in part.findings] == [True, False, False, True, False]
    assert any("LipNet_broken" in note for note in part.notes)
    assert (tmp_path / "tracks" / f"{clip}.npz").is_file()


def test_a_neutral_style_is_needed(face, tmp_path):
    context = context_of(face, corpus_of(face, tmp_path))
    assert len(context.neutral) == 300
    happy = tuple(dataclasses.replace(clip, emotion="happy") for clip in context.corpus.clips)
    without = dataclasses.replace(context, corpus=dataclasses.replace(context.corpus, clips=happy))
    with pytest.raises(InputError, match="neutral"):
        _ = without.neutral
