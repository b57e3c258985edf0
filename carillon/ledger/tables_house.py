"""The installation itself: who it is, and what of its alarms is on the way to people. Rows without behaviour."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from carillon.ledger.tables import BigId, Instant


class Notice(SQLModel, table=True):
    """An alarm on its way to people through one channel, which is named by a digest since its URL holds secrets."""

    __table_args__ = (Index("ix_notice_due", "channel", "sent_at", "next_at"),)

    alarm_id: int = Field(primary_key=True, sa_type=BigId, foreign_key="alarm.id")
    channel: str = Field(primary_key=True)
    tries: int = 0
    next_at: datetime = Field(sa_type=Instant)
    sent_at: datetime | None = Field(default=None, sa_type=Instant)


class Installation(SQLModel, table=True):
    """One row: who this ledger is, and the oldest schema whose code may still work on it."""

    id: str = Field(primary_key=True)
    oldest_revision: str


notices = SQLModel.metadata.tables["notice"]
installations = SQLModel.metadata.tables["installation"]
