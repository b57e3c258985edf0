"""Alembic's entry: runs on the connection that `schema.migrate` opened, inside its transaction."""

from alembic import context

from carillon.ledger import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.SQLModel.metadata,
    compare_type=False,
)
context.run_migrations()
