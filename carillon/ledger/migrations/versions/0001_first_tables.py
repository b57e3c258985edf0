"""First tables"""

import uuid

import sqlalchemy as sa
from alembic import op

from carillon.ledger.tables import BigId, Instant

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "beat",
        sa.Column("process", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("host_at", Instant(), nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("left_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("process"),
    )
    op.create_index(op.f("ix_beat_at"), "beat", ["at"], unique=False)
    op.create_table(
        "catalogue",
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("published_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("generation"),
    )
    op.create_index(op.f("ix_catalogue_digest"), "catalogue", ["digest"], unique=False)
    op.create_table(
        "creator",
        sa.Column("id", BigId, nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=True),
        sa.Column("credentials", sa.String(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=True),
        sa.Column("quiet_hours", sa.String(), nullable=True),
        sa.Column("limit_count", sa.Integer(), nullable=False),
        sa.Column("limit_seconds", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("cool_down_until", Instant(), nullable=True),
        sa.Column("throttled_in_a_row", sa.Integer(), nullable=False),
        sa.Column("stopped_at", Instant(), nullable=True),
        sa.Column("stopped_reason", sa.String(), nullable=True),
        sa.Column("stopped_credential", sa.String(), nullable=True),
        sa.Column("wake_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("platform", "account"),
    )
    op.create_index(op.f("ix_creator_key"), "creator", ["key"], unique=False)
    op.create_index(op.f("ix_creator_wake_at"), "creator", ["wake_at"], unique=False)
    op.create_table(
        "installation",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("oldest_revision", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "pause",
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("level", "target"),
    )
    op.create_table(
        "broadcast",
        sa.Column("id", BigId, nullable=False),
        sa.Column("campaign", sa.String(), nullable=False),
        sa.Column("creator", sa.String(), nullable=False),
        sa.Column("creator_id", BigId, nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("occurrence", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("expires_after", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("overlap", sa.String(), nullable=False),
        sa.Column("catch_up", sa.String(), nullable=False),
        sa.Column("on_unknown", sa.String(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("content_digest", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("waiting_for", sa.String(), nullable=True),
        sa.Column("not_before", Instant(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("put_offs", sa.Integer(), nullable=False),
        sa.Column("hand_offs", sa.Integer(), nullable=False),
        sa.Column("hand_off_at", Instant(), nullable=True),
        sa.Column("platform_message_id", sa.String(), nullable=True),
        sa.Column("recipient_count", sa.Integer(), nullable=True),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("delivery", sa.String(), nullable=True),
        sa.Column("state_since", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["creator_id"], ["creator.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("campaign", "creator_id", "part", "occurrence"),
        sa.UniqueConstraint("creator_id", "platform_message_id"),
    )
    op.create_index("ix_broadcast_account", "broadcast", ["creator_id", "state", "due_at"], unique=False)
    op.create_index("ix_broadcast_due", "broadcast", ["due_at"], unique=False)
    op.create_index("ix_broadcast_expiry", "broadcast", ["state", "expires_at"], unique=False)
    op.create_index("ix_broadcast_overlap", "broadcast", ["creator_id", "campaign", "state", "due_at"], unique=False)
    op.create_index("ix_broadcast_pair", "broadcast", ["campaign", "creator_id", "day"], unique=False)
    op.create_index("ix_broadcast_same", "broadcast", ["creator_id", "content_digest", "state_since"], unique=False)
    op.create_table(
        "cursor",
        sa.Column("campaign", sa.String(), nullable=False),
        sa.Column("creator_id", BigId, nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("planned_until", Instant(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["creator_id"], ["creator.id"]),
        sa.PrimaryKeyConstraint("campaign", "creator_id"),
    )
    op.create_table(
        "alarm",
        sa.Column("id", BigId, nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("broadcast_id", BigId, nullable=True),
        sa.Column("creator_id", BigId, nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("raised_at", Instant(), nullable=False),
        sa.Column("told_at", Instant(), nullable=True),
        sa.Column("cleared_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["broadcast_id"], ["broadcast.id"]),
        sa.ForeignKeyConstraint(["creator_id"], ["creator.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_alarm_cleared", "alarm", ["cleared_at"], unique=False)
    op.create_index(
        "ix_alarm_open",
        "alarm",
        ["cause"],
        unique=True,
        sqlite_where=sa.text("cleared_at IS NULL"),
        postgresql_where=sa.text("cleared_at IS NULL"),
    )
    op.create_index("ix_alarm_told", "alarm", ["told_at"], unique=False)
    op.create_table(
        "attempt",
        sa.Column("id", BigId, nullable=False),
        sa.Column("broadcast_id", BigId, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("process_birth", sa.String(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("lease_until", Instant(), nullable=False),
        sa.Column("timeout_seconds", sa.Float(), nullable=False),
        sa.Column("request_digest", sa.String(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("latency_ms", sa.Integer(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["broadcast_id"], ["broadcast.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token"),
    )
    op.create_index(op.f("ix_attempt_broadcast_id"), "attempt", ["broadcast_id"], unique=False)
    op.create_table(
        "event",
        sa.Column("id", BigId, nullable=False),
        sa.Column("broadcast_id", BigId, nullable=True),
        sa.Column("creator_id", BigId, nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("target", sa.String(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["broadcast_id"], ["broadcast.id"]),
        sa.ForeignKeyConstraint(["creator_id"], ["creator.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_event_broadcast_id"), "event", ["broadcast_id"], unique=False)
    op.create_table(
        "notice",
        sa.Column("alarm_id", BigId, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarm.id"]),
        sa.PrimaryKeyConstraint("alarm_id", "channel"),
    )
    op.create_index("ix_notice_due", "notice", ["channel", "sent_at", "next_at"], unique=False)
    op.create_table(
        "slot",
        sa.Column("attempt_id", BigId, nullable=False),
        sa.Column("creator_id", BigId, nullable=False),
        sa.Column("taken_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"]),
        sa.ForeignKeyConstraint(["creator_id"], ["creator.id"]),
        sa.PrimaryKeyConstraint("attempt_id"),
    )
    op.create_index("ix_slot_account", "slot", ["creator_id", "ended_at"], unique=False)
    _forbid_changing_events()
    _name_this_ledger()


def _forbid_changing_events() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER event_keeps_{deed.lower()} BEFORE {deed} ON event "
                "BEGIN SELECT RAISE(ABORT, 'events are never changed'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION event_keeps() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'events are never changed'; END $$"
    )
    op.execute(
        "CREATE TRIGGER event_keeps BEFORE UPDATE OR DELETE ON event FOR EACH ROW EXECUTE FUNCTION event_keeps()"
    )


def _name_this_ledger() -> None:
    name = sa.table("installation", sa.column("id"), sa.column("oldest_revision"))
    op.execute(name.insert().values(id=uuid.uuid4().hex, oldest_revision=revision))
