"""What Carillon keeps for its platforms beside broadcasts: media on their way, tokens, webhooks, credits.

Rows without behaviour, as in `tables.py`.
"""

from datetime import datetime

from sqlalchemy import Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from carillon.ledger.tables import BigId, Instant


class Upload(SQLModel, table=True):
    """One medium of one account, brought to the platform: a file by its content's hash, or a URL.

    `state`: `waiting`, `sending`, `processing`, `ready`, `failed`. `progress` is the adapter's own JSON, by which an
    upload that was cut goes on; `owner` works on it until `next_at`, when anybody may. `stored` is the hash of what a
    URL led to, where Carillon fetched it. A reference that works once is `single_use`: it is `reserved_for` one
    broadcast, and `used_by` is the attempt that used it. The file itself is kept until `needed_until`.
    """

    __table_args__ = (
        Index("ix_upload_source", "creator_id", "source"),
        Index(
            "ix_upload_open",
            "next_at",
            sqlite_where=text("state IN ('waiting', 'sending', 'processing')"),
            postgresql_where=text("state IN ('waiting', 'sending', 'processing')"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    creator_id: int = Field(sa_type=BigId, foreign_key="creator.id")
    source: str
    name: str
    size: int | None = Field(default=None, sa_type=BigId)
    state: str = "waiting"
    reference: str | None = None
    single_use: bool = False
    used_by: int | None = Field(default=None, sa_type=BigId, foreign_key="attempt.id")
    progress: str = Field(default="{}", sa_type=Text)
    words: str | None = Field(default=None, sa_type=Text)
    tries: int = 0
    next_at: datetime = Field(sa_type=Instant)
    wanted_by: datetime = Field(sa_type=Instant)
    needed_until: datetime = Field(sa_type=Instant)
    owner: str | None = Field(default=None, sa_type=Text)
    stored: str | None = None
    reserved_for: int | None = Field(default=None, sa_type=BigId, foreign_key="broadcast.id")
    reserved_at: datetime | None = Field(default=None, sa_type=Instant)
    uploaded_at: datetime | None = Field(default=None, sa_type=Instant)


class Token(SQLModel, table=True):
    """The tokens of one account, sealed under CARILLON_SECRET_KEY. `generation` counts the pairs.

    A refresh was let go at `sent_at` by `owner`, whose new pair is not here yet. `lost`: only a new login helps.
    `refused` is the generation that the platform turned away before its time was over, and that was renewed for it.
    """

    creator_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="creator.id")
    generation: int = 1
    sealed: str = Field(sa_type=Text)
    expires_at: datetime = Field(sa_type=Instant)
    owner: str | None = None
    sent_at: datetime | None = Field(default=None, sa_type=Instant)
    refused: int | None = None
    lost: str | None = Field(default=None, sa_type=Text)
    stored_at: datetime = Field(sa_type=Instant)


class Hook(SQLModel, table=True):
    """One webhook that was verified and stored; its key and digest stay for ever, so that none counts twice."""

    __table_args__ = (
        UniqueConstraint("creator_id", "delivery"),
        UniqueConstraint("creator_id", "body_digest"),
        Index(
            "ix_hook_open",
            "id",
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    creator_id: int = Field(sa_type=BigId, foreign_key="creator.id")
    platform: str
    delivery: str | None = None
    body_digest: str
    body: str = Field(sa_type=Text)
    received_at: datetime = Field(sa_type=Instant)
    done_at: datetime | None = Field(default=None, sa_type=Instant)
    words: str | None = Field(default=None, sa_type=Text)


class Credit(SQLModel, table=True):
    """What an account's key has used and has left of what its platform counts (OnlyFansAPI: credits).

    `week_used` counts since `week_since`, `last_week_used` in the seven days before that.
    """

    creator_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="creator.id")
    used: int = 0
    balance: int | None = None
    at: datetime = Field(sa_type=Instant)
    week_since: datetime = Field(sa_type=Instant)
    week_used: int = 0
    last_week_used: int | None = None


uploads = SQLModel.metadata.tables["upload"]
tokens = SQLModel.metadata.tables["token"]
hooks = SQLModel.metadata.tables["hook"]
credits_ = SQLModel.metadata.tables["credit"]
