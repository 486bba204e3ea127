"""Training in processes of its own: shared by many, and killed."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_model import with_tiny_preset, write_corpus

from kmspeaker.corpus.store import Corpus
from kmspeaker.errors import InputError
from kmspeaker.training.checkpoint import CHECKPOINT_FILE
from kmspeaker.training.distributed import join_processes
from kmspeaker.training.log import read_log
from kmspeaker.training.loop import train
from kmspeaker.training.options import TrainingOptions

TESTS = Path(__file__).parents[1]
OPTIONS = TrainingOptions(
    size="tiny",
    steps=8,
    batch=4,
    warm_up=0,
    save_every=5,
    validate_every=100,
    video_every=0,
    precision="fp32",
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return Corpus.open(write_corpus(tmp_path_factory.mktemp("data") / "corpus"))


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    with_tiny_preset(monkeypatch)


def command(corpus: Corpus, run: Path, options: TrainingOptions) -> list[str]:
    settings = dataclasses.asdict(options).items()
    given = [part for name, value in settings for part in ("--set", f"{name}={value}")]
    script = str(TESTS / "train_tiny.py")
    return [script, str(corpus.folder), "-o", str(run), "--device", "cpu", *given]


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(TESTS.parent),
        # Sums over other numbers of threads differ in their last bits.
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }


def losses(run: Path) -> list[float]:
    return [entry["loss"] for entry in read_log(run) if entry["kind"] == "train"]


def test_two_processes_take_the_steps_of_one(tmp_path, corpus):
    """The batch is split, partners cross the split, and dropout is drawn for each part."""
    options = dataclasses.replace(OPTIONS, parts=2, passes="both")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    process = subprocess.Popen(
        [*torchrun, "--nproc-per-node", "2", *command(corpus, tmp_path / "shared", options)],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        errors = process.communicate(timeout=200)[1]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, errors
    train(corpus, tmp_path / "alone", options, device="cpu")
    alone, together = (losses(tmp_path / name) for name in ("alone", "shared"))
    assert len(together) == OPTIONS.steps
    assert np.allclose(together, alone, rtol=1e-5, atol=1e-6)
    weights, others = (load_file(tmp_path / name / CHECKPOINT_FILE) for name in ("alone", "shared"))
    for name, tensor in weights.items():
        assert torch.allclose(tensor, others[name], rtol=0, atol=1e-5), name


def test_a_run_killed_anywhere_ends_with_the_bits_of_one_that_was_not(tmp_path, corpus):
    run, whole = tmp_path / "killed", tmp_path / "whole"
    options = dataclasses.replace(OPTIONS, schedule="constant")
    endless = dataclasses.replace(options, steps=1_000_000)
    process = subprocess.Popen(
        [sys.executable, *command(corpus, run, endless)],
        env=environment(),
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 200
    while len(losses(run)) < OPTIONS.save_every + 2 and time.monotonic() < deadline:
        assert process.poll() is None, "it ended by itself"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    lost = len(losses(run))
    assert OPTIONS.save_every < lost < 1_000_000
    options = dataclasses.replace(options, steps=lost + 3)
    models = [train(corpus, folder, options, device="cpu") for folder in (run, whole)]
    assert losses(run) == losses(whole) and len(losses(run)) == lost + 3
    first, second = ((model / "model.safetensors").read_bytes() for model in models)
    assert first == second
    first, second = (load_file(folder / CHECKPOINT_FILE) for folder in (run, whole))
    assert all(torch.equal(first[name], second[name]) for name in first | second)


def test_a_line_that_a_kill_cut_short_is_dropped(tmp_path, corpus):
    train(corpus, tmp_path, dataclasses.replace(OPTIONS, steps=1), device="cpu")
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"step": 2, "ki')
    train(corpus, tmp_path, dataclasses.replace(OPTIONS, steps=2), device="cpu")
    assert [entry["step"] for entry in read_log(tmp_path) if entry["kind"] == "train"] == [1, 2]


@pytest.mark.parametrize("parts, batch", [(3, 4), (8, 4)])
def test_parts_must_divide_the_batch(tmp_path, corpus, parts, batch):
    options = dataclasses.replace(OPTIONS, parts=parts, batch=batch)
    with pytest.raises(InputError, match=f"{parts} parts"):
        train(corpus, tmp_path / "run", options, device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_process_without_a_gpu_of_its_own_is_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(InputError, match="1 GPUs"), join_processes("cuda"):
        pass
