import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_model import TINY, some_weights, with_tiny_preset, write_corpus

from kmspeaker.corpus.store import Corpus
from kmspeaker.errors import InputError
from kmspeaker.face.rig import FaceModel
from kmspeaker.hub import verify_model
from kmspeaker.media.video_reader import probe_video
from kmspeaker.model.folder import CARD_FILE
from kmspeaker.model.network import PRESETS, KMSpeaker
from kmspeaker.model.sampling import generate
from kmspeaker.reference.performance import Performance
from kmspeaker.training import loop, preview, throughput
from kmspeaker.training.__main__ import main
from kmspeaker.training.checkpoint import CHECKPOINT_FILE
from kmspeaker.training.log import read_log
from kmspeaker.training.loop import train
from kmspeaker.training.optimizer_step import learning_rate
from kmspeaker.training.options import PAPER, TrainingOptions

OPTIONS = TrainingOptions(
    size="tiny",
    steps=6,
    batch=4,
    warm_up=0,
    save_every=2,
    validate_every=3,
    precision="fp32",
    video_every=0,
)


@pytest.fixture(scope="module", autouse=True)
def tiny() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        with_tiny_preset(patch)
        yield


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return Corpus.open(write_corpus(tmp_path_factory.mktemp("data") / "corpus"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, corpus: Corpus, tiny: None) -> Path:
    """The folder of a run of ``OPTIONS`` that nothing disturbed; its model is in ``model``."""
    run = tmp_path_factory.mktemp("run") / "whole"
    train(corpus, run, OPTIONS, device="cpu")
    return run


def losses(run: Path) -> list[float]:
    return [entry["loss"] for entry in read_log(run) if entry["kind"] == "train"]


def weights_of(model: Path) -> bytes:
    return (model / "model.safetensors").read_bytes()


def test_training_lowers_the_loss_and_leaves_a_model_that_speaks(tmp_path, corpus, face: FaceModel):
    options = dataclasses.replace(OPTIONS, steps=60, learning_rate=3e-3, validate_every=1000)
    folder = train(corpus, tmp_path / "run", options, device="cpu")
    measured = losses(tmp_path / "run")
    assert np.mean(measured[-10:]) < 0.9 * np.mean(measured[:10])
    model = KMSpeaker.load(folder)
    assert model.config.speech_encoder == corpus.encoder
    motion = corpus.read(corpus.split("val")[0])
    weights = generate(
        model, face, motion.features, Performance.from_weights(motion.weights, TINY.fps)
    )
    assert weights.shape == motion.weights.shape
    card = (folder / "README.md").read_text()
    assert "made up" in card and "CC0" in card and "| 60 |" in card


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path, corpus, whole, monkeypatch):
    class Killed(Exception):
        pass

    real, run = loop.take_step, tmp_path / "cut"
    for fatal in (1, 3, 5):  # before the first checkpoint, just after one, and between two

        def step_or_die(*arguments, fatal=fatal):
            if arguments[-1] == fatal:
                raise Killed
            return real(*arguments)

        monkeypatch.setattr(loop, "take_step", step_or_die)
        with pytest.raises(Killed):
            train(corpus, run, OPTIONS, device="cpu")
    monkeypatch.setattr(loop, "take_step", real)
    resumed = train(corpus, run, OPTIONS, device="cpu")
    assert losses(run) == losses(whole)
    assert weights_of(resumed) == weights_of(whole / "model")


def test_a_run_whose_time_is_over_leaves_a_model_and_goes_on(tmp_path, corpus, whole):
    run = tmp_path / "short"
    stopped = train(corpus, run, OPTIONS, device="cpu", minutes=1e-9)
    assert len(losses(run)) == 1 and KMSpeaker.load(stopped)
    resumed = train(corpus, run, OPTIONS, device="cpu", minutes=60.0)
    assert losses(run) == losses(whole)
    assert weights_of(resumed) == weights_of(whole / "model")
    with pytest.raises(InputError, match="above 0"):
        train(corpus, run, OPTIONS, device="cpu", minutes=0.0)


def test_a_run_goes_on_with_its_own_options_only(tmp_path, corpus):
    train(corpus, tmp_path, dataclasses.replace(OPTIONS, steps=2), device="cpu")
    with pytest.raises(InputError, match="batch"):
        train(corpus, tmp_path, dataclasses.replace(OPTIONS, batch=5), device="cpu")
    train(corpus, tmp_path, dataclasses.replace(OPTIONS, steps=3), device="cpu")
    assert len(losses(tmp_path)) == 3


def test_a_run_goes_on_with_its_own_corpus_only(tmp_path, corpus):
    train(corpus, tmp_path, dataclasses.replace(OPTIONS, steps=1), device="cpu")
    fewer = dataclasses.replace(corpus, clips=corpus.clips[:-1])
    with pytest.raises(InputError, match="another corpus"):
        train(fewer, tmp_path, OPTIONS, device="cpu")


def other_face(face: FaceModel) -> FaceModel:
    return dataclasses.replace(face, deltas=face.deltas * np.float32(1.01))


def test_a_checkpoint_of_another_face_is_refused(tmp_path, corpus, face, monkeypatch):
    train(corpus, tmp_path, dataclasses.replace(OPTIONS, steps=1), device="cpu")
    before = (tmp_path / CHECKPOINT_FILE).read_bytes()
    monkeypatch.setattr(FaceModel, "load", lambda: other_face(face))
    with pytest.raises(InputError, match="another face rig"):
        train(corpus, tmp_path, OPTIONS, device="cpu")
    with pytest.raises(InputError, match="another face rig"):
        train(corpus, tmp_path / "new", OPTIONS, device="cpu", start=tmp_path / "model")
    assert (tmp_path / CHECKPOINT_FILE).read_bytes() == before
    assert not (tmp_path / "new").exists()


def test_a_damaged_checkpoint_is_told(tmp_path, corpus):
    (tmp_path / CHECKPOINT_FILE).write_bytes(b"nothing")
    with pytest.raises(InputError, match=CHECKPOINT_FILE):
        train(corpus, tmp_path, OPTIONS, device="cpu")


def test_styles_can_be_read_from_another_set_of_keypoints(tmp_path, corpus, face):
    """The paper's ablation: iBUG's 68 points train, are saved and generate as ours do."""
    options = dataclasses.replace(OPTIONS, steps=1, keypoints="ibug68")
    model = KMSpeaker.load(train(corpus, tmp_path, options, device="cpu"))
    points = face.keypoints["ibug68"]
    assert model.config.keypoint_set == "ibug68" and model.keypoint_mean.shape == (68, 3)
    assert np.array_equal(model.upper.numpy(), points.upper)
    reference = Performance.from_weights(some_weights(60), model.config.fps)
    speech = np.zeros((20, model.config.d_speech), np.float32)
    assert generate(model, face, speech, reference, reference).shape == (20, 52)


class TestFromAModel:
    def test_a_run_begins_with_its_weights_and_statistics(self, tmp_path, corpus, whole):
        first = whole / "model"
        still = dataclasses.replace(OPTIONS, steps=1, learning_rate=0.0, seed=5)
        fewer = dataclasses.replace(corpus, clips=corpus.clips[:3])
        second = train(fewer, tmp_path / "second", still, device="cpu", start=first)
        before, after = (load_file(folder / "model.safetensors") for folder in (first, second))
        assert before.keys() == after.keys()
        for name, tensor in before.items():  # a step of length 0 may turn -0 into 0
            if name != "style_mean":  # measured anew, on the windows that this run sees
                assert torch.equal(tensor, after[name]), name

    def test_it_goes_on_after_a_kill_without_the_model(self, tmp_path, corpus, whole):
        first = whole / "model"
        options = dataclasses.replace(OPTIONS, schedule="constant")
        uncut = train(corpus, tmp_path / "uncut", options, device="cpu", start=first)
        short = dataclasses.replace(options, steps=4)
        train(corpus, tmp_path / "cut", short, device="cpu", start=first)
        resumed = train(corpus, tmp_path / "cut", options, device="cpu")
        assert weights_of(uncut) == weights_of(resumed)
        begun = f"Begun from model@{verify_model(first)[:8]}."
        assert (resumed / CARD_FILE).read_text().count(begun) == 1

    def test_other_sizes_are_refused(self, tmp_path, corpus, whole, monkeypatch):
        monkeypatch.setitem(PRESETS, "tiny", dataclasses.replace(TINY, layers=3))
        with pytest.raises(InputError, match="layers = 2"):
            train(corpus, tmp_path / "second", OPTIONS, device="cpu", start=whole / "model")
        assert not (tmp_path / "second").exists()


def test_a_gradient_that_is_no_number_ends_the_run_and_keeps_the_checkpoint(tmp_path, corpus):
    far = dataclasses.replace(OPTIONS, learning_rate=1e30, save_every=1)
    with pytest.raises(InputError, match="step 2"):
        train(corpus, tmp_path, far, device="cpu")
    assert len(losses(tmp_path)) == 1
    tensors = load_file(tmp_path / CHECKPOINT_FILE)
    assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_curves_and_videos_leave_the_weights_as_they_are(tmp_path, corpus, whole, monkeypatch):
    monkeypatch.setattr(preview, "SECONDS", 0.3)
    shown = dataclasses.replace(OPTIONS, video_every=3)
    filmed = train(corpus, tmp_path / "filmed", shown, device="cpu")
    assert weights_of(whole / "model") == weights_of(filmed)
    videos = sorted((tmp_path / "filmed" / "videos").iterdir())
    assert [video.name for video in videos] == ["step-000003.mp4", "step-000006.mp4"]
    info = probe_video(videos[0])
    assert (info.width, info.height) == (2 * preview.SIZE, preview.SIZE)
    entries = read_log(tmp_path / "filmed")
    assert {entry["kind"] for entry in entries} == {"train", "validation", "speed"}
    assert all(entry["seconds"] >= 0 for entry in entries)
    pytest.importorskip("tensorboard")
    assert list((tmp_path / "filmed" / "tensorboard").iterdir())


def test_a_corpus_that_does_not_fit_is_refused(tmp_path, corpus):
    slow = dataclasses.replace(corpus, fps=25.0)
    with pytest.raises(InputError, match="25 frames/s"):
        train(slow, tmp_path, OPTIONS, device="cpu")
    only_training = dataclasses.replace(corpus, clips=corpus.split("train"))
    with pytest.raises(InputError, match="val"):
        train(only_training, tmp_path, OPTIONS, device="cpu")
    with pytest.raises(InputError, match="huge"):
        train(corpus, tmp_path, dataclasses.replace(OPTIONS, size="huge"), device="cpu")


def test_the_command_line_trains_and_measures(tmp_path, corpus, capsys, monkeypatch):
    monkeypatch.setattr(throughput, "LEAST_SECONDS", 0.0)
    assert main(["--measure", "--size", "tiny", "--batch", "4", "--device", "cpu"]) == 0
    assert "windows/s" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([str(corpus.folder)])
    plain = ["--size", "tiny", "--steps", "1", "--set", "video_every=0"]
    arguments = [str(corpus.folder), "-o", str(tmp_path), *plain]
    assert main([*arguments, "--batch", "2", "--device", "cpu"]) == 0
    assert str(tmp_path / "model") in capsys.readouterr().out
    assert main([*arguments, "--set", "speed=9"]) == 2
    assert "speed" in capsys.readouterr().err


def test_numbers_that_no_training_can_use_are_refused():
    for settings in ({"batch": "1"}, {"steps": "0"}, {"learning_rate": "nan"}, {"seed": "-1"}):
        with pytest.raises(InputError, match=next(iter(settings))):
            TrainingOptions.read(settings, OPTIONS)


def test_options_are_read_from_text_by_their_type():
    read = TrainingOptions.read({"batch": "8", "kl_weight": "1e-3", "passes": "both"}, PAPER)
    assert (read.batch, read.kl_weight, read.passes) == (8, 1e-3, "both")
    plain = TrainingOptions.read({"held_styles": "false"}, OPTIONS)
    assert OPTIONS.held_styles and not plain.held_styles and not PAPER.held_styles
    for settings in (
        *({"batch": "many"}, {"passes": "neither"}, {"nonsense": "1"}, {"held_styles": "1"}),
    ):
        with pytest.raises(InputError, match=next(iter(settings))):
            TrainingOptions.read(settings, PAPER)


def test_the_papers_learning_rate_is_the_same_at_every_step():
    steps = (0, 1, PAPER.steps // 2, PAPER.steps - 1)
    assert [learning_rate(step, PAPER) for step in steps] == [1e-4] * len(steps)


def test_the_papers_options_save_the_last_weights_and_no_average(tmp_path, corpus):
    settings = {"steps": "3", "batch": "4", "size": "tiny", "precision": "fp32", "video_every": "0"}
    train(corpus, tmp_path, TrainingOptions.read(settings, PAPER), device="cpu")
    tensors = load_file(tmp_path / CHECKPOINT_FILE)
    averages = {name: t for name, t in tensors.items() if name.startswith("average/")}
    assert averages
    for name, tensor in averages.items():
        assert torch.equal(tensor, tensors[name.replace("average/", "model/")]), name


def test_the_learning_rate_rises_and_falls():
    options = dataclasses.replace(OPTIONS, steps=100, warm_up=10)
    rates = [learning_rate(step, options) for step in range(100)]
    assert np.argmax(rates) in (9, 10) and rates[0] < 0.2 * max(rates)
    assert rates[-1] < 0.02 * max(rates) and max(rates) <= options.learning_rate


@pytest.mark.parametrize("device", ["cpu", *["cuda"] * torch.cuda.is_available()])
def test_training_runs_in_half_precision(tmp_path, corpus, device):
    train(corpus, tmp_path, dataclasses.replace(OPTIONS, precision="bf16"), device=device)
    assert np.isfinite(losses(tmp_path)).all()
