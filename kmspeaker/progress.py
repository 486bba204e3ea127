"""How far a long step is: what functions report it to, and how it is shown.

In a terminal each stage is a bar; in a log or a pipe, which would keep every state of it, a line.

tqdm is imported when a bar or line is first shown: ``--help`` shows none and does not wait for it.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[float], None]
"""Called with the fraction of a long step that is done, 0 to 1."""

StageProgress = Callable[[str, float], None]
"""Called with the stage's name and the fraction of it that is done."""

_BAR = "{desc:>10} {percentage:3.0f}%|{bar:30}| {elapsed}"


def say(line: str) -> None:
    """A line on standard error, above any bar."""
    from tqdm import tqdm

    tqdm.write(line, file=sys.stderr)


@contextmanager
def progress_bar(stage: str, *, quiet: bool = False) -> Iterator[Progress]:
    """A bar for one stage, fed with fractions."""
    with stage_bars(quiet=quiet) as report:
        report(stage, 0.0)
        yield lambda fraction: report(stage, fraction)


@contextmanager
def stage_bars(*, quiet: bool = False) -> Iterator[StageProgress]:
    """Bars for a call that names its stages as it goes; nothing where ``quiet``."""
    if quiet:
        yield lambda stage, fraction: None
    elif not sys.stderr.isatty():
        yield _StageLines()
    else:
        bar = _StageBar()
        try:
            yield bar
        finally:
            bar.close()


class _StageLines:
    """Writes a line whenever the stage changes."""

    def __init__(self) -> None:
        self._stage = ""

    def __call__(self, stage: str, fraction: float) -> None:
        del fraction
        if stage != self._stage:
            self._stage = stage
            say(f"{stage} ...")


class _StageBar:
    """Shows one bar, renamed whenever the stage changes."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=1.0, bar_format=_BAR, leave=False)

    def __call__(self, stage: str, fraction: float) -> None:
        self._bar.set_description(stage, refresh=False)
        self._bar.n = min(max(fraction, 0.0), 1.0)
        self._bar.refresh()

    def close(self) -> None:
        """Take the bar off the screen."""
        self._bar.close()
