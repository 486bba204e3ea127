"""What participants answer, kept from the moment they answer it.

Place in the flow: the page writes here and nowhere else; ``analysis`` reads ``Store.responses``.
Every call is one transaction that is on the disk when it returns, so that a process killed at any
moment loses nothing that it has said was saved. A rating has one row, whoever sends it how often,
and every change of it is kept beside it.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from kmspeaker.errors import InputError
from kmspeaker.study.design import Design
from kmspeaker.study.participants import Participant, Progress, Rating, hash_of, new_code
from kmspeaker.study.plan import Page, plan
from kmspeaker.study.responses import Responses
from kmspeaker.study.schema import (
    ANSWERS,
    HISTORY,
    PAGES,
    PARTICIPANTS,
    RATINGS,
    RELEASED,
    STUDY,
    StoreUnavailable,
    migrate,
    open_engine,
    told_apart,
)
from kmspeaker.study.transactions import (
    begin_study,
    lock,
    merge_page,
    read_responses,
    save_rating,
)

__all__ = ["Store", "StoreUnavailable"]


class Store:
    """A study's database; safe to share between threads, and between processes.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/DATABASE``.
        design: The study. A database that was begun with another is refused.
        stimuli_hash: Of the manifest of its stimuli; empty where there are none yet.
        wait: Seconds that a call waits for others before it gives up.
        clock: Seconds since 1970.

    Raises:
        InputError: The URL cannot be used, or the database belongs to another design, to other
            stimuli or to a later version of the program.
        StoreUnavailable: It is locked, full or not to be reached; so from every call.
    """

    def __init__(
        self,
        url: str,
        design: Design,
        *,
        stimuli_hash: str = "",
        wait: float | int = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.design = design
        self._digest = design.digest()
        self._clock = clock
        self._engine = open_engine(url, wait=wait)
        # SQLite lets who asks again and again in by chance; a lock lets threads in by turns.
        self._turn: AbstractContextManager[Any] = (
            threading.Lock() if self._engine.dialect.name == "sqlite" else nullcontext()
        )
        self._plan = lru_cache(1024)(lambda number: plan(design, number))
        with self._writing() as connection:
            migrate(connection)
            begin_study(connection, self._digest, stimuli_hash, clock())

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    def pages(self, participant: Participant) -> tuple[Page, ...]:
        """The participant's pages, see ``plan``."""
        return self._plan(participant.number)

    def join(self) -> tuple[str, Participant]:
        """A new participant, who has consented, and the code by which he may go on later.

        The code is told once; only its hash is kept. Numbers of those who deleted their data are
        given out first, so that orders stay balanced.
        """
        code, now = new_code(), self._clock()
        with self._writing() as connection:
            number = connection.execute(
                delete(RELEASED)
                .where(RELEASED.c.number == select(func.min(RELEASED.c.number)).scalar_subquery())
                .returning(RELEASED.c.number)
            ).scalar()
            if number is None:
                following = connection.execute(
                    update(STUDY)
                    .values(next_number=STUDY.c.next_number + 1)
                    .returning(STUDY.c.next_number)
                ).scalar_one()
                number = following - 1
            key = connection.execute(
                insert(PARTICIPANTS)
                .values(number=number, code_hash=hash_of(code), joined_at=now)
                .returning(PARTICIPANTS.c.id)
            ).scalar_one()
        return code, Participant(key, number, now)

    def resume(self, code: str) -> Participant:
        """The participant of a code.

        Raises:
            InputError: Nobody has this code: it is mistyped, made up, or his data was deleted.
        """
        query = select(PARTICIPANTS).where(PARTICIPANTS.c.code_hash == hash_of(code))
        with self._reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise InputError(
                "Got a code that belongs to nobody; copy it as it was shown, or begin anew."
            )
        return Participant(
            row.id,
            row.number,
            row.joined_at,
            row.finished_at,
            row.withdrawn_at,
            row.completion_code,
        )

    def progress(self, participant: Participant) -> Progress:
        """What he has rated and answered so far."""
        own = participant.id
        with self._reading() as connection:
            ratings = connection.execute(select(RATINGS).where(RATINGS.c.participant == own)).all()
            pages = connection.execute(select(PAGES).where(PAGES.c.participant == own)).all()
            answers = connection.execute(select(ANSWERS).where(ANSWERS.c.participant == own)).all()
        return Progress(
            ratings={
                (row.position, row.stimulus): Rating(row.value, row.revision, row.rated_at)
                for row in ratings
            },
            done=frozenset(row.position for row in pages if row.done_at is not None),
            plays={row.position: json.loads(row.plays) for row in pages},
            answers={row.question: row.answer for row in answers},
        )

    def rate(
        self,
        participant: Participant,
        position: int,
        stimulus: str,
        value: float | int,
        *,
        seconds: float | int,
        save: str,
        plays: Mapping[str, int] | None = None,
    ) -> Rating:
        """Save one rating, or its change.

        Args:
            participant: Who rates.
            position: Of the page.
            stimulus: One of the page's ``rated``.
            value: On the protocol's scale.
            seconds: How long he has been on the page.
            save: Any word of at most 64 letters that is new for each change: sent again, for want
                of an answer, it is not counted again.
            plays: How often each of the page's conditions was played to its end.

        Raises:
            InputError: It is none of his pages or stimuli, out of range, or he has withdrawn.
        """
        page = self._page(participant, position)
        if stimulus not in page.rated:
            raise InputError(f"Got a rating of {stimulus!r}, which is not on page {position}.")
        self.design.check_rating(value)
        if not 0 <= seconds < float("inf") or not 1 <= len(save) <= 64:
            raise InputError("Got a rating without how long it took or without a name for it.")
        self._check_plays(page, plays or {})
        now = self._clock()
        with self._writing() as connection:
            lock(connection, participant)
            played = merge_page(
                connection, participant, page, plays or {}, seconds=seconds, now=now
            )
            return save_rating(
                connection,
                participant,
                page,
                stimulus,
                value,
                seconds=seconds,
                save=save,
                played=played,
                digest=self._digest,
                now=now,
            )

    def play(
        self,
        participant: Participant,
        position: int,
        plays: Mapping[str, int],
        *,
        seconds: float | int,
    ) -> None:
        """Save how often stimuli were played to their end; of two tabs the larger number counts.

        Raises:
            InputError: It is none of his pages or stimuli, or he has withdrawn.
        """
        page = self._page(participant, position)
        self._check_plays(page, plays)
        now = self._clock()
        with self._writing() as connection:
            lock(connection, participant)
            merge_page(connection, participant, page, plays, seconds=seconds, now=now)

    def finish_page(self, participant: Participant, position: int) -> None:
        """Go on from a page; once done it stays done.

        Raises:
            InputError: A stimulus was not rated or not played through, or an earlier page is open.
        """
        page = self._page(participant, position)
        progress = self.progress(participant)
        if set(range(position)) - progress.done:
            raise InputError(f"Got page {position} while an earlier one is open; finish that.")
        missing = [key for key in page.rated if (position, key) not in progress.ratings]
        if missing:
            raise InputError(
                f"Got {len(page.rated) - len(missing)} of {len(page.rated)} ratings; rate them all "
                "before you go on."
            )
        played = progress.plays.get(position, {})
        least = self.design.protocol.least_plays
        silent = [name for name in page.stimuli if played.get(name, 0) < least]
        if silent and page.kind != "check":
            raise InputError(
                f"Got {len(silent)} of {len(page.stimuli)} clips not played to their end; play "
                "each before you go on."
            )
        with self._writing() as connection:
            lock(connection, participant)
            connection.execute(
                update(PAGES)
                .where(
                    PAGES.c.participant == participant.id,
                    PAGES.c.position == position,
                    PAGES.c.done_at.is_(None),
                )
                .values(done_at=self._clock())
            )

    def answer(self, participant: Participant, name: str, answer: str) -> None:
        """Save one answer of the questionnaire; it is kept as it is, and shown only as text.

        Raises:
            InputError: There is no such question or choice, it is too long, or he has finished.
        """
        kept = self.design.answer_to(name, answer)
        with self._writing() as connection:
            if lock(connection, participant).finished_at is not None:
                raise InputError("Got an answer to a study that is finished; it stays as it was.")
            own = (ANSWERS.c.participant == participant.id) & (ANSWERS.c.question == name)
            connection.execute(delete(ANSWERS).where(own))
            connection.execute(
                insert(ANSWERS).values(
                    participant=participant.id,
                    question=name,
                    answer=kept,
                    answered_at=self._clock(),
                )
            )

    def finish(self, participant: Participant) -> str:
        """The completion code, the same at every call.

        Raises:
            InputError: A page or a required question is open.
        """
        progress = self.progress(participant)
        open_pages = len(self.pages(participant)) - len(progress.done)
        if open_pages:
            raise InputError(f"Got {open_pages} pages that are still open; finish them first.")
        for question in self.design.questionnaire:
            if question.required and question.name not in progress.answers:
                raise InputError(f"Got no answer to the question {question.text!r}; give one.")
        with self._writing() as connection:
            row = lock(connection, participant)
            if row.completion_code is not None:
                return row.completion_code
            code = secrets.token_hex(4).upper()
            connection.execute(
                update(PARTICIPANTS)
                .where(PARTICIPANTS.c.id == participant.id)
                .values(finished_at=self._clock(), completion_code=code)
            )
        return code

    def withdraw(self, participant: Participant) -> None:
        """He stops; what he rated is left out of every analysis, and nothing more is taken."""
        with self._writing() as connection:
            lock(connection, participant, withdrawn=True)
            connection.execute(
                update(PARTICIPANTS)
                .where(PARTICIPANTS.c.id == participant.id, PARTICIPANTS.c.withdrawn_at.is_(None))
                .values(withdrawn_at=self._clock())
            )

    def delete(self, participant: Participant) -> None:
        """Everything of him is gone, the code too; his number goes to who comes next."""
        with self._writing() as connection:
            row = lock(connection, participant, withdrawn=True)
            for table in (RATINGS, HISTORY, PAGES, ANSWERS):
                connection.execute(delete(table).where(table.c.participant == participant.id))
            connection.execute(delete(PARTICIPANTS).where(PARTICIPANTS.c.id == participant.id))
            connection.execute(insert(RELEASED).values(number=row.number))

    def responses(self) -> Responses:
        """Everything that was answered by those who have not withdrawn."""
        with self._reading() as connection:
            return read_responses(connection)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with told_apart(), self._turn, self._engine.connect() as connection:
            connection = connection.execution_options(writes=True)
            with connection.begin():
                yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with told_apart(), self._engine.connect() as connection, connection.begin():
            yield connection

    def _page(self, participant: Participant, position: int) -> Page:
        pages = self.pages(participant)
        if not 0 <= position < len(pages):
            raise InputError(f"Got page {position}; there are 0 to {len(pages) - 1}.")
        return pages[position]

    def _check_plays(self, page: Page, plays: Mapping[str, int]) -> None:
        for name, count in plays.items():
            if name not in (*page.stimuli, self.design.target) or not 0 <= count < 10_000:
                raise InputError(f"Got {count} plays of {name!r} on page {page.position}.")
