"""Progress: a bar for people, a line for logs, nothing for who wants none."""

import io
import sys

import pytest

from kmspeaker.progress import progress_bar, stage_bars


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, *, quiet: bool = False) -> str:
    """What stays of a stage of a thousand steps, and of a call of two stages."""
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_bar("write", quiet=quiet) as progress:
        for step in range(1000):
            progress(step / 1000)
    with stage_bars(quiet=quiet) as report:
        for stage in ("listen", "generate"):
            for step in range(100):
                report(stage, step / 100)
    return stream.getvalue()


def test_a_log_gets_one_line_a_stage(monkeypatch: pytest.MonkeyPatch):
    assert shown(io.StringIO(), monkeypatch) == "write ...\nlisten ...\ngenerate ...\n"


def test_a_terminal_gets_a_bar_that_goes_when_it_is_done(monkeypatch: pytest.MonkeyPatch):
    drawn = shown(Terminal(), monkeypatch)
    assert "write" in drawn and "generate" in drawn and "99%" in drawn
    assert "\n" not in drawn and not drawn.split("\r")[-1].strip()


def test_quiet_is_quiet_everywhere(monkeypatch: pytest.MonkeyPatch):
    for stream in (io.StringIO(), Terminal()):
        assert not shown(stream, monkeypatch, quiet=True)
