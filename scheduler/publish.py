"""Which campaigns are in force: the newest row of the ledger's catalogue, fed by the campaign files.

A scheduler publishes what was never published before, or a change that it saw itself while running. So of two
schedulers with different files none takes the other's campaigns away: a stale one follows the ledger and says so.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from carillon import clock
from carillon.campaigns.catalogue import Catalogue
from carillon.campaigns.findings import Finding, any_error
from carillon.campaigns.load import Loaded, unchanged
from carillon.ledger.connect import Ledger
from carillon.ledger.questions import catalogue_content
from carillon.ledger.states import Note
from carillon.ledger.tables import Catalogue as Published
from carillon.platforms.store import Store
from scheduler.edits import Edit, complete_cursors, put_in_force
from scheduler.files import Files
from scheduler.reading import LARGE, read
from scheduler.revise import revise, still_in_force
from scheduler.traces import Trace, traces

log = structlog.get_logger()

_MENDED_SECONDS = 5.0
"""Wrong files that nobody edits are read again no sooner than this: they may name a medium that is being copied."""


class NothingInForceError(Exception):
    """The campaign files are wrong, and none was ever in force."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings


class Publisher:
    """Keeps `catalogue` what the ledger says is in force, and brings edited files into force."""

    def __init__(
        self,
        ledger: Ledger,
        path: Path,
        overridden: frozenset[str],
        who: str,
        published: Callable[[], None] = lambda: None,
        store: Store | None = None,
    ) -> None:
        self._published, self.store = published, store
        self._ledger, self._path, self._overridden, self._who = ledger, path, overridden, who
        self.catalogue: Catalogue | None = None
        self.generation = 0
        self._seen: frozenset[Trace] = frozenset()
        self._settling: frozenset[Trace] = frozenset()
        self._files = Files(ledger, path, who)
        self._wrong: Sequence[Finding] = ()
        self._read_at = clock.ticks()

    def start(self) -> None:
        """Raises NothingInForceError."""
        self._follow()
        self._seen = self._settling = traces(self._path)
        if self.catalogue and unchanged(self._path, self.catalogue, self._overridden):
            self._files.read(self.catalogue.digest)
            return
        loaded = self._read(self._seen)
        if self.catalogue is None and loaded.catalogue is None:
            raise NothingInForceError(loaded.findings)
        self._tell(loaded)
        if loaded.catalogue and (self.catalogue is None or not self._was_published(loaded.catalogue.digest)):
            self._publish(loaded.catalogue)
        self._compare()

    def look(self) -> bool:
        """Follow the ledger and the files; returns whether other campaigns are in force than before."""
        before = self.generation
        self._follow()
        found = traces(self._path)
        if found != self._seen and found == self._settling:
            self._take_change(found)
            self._seen = found
        elif found == self._seen and self._may_be_mended(found):
            self._take_mended(found)
        self._settling = found
        self._compare()
        return self.generation != before

    def _may_be_mended(self, found: frozenset[Trace]) -> bool:
        """By a file that one of them names, and that is there by now. Large folders are read for an edit alone."""
        small = sum(trace.size for trace in found) < LARGE
        return bool(self._wrong) and small and clock.ticks() - self._read_at >= _MENDED_SECONDS

    def _take_change(self, found: frozenset[Trace]) -> None:
        loaded = self._read(found)
        self._tell(loaded)
        if loaded.catalogue:
            self._publish(loaded.catalogue)

    def _take_mended(self, found: frozenset[Trace]) -> None:
        """Nobody edited them, so what was in force once is not put there again."""
        loaded = self._read(found)
        self._tell(loaded)
        if loaded.catalogue and not self._wrong and not self._was_published(loaded.catalogue.digest):
            self._publish(loaded.catalogue)

    def _compare(self) -> None:
        assert self.catalogue is not None
        self._files.compare(self.catalogue.digest, self.generation)

    def _tell(self, loaded: Loaded) -> None:
        wrong = loaded.catalogue is None or any_error(loaded.findings)
        self._files.read(None if wrong or loaded.catalogue is None else loaded.catalogue.digest)
        told, self._wrong = self._wrong, loaded.findings if wrong else []
        if told and told == self._wrong:
            return
        for finding in loaded.findings:
            (log.error if finding.severity == "error" else log.warning)(str(finding))
        if wrong:
            log.error("the campaign files are wrong; what was good before stays in force", path=str(self._path))

    def _read(self, found: frozenset[Trace]) -> Loaded:
        self._read_at = clock.ticks()
        size = sum(trace.size for trace in found)
        return read(self._path, size, self._overridden, self.catalogue, self._content_in_force)

    def _content_in_force(self) -> str | None:
        with self._ledger.read() as session:
            return catalogue_content(session.connection())

    def _follow(self) -> None:
        with self._ledger.read() as session:
            newest = session.exec(select(Published.generation).order_by(col(Published.generation).desc())).first()
            if newest is None or newest == self.generation:
                return
            row = session.get_one(Published, newest)
            content, digest = row.content, row.digest
        self.catalogue, self.generation = Catalogue.restore(content, digest), newest
        self.catalogue.store = self.store
        with self._ledger.write() as connection:
            if still_in_force(connection, newest):
                complete_cursors(connection, self.catalogue, self._note(connection))

    def _note(self, connection: Connection) -> Note:
        return Note(self._ledger.now(connection), self._who, "the campaign files were edited")

    def _was_published(self, digest: str) -> bool:
        with self._ledger.read() as session:
            return session.exec(select(Published).where(Published.digest == digest)).first() is not None

    def _publish(self, catalogue: Catalogue) -> None:
        """Until it is in force; of two that publish at once, the second publishes after the first."""
        while self.catalogue is None or catalogue.digest != self.catalogue.digest:
            edit = Edit.of(catalogue, self.catalogue)
            try:
                with self._ledger.write() as connection:
                    put_in_force(connection, self.generation + 1, edit, self._note(connection))
            except IntegrityError:
                self._follow()
                continue
            self.catalogue, self.generation = catalogue, self.generation + 1
            self.catalogue.store = self.store
            self._published()
            log.info("campaigns in force", generation=self.generation, campaigns=len(catalogue.campaigns))
            revise(self._ledger, catalogue, self.generation, self._who)
