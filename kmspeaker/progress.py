"""How far a long step is: what functions report it to, and its bars in a terminal.

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
def progress_bar(stage: str) -> Iterator[Progress]:
    """A bar for one stage, fed with fractions."""
    from tqdm import tqdm

    with tqdm(total=1.0, desc=stage, bar_format=_BAR, leave=False) as bar:

        def update(fraction: float) -> None:
            bar.n = min(max(fraction, 0.0), 1.0)
            bar.refresh()

        yield update


@contextmanager
def stage_bars() -> Iterator["StageBars"]:
    """Bars for a call that names its stages as it goes."""
    bars = StageBars()
    try:
        yield bars
    finally:
        bars.close()


class StageBars:
    """Shows one bar, renamed whenever the stage changes."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self._bar = tqdm(total=1.0, bar_format=_BAR, leave=False)

    def __call__(self, stage: str, fraction: float) -> None:
        """Show that ``stage`` is done to ``fraction``."""
        self._bar.set_description(stage, refresh=False)
        self._bar.n = min(max(fraction, 0.0), 1.0)
        self._bar.refresh()

    def close(self) -> None:
        """Take the bar off the screen."""
        self._bar.close()
