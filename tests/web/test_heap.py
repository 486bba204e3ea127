"""What visitors' work has freed goes back to the machine."""

import re
import sys
from pathlib import Path

import pytest

from kmspeaker.web.heap import give_back, share_heaps


@pytest.mark.skipif(sys.platform != "linux", reason="of the C library of Linux")
def test_freed_memory_between_what_is_still_used_goes_back():
    def resident_mb() -> float:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
        assert found is not None
        return int(found[1]) / 1000

    share_heaps()
    pieces = [b"%d" % k * 10_000 for k in range(2_000, 5_000)]  # 40 kB each
    used = pieces[::50]
    before = resident_mb()
    del pieces
    give_back()
    assert len(used) == 60
    assert resident_mb() < before - 60
