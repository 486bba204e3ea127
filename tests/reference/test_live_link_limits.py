"""A Live Link CSV of a stranger costs no more memory than its size, whatever is in it."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from kmspeaker.errors import InputError
from kmspeaker.reference.live_link import read_live_link, write_live_link


@pytest.fixture(scope="module")
def weights() -> np.ndarray:
    return np.random.default_rng(0).random((200, 52)).astype(np.float32)


def _refused(path: Path, says: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=says) as caught:
            read_live_link(path)
        assert tracemalloc.get_traced_memory()[1] < 20 * max(path.stat().st_size, 1 << 20)
    finally:
        tracemalloc.stop()
    assert str(caught.value).endswith(".")


def test_what_is_too_large_is_refused_before_it_is_read(
    weights: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "large.csv"
    write_live_link(path, weights[:2], 30.0)
    start, row = path.read_text(), path.read_text().splitlines()[-1]
    path.write_text(start + "0,0\n" * 5_000_000)
    _refused(path, "more than 72000 rows")
    path.write_text(start + "\n" * 5_000_000)
    _refused(path, "more than 72000 rows")
    path.write_text(start + ",0" * 5_000_000)
    _refused(path, "line of more than")
    path.write_text(start + '"' + "0,0\n" * 50_000)
    _refused(path, "no CSV")
    for digits in ("1" * 5000, "0." + "1" * 5000):
        path.write_text(start + row.replace("0.0000000000", digits))
        _refused(path, "line of more than")


def test_nothing_but_one_sentence_comes_of_any_bytes(weights: np.ndarray, tmp_path: Path) -> None:
    """Good files with some bytes changed."""
    path = tmp_path / "bad.csv"
    write_live_link(path, weights[:70], 30.0)
    good, random = path.read_bytes(), np.random.default_rng(3)
    for _ in range(60):
        changed = np.frombuffer(good, np.uint8).copy()
        places = random.integers(len(good) if random.random() < 0.5 else 2000, size=5)
        changed[places] = random.integers(256, size=5)
        for row in random.integers(70, size=3):  # in time codes, too
            place = good.index(b"\n0", 800 + 800 * row) + random.integers(1, 16)
            changed[place] = random.choice(list(b"0123456789:;,.e-"))
        path.write_bytes(changed.tobytes())
        try:
            read_live_link(path)
        except InputError as error:
            assert str(error).endswith(".")
