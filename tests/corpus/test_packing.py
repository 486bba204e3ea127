"""A corpus that travelled packed is the one that was packed, as nearly as packing says."""

import numpy as np
import pytest
from tiny_model import write_corpus

from kmspeaker.corpus.store import Corpus, shard_clips, write_index
from kmspeaker.errors import InputError
from scripts.pack_corpus import LEVELS, STEP, pack, unpack


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return Corpus.open(write_corpus(tmp_path_factory.mktemp("packing") / "corpus", clips=3))


def test_a_corpus_comes_back_within_what_packing_says(tmp_path, corpus, face):
    report = pack(corpus, tmp_path / "packed.npz")
    again = unpack(tmp_path / "packed.npz", tmp_path / "again")
    assert again.clips == corpus.clips and again.recipe == corpus.recipe
    error, variance, lips = 0.0, 0.0, 0.0
    for clip in corpus.clips:
        before, after = corpus.read(clip), again.read(clip)
        # Half a level, and what half precision takes off numbers up to 1.
        assert np.abs(after.weights - before.weights).max() <= 0.5 / LEVELS + 2**-11
        apart = after.features - before.features
        # Axes are at right angles, so half a step on each of six is the most in all.
        assert np.linalg.norm(apart, axis=1).max() <= STEP / 2 * np.sqrt(6) + 0.01
        error, variance = error + (apart**2).sum(), variance + (before.features**2).sum()
        lips = max(lips, np.abs((after.weights - before.weights) @ face.lip_opening).max())
    assert error / variance == pytest.approx(report.lost, rel=0.1)
    assert lips == pytest.approx(report.lip_error) and lips < 0.5
    assert shard_clips(again.folder / again.clips[0].shard, "made up") is None  # no build's own


def test_a_smaller_step_keeps_more_and_takes_more(tmp_path, corpus):
    fine, coarse = (pack(corpus, tmp_path / "packed.npz", step=step) for step in (0.1, 0.8))
    assert fine.lost < coarse.lost / 30 and fine.megabytes > coarse.megabytes


def test_what_does_not_fit_is_refused_and_not_written(tmp_path, corpus):
    with pytest.raises(InputError, match="MB are wanted; give a --step above"):
        pack(corpus, tmp_path / "packed.npz", most_mb=0.001)
    with pytest.raises(InputError, match="at most 127 fit; give a larger one"):
        pack(corpus, tmp_path / "packed.npz", step=0.001)
    assert not list(tmp_path.iterdir())


def test_only_what_was_packed_is_unpacked_and_over_no_corpus(tmp_path, corpus):
    packed = tmp_path / "packed.npz"
    pack(corpus, packed)
    with pytest.raises(InputError, match="holds a corpus"):
        unpack(packed, corpus.folder)
    whole = packed.read_bytes()
    for content in (b"", b"no zip", whole[: len(whole) // 2]):
        packed.write_bytes(content)
        with pytest.raises(InputError, match="Cannot unpack"):
            unpack(packed, tmp_path / "again")
    write_index(tmp_path, [], fps=30.0, encoder="", seed=0)
    with pytest.raises(InputError, match="Cannot unpack"):
        unpack(tmp_path / "corpus.json", tmp_path / "again")
    assert not (tmp_path / "again" / "corpus.json").exists()
