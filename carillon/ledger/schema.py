"""Brings the ledger's database to this version of the code, by Alembic's migrations."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from carillon.ledger.connect import Ledger, LedgerError, unreachable

_MIGRATING = 0x0CA2111


def migrate(ledger: Ledger) -> tuple[str | None, str]:
    """Bring the database up to date; returns the revision before and after. Raises LedgerError."""
    before = revision(ledger)
    newest = _scripts().get_current_head()
    assert newest is not None
    if before is not None and before != newest:
        _refuse_newer(before)
    if before != newest:
        config = _config()
        with ledger.write() as connection:
            if not ledger.embedded:  # of two that migrate at once, the second finds it done
                connection.execute(select(func.pg_advisory_xact_lock(_MIGRATING)))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return before, newest


def require_current(ledger: Ledger) -> None:
    """Raises LedgerError unless the database has this version's tables."""
    found, newest = revision(ledger), _scripts().get_current_head()
    if found == newest:
        return
    if found is not None:
        _refuse_newer(found)
    raise LedgerError("the database is not at this version; run `carillon migrate` first")


def revision(ledger: Ledger) -> str | None:
    """The revision that the database is at, None for an empty one. Raises LedgerError."""
    try:
        with ledger.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except OperationalError as error:
        raise LedgerError(unreachable(ledger, error)) from None


def _refuse_newer(found: str) -> None:
    known = {script.revision for script in _scripts().walk_revisions()}
    if found not in known:
        raise LedgerError(f"the database is at {found}, made by a newer Carillon; nothing was written: update this one")


def _config() -> Config:
    config = Config()
    scripts = str(Path(__file__).parent / "migrations").replace("%", "%%")  # Alembic interpolates it
    config.set_main_option("script_location", scripts)
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
