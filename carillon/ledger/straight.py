"""The send path's connections: the driver's own, so that a statement costs a round trip and little else.

Nobody asks first whether one still lives. Each job begins with a read, which finds out and is asked again; what was
being written on a connection that broke is in doubt, and who wrote it must treat it so.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any

from sqlalchemy import Engine, exc

MOST = 16
"""Of one process, beside the engine's own: they are held for a millisecond, and PostgreSQL's are few."""

_PATIENCE_SECONDS = 30.0


class Straight:
    """Safe among threads. What goes wrong is raised as SQLAlchemy's errors, and closes whatever rests here."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        driver: Any = engine.dialect.loaded_dbapi
        self._error: type[Exception] = driver.Error
        self._resting: deque[Any] = deque()
        self._places = BoundedSemaphore(MOST)

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """Each statement is a transaction of its own; whoever asks a question reads all of its answer."""
        if not self._places.acquire(timeout=_PATIENCE_SECONDS):
            raise exc.TimeoutError("all connections to the database hang")
        try:
            with self._taken() as cursor:
                yield cursor
        except self._error as error:
            raise exc.DBAPIError.instance(None, None, error, self._error, hide_parameters=True) from None
        finally:
            self._places.release()

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """On SQLite alone: one that holds the write lock from its start, and is committed at the end."""
        with self.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            yield cursor
            cursor.connection.commit()

    def close(self) -> None:
        """Close those that rest; new ones are opened when they are needed."""
        while True:
            try:
                self._resting.pop().connection.close()
            except IndexError:
                return

    @contextmanager
    def _taken(self) -> Iterator[Any]:
        try:
            cursor = self._resting.pop()
        except IndexError:
            cursor = self._open()
        try:
            yield cursor
        except BaseException:
            cursor.close()  # or SQLite keeps the connection, and its lock, for as long as somebody has the error
            cursor.connection.close()  # whatever was begun on it is undone
            self.close()
            raise
        self._resting.append(cursor)

    def _open(self) -> Any:
        pooled = self._engine.raw_connection()
        connection: Any = pooled.driver_connection
        pooled.detach()
        if self._engine.dialect.name != "postgresql":
            return connection.cursor()
        connection.autocommit = True
        connection.prepare_threshold = 0  # at once, since few statements come here, and those for ever
        return connection.cursor(binary=True)
