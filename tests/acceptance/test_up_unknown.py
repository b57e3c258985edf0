"""A real `carillon up` whose answers get lost: what was taken is found by look-up, and nothing goes out twice."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import pytest

from running import Carillon, until
from standins import Reply, Seen, StandIn

KEYS = {f"{name}_KEY": f"secret-of-{name.lower()}" for name in ("ANN", "BEA", "CLEO", "DORA")}
CREATORS = """version: 1
defaults: {timezone: Europe/Berlin}
creators:
  ann: {platform: fanvue, credentials: env:ANN_KEY}
  bea: {platform: frontrow, credentials: env:BEA_KEY}
  cleo: {platform: ofauth, account: conn_abc123, credentials: env:CLEO_KEY}
  dora: {platform: onlyfansapi, account: acct_XXXX, credentials: env:DORA_KEY}
campaigns:
"""
TEXT = "Tom & Jerry's <3, for you"


class Platform:
    """Takes broadcasts, or not, and loses its answers; shows what it took as its documents say. One judge for all."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.posts: list[float] = []
        self.taken: list[tuple[str, Any, str]] = []
        self.takes, self.loses = True, 1
        self.hangs: threading.Event | None = None

    def __call__(self, seen: Seen) -> Reply:
        if seen.method != "POST":
            return self._shown(urlsplit(seen.path).path)
        self.posts.append(seen.at)
        lost = len(self.posts) <= self.loses
        if self.takes or not lost:
            at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")
            self.taken.append((str(7_000 + len(self.taken)), seen.json(), at))
        if self.hangs:
            self.hangs.wait(60)
        if lost:
            raise ConnectionAbortedError  # and so the connection ends without an answer
        return Reply(201, {"id": self.taken[-1][0], "data": {"id": self.taken[-1][0]}})

    def _shown(self, path: str) -> Reply:
        rows = [{"id": id_, "text": body["text"], "createdAt": at} for id_, body, at in reversed(self.taken)]
        if self.name == "fanvue" and path == "/chats/mass-messages":
            return Reply(200, {"data": rows, "pagination": {"page": 1, "size": 50, "hasMore": False}})
        if self.name == "ofauth" and path == "/v2/access/analytics/mass-messages/sent":
            return Reply(200, {"list": rows, "hasMore": False})
        if self.name == "onlyfansapi" and path == "/api/acct_XXXX/mass-messaging":
            return Reply(200, {"data": [{"id": row["id"], "date": row["createdAt"]} for row in rows], "_meta": {}})
        if self.name == "onlyfansapi" and (asked := re.fullmatch(r"/api/acct_XXXX/mass-messaging/(\d+)", path)):
            return Reply(200, {"data": {"queue": next(row for row in rows if row["id"] == asked[1])}})
        return Reply(404, {"message": "no such list here"})


@pytest.fixture
def platforms() -> dict[str, Platform]:
    return {name: Platform(name) for name in ("fanvue", "frontrow", "ofauth", "onlyfansapi")}


@pytest.fixture
def carillon(tmp_path: Path, platforms: dict[str, Platform]) -> Iterator[Carillon]:
    with ExitStack() as stack:
        urls = {name: stack.enter_context(StandIn(platform)).url for name, platform in platforms.items()}
        yield stack.enter_context(Carillon(tmp_path, urls, **KEYS))


def declare_one_each(carillon: Carillon, seconds: float, more: str = "") -> None:
    at = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    lists = {"ann": "[subscribers]", "bea": "[subscribers]", "cleo": '["1"]', "dora": "[fans]"}
    carillon.declare(
        CREATORS
        + "".join(
            f'  to-{name}: {{creator: {name}, text: "{TEXT}", lists: {{include: {include}}}, '
            f'schedule: {{at: "{at}"}}{more}}}\n'
            for name, include in lists.items()
        )
    )


def states(carillon: Carillon) -> dict[str, str]:
    return {row["platform"]: row["state"] for row in carillon.broadcasts()}


ENDED = {"fanvue": "sent", "frontrow": "held", "ofauth": "sent", "onlyfansapi": "sent"}


def assert_each_is_what_the_judge_took(carillon: Carillon, platforms: dict[str, Platform]) -> None:
    for row in carillon.broadcasts():
        platform = platforms[row["platform"]]
        (taken,) = platform.taken
        assert (len(platform.posts), row["attempts"]) == (1, 1), row
        if row["state"] == "sent":
            assert (row["platform_message_id"], row["sent_at"]) == (taken[0], taken[2].replace("+00:00", "Z"))


def test_an_answer_that_is_lost_after_it_was_taken(carillon: Carillon, platforms: dict[str, Platform]) -> None:
    declare_one_each(carillon, 4)
    carillon.up()
    until(lambda: states(carillon) == ENDED)
    settled_at = monotonic()
    assert all(settled_at - platform.posts[0] < 10 for platform in platforms.values())
    assert_each_is_what_the_judge_took(carillon, platforms)
    found, held = carillon.broadcasts(platform="fanvue")[0], carillon.broadcasts(platform="frontrow")[0]
    (look,) = json.loads(carillon.run("show", found["id"], "--json"))["lookups"]
    assert (look["attempt"], look["complete"], [one["agrees"] for one in look["seen"]]) == (1, True, ["whole"])
    told = carillon.run("show", found["id"])
    assert re.search(r"look-up for attempt 1: 20\S+Z: of what is new, 1 agree with it, 0 in part, 0 not\n", told)
    assert re.search(r"  message 7000 agrees with it: of 20\S+Z, .*\n    Tom & Jerry's <3, for you\n", told)
    assert held["reason"].startswith("unknown_outcome: ")
    assert held["id"] in carillon.run("broadcasts", "--needs-person")
    assert f"see `carillon show {held['id']}`, then `carillon resolve {held['id']}`" in carillon.run("doctor", code=1)


def test_a_process_that_is_killed_in_the_middle_of_its_requests(
    carillon: Carillon, platforms: dict[str, Platform]
) -> None:
    over = threading.Event()
    for platform in platforms.values():
        platform.hangs = over
    declare_one_each(carillon, 4)
    carillon.up()
    until(lambda: all(platform.taken for platform in platforms.values()))
    assert set(states(carillon).values()) == {"sending"}
    carillon.kill()
    over.set()
    carillon.up()
    until(lambda: states(carillon) == ENDED)
    assert_each_is_what_the_judge_took(carillon, platforms)


@pytest.mark.chaos
def test_what_was_not_taken_goes_once_more_where_that_is_sure(
    carillon: Carillon, platforms: dict[str, Platform]
) -> None:
    """Where the platform shows everything; and, told so by the campaign, where it cannot be asked."""
    for platform in platforms.values():
        platform.takes = False
    declare_one_each(carillon, 4)
    carillon.declare(carillon.file.read_text().replace("creator: bea,", "creator: bea, on_unknown: resend,"))
    carillon.up()
    wanted = {"fanvue": "sent", "frontrow": "sent", "ofauth": "unknown", "onlyfansapi": "sent"}
    until(lambda: states(carillon) == wanted, 120)
    apart = {name: platform.posts[1] - platform.posts[0] for name, platform in platforms.items() if platform.taken}
    assert apart.keys() == {"fanvue", "frontrow", "onlyfansapi"}
    assert 60 <= apart["frontrow"] < 75
    assert 90 <= apart["fanvue"] < 105
    assert 90 <= apart["onlyfansapi"] < 105
    until(lambda: states(carillon)["ofauth"] == "held", 200)
    assert monotonic() - platforms["ofauth"].posts[0] < 300
    assert [len(platform.taken) for platform in platforms.values()] == [1, 1, 0, 1]
    assert [len(platform.posts) for platform in platforms.values()] == [2, 2, 1, 2]
