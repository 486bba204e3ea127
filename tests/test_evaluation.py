import dataclasses

import numpy as np
import pytest
from tiny_model import TINY, awake

from kmspeaker.audio import SAMPLE_RATE, Sound
from kmspeaker.corpus.coarticulation import articulate
from kmspeaker.corpus.contacts import Contacts
from kmspeaker.corpus.store import Clip, Corpus, Motion, write_index, write_shard
from kmspeaker.errors import InputError
from kmspeaker.evaluation.closures import neutral_style, resting_gap, score, score_held_out
from kmspeaker.evaluation.lips import (
    Agreement,
    agreement,
    lip_opening,
    loudness,
    main,
    row_of,
    score_real,
)
from kmspeaker.evaluation.ridge import fit_ridge
from kmspeaker.face import ARKIT_INDEX
from kmspeaker.performance import steady
from kmspeaker.pipeline import Pipeline
from kmspeaker.speech import load_encoder
from kmspeaker.tracking import track_video

FPS = 30.0
PHONES = (
    *(("SIL", 0.0, 0.6), ("B", 0.6, 0.68), ("AA", 0.68, 0.88), ("F", 0.88, 0.96)),
    *(("AE", 0.96, 1.1), ("M", 1.1, 1.2), ("AO", 1.2, 1.4), ("SIL", 1.4, 2.0)),
)


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


def test_the_median_lies_within_its_interval():
    values = np.random.default_rng(0).uniform(0.3, 0.9, 30)
    row = row_of({str(k): Agreement(float(v), 0.01) for k, v in enumerate(values)})
    assert row.low <= row.correlation <= row.high
    assert row.correlation == pytest.approx(np.median(values))
    assert row.lag == pytest.approx(0.01)


def test_spoken_phones_close_meet_open_and_rest(face, spoken):
    found = score(face, face.identities[0], [(spoken, PHONES)], FPS)
    assert (found.bilabials, found.labiodentals, found.open_vowels) == (2, 1, 3)
    assert found.lips_closed == 1 and found.teeth_met == 1 and found.vowels_shut == 0
    assert found.silence_speed < 0.1


def test_lips_that_never_open_are_found_out_and_so_are_those_that_never_close(face):
    shut = np.zeros((60, 52), np.float32)
    agape = shut.copy()
    agape[:, ARKIT_INDEX["jawOpen"]] = 0.4
    for weights, closed, never in ((shut, 1, 1), (agape, 0, 0)):
        found = score(face, face.identities[0], [(weights, PHONES)], FPS)
        assert found.lips_closed == closed and found.vowels_shut == never


def corpus_of(face, folder, dim: int = 6, encoder: str = "whisper-tiny.en") -> Corpus:
    """Clips whose lip opening is a linear map of the features, so that ridge can be exact."""
    rng = np.random.default_rng(0)
    clips, motions = [], {}
    for number, split in enumerate(("train", "train", "train", "val", "test")):
        features = rng.normal(size=(300, dim)).astype(np.float32)
        weights = np.zeros((300, 52), np.float32)
        weights[:, ARKIT_INDEX["jawOpen"]] = (0.4 + 0.1 * features[:, 0]).clip(0, 1)
        clip = Clip(
            f"clip{number}", 300, "shard-0000.safetensors", "x", "clara", "neutral", "none", "",
            PHONES, split, "made up", "CC0-1.0",
        )  # fmt: skip
        clips.append(clip)
        motions[clip.name] = Motion(weights, features)
    write_shard(folder / "shard-0000.safetensors", clips, motions, "plan")
    write_index(folder, clips, fps=FPS, encoder=encoder, seed=0)
    return Corpus.open(folder)


def test_ridge_finds_a_linear_law(face, tmp_path):
    corpus = corpus_of(face, tmp_path)
    ridge = fit_ridge(corpus, resting_gap(face))
    motion = corpus.read(corpus.split("test")[0])
    told = ridge.predict(motion.features)
    assert np.corrcoef(told, motion.weights @ resting_gap(face))[0, 1] > 0.99


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
    config = dataclasses.replace(TINY, d_speech=384)
    pipeline = Pipeline(face, load_encoder("whisper-tiny.en"), awake(config, face=face), "tiny@0")
    corpus = corpus_of(face, tmp_path, dim=384)
    style = neutral_style(corpus)
    ridge = fit_ridge(corpus, resting_gap(face))
    clip = shared / "data/clips/LipNet_lrwp9a.mp4"
    broken = tmp_path / "LipNet_broken.mp4"
    broken.write_bytes(b"text")
    rows, _, dropped = score_real([clip, broken], pipeline, ridge, style, tmp_path / "tracks")
    assert set(rows) == {"model", "ridge", "loudness"}
    assert rows["loudness"].correlation > 0.3
    assert all(clip.name in row.clips for row in rows.values())
    assert list(dropped) == [broken.name]
    assert (tmp_path / "tracks" / f"{clip.stem}.npz").is_file()
    found = score_held_out(corpus, pipeline, style, 1)
    assert found["model"].bilabials == found["corpus"].bilabials == 2


def test_a_folder_without_clips_is_refused(tmp_path, capsys):
    assert main([str(tmp_path), "--corpus", str(tmp_path)]) == 2
    assert "LipNet_" in capsys.readouterr().err


def test_a_neutral_style_is_needed(face, tmp_path):
    corpus = corpus_of(face, tmp_path)
    assert len(neutral_style(corpus)) == 300
    happy = dataclasses.replace(
        corpus, clips=tuple(dataclasses.replace(clip, emotion="happy") for clip in corpus.clips)
    )
    with pytest.raises(InputError, match="neutral"):
        neutral_style(happy)


def test_rest_is_zero_gap(face):
    still = steady(np.zeros((3, 52), np.float32), FPS)
    assert not (still.weights @ resting_gap(face)).any()
