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
    upload that was cut goes on. A reference that works once is `single_use`; `used_by` is the attempt that used it.
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
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    uploaded_at: datetime | None = Field(default=None, sa_type=Instant)


class Token(SQLModel, table=True):
    """The tokens of one account, sealed under CARILLON_SECRET_KEY. `generation` counts the pairs.

    `sent_at`: a refresh was let go by `owner` and its new pair is not here yet. `lost`: only a new login helps.
    """

    creator_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="creator.id")
    generation: int = 1
    sealed: str = Field(sa_type=Text)
    expires_at: datetime = Field(sa_type=Instant)
    owner: str | None = None
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    sent_at: datetime | None = Field(default=None, sa_type=Instant)
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
    """What an account's key has used and has left of what its platform counts (OnlyFansAPI: credits)."""

    creator_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="creator.id")
    used: int = 0
    balance: int | None = None
    at: datetime = Field(sa_type=Instant)


uploads = SQLModel.metadata.tables["upload"]
tokens = SQLModel.metadata.tables["token"]
hooks = SQLModel.metadata.tables["hook"]
credits_ = SQLModel.metadata.tables["credit"]
