"""What a study is: its question, conditions, items, protocol and rules, as frozen values.

Place in the flow: ``design_file`` makes it from YAML, ``plan`` lays out each participant's pages,
``build`` renders its stimuli, ``analysis`` reads its rules. Protocols: MUSHRA-like as in the
paper's App. D (several stimuli a page, 0 to 100 in five labelled bands; ITU-R BS.1534-3 without its
anchors, which faces have none of), ACR (one stimulus a page, ITU-T P.910) and pairwise preference.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Literal

from kmspeaker.errors import InputError
from kmspeaker.study.stimuli import Condition, Item, Role, check_name, check_unique

Kind = Literal["mushra", "acr", "pairwise"]
Answer = Literal["choice", "text", "scale"]

SCALES: Mapping[Kind, tuple[float, float]] = {
    "mushra": (0.0, 100.0),
    "acr": (1.0, 5.0),
    "pairwise": (-1.0, 1.0),
}
"""Lowest and highest rating; of a pair -1 is for the first, 1 for the second, 0 for neither."""
BANDS = ("Bad", "Poor", "Fair", "Good", "Excellent")
"""From the lowest; of BS.1534 and of ACR."""
MOST_STIMULI = 12
"""On one MUSHRA page (BS.1534-3)."""
MOST_ITEMS = 500
MOST_WORDS = 4000
"""Letters in a text of the design."""
MOST_LETTERS = 2000
"""Of a free-text answer."""


@dataclass(frozen=True)
class Protocol:
    """How stimuli are shown and rated."""

    kind: Kind
    muted: bool = False
    """Without sound, as the paper's style study."""
    pages: int | None = None
    """Items that one participant rates; all where None."""
    least_plays: int = 1
    """How often a stimulus is played to its end before it counts as rated."""
    bands: tuple[str, ...] = BANDS
    """Labels from the lowest band up."""
    ties: bool = True
    """Whether neither of a pair may be preferred."""

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        if len(self.bands) != 5 or len(set(self.bands)) != 5:
            raise InputError(f"Got {len(self.bands)} bands; give five different labels.")
        if self.pages is not None and self.pages < 1:
            raise InputError(f"Got pages {self.pages}; it must be 1 or more.")
        if not 0 <= self.least_plays <= 10:
            raise InputError(f"Got least_plays {self.least_plays}; give 0 to 10.")


@dataclass(frozen=True)
class Screening:
    """Which participants are left out after the study; a rule that is None is not applied."""

    hidden_reference_below: float | None = None
    """Rates a hidden reference below this in more than ``share`` of the items (BS.1534-3: 90)."""
    anchor_above: float | None = None
    """Rates an anchor above this in more than ``share`` of the items (BS.1534-3: 90)."""
    share: float = 0.15
    """Of the two rules above (BS.1534-3: 15 %)."""
    anchor_over_systems: float | None = None
    """Rates an anchor above the mean of the systems in more than this share of the items: ours, for
    a study without a reference, as the paper's is."""
    failed_checks: int | None = None
    """Fails so many attention checks or more."""
    least_spread: float | None = None
    """All his ratings have a smaller standard deviation."""
    least_seconds: float | None = None
    """Half of his pages took less."""
    least_correlation: float | None = None
    """His ratings correlate less with the mean of the others (Pearson)."""
    least_complete: float | None = None
    """He rated a smaller share of his pages."""

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        for name in ("share", "anchor_over_systems", "least_complete"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"Got screening.{name} {value:g}; a share lies between 0 and 1.")
        if self.failed_checks is not None and self.failed_checks < 1:
            raise InputError(
                f"Got screening.failed_checks {self.failed_checks}; it must be 1 or more."
            )


@dataclass(frozen=True)
class AttentionCheck:
    """A page that shows whether instructions are read."""

    after: int
    """It comes after so many rating pages."""
    instruction: str
    low: float
    """Answers from here ..."""
    high: float
    """... to here pass."""


@dataclass(frozen=True)
class Question:
    """One question of the questionnaire."""

    name: str
    text: str
    answer: Answer = "text"
    choices: tuple[str, ...] = ()
    required: bool = False

    def __post_init__(self) -> None:
        """Refuse a choice of nothing."""
        check_name("question", self.name)
        if (self.answer == "choice") != bool(self.choices) or len(self.choices) == 1:
            raise InputError(
                f"Got the question {self.name} with {len(self.choices)} choices; an answer of the "
                "kind choice needs two or more, other kinds none."
            )

    def checked(self, answer: str) -> str:
        """The answer without signs that cannot be printed; HTML is text like any other.

        Raises:
            InputError: It is too long, none of the choices, or missing.
        """
        kept = "".join(sign for sign in answer if sign.isprintable() or sign in "\n\t").strip()
        if len(kept) > MOST_LETTERS:
            raise InputError(f"Got an answer of {len(kept)} letters; {MOST_LETTERS} is the most.")
        if not kept:
            if self.required:
                raise InputError(f"Got no answer to the question {self.text!r}; give one.")
        elif self.answer == "choice" and kept not in self.choices:
            raise InputError(f"Got {kept[:40]!r}; choose one of {', '.join(self.choices)}.")
        elif self.answer == "scale" and kept not in {str(k) for k in range(1, 8)}:
            raise InputError(f"Got {kept[:40]!r}; give a number from 1 to 7.")
        return kept


@dataclass(frozen=True)
class Design:
    """A whole study."""

    title: str
    question: str
    """What is rated, in a participant's words; stands above every page."""
    consent: str
    protocol: Protocol
    conditions: tuple[Condition, ...]
    items: tuple[Item, ...]
    guidelines: str = ""
    seed: int = 0
    """Of every order."""
    screening: Screening = Screening()
    attention: tuple[AttentionCheck, ...] = ()
    training: tuple[Item, ...] = ()
    questionnaire: tuple[Question, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a study that could not be run, or whose data could not be told apart."""
        for name in ("title", "question", "consent"):
            text = getattr(self, name)
            if not text.strip() or len(text) > MOST_WORDS:
                raise InputError(
                    f"Got a {name} of {len(text)} letters; give 1 to {MOST_WORDS}, or nobody knows "
                    "what he takes part in."
                )
        check_unique("condition", [condition.name for condition in self.conditions])
        check_unique("item", [item.name for item in (*self.items, *self.training)])
        check_unique("question", [question.name for question in self.questionnaire])
        self._check_conditions()
        self._check_items()
        self._check_attention()

    @property
    def rated(self) -> tuple[str, ...]:
        """Names of the conditions that participants rate, in the design's order."""
        return tuple(each.name for each in self.conditions if each.role != "target")

    @property
    def target(self) -> str | None:
        """The condition that is shown above, if there is one."""
        return next((each.name for each in self.conditions if each.role == "target"), None)

    @property
    def pages(self) -> int:
        """Items that one participant rates."""
        return len(self.items) if self.protocol.pages is None else self.protocol.pages

    @property
    def rating_pages(self) -> int:
        """Pages on which he rates: one an item, or one for each of its stimuli or pairs."""
        shown = {"mushra": 1, "acr": len(self.rated), "pairwise": len(self.pairs())}
        return self.pages * shown[self.protocol.kind]

    @property
    def scale(self) -> tuple[float, float]:
        """Lowest and highest rating."""
        return SCALES[self.protocol.kind]

    def of_role(self, role: Role) -> tuple[str, ...]:
        """Names of the conditions of one role."""
        return tuple(each.name for each in self.conditions if each.role == role)

    def condition(self, name: str) -> Condition:
        """The condition of this name."""
        return next(each for each in self.conditions if each.name == name)

    def label(self, name: str) -> str:
        """A condition's label; of a pair's key both."""
        return " or ".join(self.condition(each).label for each in name.split("|"))

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every two rated conditions, in the design's order."""
        return tuple(combinations(self.rated, 2))

    def digest(self) -> str:
        """Sixty-four hexadecimal digits that change with anything that is asked or shown."""
        plain = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(plain.encode()).hexdigest()

    def answer_to(self, name: str, answer: str) -> str:
        """A question's answer as it is kept, see ``Question.checked``.

        Raises:
            InputError: There is no such question, or the answer cannot be used.
        """
        for question in self.questionnaire:
            if question.name == name:
                return question.checked(answer)
        raise InputError(f"Got an answer to {name!r}, which is not asked.")

    def check_rating(self, value: float | int) -> None:
        """Refuse a rating that the protocol's scale has not.

        Raises:
            InputError: It is out of range, not a number, or between categories.
        """
        low, high = self.scale
        if not low <= value <= high:  # also not a number
            raise InputError(f"Got the rating {value:g}; it must be from {low:g} to {high:g}.")
        if self.protocol.kind == "mushra":
            return
        if value != round(value):
            raise InputError(f"Got the rating {value:g}; give a whole number.")
        if self.protocol.kind == "pairwise" and value == 0 and not self.protocol.ties:
            raise InputError("Got neither of a pair preferred; choose one of the two.")

    def _check_conditions(self) -> None:
        if len(self.rated) < 2:
            raise InputError(
                f"Got {len(self.rated)} rated condition; a comparison needs two or more."
            )
        if self.protocol.kind == "mushra" and len(self.rated) > MOST_STIMULI:
            raise InputError(
                f"Got {len(self.rated)} rated conditions; a MUSHRA page shows at most "
                f"{MOST_STIMULI}, use pairwise or acr."
            )
        if not self.of_role("system"):
            raise InputError("Got no condition of the role system; there is nothing to study.")
        if len(self.of_role("target")) > 1:
            raise InputError("Got two conditions of the role target; one is shown above.")
        known = {condition.name: condition for condition in self.conditions}
        for condition in self.conditions:
            if condition.base is None:
                continue
            base = known.get(condition.base)
            if base is None or base.base is not None or base.video is not None:
                raise InputError(
                    f"Got the condition {condition.name} made by {condition.base!r}; name a "
                    "condition with generate or capture."
                )

    def _check_items(self) -> None:
        if not 1 <= len(self.items) <= MOST_ITEMS:
            raise InputError(f"Got {len(self.items)} items; give 1 to {MOST_ITEMS}.")
        if self.pages > len(self.items):
            raise InputError(
                f"Got pages {self.pages} with {len(self.items)} items; nobody rates one twice."
            )
        for item in self.items:
            if item.feedback:
                raise InputError(
                    f"Got feedback for the item {item.name}, which is rated; only training items "
                    "may have it."
                )
        everything = (*self.items, *self.training)
        for condition in self.conditions:
            for item in everything:
                own = [other for other in everything if other.actor == item.actor]
                if condition.other_item is not None and len(own) < 2:
                    raise InputError(
                        f"Got one item of the actor {item.actor}; the condition {condition.name} "
                        "needs another of the same actor."
                    )
                if condition.farthest_style is not None and (
                    not all(other.emotion for other in own)
                    or len({other.emotion for other in own}) < 2
                ):
                    raise InputError(
                        f"Got the actor {item.actor} without two emotions, each named; the "
                        f"condition {condition.name} needs another one than an item's own."
                    )

    def _check_attention(self) -> None:
        low, high = self.scale
        for check in self.attention:
            if not low <= check.low <= check.high <= high:
                raise InputError(
                    f"Got an attention check from {check.low:g} to {check.high:g}; it must lie "
                    f"within {low:g} to {high:g}."
                )
            if not 0 <= check.after <= self.rating_pages:
                raise InputError(
                    f"Got an attention check after page {check.after} of {self.rating_pages}; give "
                    f"0 to {self.rating_pages}."
                )
        check_unique("attention check after page", [str(check.after) for check in self.attention])
        if (self.screening.failed_checks or 0) > len(self.attention):
            raise InputError(
                f"Got screening.failed_checks {self.screening.failed_checks} with "
                f"{len(self.attention)} attention checks; it would never hold."
            )
        needed: dict[str, Role] = {
            "hidden_reference_below": "reference",
            "anchor_above": "anchor",
            "anchor_over_systems": "anchor",
        }
        for rule, role in needed.items():
            if getattr(self.screening, rule) is not None and not self.of_role(role):
                raise InputError(
                    f"Got screening.{rule} without a condition of the role {role}; add one or "
                    "leave the rule out."
                )
