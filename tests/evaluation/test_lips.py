"""Lips against real people, and what they do on known phones."""

import dataclasses

import numpy as np
import pytest
from judged import FPS, PHONES, corpus_of, subject_of

from kmspeaker.corpus.lips.coarticulation import articulate
from kmspeaker.corpus.lips.contacts import Contacts
from kmspeaker.errors import InputError
from kmspeaker.evaluation import lips, phonetic_contacts
from kmspeaker.evaluation.context import ACTED
from kmspeaker.evaluation.lips import agreement, lip_opening, loudness
from kmspeaker.evaluation.phonetic_contacts import count, findings
from kmspeaker.evaluation.ridge import fit_ridge
from kmspeaker.face.rig import ARKIT_INDEX
from kmspeaker.media.audio import SAMPLE_RATE, Sound
from kmspeaker.reference.performance import steady
from kmspeaker.reference.tracking import track_video


@pytest.fixture(scope="module")
def spoken(face):
    weights = articulate(PHONES, 2.0, fps=FPS)
    return Contacts.of(face).enforce(weights, PHONES, FPS)


def test_a_late_curve_is_found_late_and_an_early_one_early():
    times = np.arange(90) / 25
    wave = lambda t: np.sin(7 * t) + 0.5 * np.sin(11 * t)  # noqa: E731
    at = np.arange(110) / FPS
    for late in (-0.05, 0.0, 0.06):
        found = agreement(times, wave(times), at, wave(at - late))
        assert found.lag == pytest.approx(late, abs=0.011)
        assert found.correlation > 0.99


def test_a_face_that_does_not_move_agrees_with_nothing():
    times = np.arange(50) / 25
    assert agreement(times, np.sin(times), times, np.ones(50)).correlation == 0


def test_spoken_phones_close_meet_open_and_rest(face, spoken):
    found = count(face, spoken, PHONES, FPS)
    assert (found.bilabials, found.labiodentals, found.vowels) == (2, 1, 3)
    assert (found.closed, found.met, found.shut) == (2, 1, 0)
    rows = {row.figure: row.estimate.value for row in findings([found], "", judged=True)}
    assert rows["p b m closed"] == 1 and rows["open vowels under 3 mm"] == 0
    assert rows["lip speed in long silences over that in speech"] < 0.1


def test_lips_that_never_open_are_found_out_and_so_are_those_that_never_close(face):
    shut = np.zeros((60, 52), np.float32)
    agape = shut.copy()
    agape[:, ARKIT_INDEX["jawOpen"]] = 0.4
    for weights, closed, never in ((shut, 2, 3), (agape, 0, 0)):
        found = count(face, weights, PHONES, FPS)
        assert found.closed == closed and found.shut == never


def test_shares_are_of_all_phones_not_of_clips(face, spoken):
    quiet = count(face, spoken, PHONES[:1], FPS)
    agape = np.zeros((60, 52), np.float32)
    agape[:, ARKIT_INDEX["jawOpen"]] = 0.4
    counts = [count(face, spoken, PHONES, FPS), quiet, count(face, agape, PHONES[:2], FPS)]
    closed = findings(counts, "", judged=False)[0]
    assert closed.estimate.value == pytest.approx(2 / 3)
    assert closed.of == "clips, 3 p b m" and closed.target is None


def test_closures_are_counted_on_real_speech_alone(face, tmp_path):
    subject = subject_of(face, corpus_of(face, tmp_path))
    assert "real speech (made up)" in phonetic_contacts.measure(subject).on
    acted = tuple(dataclasses.replace(clip, source=ACTED) for clip in subject.corpus.clips)
    synthesised = dataclasses.replace(subject.corpus, clips=acted)
    with pytest.raises(InputError, match="no real test clip"):
        phonetic_contacts.measure(dataclasses.replace(subject, corpus=synthesised))


def test_ridge_finds_a_linear_law(face, tmp_path):
    corpus = corpus_of(face, tmp_path)
    ridge = fit_ridge(corpus, face.lip_opening)
    motion = corpus.read(corpus.split("test")[0])
    told = ridge.predict(motion.features)
    assert np.corrcoef(told, motion.weights @ face.lip_opening)[0, 1] > 0.99


def test_loudness_follows_the_sound():
    samples = np.zeros(SAMPLE_RATE, np.float32)
    samples[8000:] = 0.5
    level = loudness(Sound(samples, SAMPLE_RATE), FPS, 30)
    assert level[:14].max() == 0 and level[17:].min() == pytest.approx(0.5)


def test_tracked_lips_open_and_close(shared):
    track = track_video(shared / "data/clips/LipNet_lrwp9a.mp4")
    times, gap = lip_opening(track)
    assert len(times) == len(gap) == len(track)
    assert -0.02 < np.quantile(gap, 0.05) < 0.03 and 0.05 < gap.max() < 0.4


def test_a_model_is_measured_beside_its_rivals(face, shared, tmp_path):
    subject = subject_of(face, corpus_of(face, tmp_path, dim=384))
    folder = tmp_path / "clips"
    folder.mkdir()
    clip = "LipNet_lrwp9a"
    (folder / f"{clip}.mp4").symlink_to(shared / f"data/clips/{clip}.mp4")
    (folder / "LipNet_broken.mp4").write_bytes(b"text")
    (folder / f"{lips.KNOWN_PEOPLE[0]}.mp4").write_bytes(b"never opened")
    part = lips.measure(dataclasses.replace(subject, clips=folder, tracks=tmp_path / "tracks"))
    model, ridge, loud = part.each.values()
    assert set(model) == set(ridge) == set(loud) == {clip}
    assert loud[clip] > 0.3
    assert [row.target is not None for row in part.findings] == [True, False, False, True, False]
    assert any("LipNet_broken" in note for note in part.notes)
    assert (tmp_path / "tracks" / f"{clip}.npz").is_file()


def test_a_neutral_style_is_needed(face, tmp_path):
    subject = subject_of(face, corpus_of(face, tmp_path))
    assert len(subject.neutral) == 300
    happy = tuple(dataclasses.replace(clip, emotion="happy") for clip in subject.corpus.clips)
    without = dataclasses.replace(subject, corpus=dataclasses.replace(subject.corpus, clips=happy))
    with pytest.raises(InputError, match="neutral"):
        _ = without.neutral


def test_rest_is_zero_gap(face):
    still = steady(np.zeros((3, 52), np.float32), FPS)
    assert not (still.weights @ face.lip_opening).any()
