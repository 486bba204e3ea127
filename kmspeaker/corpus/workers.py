"""The same work in this process, in many, or on a Ray cluster; results come in order.

Place in the flow: ``build`` gives every worker a function that opens what it needs, once, and the
items to work on. Results travel back, so that only the builder writes. Each worker computes with
one thread, so that their number does not change a bit of what they make.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
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
        self, opening: Callable[[], Callable[[Item], Result]], items: Sequence[Item]
    ) -> Iterator[Result]:
        """``opening()(item)`` for each item, in order.

        Raises:
            InputError: Ray is wanted and is not installed, or its cluster cannot be reached.
        """
        if not items:
            return iter(())
        if self.ray is not None:
            return _on_ray(opening, items, self.ray, self.jobs)
        if min(self.jobs, len(items)) == 1:
            return _here(opening, items)
        return _in_processes(opening, items, min(self.jobs, len(items)))


def _here(
    opening: Callable[[], Callable[[Item], Result]], items: Sequence[Item]
) -> Iterator[Result]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield from map(opening(), items)
    finally:
        torch.set_num_threads(threads)


def _in_processes(
    opening: Callable[[], Callable[[Item], Result]], items: Sequence[Item], jobs: int
) -> Iterator[Result]:
    with (
        _environment(THREADS),
        ProcessPoolExecutor(jobs, get_context("spawn"), _open, (opening,)) as pool,
    ):
        try:
            yield from pool.map(_work_here, items)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _on_ray(
    opening: Callable[[], Callable[[Item], Result]],
    items: Sequence[Item],
    address: str,
    jobs: int,
) -> Iterator[Result]:
    try:
        import ray
        from ray.exceptions import RayTaskError
        from ray.util import ActorPool
    except ImportError as error:
        raise InputError(
            "Got --ray, but Ray is not installed; `pip install -r requirements-train.txt`."
        ) from error
    try:
        ray.init(
            address,
            num_cpus=jobs if address == "local" else None,
            log_to_driver=False,
            runtime_env={"env_vars": THREADS},
        )
    except (ConnectionError, ValueError) as error:
        raise InputError(f"Cannot reach the Ray cluster at {address} ({error}).") from error
    try:
        count = min(int(ray.cluster_resources().get("CPU", 1)), len(items))
        worker = ray.remote(num_cpus=1)(_RayWorker)
        pool = ActorPool([worker.remote(opening) for _ in range(count)])
        for result in pool.map(lambda actor, item: actor.work.remote(item), list(items)):
            yield cast(Result, result)
    except RayTaskError as error:
        if isinstance(error.cause, InputError):
            raise error.cause from error
        raise
    finally:
        ray.shutdown()


class _RayWorker:
    def __init__(self, opening: Callable[[], Callable[[Any], Any]]) -> None:
        _open(opening)

    def work(self, item: Any) -> Any:
        return _work_here(item)


_work: Callable[[Any], Any] | None = None
"""Of this process, where it is one of many."""


def _open(opening: Callable[[], Callable[[Any], Any]]) -> None:
    import torch

    global _work
    torch.set_num_threads(1)
    _work = opening()


def _work_here(item: Any) -> Any:
    assert _work is not None
    return _work(item)


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
