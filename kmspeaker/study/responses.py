"""What was answered, as plain rows: the raw data of a study.

Place in the flow: ``store`` and ``simulation`` make it, ``analysis`` and ``raw_data`` read it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from kmspeaker.study.design import Design

Row = dict[str, Any]
Ratings = Float[np.ndarray, "participants items conditions"]
"""Not a number where nothing was rated."""


@dataclass(frozen=True)
class Responses:
    """Rows of each table; ``participant`` is a number that says nothing of who it is."""

    participants: Sequence[Row]
    """participant, joined_at, finished_at (None of who has not)."""
    ratings: Sequence[Row]
    """participant, position, stimulus, kind, item, value, place, seconds, plays, rated_at,
    revision, design_hash, version."""
    pages: Sequence[Row] = ()
    """participant, position, kind, item, stimuli, plays, seconds, opened_at, done_at."""
    history: Sequence[Row] = ()
    """participant, position, stimulus, value, seconds, plays, rated_at."""
    answers: Sequence[Row] = ()
    """participant, question, answer, answered_at."""

    def numbers(self) -> tuple[int, ...]:
        """Participants who have rated anything but training, in order."""
        return tuple(sorted({r["participant"] for r in self.ratings if r["kind"] == "rating"}))

    def of(self, participants: Sequence[int]) -> "Responses":
        """What these have answered."""
        kept = set(participants)

        def rows(table: Sequence[Row]) -> list[Row]:
            return [row for row in table if row["participant"] in kept]

        return Responses(
            rows(self.participants),
            rows(self.ratings),
            rows(self.pages),
            rows(self.history),
            rows(self.answers),
        )

    def matrix(self, design: Design) -> Ratings:
        """Ratings by participant (as ``numbers``), item and condition, or pair, of the design."""
        keys = keys_of(design)
        people = {number: k for k, number in enumerate(self.numbers())}
        items = {item.name: k for k, item in enumerate(design.items)}
        columns = {key: k for k, key in enumerate(keys)}
        values = np.full((len(people), len(items), len(keys)), np.nan)
        for row in self.ratings:
            if row["kind"] == "rating":
                place = people[row["participant"]], items[row["item"]], columns[row["stimulus"]]
                values[place] = row["value"]
        return values


def keys_of(design: Design) -> tuple[str, ...]:
    """What a rating may be of: the rated conditions, or of a preference their pairs."""
    if design.protocol.kind == "pairwise":
        return tuple("|".join(pair) for pair in design.pairs())
    return design.rated
