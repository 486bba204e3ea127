"""Each ablation is trained from ours by one command, and differs from it in what it ablates."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_model import TINY, some_weights, with_tiny_preset, write_corpus

from kmspeaker.corpus.store import Corpus
from kmspeaker.face.rig import FaceModel
from kmspeaker.model.network import PRESETS, KMSpeaker
from kmspeaker.model.sampling import generate
from kmspeaker.reference.performance import Performance
from kmspeaker.training.bench import VARIANTS
from kmspeaker.training.loop import train
from kmspeaker.training.options import TrainingOptions, preset_of

SMALLEST = {"size": "tiny", "steps": 1, "batch": 4, "precision": "fp32", "video_every": 0}
HELPED = {"opening_share": 0.5, "keeps_contacts": True, "upper_share": 1.0}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return Corpus.open(write_corpus(tmp_path_factory.mktemp("data") / "corpus"))


@pytest.fixture(scope="module")
def ours(tmp_path_factory, corpus: Corpus) -> Iterator[Path]:
    """A tiny model that readings help, as they help ours."""
    with pytest.MonkeyPatch.context() as patch:
        with_tiny_preset(patch)
        patch.setitem(PRESETS, "tiny", dataclasses.replace(TINY, **HELPED))
        run = tmp_path_factory.mktemp("run")
        yield train(corpus, run, TrainingOptions(**SMALLEST), device="cpu")


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_every_ablation_begins_from_ours_and_speaks(
    name: str, ours: Path, corpus: Corpus, tmp_path: Path, face: FaceModel
):
    options = dataclasses.replace(VARIANTS[name], **SMALLEST)
    model = KMSpeaker.load(train(corpus, tmp_path / name, options, device="cpu", start=ours))
    config = model.config
    assert (config.opening_share, config.keeps_contacts, config.upper_share) == (0, False, 0)
    sets = {"68-keypoints": "ibug68", "1660-keypoints": "dense", "meshtalk-encoder": "dense"}
    assert config.keypoint_set == sets.get(name, "ours")
    assert config.global_style == (name != "no-global-style")
    styled = name not in ("no-style-statistics", "meshtalk-encoder")
    assert config.style_statistics == styled
    assert config.implicit_style == (name == "meshtalk-encoder")
    reference = Performance.from_weights(some_weights(60), config.fps)
    speech = np.zeros((20, config.d_speech), np.float32)
    assert generate(model, face, speech, reference, reference).shape == (20, 52)


def test_readings_help_unless_they_are_left_out():
    whole, alone = (preset_of(TrainingOptions(readings=helped)) for helped in (True, False))
    assert whole.upper_share and whole.opening_share and whole.keeps_contacts
    helped = {"opening_share": 0.0, "keeps_contacts": False, "upper_share": 0.0}
    assert alone == dataclasses.replace(whole, **helped)
