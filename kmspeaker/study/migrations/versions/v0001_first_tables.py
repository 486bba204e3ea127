"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _participant(*, key: bool = True) -> sa.Column:
    return sa.Column(
        "participant",
        _ROW_ID,
        sa.ForeignKey("participants.id", ondelete="CASCADE"),
        primary_key=key,
        nullable=False,
        autoincrement=False,
    )


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "study",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("design_hash", sa.String(64), nullable=False),
        sa.Column("stimuli_hash", sa.String(64), nullable=False),
        sa.Column("next_number", sa.Integer, nullable=False),
        sa.Column("began_at", sa.Float(53), nullable=False),
    )
    op.create_table(
        "released",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    )
    op.create_table(
        "participants",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False, unique=True),
        sa.Column("code_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("joined_at", sa.Float(53), nullable=False),
        sa.Column("finished_at", sa.Float(53)),
        sa.Column("withdrawn_at", sa.Float(53)),
        sa.Column("completion_code", sa.String(16)),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "pages",
        _participant(),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("item", sa.String(40), nullable=False),
        sa.Column("stimuli", sa.Text, nullable=False),
        sa.Column("plays", sa.Text, nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("opened_at", sa.Float(53), nullable=False),
        sa.Column("done_at", sa.Float(53)),
    )
    op.create_table(
        "ratings",
        _participant(),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("stimulus", sa.String(96), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("item", sa.String(40), nullable=False),
        sa.Column("value", sa.Float(53), nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("plays", sa.Integer, nullable=False),
        sa.Column("rated_at", sa.Float(53), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("design_hash", sa.String(64), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
    )
    op.create_table(
        "history",
        sa.Column("id", _ROW_ID, primary_key=True),
        _participant(key=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("stimulus", sa.String(96), nullable=False),
        sa.Column("value", sa.Float(53), nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("plays", sa.Integer, nullable=False),
        sa.Column("rated_at", sa.Float(53), nullable=False),
        sa.Column("save", sa.String(64), nullable=False),
        sa.UniqueConstraint("participant", "save", name="one_save"),
    )
    op.create_table(
        "answers",
        _participant(),
        sa.Column("question", sa.String(40), primary_key=True),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("answered_at", sa.Float(53), nullable=False),
    )


def downgrade() -> None:
    """There is nothing before them."""
    for table in ("answers", "history", "ratings", "pages", "participants", "released", "study"):
        op.drop_table(table)
