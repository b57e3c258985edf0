"""Uploads, tokens, webhooks, credits, figures, sales; broadcasts that a platform's own scheduler keeps"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
runs = "before"
oldest = "0001"

BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("creator", sa.Column("webhook_secret", sa.String()))
    op.add_column("slot", sa.Column("counts_from", Instant))
    _add_to_broadcast()
    _create_uploads()
    _create_tokens()
    _create_hooks()
    _create_results()


def _add_to_broadcast() -> None:
    for column in (
        sa.Column("goes_at", Instant),
        sa.Column("labels", sa.Text()),
        sa.Column("wish", sa.String()),
        sa.Column("wished", sa.Text()),
        sa.Column("tracked", sa.Boolean(), nullable=False, server_default=sa.false()),
    ):
        op.add_column("broadcast", column)
    for name, column in (("ix_broadcast_placed", "goes_at"), ("ix_broadcast_follow", "hand_off_at")):
        _index(name, "broadcast", [column], "state = 'placed'", "state = 'placed'")
    sent = "state = 'sent' AND NOT tracked", "state = 'sent' AND tracked = 0"
    _index("ix_broadcast_untracked", "broadcast", ["state", "state_since"], *sent)


def _create_uploads() -> None:
    op.create_table(
        "upload",
        sa.Column("id", BigId, primary_key=True),
        sa.Column("creator_id", BigId, sa.ForeignKey("creator.id"), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("size", BigId),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reference", sa.String()),
        sa.Column("single_use", sa.Boolean(), nullable=False),
        sa.Column("used_by", BigId, sa.ForeignKey("attempt.id")),
        sa.Column("progress", sa.Text(), nullable=False),
        sa.Column("words", sa.Text()),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", Instant, nullable=False),
        sa.Column("wanted_by", Instant, nullable=False),
        sa.Column("needed_until", Instant, nullable=False),
        sa.Column("owner", sa.Text()),
        sa.Column("stored", sa.String()),
        sa.Column("reserved_for", BigId, sa.ForeignKey("broadcast.id")),
        sa.Column("reserved_at", Instant),
        sa.Column("uploaded_at", Instant),
    )
    op.create_index("ix_upload_source", "upload", ["creator_id", "source"])
    still = "state IN ('waiting', 'sending', 'processing')"
    _index("ix_upload_open", "upload", ["next_at"], still, still)


def _create_tokens() -> None:
    op.create_table(
        "token",
        sa.Column("creator_id", BigId, sa.ForeignKey("creator.id"), primary_key=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("owner", sa.String()),
        sa.Column("sent_at", Instant),
        sa.Column("refused", sa.Integer()),
        sa.Column("lost", sa.Text()),
        sa.Column("stored_at", Instant, nullable=False),
    )
    op.create_table(
        "credit",
        sa.Column("creator_id", BigId, sa.ForeignKey("creator.id"), primary_key=True),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("balance", sa.Integer()),
        sa.Column("at", Instant, nullable=False),
        sa.Column("week_since", Instant, nullable=False),
        sa.Column("week_used", sa.Integer(), nullable=False),
        sa.Column("last_week_used", sa.Integer()),
    )


def _create_hooks() -> None:
    op.create_table(
        "hook",
        sa.Column("id", BigId, primary_key=True),
        sa.Column("creator_id", BigId, sa.ForeignKey("creator.id"), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("delivery", sa.String()),
        sa.Column("body_digest", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.Column("done_at", Instant),
        sa.Column("words", sa.Text()),
        sa.UniqueConstraint("creator_id", "delivery"),
        sa.UniqueConstraint("creator_id", "body_digest"),
    )
    _index("ix_hook_open", "hook", ["id"], "done_at IS NULL", "done_at IS NULL")


def _create_results() -> None:
    op.create_table(
        "tracking",
        sa.Column("broadcast_id", BigId, sa.ForeignKey("broadcast.id"), primary_key=True),
        sa.Column("creator_id", BigId, sa.ForeignKey("creator.id"), nullable=False, index=True),
        sa.Column("next_at", Instant),
        sa.Column("until", Instant, nullable=False),
        sa.Column("asked_at", Instant),
        sa.Column("put_offs", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text()),
    )
    op.create_index("ix_tracking_next", "tracking", ["next_at"])
    op.create_table(
        "figure",
        sa.Column("id", BigId, primary_key=True),
        sa.Column("broadcast_id", BigId, sa.ForeignKey("broadcast.id"), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("recipients", sa.Integer()),
        sa.Column("views", sa.Integer()),
        sa.Column("purchases", sa.Integer()),
        sa.Column("revenue_cents", BigId),
        sa.Column("estimated", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("broadcast_id", "source"),
    )
    op.create_table(
        "sale",
        sa.Column("id", BigId, primary_key=True),
        sa.Column("creator_id", BigId, sa.ForeignKey("creator.id"), nullable=False),
        sa.Column("sale", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("broadcast_id", BigId, sa.ForeignKey("broadcast.id"), index=True),
        sa.Column("message_id", sa.String()),
        sa.Column("fan", sa.String()),
        sa.Column("amount_cents", BigId),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.UniqueConstraint("creator_id", "sale"),
    )
    unbound = "broadcast_id IS NULL"
    _index("ix_sale_unbound", "sale", ["creator_id", "message_id"], unbound, unbound)


def _index(name: str, table: str, columns: list[str], on_postgresql: str, on_sqlite: str) -> None:
    op.create_index(name, table, columns, postgresql_where=sa.text(on_postgresql), sqlite_where=sa.text(on_sqlite))
