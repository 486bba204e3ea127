"""What is wrong with a corpus is told by the name of the clip."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from kmspeaker.corpus.performances.recordings import mirror
from kmspeaker.corpus.store import PLAN, Clip, Corpus, Motion, write_index, write_shard
from kmspeaker.errors import InputError


def a_clip(frames: int = 40, **changes) -> Clip:
    known = {
        "name": "someone_000",
        "frames": frames,
        "shard": "shard-0000.safetensors",
        "speaker": "someone",
        "actor": "clara",
        "emotion": "neutral",
        "intensity": "none",
        "text": "",
        "phones": (("AA", 0.0, 1.0),),
        "split": "train",
        "source": "made up",
        "licence": "CC0-1.0",
        "lips": "made",
    }
    return Clip(**{**known, **changes})


def a_motion(frames: int = 40, value: float = 0.0) -> Motion:
    return Motion(np.full((frames, 52), value, np.float32), np.zeros((frames, 6), np.float32))


def a_corpus(folder, *clips: Clip):
    write_shard(folder / clips[0].shard, clips, {clip.name: a_motion() for clip in clips}, "plan")
    write_index(folder, clips, fps=30.0, encoder="whisper-tiny.en", seed=0)
    return folder


def change_index(folder, **changes) -> None:
    index = json.loads((folder / "corpus.json").read_text())
    index["clips"][0].update(changes)
    (folder / "corpus.json").write_text(json.dumps(index))


def test_a_corpus_tells_its_minutes_by_source_and_its_size(tmp_path):
    clips = (a_clip(), a_clip(name="b", source="other"), a_clip(name="c", source="other"))
    corpus = Corpus.open(a_corpus(tmp_path, *clips))
    assert corpus.clips == clips
    minutes = corpus.minutes_by("source", "licence")
    assert minutes == {
        ("made up", "CC0-1.0"): pytest.approx(40 / 1800),
        ("other", "CC0-1.0"): pytest.approx(80 / 1800),
    }
    on_disk = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert corpus.bytes_an_hour == pytest.approx(on_disk / (corpus.minutes / 60))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phones": [["QQ", 0, 1]]}, r"QQ"),
        ({"phones": []}, r"someone_000.*0 phones"),
        ({"licence": ""}, r"someone_000.*licence"),
        ({"colour": "red"}, r"someone_000.*colour"),
        ({"licence": "CC-BY-4.0"}, r"someone_000.*licence 'CC-BY-4.0'.*'CC0-1.0'"),
        ({"split": "test"}, r"someone_000.*split 'test'.*'train'"),
        ({"split": "exam"}, r"someone_000.*exam"),
        ({"lips": "drawn"}, r"someone_000.*drawn"),
        ({"frames": 50}, r"someone_000.*frames 50.*40"),
    ],
)
def test_a_changed_record_is_told(tmp_path, changes, message):
    folder = a_corpus(tmp_path, a_clip())
    change_index(folder, **changes)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match=message):
        Corpus.open(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_motion_is_read_as_it_was_whatever_its_order_in_memory(tmp_path):
    face = np.random.default_rng(0).random((40, 52)).astype(np.float32)
    seen_in_a_mirror = Motion(mirror(face), np.zeros((40, 6), np.float32))
    assert not seen_in_a_mirror.weights.flags.c_contiguous  # what this is about
    write_shard(tmp_path / a_clip().shard, [a_clip()], {a_clip().name: seen_in_a_mirror}, "plan")
    write_index(tmp_path, [a_clip()], fps=30.0, encoder="whisper-tiny.en", seed=0)
    read = Corpus.open(tmp_path).read(a_clip())
    np.testing.assert_allclose(read.weights, mirror(face), atol=1e-3)


def test_an_unfinished_or_damaged_corpus_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"corpus\.json"):
        Corpus.open(tmp_path)
    folder = a_corpus(tmp_path, a_clip())
    (folder / "corpus.json").write_text("{")
    with pytest.raises(InputError, match="JSON"):
        Corpus.open(folder)


def test_a_missing_shard_is_told_with_its_clip(tmp_path):
    folder = a_corpus(tmp_path, a_clip())
    (folder / "shard-0000.safetensors").unlink()
    with pytest.raises(InputError, match=r"shard-0000.*someone_000"):
        Corpus.open(folder)


@pytest.mark.parametrize(
    ("frames", "value", "message"), [(39, 0.0, "39 frames"), (40, np.nan, "NaN")]
)
def test_arrays_that_cannot_be_a_clip_are_not_written(tmp_path, frames, value, message):
    motions = {"someone_000": a_motion(frames, value)}
    with pytest.raises(InputError, match=f"{message}.*someone_000|someone_000.*{message}"):
        write_shard(tmp_path / "shard-0000.safetensors", [a_clip()], motions, "plan")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("weights", "features", "message"),
    [
        (np.zeros((39, 52)), np.zeros((40, 6)), "39 frames"),
        (np.full((40, 52), np.nan), np.zeros((40, 6)), "NaN"),
        (np.zeros((40, 52)), np.full((40, 6), np.inf), "infinity"),
    ],
)
def test_arrays_that_cannot_be_a_clip_are_told_when_read(tmp_path, weights, features, message):
    folder = a_corpus(tmp_path, a_clip())
    arrays = {"weights": weights, "features": features}
    save_file(
        {f"someone_000/{key}": array.astype(np.float16) for key, array in arrays.items()},
        folder / "shard-0000.safetensors",
        metadata={PLAN: "{}"},
    )
    corpus = Corpus.open(folder)
    with pytest.raises(InputError, match=f"someone_000.*{message}|{message}.*someone_000"):
        corpus.read(corpus.clips[0])


def test_captured_lips_may_be_without_phones(tmp_path):
    clip = a_clip(phones=(), lips="captured")
    assert Corpus.open(a_corpus(tmp_path, clip)).clips == (clip,)
    with pytest.raises(InputError, match="0 phones"):
        a_corpus(tmp_path, replace(clip, lips="made"))
        Corpus.open(tmp_path)
