"""Uploads for tests: their rows, and a library that answers as told."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select

from carillon import clock
from carillon.ledger.connect import Ledger
from carillon.ledger.tables_media import uploads
from carillon.platforms.parts import Progress, Reference, Source

PHOTO = b"\xff\xd8\xff\xe0" + b"light and shadow " * 9_000


def add_upload(ledger: Ledger, creator_id: int, source: str, **values: Any) -> int:
    now = clock.now()
    row = {
        "creator_id": creator_id,
        "source": source,
        "name": "a.jpg",
        "state": "waiting",
        "single_use": False,
        "progress": "{}",
        "tries": 0,
        "next_at": now,
        "wanted_by": now + timedelta(hours=1),
        "needed_until": now + timedelta(days=30),
    }
    with ledger.write() as connection:
        id_: int = connection.execute(insert(uploads).values({**row, **values}).returning(uploads.c.id)).scalar_one()
        return id_


def all_uploads(ledger: Ledger) -> list[Any]:
    with ledger.read() as session:
        return list(session.execute(select(uploads).order_by(uploads.c.id)))


def states(ledger: Ledger) -> list[tuple[str, str | None]]:
    return [(row.state, row.reference) for row in all_uploads(ledger)]


def about(instant: datetime, seconds: float) -> bool:
    """Whether that is so many seconds from now, within ten."""
    return abs((instant - clock.now()).total_seconds() - seconds) < 10


class Told:
    """A library: each call is answered by the next thing told, or by `then` for ever."""

    most_bytes: int | None = None

    def __init__(self) -> None:
        self.answers: list[Reference | Exception | Callable[..., Reference | None]] = []
        self.then = Reference("m1", "ready")
        self.calls: list[tuple[str, object]] = []
        self.kept: list[Mapping[str, object]] = []
        self.fetches = False

    def upload(self, _client: object, _account: object, source: Source, progress: Progress) -> Reference:
        content = b"".join(source.read(0, source.size))
        self.calls.append(("upload", (source.name, source.mime, content)))
        self.kept.append(dict(progress.kept))
        return self._next(source, progress)

    def upload_url(self, _client: object, _account: object, url: str, progress: Progress) -> Reference | None:
        self.calls.append(("upload_url", url))
        return self._next(url, progress) if self.fetches else None

    def uploaded(self, _client: object, _account: object, reference: Reference, progress: Progress) -> Reference:
        self.calls.append(("uploaded", reference.id))
        return self._next(reference, progress)

    def _next(self, subject: object, progress: Progress) -> Reference:
        answer = self.answers.pop(0) if self.answers else self.then
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Reference):
            return answer
        found = answer(subject, progress)
        assert found is not None
        return found
