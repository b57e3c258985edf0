"""Opens the ledger: where there is one already for those who ask, and for those who decide in any case."""

import getpass
import os
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from carillon.ledger import schema
from carillon.ledger.connect import Ledger, LedgerError
from carillon.settings import Settings
from console.printing import line


def ledger_to_read(settings: Settings) -> Ledger | None:
    """None before the first start: asking never makes a file. Raises LedgerError."""
    if not _begun(settings):
        return None
    ledger = connect(settings)
    if ledger.embedded and schema.revision(ledger) is None:
        ledger.close()
        return None
    schema.require_current(ledger)
    return ledger


def ledger_to_write(settings: Settings) -> Ledger:
    """Made by the first word that must be kept, as `up` would make it. Raises LedgerError."""
    ledger = connect(settings)
    if ledger.embedded and schema.revision(ledger) is None:
        schema.migrate(ledger)
    schema.require_current(ledger)
    ledger.prove_durable()
    return ledger


def connect(settings: Settings) -> Ledger:
    """Raises LedgerError for a URL that is none; never repeats it, since it may hold a password."""
    try:
        return Ledger(settings.database)
    except (ArgumentError, ValueError):
        raise LedgerError("CARILLON_DATABASE_URL is not a database's URL: postgresql://USER@HOST/NAME") from None


def _begun(settings: Settings) -> bool:
    try:
        url = make_url(settings.database)
    except (ArgumentError, ValueError):
        return True
    return url.get_backend_name() != "sqlite" or not url.database or Path(url.database).exists()


def person() -> str:
    """Who decides, for the ledger's events."""
    try:
        return f"person:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"person:{os.getuid()}"


def migrate(settings: Settings, after: bool) -> int:
    """Raises LedgerError for a database that this version may not work on, and beside processes in the way."""
    with closing(connect(settings)) as ledger:
        if ledger.embedded and schema.waiting(ledger) and _up_runs(settings.home):
            raise LedgerError(f"an older `carillon up` runs on {settings.home}: stop it, and start this version's")
        before, now = schema.migrate(ledger, after=after)
        left = len(schema.waiting(ledger))
    if now > schema.newest():
        line(f"the database is at {now}, made by a newer Carillon that lets this one work on it; nothing to do")
    else:
        line(f"the database is at {now}" + ("" if before == now else f", it was {before or 'empty'}"))
    if left:
        count = "1 migration waits" if left == 1 else f"{left} migrations wait"
        line(f"{count} until no older process runs: carillon migrate --after")
    return 0


def _up_runs(home: Path) -> bool:
    from console.up import is_running  # which loads scheduler and worker

    return is_running(home)
