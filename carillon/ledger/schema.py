"""Brings the ledger's database to this version of the code, by Alembic's migrations.

Code of one release runs beside that of the release before: each migration `runs` before the code that needs it, and
takes away nothing that older code uses, or it waits until no such code runs; `oldest` says whose code may still work
on the database then, by the schema which that code was made for. Revisions are numbers, so they compare as text, and
the name of each migration's file begins with its own.

A daemon on a database that is at this version needs no Alembic: 7 MB that are not imported.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, column, func, inspect, select, table, update
from sqlalchemy.exc import OperationalError

from carillon.ledger.connect import Ledger, LedgerError, WrongSchemaError, unreachable
from carillon.ledger.tables import beats
from carillon.ledger.tables_house import installations

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import Script

_MIGRATIONS = Path(__file__).parent / "migrations"
_AT = table("alembic_version", column("version_num"))
_MIGRATING = 0x0CA2111
_GAVE_WAY = ("55P03", "40P01")
"""What PostgreSQL calls a lock that was not to be had in time, and a deadlock."""


class Step(NamedTuple):
    """One migration: whether it waits until no older code runs, and the oldest code that may work on what it leaves."""

    revision: str
    waits: bool
    oldest: str


def newest() -> str:
    """The schema that this code was made for."""
    return _newest(_MIGRATIONS)


def migrate(ledger: Ledger, *, after: bool = False) -> tuple[str | None, str]:
    """Run what this code needs, with `after` also what waits; returns the revision before and after.

    SQLite gets all at once, since one process has it for itself, and so does an empty database. One that newer code
    made stays as it is, if this code may work on it. Raises LedgerError.
    """
    with _migrating(ledger) as connection:
        found = _revision(connection)
        pending = _pending(connection, found)
        due = pending if after or ledger.embedded or found is None else _due(pending)
        if not due:
            assert found is not None
            return found, found
        if found is not None and not ledger.embedded:
            _refuse_beside_older(ledger, connection, due[-1].oldest)
        _run(connection, due[-1])
        return found, due[-1].revision


def require_current(ledger: Ledger) -> None:
    """Raises LedgerError unless this code may work on the database as it is."""
    with _asking(ledger) as connection:
        pending = _pending(connection, _revision(connection))
    if _due(pending):
        raise WrongSchemaError("the database is not at this version; run `carillon migrate` first")


def waiting(ledger: Ledger) -> tuple[str, ...]:
    """The migrations that this code knows and that were not run, oldest first. Raises LedgerError."""
    with _asking(ledger) as connection:
        return tuple(step.revision for step in _pending(connection, _revision(connection)))


def revision(ledger: Ledger) -> str | None:
    """The revision that the database is at, None for an empty one. Raises LedgerError."""
    with _asking(ledger) as connection:
        return _revision(connection)


@contextmanager
def _asking(ledger: Ledger) -> Iterator[Connection]:
    try:
        with ledger.engine.connect() as connection:
            yield connection
    except OperationalError as error:
        raise LedgerError(unreachable(ledger, error)) from None


@contextmanager
def _migrating(ledger: Ledger) -> Iterator[Connection]:
    """A transaction beside which nobody migrates: who comes second looks when the first is done."""
    try:
        with ledger.write() as connection:
            if not ledger.embedded:
                connection.execute(select(func.pg_advisory_xact_lock(_MIGRATING)))
            yield connection
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) in _GAVE_WAY:
            raise LedgerError("others use what is to be migrated; nothing was written: try again in a moment") from None
        raise LedgerError(unreachable(ledger, error)) from None


@cache
def _newest(folder: Path) -> str:
    return max(file.name.partition("_")[0] for file in (folder / "versions").glob("[0-9]*.py"))


def _revision(connection: Connection) -> str | None:
    """As Alembic keeps it."""
    if not inspect(connection).has_table(_AT.name):
        return None
    found: str | None = connection.scalar(select(_AT.c.version_num))
    return found


def _pending(connection: Connection, found: str | None) -> Sequence[Step]:
    """Those of this code's migrations that the database lacks; none on a newer one that lets this code work."""
    if found == newest():
        return ()
    line = _line(_MIGRATIONS)
    if found is None:
        return line
    known = [step.revision for step in line]
    if found in known:
        return line[known.index(found) + 1 :]
    if found < newest() or not _lets_this_code_work(connection):
        raise WrongSchemaError(
            f"the database is at {found}, made by a newer Carillon; nothing was written: update this one"
        )
    return ()


def _lets_this_code_work(connection: Connection) -> bool:
    if not inspect(connection).has_table(installations.name):
        return False
    oldest: str | None = connection.scalar(select(installations.c.oldest_revision))
    return oldest is not None and oldest <= newest()


def _due(pending: Sequence[Step]) -> Sequence[Step]:
    """Up to the last that the code needs: one that waits and stands before it is of an older release."""
    needed = [place for place, step in enumerate(pending, 1) if not step.waits]
    return pending[: max(needed, default=0)]


def _refuse_beside_older(ledger: Ledger, connection: Connection, oldest: str) -> None:
    # Only columns that the first release had: the table may be older than this code.
    from carillon.ledger.beats import living  # which imports this file

    columns = (beats.c.process, beats.c.revision)
    alive = connection.execute(select(*columns).where(living(ledger.now(connection))).order_by(beats.c.process))
    older = ", ".join(process for process, made_for in alive if made_for < oldest)
    if older:
        raise LedgerError(
            f"older processes still run: {older}; nothing was written: stop or update them first "
            "(one that was killed counts for 30 s more)"
        )


def _run(connection: Connection, last: Step) -> None:
    from alembic import command

    config = _config(_MIGRATIONS)
    config.attributes["connection"] = connection
    command.upgrade(config, last.revision)
    connection.execute(update(installations).values(oldest_revision=last.oldest))


@cache
def _line(folder: Path) -> tuple[Step, ...]:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_config(folder)).walk_revisions()
    return tuple(_step(script) for script in reversed(list(scripts)))


def _step(script: "Script") -> Step:
    if script.down_revision is None:  # no code is older than the first tables
        return Step(script.revision, waits=False, oldest=script.revision)
    return Step(script.revision, waits=script.module.runs == "after", oldest=script.module.oldest)


def _config(folder: Path) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))  # Alembic interpolates it
    return config
