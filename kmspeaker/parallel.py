"""The same work in this process, in many, or on a Ray cluster; results come in order.

Place in the flow: ``corpus.build`` and ``batch.run`` give every worker a function that opens what
it needs, once, and the items to work on; results travel back. Each worker computes with one thread,
so that their number does not change a bit of what they make.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, TypeVar, cast

from kmspeaker.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")
THREADS: dict[str, str] = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


@dataclass(frozen=True)
class Workers:
    """Where the work is done."""

    jobs: int = 1
    """Processes on this machine."""
    ray: str | None = None
    """Instead, one process for each processor of the Ray cluster at this address; with the address
    ``local``, of a cluster of ``jobs`` processors on this machine."""

    def __post_init__(self) -> None:
        """Refuse to work with nobody."""
        if self.jobs < 1:
            raise InputError(f"Got {self.jobs} jobs; give 1 or more.")

    def map(
        self, open_worker: Callable[[], Callable[[Item], Result]], items: Sequence[Item]
    ) -> Iterator[Result]:
        """``open_worker()(item)`` for each item, in order.

        Raises:
            InputError: Ray is asked for and not installed, its cluster cannot be reached, or a
                process has died.
        """
        if not items:
            return iter(())
        if self.ray is not None:
            return _on_ray(open_worker, items, self.ray, self.jobs)
        if min(self.jobs, len(items)) == 1:
            return _in_this_process(open_worker, items)
        return _in_processes(open_worker, items, min(self.jobs, len(items)))


def _in_this_process(
    open_worker: Callable[[], Callable[[Item], Result]], items: Sequence[Item]
) -> Iterator[Result]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield from map(_Worker(open_worker).work, items)
    finally:
        torch.set_num_threads(threads)


def _in_processes(
    open_worker: Callable[[], Callable[[Item], Result]], items: Sequence[Item], jobs: int
) -> Iterator[Result]:
    with (
        _environment(THREADS),
        ProcessPoolExecutor(jobs, get_context("spawn"), _open_process, (open_worker,)) as pool,
    ):
        try:
            yield from pool.map(_work_in_process, items)
        except BrokenProcessPool as error:
            raise InputError(
                f"One of {jobs} processes has died, perhaps for want of memory; run it again with "
                "fewer jobs."
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _on_ray(
    open_worker: Callable[[], Callable[[Item], Result]],
    items: Sequence[Item],
    address: str,
    jobs: int,
) -> Iterator[Result]:
    try:
        import ray
        from ray.exceptions import RayError, RayTaskError
        from ray.util import ActorPool
    except ImportError as error:
        raise InputError(
            "Got --ray, but Ray is not installed; `pip install -r requirements-train.txt`."
        ) from error
    local = address == "local"
    environment = {**THREADS, **({"PYTHONPATH": os.pathsep.join(sys.path)} if local else {})}
    try:
        ray.init(
            address,
            num_cpus=jobs if local else None,
            log_to_driver=False,
            runtime_env={"env_vars": environment},
        )
    except (ConnectionError, ValueError, RayError) as error:
        raise InputError(f"Cannot reach the Ray cluster at {address} ({error}).") from error
    try:
        count = min(int(ray.cluster_resources().get("CPU", 1)), len(items))
        worker = ray.remote(num_cpus=1)(_Worker)
        pool = ActorPool([worker.remote(open_worker) for _ in range(count)])
        for result in pool.map(lambda actor, item: actor.work.remote(item), list(items)):
            yield cast(Result, result)
    except RayTaskError as error:
        if isinstance(error.cause, InputError):
            raise error.cause from error
        raise
    finally:
        ray.shutdown()


class _Worker:
    """Opens what it needs when the first item comes, so that a refusal comes back as any other."""

    def __init__(self, open_worker: Callable[[], Callable[[Any], Any]]) -> None:
        self.open_worker = open_worker
        self.function: Callable[[Any], Any] | None = None

    def work(self, item: Any) -> Any:
        if self.function is None:
            self.function = self.open_worker()
        return self.function(item)


_worker: _Worker | None = None
"""Of this process, where it is one of many."""


def _open_process(open_worker: Callable[[], Callable[[Any], Any]]) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever gave the work to deal with
    _worker = _Worker(open_worker)


def _work_in_process(item: Any) -> Any:
    assert _worker is not None
    return _worker.work(item)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """With these variables set, for processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
