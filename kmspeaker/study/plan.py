"""Which pages a participant sees, in which order: a pure function of the design and his number.

Place in the flow: ``design`` -> here -> the page, ``store`` (which keeps what was shown) and
``simulation``. Orders come from Williams's designs (E. J. Williams, Aust. J. Sci. Res. A 2, 1949):
each stimulus stands at each place equally often, and comes right after each other one equally
often, over as many participants as the design has rows.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kmspeaker.errors import InputError
from kmspeaker.study.design import AttentionCheck, Design
from kmspeaker.study.stimuli import CHECK

PageKind = Literal["training", "rating", "check"]


@dataclass(frozen=True)
class Page:
    """What stands on one page."""

    position: int
    """From 0, training and checks included."""
    kind: PageKind
    item: str
    stimuli: tuple[str, ...]
    """Conditions in the order shown: the first is A, and so on. Never to be sent to the page."""
    rated: tuple[str, ...]
    """Keys of the ratings it asks for: conditions, of a pair ``one|other`` in the design's order,
    or ``check``."""
    check: AttentionCheck | None = None

    @property
    def flipped(self) -> bool:
        """Whether a pair is shown the other way round than its key says."""
        return "|" in self.rated[0] and self.rated[0].split("|")[0] != self.stimuli[0]


def williams(count: int) -> tuple[tuple[int, ...], ...]:
    """A Williams design: rows of the numbers below ``count``.

    ``count`` rows where it is even and twice as many where it is odd. Every number stands at every
    place equally often, and every ordered pair of neighbours occurs equally often.
    """
    zigzag = [0]
    low, high = 1, count - 1
    while low <= high:
        zigzag.append(low)
        if low < high:
            zigzag.append(high)
        low, high = low + 1, high - 1
    rows = [tuple((start + shift) % count for shift in zigzag) for start in range(count)]
    if count % 2 and count > 1:
        rows += [row[::-1] for row in rows]
    return tuple(rows)


def plan(design: Design, participant: int) -> tuple[Page, ...]:
    """The pages of a participant, in order.

    Args:
        design: The study.
        participant: His number, from 0 on; consecutive numbers balance each other.

    Raises:
        InputError: The number is negative.
    """
    if participant < 0:
        raise InputError(f"Got participant {participant}; numbers begin at 0.")
    checks = {check.after: check for check in design.attention}
    pages: list[Page] = []

    def add(kind: PageKind, item: str, stimuli: tuple[str, ...], rated: tuple[str, ...]) -> None:
        pages.append(Page(len(pages), kind, item, stimuli, rated))

    def add_check(after: int, item: str, stimuli: tuple[str, ...]) -> None:
        if after in checks:
            shown = stimuli if design.protocol.kind == "pairwise" else stimuli[:1]
            pages.append(Page(len(pages), "check", item, shown, (CHECK,), checks[after]))

    for item in design.training:
        for stimuli in _training_stimuli(design):
            add("training", item.name, stimuli, _keys(design, stimuli))
    for number, (item, stimuli) in enumerate(_rating_pages(design, participant)):
        if number == 0:
            add_check(0, item, stimuli)
        add("rating", item, stimuli, _keys(design, stimuli))
        add_check(number + 1, item, stimuli)
    return tuple(pages)


def _rating_pages(design: Design, participant: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Items and the stimuli shown together."""
    names, turn = _items_of(design, participant)
    if design.protocol.kind == "mushra":
        for name in names:
            order = _order(design, name, turn, len(design.rated))
            yield name, tuple(design.rated[index] for index in order)
        return
    # One stimulus or pair of every item in turn, so that an item's own never stand together.
    shown = [(name,) for name in design.rated] if _is_acr(design) else list(design.pairs())
    orders = {name: _order(design, name, turn, len(shown)) for name in names}
    for place in range(len(shown)):
        for name in names:
            index = orders[name][place]
            stimuli = shown[index]
            flip = not _is_acr(design) and _flipped(design, name, turn, index, len(shown))
            yield name, stimuli[::-1] if flip else stimuli


def _items_of(design: Design, participant: int) -> tuple[list[str], int]:
    """The items of a participant in order, and how many had the same set of items before him.

    Where the items divide evenly these are sets without a common item, as the paper's five.
    """
    names = [item.name for item in design.items]
    mixed = [names[k] for k in _generator(design, "items").permutation(len(names))]
    count = design.pages
    sets = math.lcm(len(names), count) // count
    first = participant % sets * count
    own = [mixed[(first + k) % len(names)] for k in range(count)]
    turn = participant // sets
    rows = williams(count)
    return [own[k] for k in rows[turn % len(rows)]], turn


def _order(design: Design, item: str, turn: int, count: int) -> tuple[int, ...]:
    """A row of the Williams design of the stimuli of an item, another for each in turn.

    After as many participants as it has rows an item's stimuli have stood at every place equally
    often, whoever comes next.
    """
    generator = _generator(design, f"order {item}")
    mixed, begin = generator.permutation(count), int(generator.integers(2**16))
    rows = williams(count)
    # Once the orders of items and stimuli would repeat together, they are shifted by one.
    cycle = math.lcm(len(rows), len(williams(design.pages)))
    row = rows[(turn + turn // cycle + begin) % len(rows)]
    return tuple(int(mixed[k]) for k in row)


def _flipped(design: Design, item: str, turn: int, pair: int, pairs: int) -> bool:
    """Whether a pair is shown the other way round; every second participant sees it so."""
    begin = int(_generator(design, f"side {item}").integers(2))
    return (turn + turn // len(williams(pairs)) + pair + begin) % 2 == 1


def _training_stimuli(design: Design) -> list[tuple[str, ...]]:
    """What a training item shows: all on one page, or one pair, in one order for everybody."""
    generator = _generator(design, "training")
    names = [design.rated[k] for k in generator.permutation(len(design.rated))]
    if design.protocol.kind == "mushra":
        return [tuple(names)]
    return [(name,) for name in names] if _is_acr(design) else [(names[0], names[-1])]


def _keys(design: Design, stimuli: tuple[str, ...]) -> tuple[str, ...]:
    if design.protocol.kind == "pairwise":
        return ("|".join(sorted(stimuli, key=design.rated.index)),)
    return tuple(sorted(stimuli, key=design.rated.index))


def _is_acr(design: Design) -> bool:
    return design.protocol.kind == "acr"


def _generator(design: Design, purpose: str) -> np.random.Generator:
    """Random numbers for one purpose, which another purpose does not shift."""
    return np.random.default_rng([design.seed, *purpose.encode()])
