"""What of a session leaves the server: letters for conditions, files by their random names.

Place in the flow: ``study.plan`` and ``study.store`` -> here -> ``participant``. A participant who
reads every answer of the server learns no condition, and nothing of anybody else's pages.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from kmspeaker.errors import InputError
from kmspeaker.study.design import Design
from kmspeaker.study.participants import Participant, Progress
from kmspeaker.study.plan import Page
from kmspeaker.study.stimuli import CHECK
from kmspeaker.study.store import Store
from kmspeaker.study.study_folder import Stimulus, Study

LETTERS = "ABCDEFGHIJKL"
"""What stimuli are called on a page, in the order shown."""
PAIR = "AB"
"""What the one rating of a pair is called: -1 for A, 1 for B."""
_MINUTE = 60.0


class Views:
    """A study as its participants may see it.

    Args:
        study: What is shown.
        store: What was answered.
    """

    def __init__(self, study: Study, store: Store) -> None:
        self._study = study
        self._store = store
        self._files = {(s.item, s.condition): s for s in study.manifest.stimuli}
        self._seconds = lru_cache(None)(study.expected_seconds)
        self._own = lru_cache(1024)(self._files_of)

    def study(self) -> dict[str, Any]:
        """What everybody may know before consenting."""
        design = self._study.design
        return {
            "title": design.title,
            "question": design.question,
            "consent": design.consent,
            "guidelines": design.guidelines,
            "protocol": design.protocol.kind,
            "muted": design.protocol.muted,
            "ties": design.protocol.ties,
            "bands": design.protocol.bands,
            "plays": design.protocol.least_plays,
            "minutes": self._minutes(self._pages_of(0)),
            "target": design.target is not None,
            "questionnaire": [
                {
                    "name": each.name,
                    "text": each.text,
                    "answer": each.answer,
                    "choices": each.choices,
                    "required": each.required,
                }
                for each in design.questionnaire
            ],
        }

    def session(self, participant: Participant) -> dict[str, Any]:
        """How far he is, and the page that is open."""
        pages, progress = self._store.pages(participant), self._store.progress(participant)
        page = progress.next_page(pages)
        left = tuple(each for each in pages if each.position not in progress.done)
        return {
            "pages": len(pages),
            "done": len(progress.done),
            "minutes": self._minutes(left),
            "begun": bool(progress.ratings or progress.done),
            "withdrawn": participant.withdrawn_at is not None,
            "completion": participant.completion_code,
            "answers": dict(progress.answers),
            "page": None if page is None else self.page(page, progress),
        }

    def page(self, page: Page, progress: Progress) -> dict[str, Any]:
        """A page without what its stimuli are."""
        design = self._study.design
        played = progress.plays.get(page.position, {})
        names = names_of(page)
        rated = {name: progress.ratings.get((page.position, key)) for name, key in names.items()}
        return {
            "position": page.position,
            "kind": page.kind,
            "question": design.question if page.check is None else page.check.instruction,
            "clips": [
                {
                    "name": letter,
                    "file": self._files[page.item, condition].file,
                    "plays": played.get(condition, 0),
                }
                for letter, condition in zip(LETTERS, page.stimuli, strict=False)
            ],
            "target": self._target(page, design),
            "asked": list(names),
            "ratings": {
                name: -rating.value if page.flipped else rating.value
                for name, rating in rated.items()
                if rating is not None
            },
        }

    def feedback(self, participant: Participant, position: int) -> str:
        """What is said once a training page is done; empty of any other."""
        page = self._store.pages(participant)[position]
        training = {item.name: item.feedback for item in self._study.design.training}
        return training.get(page.item, "") if page.kind == "training" else ""

    def file(self, participant: Participant, name: str) -> Path | None:
        """The file of this name, if it is on one of his pages.

        Raises:
            InputError: Somebody has changed it since the study was built.
        """
        stimulus = self._own(participant.number).get(name)
        if stimulus is None:
            return None
        if not self._study.intact(stimulus):
            raise InputError(
                "This clip is not what it was when the study began, so it is not shown; please "
                "tell whoever invited you. What you have rated is kept."
            )
        return self._study.path(stimulus)

    def _files_of(self, number: int) -> Mapping[str, Stimulus]:
        shown = [
            self._files[page.item, condition]
            for page in self._pages_of(number)
            for condition in (*page.stimuli, self._study.design.target)
            if condition is not None
        ]
        return {each.file: each for each in shown}

    def _target(self, page: Page, design: Design) -> dict[str, str] | None:
        if design.target is None:
            return None
        return {"file": self._files[page.item, design.target].file}

    def _minutes(self, pages: tuple[Page, ...]) -> int:
        seconds = sum(self._seconds(page.item, len(page.stimuli)) for page in pages)
        return round(seconds / _MINUTE + 0.5) if pages else 0

    def _pages_of(self, number: int) -> tuple[Page, ...]:
        return self._store.pages(Participant(0, number, 0.0))


def names_of(page: Page) -> dict[str, str]:
    """What each of a page's ratings is called there -> its key in the store."""
    if page.check is not None:
        return {CHECK: page.rated[0]}
    if "|" in page.rated[0]:
        return {PAIR: page.rated[0]}
    return dict(zip(LETTERS, page.stimuli, strict=False))


def stored_rating(page: Page, name: str, value: float) -> tuple[str, float]:
    """A rating as the store keys and signs it.

    Raises:
        InputError: The page does not ask for it.
    """
    key = names_of(page).get(name)
    if key is None:
        raise InputError(f"Got a rating of {name[:40]!r}, which page {page.position} has not.")
    return key, -value if page.flipped else value


def stored_plays(page: Page, plays: Mapping[str, int]) -> dict[str, int]:
    """How often each condition was played, of letters.

    Raises:
        InputError: A letter is not on the page.
    """
    conditions = dict(zip(LETTERS, page.stimuli, strict=False))
    for letter in plays:
        if letter not in conditions:
            raise InputError(f"Got plays of {letter[:40]!r}, which page {page.position} has not.")
    return {conditions[letter]: count for letter, count in plays.items()}
