"""What a person decides, as real processes on a real ledger: cancel, retry, resolve, pause, resume."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from carillon.ledger import accounts
from carillon.ledger.connect import Ledger
from carillon.ledger.schema import migrate
from carillon.ledger.tables import creators, pauses
from ledger_rows import add_broadcast, broadcast
from running import COMMAND, Carillon
from scheduler.publish import Publisher

FILE = """version: 1
defaults: {timezone: Europe/Berlin}
creators:
  luna: {platform: frontrow, credentials: env:LUNA_KEY}
campaigns:
  drop:
    creator: luna
    lists: {include: [subscribers]}
    text: "New words of {{ occurrence.weekday }}"
    schedule: {every: 7d}
"""


@pytest.fixture
def carillon(tmp_path: Path) -> Carillon:
    found = Carillon(tmp_path, {}, LUNA_KEY="secret-of-luna")
    found.declare(FILE)
    return found


@pytest.fixture
def ledger(carillon: Carillon) -> Iterator[Ledger]:
    """With the file in force, as after the first start."""
    ledger = Ledger(f"sqlite:///{carillon.folder / 'home' / 'carillon.db'}")
    migrate(ledger)
    Publisher(ledger, carillon.file, frozenset(), "scheduler").start()
    yield ledger
    ledger.close()


def luna(ledger: Ledger) -> Any:
    with ledger.read() as session:
        return session.execute(select(creators).where(creators.c.key == "luna")).one()


def refused(carillon: Carillon, *words: str, code: int = 1) -> str:
    done = subprocess.run(
        [*COMMAND, *words], cwd=carillon.folder, env=carillon.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done
    assert done.stderr
    assert all(line.startswith("carillon: ") for line in done.stderr.splitlines()), done.stderr
    return done.stderr


def test_cancel_does_what_it_can_and_names_the_rest(carillon: Carillon, ledger: Ledger) -> None:
    id_ = luna(ledger).id
    planned = add_broadcast(ledger, id_, "a", state="planned")
    sent = add_broadcast(ledger, id_, "b", state="sent")
    held = add_broadcast(ledger, id_, "c", state="held")
    words = refused(
        carillon, "cancel", str(planned), str(sent), str(planned), "nonsense", str(held), "--reason", "wrong"
    )
    assert f"broadcast {sent} is sent" in words
    assert "there is no broadcast nonsense" in words
    assert len(words.splitlines()) == 2
    assert [broadcast(ledger, one).state for one in (planned, sent, held)] == ["cancelled", "sent", "cancelled"]
    assert broadcast(ledger, planned).reason == "by_person: cancelled: wrong"
    (event,) = json.loads(carillon.run("show", str(planned), "--json"))["events"]
    assert event["who"].startswith("person:")


def test_cancel_takes_all_that_match(carillon: Carillon, ledger: Ledger) -> None:
    id_ = luna(ledger).id
    first = add_broadcast(ledger, id_, "a", state="planned")
    other = add_broadcast(ledger, id_, "b", state="planned")
    done = add_broadcast(ledger, id_, "a", occurrence="2", state="sent")
    assert carillon.run("cancel", "--campaign", "a", "--creator", "luna") == f"broadcast {first} is cancelled\n"
    assert [broadcast(ledger, one).state for one in (first, other, done)] == ["cancelled", "planned", "sent"]
    assert "no broadcast that matches" in refused(carillon, "cancel", "--campaign", "a")
    assert "either IDs" in refused(carillon, "cancel", "1", "--campaign", "a", code=2)
    assert "either IDs" in refused(carillon, "cancel", code=2)


def test_retry_freezes_the_content_anew_unless_it_shall_be_the_same(carillon: Carillon, ledger: Ledger) -> None:
    id_ = luna(ledger).id
    label = "2026-06-05T20:00 Europe/Berlin"
    fresh = add_broadcast(ledger, id_, state="failed", occurrence=label, reason="refused: no")
    same = add_broadcast(ledger, id_, state="expired", occurrence="2026-06-05T19:00:00Z", reason="too_late: x")
    own = add_broadcast(ledger, id_, state="failed", occurrence="2026-06-05T20:00:00.5Z", kind="send")
    gone = add_broadcast(ledger, id_, "gone", state="skipped")
    carillon.run("retry", str(fresh), str(own))
    row = broadcast(ledger, fresh)
    assert json.loads(row.content)["text"] == "New words of Friday"
    assert (row.state, row.reason, row.expires_at - row.due_at) == ("planned", None, row.expires_at - row.state_since)
    assert json.loads(broadcast(ledger, own).content)["text"] == "New words of Friday"
    assert "add --same" in refused(carillon, "retry", str(gone))
    carillon.run("retry", str(same), str(gone), "--same")
    assert json.loads(broadcast(ledger, same).content)["text"] == "hello"
    assert broadcast(ledger, gone).state == "planned"
    assert f"broadcast {same} is planned" in refused(carillon, "retry", str(same))


def test_a_sent_list_is_kept_when_a_persons_own_broadcast_is_retried(carillon: Carillon, ledger: Ledger) -> None:
    content = '{"include":[{"kind":"custom","value":"test-list"}],"text":"old"}'
    label = "2026-06-05T20:00:00.5Z"
    id_ = add_broadcast(ledger, luna(ledger).id, state="failed", occurrence=label, kind="send", content=content)
    carillon.run("retry", str(id_))
    kept = json.loads(broadcast(ledger, id_).content)
    assert kept == {"include": [{"kind": "custom", "value": "test-list"}], "text": "New words of Friday"}


def test_resolve_says_whether_it_was_sent(carillon: Carillon, ledger: Ledger) -> None:
    id_ = luna(ledger).id
    sent, not_sent, failed = (
        add_broadcast(ledger, id_, name, state=state) for name, state in (("a", "held"), ("b", "held"), ("c", "failed"))
    )
    carillon.run("resolve", str(sent), "--sent", "--message-id", "mm_1", "--reason", "seen in the app")
    (shown,) = carillon.broadcasts(campaign="a")
    assert (shown["state"], shown["platform_message_id"], shown["sent_at"]) == ("sent", "mm_1", None)
    carillon.run("resolve", str(not_sent), "--not-sent", "--reason", "not in the app")
    assert broadcast(ledger, not_sent).state == "planned"
    assert "is failed" in refused(carillon, "resolve", str(failed), "--sent", "--reason", "x")
    assert "there is no broadcast 99" in refused(carillon, "resolve", "99", "--sent", "--reason", "x")
    for words in (["--sent"], ["--reason", "x"], ["--sent", "--reason", " "]):
        refused(carillon, "resolve", str(failed), *words, code=2)
    refused(carillon, "resolve", str(failed), "--not-sent", "--message-id", "1", "--reason", "x", code=2)


def test_pauses_are_kept_and_each_level_is_lifted_by_itself(carillon: Carillon, ledger: Ledger) -> None:
    add_broadcast(ledger, luna(ledger).id, state="planned")
    carillon.run("pause", "drop", "--reason", "holiday")
    carillon.run("pause", "--creator", "luna")
    carillon.run("pause", "--platform", "ofauth")
    carillon.run("pause", "--all")
    with ledger.read() as session:
        kept = {(row.level, row.target, row.reason) for row in session.execute(select(pauses))}
    assert kept == {
        ("campaign", "drop", "holiday"),
        ("creator", "luna", None),
        ("platform", "ofauth", None),
        ("all", "", None),
    }
    assert [shown["waiting_for"] for shown in carillon.broadcasts()] == ["pause"]
    assert json.loads(carillon.run("creators", "--json"))[0]["state"] == "paused"
    assert json.loads(carillon.run("campaigns", "--json"))[0]["state"] == "paused"
    for level, words in (("campaign", ["drop"]), ("all", ["--all"]), ("creator", ["--creator", "luna"])):
        carillon.run("resume", *words)
        assert level not in _paused_levels(ledger)
    assert _paused_levels(ledger) == ["platform"]
    assert "not paused" in refused(carillon, "resume", "--all")
    assert [shown["waiting_for"] for shown in carillon.broadcasts()] == ["time"]


def _paused_levels(ledger: Ledger) -> list[str]:
    with ledger.read() as session:
        return [row.level for row in session.execute(select(pauses))]


def test_a_stopped_creator_is_shown_and_resumed(carillon: Carillon, ledger: Ledger) -> None:
    with ledger.write() as connection:
        accounts.stop(connection, 1, ledger.now(connection), "worker", "credentials: the key is wrong")
    (shown,) = json.loads(carillon.run("creators", "--json"))
    assert (shown["state"], shown["stopped_reason"]) == ("stopped", "credentials: the key is wrong")
    carillon.run("resume", "--creator", "luna")
    assert luna(ledger).stopped_at is None


def test_a_pause_needs_one_thing_that_exists(carillon: Carillon) -> None:
    assert "did you mean drop?" in refused(carillon, "pause", "dropp")
    assert "did you mean luna?" in refused(carillon, "pause", "--creator", "lunna")
    assert "frontrow" in refused(carillon, "pause", "--platform", "fansly", code=2)
    assert "name one" in refused(carillon, "pause", code=2)
    assert "name one" in refused(carillon, "pause", "drop", "--all", code=2)
    assert "nothing was ever started" in refused(carillon, "cancel", "1")
    assert not (carillon.folder / "home").exists()
    carillon.run("pause", "--all")
    assert json.loads(carillon.run("creators", "--json"))[0]["key"] == "luna"
