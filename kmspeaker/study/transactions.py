"""What is done to the tables within one transaction.

Place in the flow: ``store`` opens the transaction and checks what was given; these are its steps.
"""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, Table, insert, select, update

from kmspeaker import __version__
from kmspeaker.errors import InputError
from kmspeaker.study.participants import Participant, Rating
from kmspeaker.study.plan import Page
from kmspeaker.study.responses import Responses
from kmspeaker.study.schema import ANSWERS, HISTORY, PAGES, PARTICIPANTS, RATINGS, STUDY


def begin_study(connection: Connection, digest: str, stimuli_hash: str, now: float) -> None:
    """Note what the study is, or see that it is the same.

    Raises:
        InputError: The database was begun with another design or other stimuli.
    """
    row = connection.execute(select(STUDY)).first()
    if row is None:
        connection.execute(
            insert(STUDY).values(
                id=1, design_hash=digest, stimuli_hash=stimuli_hash, next_number=0, began_at=now
            )
        )
        return
    if row.design_hash != digest:
        raise InputError(
            f"Got a design ({digest[:8]}) other than the one this database was begun with "
            f"({row.design_hash[:8]}); take that one, or begin a new database."
        )
    if stimuli_hash and row.stimuli_hash != stimuli_hash:
        raise InputError(
            "Got stimuli other than those this database was begun with; put those back, or begin "
            "a new database."
        )


def lock(connection: Connection, participant: Participant, *, withdrawn: bool = False) -> Row[Any]:
    """The participant's row, which his other tabs wait for until the transaction ends.

    Raises:
        InputError: He has deleted his data; or has withdrawn, where ``withdrawn`` is not allowed.
    """
    row = connection.execute(
        select(PARTICIPANTS).where(PARTICIPANTS.c.id == participant.id).with_for_update()
    ).first()
    if row is None or (row.withdrawn_at is not None and not withdrawn):
        raise InputError("Got something for a participant who has withdrawn; begin anew.")
    return row


def save_rating(
    connection: Connection,
    participant: Participant,
    page: Page,
    stimulus: str,
    value: float | int,
    *,
    seconds: float | int,
    save: str,
    played: Mapping[str, int],
    digest: str,
    now: float,
) -> Rating:
    """One rating's row, and a row of its history unless this save is there already.

    Raises:
        InputError: The page is done, or the save's name is that of another rating.
    """
    own = (RATINGS.c.participant == participant.id) & (RATINGS.c.position == page.position)
    own &= RATINGS.c.stimulus == stimulus
    before = connection.execute(select(RATINGS).where(own)).first()
    seen = connection.execute(
        select(HISTORY.c.position, HISTORY.c.stimulus).where(
            HISTORY.c.participant == participant.id, HISTORY.c.save == save
        )
    ).first()
    if seen is not None:
        if before is None or tuple(seen) != (page.position, stimulus):
            raise InputError("Got the save of another rating again; give each a name of its own.")
        return Rating(before.value, before.revision, before.rated_at)
    where = (PAGES.c.participant == participant.id) & (PAGES.c.position == page.position)
    if connection.execute(select(PAGES.c.done_at).where(where)).scalar() is not None:
        raise InputError(f"Got a rating for page {page.position}, which is done; go on.")
    shown = page.stimuli if page.kind == "check" else tuple(stimulus.split("|"))
    made = {
        "value": float(value),
        "seconds": float(seconds),
        "plays": sum(played.get(each, 0) for each in shown),
        "rated_at": now,
    }
    row = {
        **made,
        "revision": 1 if before is None else before.revision + 1,
        "place": min(page.stimuli.index(each) for each in shown),
        "version": __version__,
    }
    key = {"participant": participant.id, "position": page.position, "stimulus": stimulus}
    if before is None:
        facts = {"kind": page.kind, "item": page.item, "design_hash": digest}
        connection.execute(insert(RATINGS).values(**key, **facts, **row))
    else:
        connection.execute(update(RATINGS).where(own).values(**row))
    connection.execute(insert(HISTORY).values(**key, **made, save=save))
    return Rating(made["value"], row["revision"], now)


def merge_page(
    connection: Connection,
    participant: Participant,
    page: Page,
    plays: Mapping[str, int],
    *,
    seconds: float | int,
    now: float,
) -> dict[str, int]:
    """Note the page and what was played on it; returns how often each was, in all tabs."""
    own = (PAGES.c.participant == participant.id) & (PAGES.c.position == page.position)
    before = connection.execute(select(PAGES).where(own)).first()
    played: dict[str, int] = {} if before is None else json.loads(before.plays)
    played |= {name: max(count, played.get(name, 0)) for name, count in plays.items()}
    if before is None:
        connection.execute(
            insert(PAGES).values(
                participant=participant.id,
                position=page.position,
                kind=page.kind,
                item=page.item,
                stimuli=json.dumps(page.stimuli),
                plays=json.dumps(played),
                seconds=seconds,
                opened_at=now,
            )
        )
    elif before.done_at is None:
        longer = max(seconds, before.seconds)
        connection.execute(
            update(PAGES).where(own).values(plays=json.dumps(played), seconds=longer)
        )
    return played


def read_responses(connection: Connection) -> Responses:
    """Everything that was answered by those who have not withdrawn."""
    here = PARTICIPANTS.c.withdrawn_at.is_(None)
    number = PARTICIPANTS.c.number.label("participant")

    def rows(query: Any) -> list[dict[str, Any]]:
        return [dict(row._mapping) for row in connection.execute(query)]

    def of(table: Table, *left_out: str) -> list[dict[str, Any]]:
        own = [c for c in table.c if c.name not in ("participant", "id", *left_out)]
        query = select(number, *own).join_from(
            table, PARTICIPANTS, table.c.participant == PARTICIPANTS.c.id
        )
        return rows(query.where(here).order_by(PARTICIPANTS.c.number, *table.primary_key.columns))

    people = select(number, PARTICIPANTS.c.joined_at, PARTICIPANTS.c.finished_at)
    return Responses(
        participants=rows(people.where(here).order_by(PARTICIPANTS.c.number)),
        ratings=of(RATINGS),
        pages=of(PAGES),
        history=of(HISTORY, "save"),
        answers=of(ANSWERS),
    )
