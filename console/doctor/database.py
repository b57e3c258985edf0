"""The ledger's database: can it be reached, does it keep what was committed, is it at this version."""

from collections.abc import Iterator

from sqlalchemy import column, func, select, table

from carillon.campaigns.catalogue import Catalogue
from carillon.ledger import schema
from carillon.ledger.connect import Ledger, LedgerError
from carillon.ledger.questions import catalogue_content
from carillon.ledger.tables import creators
from console.doctor import home
from console.doctor.findings import Finding, of_error
from console.doctor.patient import Patient, account
from console.opening import connect

_CHECK = "database"
_SHOWN = (
    "server_version",
    "synchronous_commit",
    "fsync",
    "full_page_writes",
    "transaction_read_only",
    "server_encoding",
    "max_connections",
    "superuser_reserved_connections",
)
_NEARLY_ALL = 0.8


def check(patient: Patient) -> Iterator[Finding]:
    if patient.embedded:
        file = patient.ledger_file
        if file is None:
            mend = "unset CARILLON_DATABASE_URL, or name a file: sqlite:////PATH/carillon.db"
            yield Finding(_CHECK, "error", "this SQLite has no file, and forgets everything", mend)
            return
        yield from home.check_folder(file)
        if not file.exists():
            yield Finding(_CHECK, "note", f"there is no ledger at {file} yet; the first `carillon up` makes it")
            return
        yield from home.check_file(file)
    ledger = connect(patient.settings)
    try:
        yield from _embedded(ledger) if ledger.embedded else _postgresql(ledger)
        yield from _schema(patient, ledger)
    finally:
        if patient.ledger is None:
            ledger.close()


def _embedded(ledger: Ledger) -> Iterator[Finding]:
    with ledger.engine.connect() as connection:
        kept = [str(connection.exec_driver_sql(f"PRAGMA {it}").scalar()) for it in ("journal_mode", "synchronous")]
    if kept == ["wal", "2"]:
        yield Finding(_CHECK, "ok", f"SQLite at {ledger.url.database}, write-ahead log, synchronous FULL")
    else:
        message = f"SQLite at {ledger.url.database} keeps no write-ahead log here, so a crash may cost a commit"
        yield Finding(_CHECK, "error", message, "move CARILLON_HOME to a local disk")


def _postgresql(ledger: Ledger) -> Iterator[Finding]:
    """Raises LedgerError if it cannot be reached."""
    schema.revision(ledger)
    with ledger.engine.connect() as connection:
        chosen = [func.current_setting(name).label(name) for name in _SHOWN]
        shown = dict(zip(_SHOWN, connection.execute(select(*chosen)).one(), strict=True))
        sessions = select(func.count()).select_from(table("pg_stat_activity")).where(column("datid").is_not(None))
        in_use: int = connection.execute(sessions).scalar_one()
    where = f"{ledger.url.database} at {ledger.url.host or 'a local socket'}"
    yield Finding(_CHECK, "ok", f"PostgreSQL {shown['server_version'].split()[0]}, database {where}")
    yield from _durability(shown)
    yield from _room(int(shown["max_connections"]) - int(shown["superuser_reserved_connections"]), in_use)


def _durability(shown: dict[str, str]) -> Iterator[Finding]:
    if shown["synchronous_commit"] == "off":
        message = "synchronous_commit is off: a crash may cost a claim, and then the same message goes out twice"
        mend = "set it to on, for the server or for this role and database; until then nothing starts"
        yield Finding(_CHECK, "error", message, mend)
    for name in ("fsync", "full_page_writes"):
        if shown[name] == "off":
            message = f"{name} is off: a crash of the machine may cost what was sent, or the whole database"
            yield Finding(_CHECK, "warning", message, f"set {name} = on in postgresql.conf, and reload")
    if shown["transaction_read_only"] == "on":
        mend = "name the primary in CARILLON_DATABASE_URL"
        yield Finding(_CHECK, "error", "this database can only be read: is it a standby?", mend)
    if shown["server_encoding"] != "UTF8":
        message = f"its encoding is {shown['server_encoding']}, which cannot hold every text"
        yield Finding(_CHECK, "error", message, "make a new database with ENCODING 'UTF8'")


def _room(usable: int, in_use: int) -> Iterator[Finding]:
    if in_use > _NEARLY_ALL * usable:
        message = f"{in_use} of {usable} connections are in use"
        yield Finding(_CHECK, "warning", message, "raise max_connections in postgresql.conf, and restart PostgreSQL")


def _schema(patient: Patient, ledger: Ledger) -> Iterator[Finding]:
    """What may be asked from here on is at this version."""
    found = schema.revision(ledger)
    if found is None and ledger.embedded:
        yield Finding("schema", "note", "the ledger is empty yet; the first `carillon up` makes its tables")
        return
    try:
        schema.require_current(ledger)
    except LedgerError as error:
        yield from of_error("schema", error)
        return
    yield Finding("schema", "ok", f"the database is at {found}, and this Carillon was made for {schema.newest()}")
    if waiting := schema.waiting(ledger):
        message = f"{', '.join(waiting)} waits until no older process runs: then `carillon migrate --after`"
        yield Finding("schema", "note", message)
    _get_to_know(patient, ledger)


def _get_to_know(patient: Patient, ledger: Ledger) -> None:
    patient.ledger = ledger
    with ledger.read() as session:
        rows = session.execute(select(creators).where(creators.c.enabled).order_by(creators.c.key)).all()
        content = catalogue_content(session.connection())
    patient.accounts = [account(row) for row in rows]
    patient.in_force = Catalogue.restore(content) if content is not None else None
