"""The tables of a study's database, and the engine that reaches them.

Place in the flow: ``store`` reads and writes them; ``migrations`` makes and changes them. SQLite in
WAL mode, each commit on the disk before it is said to be done, or PostgreSQL. Nothing in them says
who somebody is: no name, address, browser or cookie; of the resume code only its hash.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, TimeoutError

from kmspeaker.errors import InputError

HEAD = "0001"
"""The migration that these tables are at."""
METADATA = MetaData()
_ROW_ID = BigInteger().with_variant(Integer, "sqlite")  # only an INTEGER counts up by itself there


def _participant() -> Column[Any]:
    reference = ForeignKey("participants.id", ondelete="CASCADE")
    return Column("participant", _ROW_ID, reference, primary_key=True, autoincrement=False)


STUDY = Table(
    "study",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),  # there is one row, 1
    Column("design_hash", String(64), nullable=False),
    Column("stimuli_hash", String(64), nullable=False),
    Column("next_number", Integer, nullable=False),
    Column("began_at", Float(53), nullable=False),
)
RELEASED = Table(
    "released",  # numbers of those who have deleted their data: the next to come take their place
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
)
PARTICIPANTS = Table(
    "participants",
    METADATA,
    Column("id", _ROW_ID, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("code_hash", String(64), nullable=False, unique=True),
    Column("joined_at", Float(53), nullable=False),
    Column("finished_at", Float(53)),
    Column("withdrawn_at", Float(53)),
    Column("completion_code", String(16)),
    sqlite_autoincrement=True,  # or who comes after a deletion would get his id
)
PAGES = Table(
    "pages",
    METADATA,
    _participant(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("item", String(40), nullable=False),
    Column("stimuli", Text, nullable=False),  # JSON: conditions in the order shown
    Column("plays", Text, nullable=False),  # JSON: how often each was played to its end
    Column("seconds", Float(53), nullable=False),
    Column("opened_at", Float(53), nullable=False),
    Column("done_at", Float(53)),
)
RATINGS = Table(
    "ratings",
    METADATA,
    _participant(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("stimulus", String(96), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("item", String(40), nullable=False),
    Column("value", Float(53), nullable=False),
    Column("place", Integer, nullable=False),
    Column("seconds", Float(53), nullable=False),
    Column("plays", Integer, nullable=False),
    Column("rated_at", Float(53), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("design_hash", String(64), nullable=False),
    Column("version", String(32), nullable=False),
)
HISTORY = Table(
    "history",  # every rating ever made, the last one included
    METADATA,
    Column("id", _ROW_ID, primary_key=True),
    Column(
        "participant",
        _ROW_ID,
        ForeignKey("participants.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("position", Integer, nullable=False),
    Column("stimulus", String(96), nullable=False),
    Column("value", Float(53), nullable=False),
    Column("seconds", Float(53), nullable=False),
    Column("plays", Integer, nullable=False),
    Column("rated_at", Float(53), nullable=False),
    Column("save", String(64), nullable=False),
    UniqueConstraint("participant", "save", name="one_save"),
)
ANSWERS = Table(
    "answers",
    METADATA,
    _participant(),
    Column("question", String(40), primary_key=True),
    Column("answer", Text, nullable=False),
    Column("answered_at", Float(53), nullable=False),
)

Reason = Literal["busy", "full", "gone"]
_SENTENCES: dict[Reason, str] = {
    "busy": "The study's storage is busy; nothing was saved, it can be tried again at once.",
    "full": "The disk of the study's storage is full; nothing was saved until there is room.",
    "gone": "The study's storage cannot be reached; nothing was saved, it can be tried again.",
}
_FULL_CODES = {"53100", "53200"}  # PostgreSQL's: disk full, out of memory
_BUSY_CODES = {"40001", "40P01", "55P03", "57014", "53300"}


class StoreUnavailable(Exception):
    """Nothing was saved, through no fault of who saved it: to be said, and tried again.

    ``str`` of it is a sentence for a participant.
    """

    def __init__(self, reason: Reason) -> None:
        self.reason: Reason = reason
        super().__init__(_SENTENCES[reason])


def open_engine(url: str, *, wait: float | int) -> Engine:
    """An engine whose writers wait for each other.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/DATABASE``.
        wait: Seconds that one waits at most.

    Raises:
        InputError: It is no such URL.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise InputError(
                f"Got a database of the kind {parsed.get_backend_name()}; give sqlite:///FILE or "
                "postgresql://USER:PASSWORD@HOST/DATABASE."
            )
        if parsed.get_backend_name() == "postgresql":
            waiting = f"-c lock_timeout={round(wait * 1000)}"
            return create_engine(
                parsed,
                pool_size=10,
                max_overflow=10,
                pool_pre_ping=True,
                pool_timeout=wait,
                connect_args={"options": waiting, "connect_timeout": max(2, round(wait))},
            )
        engine = create_engine(parsed, pool_timeout=wait, connect_args={"timeout": wait})
    except (ArgumentError, NoSuchModuleError) as error:
        raise InputError(  # the URL itself may hold a password
            "Got a database URL that cannot be read; give sqlite:///FILE or "
            "postgresql://USER:PASSWORD@HOST/DATABASE."
        ) from error
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, record: Any) -> None:
    del record
    connection.isolation_level = None  # transactions begin where we say, see _begin_sqlite
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # Who writes says so first: two who have both begun by reading could only both give up.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def told_apart() -> Iterator[None]:
    """What a database says when it cannot just now, as ``StoreUnavailable``.

    Raises:
        StoreUnavailable: It is locked, full, or not to be reached.
    """
    try:
        yield
    except TimeoutError as error:  # no connection was free
        raise StoreUnavailable("busy") from error
    except DBAPIError as error:
        reason = _reason(error)
        if reason is None:
            raise
        raise StoreUnavailable(reason) from error


def _reason(error: DBAPIError) -> Reason | None:
    code = getattr(error.orig, "sqlstate", None)
    words = str(error.orig).lower()
    if code in _FULL_CODES or "is full" in words:
        return "full"
    if code in _BUSY_CODES or "locked" in words:
        return "busy"
    unreachable = ("disk i/o", "unable to open", "readonly", "connection", "could not connect")
    if error.connection_invalidated or any(word in words for word in unreachable):
        return "gone"
    return None


def migrate(connection: Connection) -> None:
    """Bring the tables to ``HEAD``, within the connection's transaction.

    Raises:
        InputError: They were made by a later version of the program.
    """
    if connection.dialect.name == "postgresql":  # one at a time; released with the transaction
        connection.execute(text("SELECT pg_advisory_xact_lock(7301420)"))
    if _version(connection) == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", "kmspeaker.study:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise InputError(
            f"Got a study whose storage is of version {_version(connection)}, which this version "
            "of the program does not know; use the one that it was begun with, or a later one."
        ) from error


def _version(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
