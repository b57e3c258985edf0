"""Look-ups of unknown outcomes"""

import sqlalchemy as sa
from alembic import op

from carillon.ledger.tables import BigId, Instant

revision = "0002"
down_revision = "0001"
runs = "before"
oldest = "0001"


def upgrade() -> None:
    op.add_column("attempt", sa.Column("baseline", sa.Text(), nullable=True))
    op.create_table(
        "lookup",
        sa.Column("id", BigId, nullable=False),
        sa.Column("attempt_id", BigId, nullable=False),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("clean", sa.Boolean(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_lookup_attempt_id"), "lookup", ["attempt_id"], unique=False)
