"""What became of broadcasts: figures, sales, and until when they are tracked. Rows without behaviour.

Money is in US cents. What a platform does not say is NULL, never zero.
"""

from datetime import datetime

from sqlalchemy import Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from carillon.ledger.tables import BigId, Instant


class Tracking(SQLModel, table=True):
    """A sent broadcast whose results are collected: when it is asked about next, and until when.

    `next_at` is NULL once nothing more is asked; `words` say why the last question had no answer.
    """

    __table_args__ = (Index("ix_tracking_next", "next_at"),)

    broadcast_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="broadcast.id")
    creator_id: int = Field(sa_type=BigId, foreign_key="creator.id", index=True)
    next_at: datetime | None = Field(default=None, sa_type=Instant)
    until: datetime = Field(sa_type=Instant)
    asked_at: datetime | None = Field(default=None, sa_type=Instant)
    put_offs: int = 0
    words: str | None = Field(default=None, sa_type=Text)


class Figure(SQLModel, table=True):
    """The latest that one source says of one broadcast, and when it was asked."""

    __table_args__ = (UniqueConstraint("broadcast_id", "source"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    broadcast_id: int = Field(sa_type=BigId, foreign_key="broadcast.id")
    source: str
    at: datetime = Field(sa_type=Instant)
    recipients: int | None = None
    views: int | None = None
    purchases: int | None = None
    revenue_cents: int | None = Field(default=None, sa_type=BigId)
    estimated: bool = False


class Sale(SQLModel, table=True):
    """One purchase, tip or refund that a platform told of, by its own id of it, or by who bought what.

    `message_id` is what the platform called the message, of which the broadcast may be known only later.
    """

    __table_args__ = (
        UniqueConstraint("creator_id", "sale"),
        Index(
            "ix_sale_unbound",
            "creator_id",
            "message_id",
            sqlite_where=text("broadcast_id IS NULL"),
            postgresql_where=text("broadcast_id IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    creator_id: int = Field(sa_type=BigId, foreign_key="creator.id")
    sale: str
    kind: str
    broadcast_id: int | None = Field(default=None, sa_type=BigId, foreign_key="broadcast.id", index=True)
    message_id: str | None = None
    fan: str | None = None
    amount_cents: int | None = Field(default=None, sa_type=BigId)
    source: str
    at: datetime = Field(sa_type=Instant)


trackings = SQLModel.metadata.tables["tracking"]
figures = SQLModel.metadata.tables["figure"]
sales = SQLModel.metadata.tables["sale"]
