"""Work comes back in order from wherever it was done, and so do its mistakes."""

import os
from collections.abc import Callable

import pytest

from kmspeaker.errors import InputError
from kmspeaker.parallel import Workers

PLACES = (Workers(), Workers(jobs=2))


def squaring() -> Callable[[int], int]:
    def square(number: int) -> int:
        if number < 0:
            raise InputError(f"Got {number}; give a number from 0.")
        return number**2

    return square


def refusing() -> Callable[[int], int]:
    raise InputError("Got nothing to work with; give something.")


def dying() -> Callable[[int], int]:
    return lambda number: os._exit(number)


@pytest.mark.parametrize("workers", PLACES, ids=("here", "processes"))
def test_results_and_refusals_come_back(workers):
    results = workers.map(squaring, (2, 3, 5, -1))
    assert [next(results) for _ in range(3)] == [4, 9, 25]
    with pytest.raises(InputError, match=r"Got -1; give a number from 0\."):
        next(results)
    assert list(workers.map(squaring, ())) == []


@pytest.mark.parametrize("workers", PLACES, ids=("here", "processes"))
def test_a_refusal_to_open_comes_back(workers):
    with pytest.raises(InputError, match="nothing to work with"):
        list(workers.map(refusing, (1, 2)))


def test_a_process_that_dies_is_told():
    with pytest.raises(InputError, match="fewer jobs"):
        list(Workers(jobs=2).map(dying, (1, 1)))


def test_nobody_cannot_work():
    with pytest.raises(InputError, match="0 jobs"):
        Workers(jobs=0)
