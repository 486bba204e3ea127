"""Somebody who takes part: a number, a code, and how far he is.

Place in the flow: values that ``store`` hands to the page.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from kmspeaker.study.plan import Page

_LOOKS_LIKE = str.maketrans("018", "OIB")
"""Base 32 has none of these digits; who types a code may."""


@dataclass(frozen=True)
class Participant:
    """Somebody who takes part, of whom nothing else is known."""

    id: int
    number: int
    """What his pages follow from."""
    joined_at: float
    """Seconds since 1970, as every moment here."""
    finished_at: float | None = None
    withdrawn_at: float | None = None
    completion_code: str | None = None


@dataclass(frozen=True)
class Rating:
    """One rating as it stands."""

    value: float
    revision: int
    """How often it was set."""
    rated_at: float


@dataclass(frozen=True)
class Progress:
    """How far a participant is."""

    ratings: Mapping[tuple[int, str], Rating]
    """By a page's position and the rating's key."""
    done: frozenset[int]
    """Positions of the pages he has gone on from."""
    plays: Mapping[int, Mapping[str, int]]
    """By position and condition."""
    answers: Mapping[str, str]

    def next_page(self, pages: tuple[Page, ...]) -> Page | None:
        """The first that is not done; None after the last."""
        return next((page for page in pages if page.position not in self.done), None)


def new_code() -> str:
    """Sixteen random bytes in groups of five signs that can be typed."""
    code = base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=")
    return "-".join(code[k : k + 5] for k in range(0, len(code), 5))


def hash_of(code: str) -> str:
    """Of a code however it is typed; it is random enough to need no salt."""
    plain = "".join(sign for sign in code.upper() if sign.isalnum()).translate(_LOOKS_LIKE)
    return hashlib.sha256(plain.encode()).hexdigest()
