"""The ledger's rows, without behaviour. Instants are UTC, money is in cents, text ids are the platform's own.

`creator` rows stand for platform accounts: limits, stops and slots follow the account, even when its name
in the file changes. `broadcast.state` is changed by `states.move` alone.
The send path uses the plain tables at the end, everything else the classes.
"""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import BigInteger, Date, DateTime, Dialect, Index, Integer, Text, UniqueConstraint, false, text
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

BigId = BigInteger().with_variant(Integer, "sqlite")


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite keeps it as sortable text."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        assert value is None or value.tzinfo is not None, "an instant needs its zone"
        return value and value.astimezone(UTC)

    def process_result_value(self, value: Any, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        instant: datetime = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return instant


def _of_those(which: str, name: str, *columns: Any, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=text(which), postgresql_where=text(which))


class Catalogue(SQLModel, table=True):
    """The campaign files' content that came into force; the highest generation is in force."""

    generation: int | None = Field(default=None, primary_key=True)
    digest: str = Field(index=True)
    content: str = Field(sa_type=Text)
    published_at: datetime = Field(sa_type=Instant)


class Creator(SQLModel, table=True):
    """One platform account with everything that must be live when a broadcast is claimed."""

    __table_args__ = (UniqueConstraint("platform", "account"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    platform: str
    account: str
    key: str = Field(index=True)
    name: str
    account_id: str | None = None
    credentials: str
    timezone: str | None = None
    quiet_hours: str | None = None
    limit_count: int
    limit_seconds: int
    enabled: bool = True
    cool_down_until: datetime | None = Field(default=None, sa_type=Instant)
    throttled_in_a_row: int = 0
    stopped_at: datetime | None = Field(default=None, sa_type=Instant)
    stopped_reason: str | None = None
    stopped_credential: str | None = None
    webhook_secret: str | None = None
    wake_at: datetime | None = Field(default=None, sa_type=Instant, index=True)


class Pause(SQLModel, table=True):
    """A person's word that nothing new is claimed: for `all`, a `platform`, a `creator` or a `campaign`."""

    level: str = Field(primary_key=True)
    target: str = Field(primary_key=True)
    since: datetime = Field(sa_type=Instant)
    who: str
    reason: str | None = None


class Cursor(SQLModel, table=True):
    """How far a campaign is planned for an account, and from when its present schedule counts.

    `revision` is empty once the campaign is withdrawn. `edited`: an edit of the files concerns what is planned of it,
    and is still to be applied.
    """

    __table_args__ = (
        _of_those("revision <> ''", "ix_cursor_behind", "planned_until"),
        Index("ix_cursor_edited", "creator_id", sqlite_where=text("edited = 1"), postgresql_where=text("edited")),
    )

    campaign: str = Field(primary_key=True)
    creator_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="creator.id")
    revision: str
    since: datetime = Field(sa_type=Instant)
    planned_until: datetime = Field(sa_type=Instant)
    number: int = 0
    edited: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


_ACTIVE = "state IN ('planned', 'queued', 'sending', 'unknown')"
_REACHED = "state IN ('sending', 'unknown', 'sent', 'placed', 'unsent', 'held')"


class Broadcast(SQLModel, table=True):
    """One mass message of one creator for one occurrence.

    Where the platform keeps the time (`scheduled_by: platform`), `goes_at` is when it is due there, and `due_at` from
    when Carillon may place it. A `placed` one that is to change has a `wish`: `withdraw`, or `replace` by what is
    `wished`. `labels` is a JSON list.
    """

    __table_args__ = (
        UniqueConstraint("campaign", "creator_id", "part", "occurrence"),
        UniqueConstraint("creator_id", "platform_message_id"),
        Index("ix_broadcast_account", "creator_id", "state", "due_at"),
        _of_those(_REACHED, "ix_broadcast_day", "campaign", "creator_id", "day"),
        _of_those(_REACHED, "ix_broadcast_said", "creator_id", "content_digest", "state_since"),
        _of_those(_ACTIVE, "ix_broadcast_active", "creator_id", "campaign", "due_at"),
        Index("ix_broadcast_expiry", "state", "expires_at"),
        Index("ix_broadcast_due", "due_at"),
        _of_those("state = 'planned' AND not_before IS NOT NULL", "ix_broadcast_again", "creator_id", "not_before"),
        _of_those("state = 'planned' AND overlap = 'skip'", "ix_broadcast_skip", "creator_id", "due_at"),
        _of_those("state = 'planned' AND kind = 'send'", "ix_broadcast_own", "creator_id"),
        _of_those("state = 'placed'", "ix_broadcast_placed", "goes_at"),
        _of_those("state = 'placed'", "ix_broadcast_follow", "hand_off_at"),
        Index(
            "ix_broadcast_untracked",
            "state",
            "state_since",
            sqlite_where=text("state = 'sent' AND tracked = 0"),
            postgresql_where=text("state = 'sent' AND NOT tracked"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    campaign: str
    creator: str
    creator_id: int = Field(sa_type=BigId, foreign_key="creator.id")
    platform: str
    part: str = "main"
    kind: str
    occurrence: str
    number: int = 1
    day: date = Field(sa_type=Date)
    revision: str
    due_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    expires_after: int
    priority: int = 0
    overlap: str = "queue"
    catch_up: str = "latest"
    on_unknown: str = "hold"
    content: str = Field(sa_type=Text)
    content_digest: str
    state: str = "planned"
    version: int = 1
    waiting_for: str | None = "time"
    not_before: datetime | None = Field(default=None, sa_type=Instant)
    reason: str | None = Field(default=None, sa_type=Text)
    attempts: int = 0
    put_offs: int = 0
    hand_offs: int = 0
    hand_off_at: datetime | None = Field(default=None, sa_type=Instant)
    platform_message_id: str | None = None
    recipient_count: int | None = None
    sent_at: datetime | None = Field(default=None, sa_type=Instant)
    delivery: str | None = None
    state_since: datetime = Field(sa_type=Instant)
    goes_at: datetime | None = Field(default=None, sa_type=Instant)
    labels: str | None = Field(default=None, sa_type=Text)
    wish: str | None = None
    wished: str | None = Field(default=None, sa_type=Text)
    tracked: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class Attempt(SQLModel, table=True):
    """One HTTP request made, or about to be made, for a broadcast. Its lease says until when it may start.

    `baseline` has the ids of the messages that the platform showed before it, as a JSON list.
    """

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    broadcast_id: int = Field(sa_type=BigId, foreign_key="broadcast.id", index=True)
    number: int
    token: str = Field(unique=True)
    host: str
    pid: int
    process_birth: str
    started_at: datetime = Field(sa_type=Instant)
    lease_until: datetime = Field(sa_type=Instant)
    timeout_seconds: float
    request_digest: str
    baseline: str | None = Field(default=None, sa_type=Text)
    finished_at: datetime | None = Field(default=None, sa_type=Instant)
    latency_ms: int | None = None
    status: int | None = None
    verdict: str | None = None
    words: str | None = Field(default=None, sa_type=Text)


class Lookup(SQLModel, table=True):
    """One look at what the platform has, to settle an unknown outcome. `seen` is for the person who decides.

    `clean`: it was complete, and showed nothing new that might be the broadcast.
    """

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    attempt_id: int = Field(sa_type=BigId, foreign_key="attempt.id", index=True)
    began_at: datetime = Field(sa_type=Instant)
    clean: bool
    words: str = Field(sa_type=Text)
    seen: str = Field(sa_type=Text)


class Slot(SQLModel, table=True):
    """One of the broadcasts that an account may send in a window; the exact log behind the limit.

    It frees one window after `ended_at`, the end of its request; until that is known `ended_at` is the latest
    instant at which the request can have ended. One that is placed counts from `counts_from` on, a window before it
    is due.
    """

    __table_args__ = (Index("ix_slot_account", "creator_id", "ended_at"),)

    attempt_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="attempt.id")
    creator_id: int = Field(sa_type=BigId, foreign_key="creator.id")
    taken_at: datetime = Field(sa_type=Instant)
    ended_at: datetime = Field(sa_type=Instant)
    counts_from: datetime | None = Field(default=None, sa_type=Instant)


class Event(SQLModel, table=True):
    """What happened, for ever: events are never changed or deleted (a trigger sees to it)."""

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    broadcast_id: int | None = Field(default=None, sa_type=BigId, foreign_key="broadcast.id", index=True)
    creator_id: int | None = Field(default=None, sa_type=BigId, foreign_key="creator.id")
    at: datetime = Field(sa_type=Instant)
    source: str | None = None
    target: str | None = None
    why: str = Field(sa_type=Text)
    who: str


class Alarm(SQLModel, table=True):
    """Something that a person should know; open until `cleared_at`, written to the log at `told_at`."""

    __table_args__ = (
        _of_those("cleared_at IS NULL", "ix_alarm_open", "cause", unique=True),
        Index("ix_alarm_cleared", "cleared_at"),
        Index("ix_alarm_told", "told_at"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    cause: str
    broadcast_id: int | None = Field(default=None, sa_type=BigId, foreign_key="broadcast.id")
    creator_id: int | None = Field(default=None, sa_type=BigId, foreign_key="creator.id")
    message: str = Field(sa_type=Text)
    raised_at: datetime = Field(sa_type=Instant)
    told_at: datetime | None = Field(default=None, sa_type=Instant)
    cleared_at: datetime | None = Field(default=None, sa_type=Instant)


class Beat(SQLModel, table=True):
    """When a process was last alive: what fell due while no scheduler beat for a minute was missed.

    `host_at` is that moment by its host's own clock, `revision` the schema that its code was made for.
    """

    process: str = Field(primary_key=True)
    role: str
    at: datetime = Field(sa_type=Instant, index=True)
    host: str
    host_at: datetime = Field(sa_type=Instant)
    revision: str
    left_at: datetime | None = Field(default=None, sa_type=Instant)


broadcasts = SQLModel.metadata.tables["broadcast"]
creators = SQLModel.metadata.tables["creator"]
attempts = SQLModel.metadata.tables["attempt"]
slots = SQLModel.metadata.tables["slot"]
events = SQLModel.metadata.tables["event"]
alarms = SQLModel.metadata.tables["alarm"]
pauses = SQLModel.metadata.tables["pause"]
cursors = SQLModel.metadata.tables["cursor"]
catalogues = SQLModel.metadata.tables["catalogue"]
beats = SQLModel.metadata.tables["beat"]
lookups = SQLModel.metadata.tables["lookup"]

_IN_ORDER = (broadcasts.c.priority.desc(), broadcasts.c.expires_at, broadcasts.c.due_at, broadcasts.c.id)
_of_those("state = 'planned'", "ix_broadcast_next", broadcasts.c.creator_id, *_IN_ORDER)
