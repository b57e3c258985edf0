"""Alembic's entry: runs on the connection that `schema.migrate` opened, inside its transaction."""

from alembic import context

from carillon.ledger import tables, tables_house, tables_media, tables_results

for each in (tables, tables_house, tables_media, tables_results):
    assert each.SQLModel.metadata is tables.SQLModel.metadata, "all tables stand in one catalogue"

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.SQLModel.metadata,
    compare_type=False,
)
context.run_migrations()
