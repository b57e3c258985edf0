"""The hold of one upload: this process alone works on it, for as long as it lives and says so."""

import json
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import structlog
from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError

from carillon.ledger import uploading
from carillon.ledger.connect import Ledger
from carillon.ledger.owners import this_process

log = structlog.get_logger()


class LetGoError(Exception):
    """This process stops, or somebody else has the upload by now."""


class Holding:
    """It is also the upload's `Progress`: what was reached is stored before it goes on."""

    def __init__(self, ledger: Ledger, row: Row[Any], owner: str, stopping: threading.Event) -> None:
        self.row, self.owner = row, owner
        self.key: str = row.key
        self.kept: Mapping[str, object] = json.loads(row.progress)
        self._ledger, self._stopping = ledger, stopping
        self._over, self._lost = threading.Event(), threading.Event()

    @classmethod
    @contextmanager
    def of(cls, ledger: Ledger, upload_id: int, stopping: threading.Event) -> Iterator[Self | None]:
        """None if there is nothing to do, or somebody else is at it. What is let go of is free at once."""
        process = this_process()
        owner = json.dumps([process.host, process.pid, process.birth, uuid.uuid4().hex])
        with ledger.write() as connection:
            row = uploading.take(connection, upload_id, owner, ledger.now(connection))
        if row is None:
            yield None
            return
        holding = cls(ledger, row, owner, stopping)
        beating = threading.Thread(target=holding._stay, name=f"holds upload {upload_id}", daemon=True)
        beating.start()
        try:
            yield holding
        finally:
            holding._over.set()
            beating.join()
        with ledger.write() as connection:
            uploading.release(connection, owner, ledger.now(connection))  # unless it has ended, or was put off

    def keep(self, **reached: object) -> None:
        """Raises LetGoError."""
        self.kept = {**self.kept, **reached}
        self.note(progress=json.dumps(self.kept))

    def note(self, **values: object) -> None:
        """Write columns of the upload. Raises LetGoError."""
        with self._ledger.write() as connection:
            mine = uploading.keep(connection, self.owner, self._ledger.now(connection), **values)
        if not mine:
            self._lost.set()
        self.check()

    def watched(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same, as long as it is held. Raises LetGoError."""
        for piece in pieces:
            self.check()
            yield piece

    def check(self) -> None:
        """Raises LetGoError."""
        if self._lost.is_set() or self._stopping.is_set():
            raise LetGoError

    def _stay(self) -> None:
        while not self._over.wait(uploading.LEASE.total_seconds() / 4):
            try:
                with self._ledger.write() as connection:
                    mine = uploading.keep(connection, self.owner, self._ledger.now(connection))
            except SQLAlchemyError:  # the lease is long enough for the next time
                continue
            if not mine:
                self._lost.set()
                return
