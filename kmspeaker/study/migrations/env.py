"""What Alembic runs: the steps, on the connection that ``schema.migrate`` hands over."""

from alembic import context

from kmspeaker.study.schema import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
