"""What is compared: conditions, each a way to make a stimulus, and items, each said by all of them.

Place in the flow: parts of a ``design``; ``build`` makes the stimulus of every condition and item.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from kmspeaker.animation.controls import Controls
from kmspeaker.errors import InputError

Role = Literal["system", "reference", "anchor", "target"]

CHECK = "check"
"""What an attention check's one answer is called; no condition may be called so."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True)
class Generate:
    """A system of the app as a source of stimuli."""

    model: str = "small"
    """A bundled name, a folder, or ``owner/repo@revision``."""
    use: Literal["stylize", "localize"] = "stylize"
    seed: int = 0
    steps: int | None = None
    """Of the sampler; the model's own where None."""
    controls: Mapping[str, float | str] = field(default_factory=dict)
    """Those that are not as by default, as ``animation.controls`` names them."""

    def __post_init__(self) -> None:
        """Refuse what the pipeline would refuse only after hours of rendering."""
        Controls.read(self.controls)
        if not 0 <= self.seed < 2**31:
            raise InputError(f"Got seed {self.seed}; it must be 0 or more and below {2**31}.")
        if self.steps is not None and self.steps < 1:
            raise InputError(f"Got steps {self.steps}; it must be 1 or more.")


@dataclass(frozen=True)
class Condition:
    """One way to make the stimulus of every item; exactly one of the sources is given."""

    name: str
    label: str
    """For reports; participants never see it."""
    role: Role = "system"
    """A reference is hidden among the rated; the target is shown above and not rated."""
    generate: Generate | None = None
    capture: bool = False
    """The item's reference as it was performed."""
    video: str | None = None
    """A video of each item: a path with ``{item}`` in it, relative to the study's file."""
    other_item: str | None = None
    """What this condition made for another item of the same actor, under this item's sound: the
    paper's negative anchor for lips."""
    farthest_style: str | None = None
    """What this condition makes of the same actor's emotion whose keypoint statistics lie farthest
    from the item's: the paper's negative anchor for style."""

    def __post_init__(self) -> None:
        """Refuse a condition of no source or of two."""
        check_name("condition", self.name)
        if self.name == CHECK:
            raise InputError(f"Got a condition called {CHECK!r}, which is kept; rename it.")
        sources = [
            self.generate is not None,
            self.capture,
            self.video is not None,
            self.other_item is not None,
            self.farthest_style is not None,
        ]
        if sum(sources) != 1:
            raise InputError(
                f"Got the condition {self.name} with {sum(sources)} sources; give one of generate, "
                "capture, video, other_item, farthest_style."
            )
        if self.video is not None and "{item}" not in self.video:
            raise InputError(
                f"Got the video {self.video!r} of the condition {self.name}; it needs {{item}} "
                "where an item's name goes."
            )

    @property
    def base(self) -> str | None:
        """The condition that an anchor is made by."""
        return self.other_item or self.farthest_style


@dataclass(frozen=True)
class Item:
    """One thing that is said, and how."""

    name: str
    speech: str
    """A sound file relative to the study's file, or ``example:NAME`` for a bundled one."""
    reference: str
    """A reference performance, likewise."""
    actor: str
    """Who performs the reference; negative anchors stay with the same actor."""
    head: str | None = None
    """On whose head all its stimuli are drawn; the first head where None."""
    emotion: str = ""
    start: float = 0.0
    """Where in the speech its part begins, seconds."""
    seconds: float | None = None
    """How long its part is; to the end where None."""
    reference_start: float = 0.0
    """Where in the reference the part that target and capture show begins, seconds."""
    feedback: str = ""
    """Of a training item: what a participant is told when he has rated it."""

    def __post_init__(self) -> None:
        """Refuse times that cannot be meant."""
        check_name("item", self.name)
        check_name("actor", self.actor)
        if self.start < 0 or self.reference_start < 0:
            raise InputError(f"Got a start before 0 in the item {self.name}; give 0 or more.")
        if self.seconds is not None and not 0.5 <= self.seconds <= 60:
            raise InputError(
                f"Got seconds {self.seconds:g} in the item {self.name}; give 0.5 to 60 "
                "(BS.1534-3 advises about 10)."
            )


def check_name(what: str, name: str) -> None:
    """Refuse a name that could trouble a file, a link or a table.

    Raises:
        InputError: It has other signs than letters, digits, - and _.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"Got the {what} name {name!r}; use up to 40 of a to z, 0 to 9, - and _, not a sign "
            "first."
        )


def check_unique(what: str, names: Sequence[str]) -> None:
    """Refuse a name that comes twice.

    Raises:
        InputError: One does.
    """
    for name in _repeated(names):
        raise InputError(f"Got the {what} {name} twice; each needs a name of its own.")


def _repeated(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return [name for name in names if name in seen or seen.add(name)]
