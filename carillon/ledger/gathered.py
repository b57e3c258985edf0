"""Small writes of several threads in one transaction of SQLite: one commit, and one sync of the disk, serves them all.

Whoever gets to write does so for all that wait; each goes on once its own is committed. What fails before the commit
is undone for all, and each is written alone then: what is wrong with one concerns no other.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class Gathered:
    """Safe among threads. `transaction` gives a cursor, and commits at its end."""

    def __init__(
        self, transaction: Callable[[], AbstractContextManager[Any]], one_writer: AbstractContextManager[object]
    ) -> None:
        self._transaction, self._one_writer = transaction, one_writer
        self._waiting: deque[_Write[Any]] = deque()

    def write(self, run: Callable[[Any], T]) -> T:
        """What `run` gives for a cursor, once it is committed; nothing is left of a first run if there is a second."""
        mine = _Write(run)
        self._waiting.append(mine)
        with self._one_writer:
            if not mine.ended:
                self._carry_out([self._waiting.popleft() for _ in range(len(self._waiting))])
        return mine.outcome()

    def _carry_out(self, writes: Sequence["_Write[Any]"]) -> None:
        found: list[Any] = []
        try:
            with self._transaction() as cursor:
                found += [write.run(cursor) for write in writes]
        except BaseException as error:  # noqa: BLE001  each is told by the thread whose write it is
            if found or len(writes) == 1:  # once all have run it is the commit, and what became of it is in doubt
                _end(writes, [None] * len(writes), error)
                return
            for write in writes:
                self._carry_out([write])
        else:
            _end(writes, found, None)


class _Write(Generic[T]):
    """Of one thread; somebody else may carry it out."""

    def __init__(self, run: Callable[[Any], T]) -> None:
        self.run, self.ended = run, False
        self.found: T | None = None
        self.error: BaseException | None = None

    def outcome(self) -> T:
        if self.error is not None:
            raise self.error
        return cast("T", self.found)


def _end(writes: Sequence[_Write[Any]], found: Iterable[Any], error: BaseException | None) -> None:
    for write, its in zip(writes, found, strict=True):
        write.found, write.error, write.ended = its, error, True
