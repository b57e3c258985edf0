"""What the file declares goes out on four platforms when it is due, once, and is recorded."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from os import getpid
from pathlib import Path
from time import monotonic, sleep, time

import pytest

from machine import wait_of
from running import Carillon, until
from servers import fresh_database
from standins import Reply, Seen, StandIn, accepting

CREATORS = """
version: 1
defaults: {timezone: Europe/Berlin}
creators:
  ann: {platform: fanvue, credentials: env:ANN_KEY}
  bea: {platform: frontrow, credentials: env:BEA_KEY}
  cleo: {platform: ofauth, account: conn_abc123, credentials: env:CLEO_KEY}
  dora: {platform: onlyfansapi, account: acct_XXXX, credentials: env:DORA_KEY}
"""
FAR = 'far: {creator: ann, text: Hi, lists: {include: [subscribers]}, schedule: {at: "2099-01-01T00:00"}}'
KEYS = {f"{name}_KEY": f"secret-of-{name.lower()}" for name in ("ANN", "BEA", "CLEO", "DORA")}


@pytest.fixture
def platforms() -> Iterator[dict[str, StandIn]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(StandIn()) for name in ("fanvue", "frontrow", "ofauth", "onlyfansapi")}


def sends(platform: StandIn) -> list[tuple[str, object]]:
    return [(seen.path, seen.json()) for seen in platform.seen if seen.method == "POST"]


@pytest.fixture(params=["embedded", "on PostgreSQL and Redis"])
def servers(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """What the environment says of database and queue."""
    if request.param == "embedded":
        yield {}
        return
    with fresh_database(request.getfixturevalue("postgresql")) as database_url:
        yield {
            "CARILLON_DATABASE_URL": database_url.replace("postgresql+psycopg://", "postgres://"),
            "CARILLON_REDIS_URL": request.getfixturevalue("redis_url"),
        }


def test_four_creators_four_platforms_one_post_each(
    tmp_path: Path, platforms: dict[str, StandIn], servers: dict[str, str]
) -> None:
    urls = {name: platform.url for name, platform in platforms.items()}
    with Carillon(tmp_path, urls, **KEYS, **servers) as carillon:
        carillon.declare(f"{CREATORS}campaigns:\n  {FAR}\n")
        carillon.up()  # before the rest is declared: how long a start takes is another promise
        due = (datetime.now(UTC) + timedelta(seconds=7)).replace(microsecond=0)
        at = due.isoformat().replace("+00:00", "Z")
        carillon.declare(f"""{CREATORS}
campaigns:
  one: {{creator: ann, text: Hi, lists: {{include: [subscribers]}}, schedule: {{at: "{at}"}}}}
  two: {{creator: bea, text: Hi, lists: {{include: [subscribers]}}, schedule: {{at: "{at}"}}}}
  three: {{creator: cleo, text: Hi, lists: {{include: ["1"]}}, schedule: {{at: "{at}"}}}}
  four: {{creator: dora, text: Hi, lists: {{include: [fans]}}, schedule: {{at: "{at}"}}}}
""")
        carillon.wait_for_states("planned", "planned", "planned", "planned")
        early = monotonic() + (due.timestamp() - time())
        sleep(early - monotonic() - 0.2)
        assert carillon.process
        with wait_of(carillon.process.pid, getpid()) as wait:
            rows = carillon.wait_for_states("sent", "sent", "sent", "sent")
        assert carillon.stop() == 0
    arrived = [seen.at - early for each in platforms.values() for seen in each.seen if seen.method == "POST"]
    assert len(arrived) == 4
    assert all(0 <= late < 0.5 + wait.seconds for late in arrived), (arrived, wait)
    assert sends(platforms["fanvue"]) == [
        ("/chats/mass-messages", {"text": "Hi", "includedLists": {"smartListUuids": ["subscribers"]}})
    ]
    assert sends(platforms["frontrow"]) == [
        ("/api/v1/chats/mass-messages", {"text": "Hi", "includeLists": [{"type": "smart", "id": "subscribers"}]})
    ]
    assert sends(platforms["ofauth"]) == [("/v2/access/mass-messages", {"text": "Hi", "userLists": [1]})]
    assert sends(platforms["onlyfansapi"]) == [("/api/acct_XXXX/mass-messaging", {"text": "Hi", "userLists": ["fans"]})]
    assert {row["platform"]: (row["platform_message_id"], row["recipient_count"]) for row in rows} == {
        "fanvue": ("5c0f7d52", 3),
        "frontrow": ("mm_9a3c1b04", 847),
        "ofauth": ("12345", 150),
        "onlyfansapi": ("123", None),
    }
    assert [fault for each in platforms.values() for fault in each.faults] == []
    for row in rows:
        assert row["due_at"] == at
        assert (row["attempts"], row["waiting_for"], row["reason"], row["delivery"]) == (1, None, None, "accepted")


def test_a_credential_that_is_missing_stops_its_creator_alone(tmp_path: Path, platforms: dict[str, StandIn]) -> None:
    urls = {name: platform.url for name, platform in platforms.items()}
    key = tmp_path / "ann.key"
    with Carillon(tmp_path, urls, **KEYS) as carillon:
        at = (datetime.now(UTC) + timedelta(seconds=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
        carillon.declare(f"""{CREATORS.replace("env:ANN_KEY", "file:ann.key")}
campaigns:
  one: {{creators: [ann, bea], text: Hi, lists: {{include: [subscribers]}}, schedule: {{at: "{at}"}}}}
""")
        carillon.up()
        until(lambda: [row["creator"] for row in carillon.broadcasts(waiting_for="creator")] == ["ann"])
        until(lambda: [row["creator"] for row in carillon.broadcasts(state="sent")] == ["bea"])
        assert "ann.key" in carillon.run("creators")
        key.write_text("mended-secret\n")
        key.chmod(0o600)
        carillon.wait_for_states("sent", "sent")
        assert "mended-secret" not in carillon.log
    assert len(sends(platforms["fanvue"])) == 1


def test_a_401_stops_the_creator_until_the_key_reads_differently(tmp_path: Path) -> None:
    def picky(seen: Seen) -> Reply:
        if seen.headers["authorization"] != "Bearer second":
            return Reply(401, {"error": "unknown key"})
        return accepting(seen)

    key = tmp_path / "bea.key"
    key.write_text("first")
    key.chmod(0o600)
    with StandIn(picky) as platform, Carillon(tmp_path, {"frontrow": platform.url}) as carillon:
        at = (datetime.now(UTC) + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        carillon.declare(f"""version: 1
creators:
  bea: {{platform: frontrow, credentials: "file:bea.key", timezone: Europe/Berlin}}
campaigns:
  one: {{creator: bea, text: Hi, lists: {{include: [subscribers]}}, schedule: {{at: "{at}"}}}}
""")
        carillon.up()
        until(lambda: carillon.broadcasts(waiting_for="creator"))
        key.write_text("second")
        row = carillon.wait_for_states("sent")[0]
        assert row["platform_message_id"] == "mm_9a3c1b04"


def test_a_second_up_on_one_home_is_refused(tmp_path: Path, platforms: dict[str, StandIn]) -> None:
    with Carillon(tmp_path, {}, **KEYS) as carillon:
        carillon.declare(f"{CREATORS}campaigns:\n  {FAR}\n")
        carillon.up()
        carillon.run("up", "--no-dashboard", code=1)


def test_a_wrong_file_when_none_was_ever_in_force(tmp_path: Path) -> None:
    with Carillon(tmp_path, {}) as carillon:
        carillon.declare("version: 1\ncampaigns: {one: {}}\n")
        assert "campaigns.yaml:2:" in carillon.run("up", "--no-dashboard", code=1)
