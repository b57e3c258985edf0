"""`carillon doctor` finds what is wrong, says how to mend it, and never stops at the first trouble."""

import fcntl
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from sqlalchemy import insert, update

from carillon import clock
from carillon.campaigns.load import load
from carillon.ledger import alarms, credit
from carillon.ledger.connect import Ledger
from carillon.ledger.schema import newest
from carillon.ledger.tables import beats, catalogues
from carillon.ledger.tables_house import installations
from console.doctor import examine as examination
from console.doctor.findings import Finding, show
from ledger_rows import add_broadcast, add_creator

FILE = """
version: 1
creators:
  luna: {platform: frontrow, credentials: env:LUNA_KEY, timezone: Europe/Berlin}
campaigns:
  drop: {creator: luna, text: Hello, lists: {include: [subscribers]}, schedule: {cron: "0 20 * * *"}}
"""
CLOSED = "http://127.0.0.1:9"
Examine = Callable[..., list[Finding]]


@pytest.fixture
def examine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Of a folder with a right campaign file; variables are added to an environment with what it needs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "campaigns.yaml").write_text(FILE)
    monkeypatch.setenv("LUNA_KEY", "the-key-of-luna")
    monkeypatch.setenv("CARILLON_FRONTROW_URL", CLOSED)
    monkeypatch.setenv("CARILLON_HOME", str(tmp_path))

    def look(**variables: str) -> list[Finding]:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        findings = examination.examine(None)
        assert all(found.mend for found in findings if found.wrong)
        assert "the-key-of-luna" not in str(findings)
        return findings

    return look


@pytest.fixture
def at_ledger(examine: Examine, ledger: Ledger, tmp_path: Path) -> Examine:
    """Of an installation whose campaign file is in force."""
    catalogue = load(tmp_path / "campaigns.yaml").catalogue
    assert catalogue
    with ledger.write() as connection:
        row = {"generation": 1, "digest": catalogue.digest, "content": catalogue.content, "published_at": clock.now()}
        connection.execute(insert(catalogues).values(row))
    add_creator(ledger, timezone="Europe/Berlin")
    url = ledger.url.render_as_string(hide_password=False)
    return lambda **variables: examine(CARILLON_DATABASE_URL=url, **variables)


def told(findings: list[Finding], check: str) -> list[str]:
    return [f"{found.status}: {found.message}" for found in findings if found.check == check]


def beat(ledger: Ledger, role: str, **values: Any) -> None:
    now = clock.now()
    row = {"process": f"{role} {values}", "role": role, "at": now, "host": "a", "host_at": now, "revision": newest()}
    with ledger.write() as connection:
        connection.execute(insert(beats).values({**row, **values}))


def test_before_the_first_start_nothing_is_made_and_nothing_missed(examine: Examine, tmp_path: Path) -> None:
    findings = examine()
    assert [path.name for path in tmp_path.iterdir()] == ["campaigns.yaml"]
    assert [found.check for found in findings if found.wrong] == ["platforms"]
    assert "there is no ledger" in told(findings, "database")[0]
    assert told(findings, "credentials") == ["ok: 1 of 1 key can be read here"]
    assert told(findings, "processes") == []


def test_faulty_settings_are_all_told_and_the_rest_is_examined(examine: Examine) -> None:
    findings = examine(
        CARILLON_HTTP_TIMEOUT="60",
        CARILLON_DATABASE_URL="mysql://u:hunter2@h/d",
        CARILLON_REDIS_URL="redis://127.0.0.1:9",
    )
    errors = [found.message for found in findings if found.check == "settings" and found.status == "error"]
    assert [error.partition(":")[0] for error in errors] == ["CARILLON_DATABASE_URL", "CARILLON_HTTP_TIMEOUT"]
    assert "hunter2" not in str(findings)
    assert told(findings, "redis")[0].startswith("error: no answer from 127.0.0.1:9")
    assert told(findings, "database") == []
    assert told(findings, "campaigns") == ["ok: campaigns.yaml: 1 campaign for 1 creator"]


def test_each_setting_is_named_by_its_source_and_never_by_its_value(examine: Examine, tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "carillon_ping_url").write_text("https://ping.example/hidden-path")
    findings = examine(CREDENTIALS_DIRECTORY=str(folder), CARILLON_LOG="json")
    assert told(findings, "settings")[0] == (
        f"ok: CARILLON_FRONTROW_URL, CARILLON_HOME, CARILLON_LOG from environment; CARILLON_PING_URL from {folder}"
    )
    assert "hidden-path" not in str(findings)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"CARILLON_DATABSE_URL": "x"}, "warning: there is no setting CARILLON_DATABSE_URL"),
        ({"CARILLON_REDIS_URL": "redis://127.0.0.1:9"}, "warning: CARILLON_REDIS_URL is set, but the ledger is SQLite"),
        ({"CARILLON_ALARM_URLS": "signed://:tok3n@"}, "error: CARILLON_ALARM_URLS: alarm URL 1 (signed://)"),
        ({"CARILLON_OFAUTH_URL": "http://192.0.2.1"}, "error: CARILLON_OFAUTH_URL: keys would go to http://192.0.2.1"),
        ({"CARILLON_OFAUTH_URL": "https://192.0.2.1"}, "note: CARILLON_OFAUTH_URL sends what is meant for"),
    ],
)
def test_settings_that_make_no_sense(examine: Examine, variables: dict[str, str], words: str) -> None:
    findings = examine(**variables)
    assert [line for line in told(findings, "settings") if line.startswith(words)]
    assert "tok3n" not in str(findings)


def test_an_env_file_is_read_and_who_else_may_read_it(examine: Examine, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("CARILLON_HOME=elsewhere\nOTHER=1\n")  # the environment's own home wins
    for mode, status in ((0o600, None), (0o644, "note"), (0o666, "error")):
        file.chmod(mode)
        findings = [found for found in examine() if str(file) in found.message and found.check == "settings"]
        assert [found.status for found in findings] == (["ok", status] if status else ["ok"])
        assert f"CARILLON_HOME from {file}" in findings[0].message


@pytest.mark.parametrize(
    ("folder", "file", "status"),
    [(0o700, 0o644, None), (0o755, 0o600, None), (0o755, 0o644, "warning"), (0o777, 0o600, "error")],
)
def test_who_else_may_get_at_an_embedded_ledger(
    examine: Examine, tmp_path: Path, folder: int, file: int, status: str | None
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "carillon.db").touch(file)
    home.chmod(folder)
    found = [found.status for found in examine(CARILLON_HOME=str(home)) if found.check == "home"]
    assert found == ["ok", *([status] if status else [])]


def test_a_home_on_a_network_file_system_or_a_full_disk(
    examine: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount = type("Mount", (), {"mountpoint": str(tmp_path), "fstype": "nfs4"})
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: [mount])  # noqa: A006
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10 << 20}))
    first, second = told(examine(), "home")
    assert "is on a network file system (nfs4)" in first
    assert second.startswith("error: 0.0 GiB are free")


def test_a_right_installation_that_does_not_run(at_ledger: Examine, ledger: Ledger) -> None:
    findings = at_ledger()
    wrong = [found.check for found in findings if found.wrong and found.check != "database"]
    assert wrong == ["platforms", "processes"] + ([] if ledger.embedded else ["processes"])
    assert told(findings, "schema")[0].startswith("ok: ")
    assert told(findings, "zones") == ["ok: 2 time zones of creators known here: Europe/Berlin, UTC"]
    assert told(findings, "creators") == ["ok: 1 creator, none stopped"]
    assert told(findings, "alarms") == ["ok: none is open"]
    assert "generation 1" in told(findings, "campaigns")[1]
    assert told(findings, "campaigns")[1].endswith("is what these files say")


def test_postgresql_that_may_forget(at_ledger: Examine, ledger: Ledger) -> None:
    if ledger.embedded:
        assert told(at_ledger(), "database")[0].endswith("write-ahead log, synchronous FULL")
        return
    with ledger.engine.connect() as connection:
        connection.exec_driver_sql(f'ALTER DATABASE "{ledger.url.database}" SET synchronous_commit = off')
        connection.commit()
    findings = told(at_ledger(), "database")
    assert findings[0].startswith("ok: PostgreSQL ")
    assert findings[1].startswith("error: synchronous_commit is off")


def test_databases_that_are_not_at_this_version(examine: Examine, ledger: Ledger, tmp_path: Path) -> None:
    url = ledger.url.render_as_string(hide_password=False)
    with ledger.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.execute(update(installations).values(oldest_revision="9998"))
    findings = examine(CARILLON_DATABASE_URL=url)
    (message,) = told(findings, "schema")
    assert message.startswith("error: the database is at 9999, made by a newer Carillon")
    assert told(findings, "alarms") == []
    with ledger.write() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")
    (finding,) = (found for found in examine() if found.check == "schema")
    assert finding.status == ("note" if ledger.embedded else "error")
    assert "carillon" in (finding.mend or finding.message)


def test_a_database_that_is_away_is_told_without_its_password(examine: Examine) -> None:
    findings = examine(CARILLON_DATABASE_URL="postgresql://me:hunter2@127.0.0.1:9/db")
    (message,) = told(findings, "database")
    assert message.startswith("error: cannot use the database ")
    assert "hunter2" not in str(findings)
    assert told(findings, "campaigns")[0].startswith("ok: ")


def test_a_redis_that_answers(examine: Examine, redis_url: str) -> None:
    (message,) = told(examine(CARILLON_REDIS_URL=redis_url), "redis")
    assert message.startswith(("ok: Valkey ", "ok: Redis "))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, "warning: its maxmemory-policy is allkeys-lru"),
        ({"maxmemory": 1000, "used_memory": 950}, "warning: its memory is nearly used up"),
        ({"role": "slave"}, "error: this is a replica"),
        ({"redis_mode": "cluster"}, "error: this is a cluster"),
    ],
)
def test_a_redis_that_will_not_keep_what_it_is_given(
    examine: Examine, redis_url: str, monkeypatch: pytest.MonkeyPatch, said: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr(redis.Redis, "info", lambda _: {"redis_version": "7.0", **said})
    well, wrong = told(examine(CARILLON_REDIS_URL=redis_url), "redis")
    assert well.startswith("ok: Redis 7.0 at ")
    assert wrong.startswith(words)


def test_a_redis_address_is_never_repeated_when_it_is_none(examine: Examine) -> None:
    findings = examine(CARILLON_REDIS_URL="redis://:hunt#er2@host/0")
    assert any(words.startswith("error: ") and "CARILLON_REDIS_URL" in words for words in told(findings, "settings"))
    assert "hunt" not in str(findings)


def test_clocks_that_differ(at_ledger: Examine, ledger: Ledger) -> None:
    if ledger.embedded:
        assert told(at_ledger(), "clock") == []
        return
    now = clock.now()
    beat(ledger, "worker", host="slow", at=now, host_at=now - timedelta(seconds=8))
    beat(ledger, "scheduler", host="fast", at=now, host_at=now + timedelta(seconds=3))
    beat(ledger, "worker", host="right")
    beat(ledger, "worker", host="gone", host_at=now + timedelta(days=1), left_at=now)
    assert sorted(told(at_ledger(), "clock")) == [
        "error: the clock of slow is 8.0 s behind the database's",
        "warning: the clock of fast is 3.0 s ahead of the database's",
    ]


def test_a_zone_that_is_not_known(at_ledger: Examine, ledger: Ledger) -> None:
    add_creator(ledger, "mars", timezone="Mars/Base")
    assert told(at_ledger(), "zones") == ["error: the time zone Mars/Base is not known here"]


def test_keys_that_are_missing_open_or_shared(at_ledger: Examine, ledger: Ledger, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("the-key-of-luna")
    key.chmod(0o644)
    add_creator(ledger, "twin", credentials=f"file:{key}", account="twin")
    add_creator(ledger, "lost", credentials="env:LOST_KEY")
    add_creator(ledger, "gone", credentials="env:GONE_KEY", enabled=False)
    for name in ("one", "two"):
        add_creator(ledger, name, platform="ofauth", account=name, account_id=name, credentials="env:LUNA_KEY")
    findings = at_ledger(CARILLON_OFAUTH_URL=CLOSED)
    read, lost, exposed = told(findings, "credentials")
    assert read == "ok: 2 of 3 keys can be read here"
    assert lost == f"{'error' if ledger.embedded else 'warning'}: lost: env:LOST_KEY: not set"
    assert exposed == f"warning: every user of this machine may read the key in {key}"
    (double,) = (line for line in told(findings, "creators") if line.startswith("error"))
    assert "luna (env:LUNA_KEY) and twin" in double
    assert "one account, whose limit then counts twice" in double


def test_many_that_are_alike_are_counted(at_ledger: Examine, ledger: Ledger) -> None:
    for number in range(14):
        add_creator(ledger, f"c{number:02}", stopped_at=clock.now(), stopped_reason="credentials: 401")
    findings = [found for found in at_ledger() if found.check == "creators"]
    assert len(findings) == 11
    assert findings[0].message.startswith("c00 is stopped since ")
    assert findings[0].mend
    assert "carillon resume --creator c00" in findings[0].mend
    assert findings[10].message == "and 4 more like these"


def test_open_alarms_are_findings_and_closed_ones_are_not(at_ledger: Examine, ledger: Ledger) -> None:
    luna = add_creator(ledger, "mia")
    held = add_broadcast(ledger, luna, state="held")
    with ledger.write() as connection:
        now = clock.now()
        mend = f"see `carillon show {held}`, then `carillon resolve {held}` or `carillon cancel {held}`"
        message = f"broadcast {held} is held: why; {mend}"
        alarms.sound(connection, f"held:{held}", message, now, broadcast_id=held)
        alarms.sound(connection, f"late:{held}", "an answer came late", now, broadcast_id=held)
        alarms.sound(connection, "overdue:1", "it is well again", now)
        alarms.clear(connection, "overdue:1", now)
        alarms.sound(connection, f"stopped:{luna}", "told as a stopped creator", now)
    first, second = [found for found in at_ledger(LUNA_KEY="k", MIA_KEY="m") if found.check == "alarms"]
    assert (first.status, first.mend) == ("warning", mend)
    assert first.message.endswith(f"broadcast {held} is held: why")
    assert second.mend == f"see `carillon show {held}`, and the platform"


def test_credits_are_told_once_for_a_key_and_low_ones_with_the_mend(at_ledger: Examine, ledger: Ledger) -> None:
    ids = [add_creator(ledger, name, platform="onlyfansapi", credentials="env:K") for name in ("ann", "bea")]
    with ledger.write() as connection:
        for id_ in ids:
            credit.keep(connection, id_, 1, 999, clock.now())
    found = at_ledger()
    assert "ok: 999 credits left on onlyfansapi for the key of ann" in told(found, "creators")
    assert len([line for line in told(found, "creators") if "credits" in line]) == 1
    [low] = [each for each in found if each.check == "alarms" and each.wrong]
    assert "999 credits" in low.message
    assert (low.mend or "").startswith("buy more")


def test_what_runs_on_postgresql(at_ledger: Examine, ledger: Ledger) -> None:
    if ledger.embedded:
        return
    beat(ledger, "scheduler", at=clock.now() - timedelta(minutes=5))
    never, none = told(at_ledger(), "processes")
    assert never.startswith("error: no scheduler has beaten since 20")
    assert none.startswith("error: no worker has beaten ever: nothing is sent")
    beat(ledger, "scheduler")
    beat(ledger, "worker", host="b")
    beat(ledger, "worker", host="c", revision="0000")
    well, versions = told(at_ledger(), "processes")
    assert well == "ok: 1 scheduler and 2 workers on 3 hosts"
    assert versions.startswith(f"note: code of 2 versions is in use, made for the database at 0000, {newest()}")


def test_more_workers_than_the_database_has_connections_for(at_ledger: Examine, ledger: Ledger) -> None:
    for number in range(0 if ledger.embedded else 30):
        beat(ledger, "worker", process=f"worker {number}")
    notes = [line for line in told(at_ledger(), "processes") if line.startswith("note: 30 workers may want 960")]
    assert len(notes) == (0 if ledger.embedded else 1)


def test_an_up_that_runs(at_ledger: Examine, tmp_path: Path) -> None:
    with (tmp_path / "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert told(at_ledger(), "processes") == [f"ok: `carillon up` runs on {tmp_path}"]


def test_campaign_files_that_are_wrong_or_not_in_force(at_ledger: Examine, ledger: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "campaigns.yaml"
    file.write_text(FILE.replace("Hello", "Goodbye"))
    assert "is not what these files say; an edit comes into force" in told(at_ledger(), "campaigns")[1]
    for role in ("scheduler", "worker"):
        beat(ledger, role)
    running = "note" if ledger.embedded else "warning"  # an embedded ledger has an `up` and nothing else
    assert told(at_ledger(), "campaigns")[1].startswith(f"{running}: generation 1")
    file.write_text(FILE.replace("luna:", "luna: {},\n  luna2:", 1).replace("0 20 * * *", "0 25 * * *"))
    (message,) = told(at_ledger(), "campaigns")
    assert message.startswith("error: ")
    assert "what was good before stays in force" in message
    file.unlink()
    (message,) = told(at_ledger(), "campaigns")
    assert message.startswith("error: there is no" if ledger.embedded else "note: there is no")


def test_the_same_files_named_from_elsewhere_are_the_same(
    at_ledger: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert told(at_ledger(CARILLON_CAMPAIGNS="../campaigns.yaml"), "campaigns")[1].endswith("is what these files say")


def test_a_check_that_hangs_or_breaks_does_not_stop_the_others(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hanging(_: object) -> Iterator[Finding]:
        yield Finding("slow", "ok", "one thing")
        time.sleep(60)

    def broken(_: object) -> Iterator[Finding]:
        raise ZeroDivisionError
        yield

    def right(_: object) -> Iterator[Finding]:
        yield Finding("right", "ok", "goes on")

    none = frozenset[str]()
    monkeypatch.setattr(
        examination, "_CHECKS", [("slow", hanging, none), ("broken", broken, none), ("right", right, none)]
    )
    monkeypatch.setattr(examination, "_SECONDS", 1.0)
    findings = examine()
    assert told(findings, "slow") == ["ok: one thing", "error: no answer within 1 s"]
    assert told(findings, "broken") == ["error: this check itself failed (ZeroDivisionError)"]
    assert told(findings, "right") == ["ok: goes on"]


def test_on_a_terminal_the_status_has_a_colour_and_the_end_a_sum(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    show([Finding("a", "ok", "fine"), Finding("b", "error", "broken [red]", "mend it")], json=False)
    told = capsys.readouterr()
    assert "\x1b[32m     ok\x1b[0m a: fine\n" in told.out
    assert "\x1b[1;31m  error\x1b[0m b: broken [red]; mend it" in told.out
    assert told.err == "carillon: 1 error, 0 warnings\n"
