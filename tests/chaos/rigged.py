"""What a PostgreSQL can be made to do to Carillon: stand still at a moment, fail, and tell another time.

All of it by triggers and functions in a schema of its own, so that nothing of the product is changed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import psycopg
from sqlalchemy.engine import make_url

Step = Literal["claim", "record"]
"""A claim inserts into `attempt`, a record updates it."""

Where = Literal["in", "at the commit of"]
"""At the commit: after COMMIT came, and before it is done."""

_GATE = 7_2026
_VERBS: dict[Step, str] = {"claim": "INSERT", "record": "UPDATE"}

_SETUP = """
CREATE SCHEMA chaos;
CREATE TABLE chaos.stepped (seconds double precision NOT NULL);
INSERT INTO chaos.stepped VALUES (0);
CREATE FUNCTION chaos.gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_advisory_xact_lock_shared(TG_ARGV[0]::bigint); RETURN NEW;
END $$;
CREATE FUNCTION chaos.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('chaos.' || TG_ARGV[0]) <= TG_ARGV[1]::bigint THEN
        RAISE EXCEPTION 'chaos says no' USING ERRCODE = TG_ARGV[2];
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION chaos.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT pg_catalog.clock_timestamp() + make_interval(secs => (SELECT seconds FROM chaos.stepped))
$$;
"""


class Rigged:
    """A superuser's connection to one migrated database; `closing` ends it. What it set stays in the database."""

    def __init__(self, url: str) -> None:
        place = make_url(url)
        conninfo = place.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = psycopg.connect(conninfo, autocommit=True)
        self._connection.execute(_SETUP)
        # For each connection from now on: our clock before PostgreSQL's own, and time to close a ring of locks.
        self._run(f'ALTER DATABASE "{place.database}" SET search_path = chaos, pg_catalog, public')
        self._run(f'ALTER DATABASE "{place.database}" SET deadlock_timeout = "3s"')

    def close(self) -> None:
        self._connection.close()

    def step_clock(self, seconds: float) -> None:
        """The database's clock is so far from the real one, from now on."""
        self._run(f"UPDATE chaos.stepped SET seconds = {seconds}")

    def fail(self, step: Step, where: Where, errcode: str, times: int = 1) -> None:
        """That many times, with this SQLSTATE; sequences do not roll back, so that each try counts."""
        name = f"failures_{errcode}".lower()
        self._run(f"CREATE SEQUENCE chaos.{name}")
        self._trigger(name, step, where, f"chaos.fail('{name}', {times}, '{errcode}')")

    @contextmanager
    def gate(self, step: Step, where: Where) -> Iterator["Gate"]:
        """Whoever comes there waits until the gate is opened."""
        gate = Gate(self._connection)
        self._trigger("gate", step, where, f"chaos.gate('{_GATE}')")
        try:
            yield gate
        finally:
            gate.open()
            self._run("DROP TRIGGER gate ON attempt")

    def _trigger(self, name: str, step: Step, where: Where, function: str) -> None:
        kind, when = ("TRIGGER", "") if where == "in" else ("CONSTRAINT TRIGGER", "DEFERRABLE INITIALLY DEFERRED")
        self._run(
            f"CREATE {kind} {name} AFTER {_VERBS[step]} ON attempt {when} FOR EACH ROW EXECUTE FUNCTION {function}"
        )

    def _run(self, statement: str) -> None:
        self._connection.execute(statement.encode())


class Gate:
    """Shut until `open`."""

    def __init__(self, connection: "psycopg.Connection[tuple[int, ...]]") -> None:
        self._connection = connection
        self._shut = True
        connection.execute("SELECT pg_advisory_lock(%s)", (_GATE,))

    def waiting(self) -> int:
        """How many stand before it."""
        found = self._connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = %s", (_GATE,)
        ).fetchone()
        assert found
        return found[0]

    def open(self) -> None:
        if self._shut:
            self._shut = False
            self._connection.execute("SELECT pg_advisory_unlock(%s)", (_GATE,))
