"""Borrowed GPUs: what crosses to another process and back, as Hugging Face's ``spaces`` does it."""

import multiprocessing
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from speaker import FakeSpeaker
from visit import Page

from kmspeaker.errors import InputError
from kmspeaker.examples import load_examples
from kmspeaker.pipeline import Pipeline
from kmspeaker.web.errors import Stopped
from kmspeaker.web.limits import Limits
from kmspeaker.web.models import Models
from kmspeaker.web.service import Order, Service, job
from kmspeaker.web.session import Stop


def forked(duration: Callable[..., int]) -> Callable:
    """Runs each call as ``spaces.GPU`` does: a forked process, one thread, all of it pickled."""
    fork = multiprocessing.get_context("fork")

    def worker(function, inbox, outbox) -> None:
        arguments = inbox.get()
        with ThreadPoolExecutor(1) as thread:
            try:
                outbox.put(thread.submit(function, *arguments).result())
            except BaseException as error:  # what spaces does with every error
                outbox.put(f"ZeroGPU worker error: {type(error).__name__}")

    def lending(function: Callable) -> Callable:
        def called(*arguments):
            assert duration(*arguments) > 0
            inbox, outbox = fork.SimpleQueue(), fork.SimpleQueue()
            process = fork.Process(target=worker, args=(function, inbox, outbox), daemon=True)
            process.start()
            inbox.put(arguments)
            result = outbox.get()
            process.join(10)
            assert not (isinstance(result, str) and result.startswith("ZeroGPU")), result
            return result

        return called

    return lending


@pytest.fixture(autouse=True)
def borrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=forked))


def an_order(page: Page) -> Order:
    reference = load_examples()["delighted"].reference.with_suffix(".track.npz")
    return Order(Path(page.speech()), reference, use="stylize", identity="clara", seeds=(3,))


def test_a_take_made_in_another_process_is_the_same(tmp_path: Path, pipeline: Pipeline):
    page, service = Page(tmp_path), Service(Models(pipeline), Limits())
    with job(page.session()) as stop:
        takes = service.make(page.session(), an_order(page), "one", gr.Progress(), stop)
    reference = takes[0].reference
    assert reference is not None
    here = pipeline.animate(
        takes[0].animation.sound,
        reference.performance,
        use="stylize",
        identity="clara",
        seeds=(3,),
    )
    assert [take.animation.seed for take in takes] == [3]
    for take, expected in zip(takes, here, strict=True):
        np.testing.assert_allclose(take.animation.weights, expected.weights, atol=1e-4)


class SlowSpeaker(FakeSpeaker):
    """Reads at once and would make a take for twenty seconds."""

    def animate(self, *arguments, **options):
        self.steps, self.step_seconds = 400, 0.05
        return super().animate(*arguments, **options)


@pytest.mark.parametrize("leaves", [False, True])
def test_a_take_in_another_process_ends_when_it_is_wanted_no_more(tmp_path: Path, leaves: bool):
    page = Page(tmp_path)
    session, service = page.session(), Service(Models(SlowSpeaker()), Limits())
    end = partial(page.sessions.close, "one") if leaves else session.stop
    order = an_order(page)
    service.read(session, order.reference, None, Stop())
    started = time.monotonic()
    with pytest.raises(Stopped), job(session) as stop:
        threading.Timer(1.0, end).start()
        service.make(session, order, "one", None, stop)
    assert 1 < time.monotonic() - started < 10
    assert not list(tmp_path.glob("visitors/*/job-*"))


def test_a_refusal_in_another_process_is_still_a_sentence(tmp_path: Path):
    class Refusing(FakeSpeaker):
        def animate(self, *args, **options):
            raise InputError("Got silence; give speech.")

    page = Page(tmp_path, Refusing())
    with pytest.raises(gr.Error, match="Got silence; give speech"):
        page.generate()
