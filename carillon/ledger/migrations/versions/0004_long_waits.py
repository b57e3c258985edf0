"""Indexes by which a look at an account costs no more when a thousand wait; a mark on the cursors of campaigns that an
edit concerns"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
runs = "before"
oldest = "0001"

_ACTIVE = "('planned', 'queued', 'sending', 'unknown')"
_REACHED = "('sending', 'unknown', 'sent', 'placed', 'unsent', 'held')"


def upgrade() -> None:
    order = [sa.text("priority DESC"), "expires_at", "due_at", "id"]
    _index("ix_broadcast_next", ["creator_id", *order], "state = 'planned'")
    _index("ix_broadcast_again", ["creator_id", "not_before"], "state = 'planned' AND not_before IS NOT NULL")
    _index("ix_broadcast_skip", ["creator_id", "due_at"], "state = 'planned' AND overlap = 'skip'")
    _index("ix_broadcast_own", ["creator_id"], "state = 'planned' AND kind = 'send'")
    _index("ix_broadcast_active", ["creator_id", "campaign", "due_at"], f"state IN {_ACTIVE}")
    _index("ix_broadcast_day", ["campaign", "creator_id", "day"], f"state IN {_REACHED}")
    _index("ix_broadcast_said", ["creator_id", "content_digest", "state_since"], f"state IN {_REACHED}")
    for name in ("ix_broadcast_overlap", "ix_broadcast_pair", "ix_broadcast_same"):
        op.drop_index(name, "broadcast")
    op.add_column("cursor", sa.Column("edited", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(
        "ix_cursor_behind",
        "cursor",
        ["planned_until"],
        postgresql_where=sa.text("revision <> ''"),
        sqlite_where=sa.text("revision <> ''"),
    )
    op.create_index(
        "ix_cursor_edited",
        "cursor",
        ["creator_id"],
        postgresql_where=sa.text("edited"),
        sqlite_where=sa.text("edited = 1"),
    )


def _index(name: str, columns: list[object], which: str) -> None:
    where = sa.text(which)
    op.create_index(name, "broadcast", columns, postgresql_where=where, sqlite_where=where)
