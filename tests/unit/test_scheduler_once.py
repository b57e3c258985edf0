"""What a person sends goes by the rules of all others, also where no scheduler runs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from carillon import clock
from carillon.campaigns.catalogue import Entry
from carillon.campaigns.load import load
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import pauses
from ledger_rows import add_broadcast, add_creator, broadcast
from scheduler.once import occurrence_now, occurrence_of, release_own

SOON, AGO = timedelta(hours=1), timedelta(minutes=1)


@pytest.mark.parametrize(
    ("values", "others", "state"),
    [
        ({}, [], "queued"),
        ({}, [{"campaign": "other"}], "planned"),  # older, and a single slot
        ({"priority": 1}, [{"campaign": "other"}], "queued"),
        ({}, [{"campaign": "other", "state": "queued"}], "planned"),
        ({}, [{"campaign": "own", "state": "sending"}], "queued"),  # a person's own waits for no other
        ({"overlap": "skip"}, [{"campaign": "own", "state": "sending"}], "queued"),
        ({"overlap": "skip"}, [{"campaign": "other", "priority": -1}], "queued"),
        ({"expires_at": clock.now() - AGO}, [], "expired"),
        ({"waiting_for": "retry", "not_before": clock.now() + SOON}, [], "planned"),
        ({"due_at": clock.now() + SOON}, [], "planned"),
        ({"state": "held"}, [], "held"),
    ],
)
def test_own_broadcasts_go_by_the_rules(
    ledger: Ledger, values: dict[str, Any], others: list[dict[str, Any]], state: str
) -> None:
    creator_id = add_creator(ledger, limit_count=1)
    before = [
        add_broadcast(ledger, creator_id, **{"state": "planned", "due_at": clock.now() - AGO, **other})
        for other in others
    ]
    stood = [broadcast(ledger, id_).state for id_ in before]
    own = add_broadcast(ledger, creator_id, **{"campaign": "own", "kind": "send", "state": "planned", **values})
    assert release_own(ledger, [own], "person:x") == ([own] if state == "queued" else [])
    assert broadcast(ledger, own).state == state
    assert [broadcast(ledger, id_).state for id_ in before] == stood


def test_a_pause_holds_own_broadcasts_too(ledger: Ledger) -> None:
    own = add_broadcast(ledger, add_creator(ledger), state="planned", kind="send")
    with ledger.write() as connection:
        connection.execute(insert(pauses).values(level="all", target="", since=clock.now(), who="person:x"))
    assert release_own(ledger, [own], "person:x") == []
    assert broadcast(ledger, own).state == "planned"


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    file = tmp_path / "campaigns.yaml"
    file.write_text("""version: 1
creators: {luna: {platform: frontrow, credentials: env:K, timezone: America/New_York}}
campaigns: {drop: {creator: luna, lists: {include: [subscribers]}, text: Hi, schedule: {every: 7d}}}
""")
    catalogue = load(file).catalogue
    assert catalogue is not None
    found = catalogue.entry("drop", "luna")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("label", "instant", "local"),
    [
        ("2026-12-31T23:59 Europe/Berlin", datetime(2026, 12, 31, 22, 59, tzinfo=UTC), "2026-12-31 23:59"),
        ("2026-03-29T02:30 Europe/Berlin", datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "2026-03-29 02:30"),
        ("2026-06-01T02:00:00Z", datetime(2026, 6, 1, 2, tzinfo=UTC), "2026-05-31 22:00"),
        ("2026-06-01T02:00:00.25Z", datetime(2026, 6, 1, 2, 0, 0, 250_000, tzinfo=UTC), "2026-05-31 22:00"),
    ],
)
def test_an_old_label_names_its_occurrence_again(entry: Entry, label: str, instant: datetime, local: str) -> None:
    found = occurrence_of(label, entry)
    assert (found.label, found.instant, found.due) == (label, instant, instant)
    assert f"{found.local:%Y-%m-%d %H:%M}" == local


def test_what_is_sent_now_is_a_utc_instant_of_the_creators_day(entry: Entry) -> None:
    found = occurrence_now(entry, datetime(2026, 6, 1, 2, 0, 0, 5, tzinfo=UTC))
    assert (found.label, f"{found.day}") == ("2026-06-01T02:00:00.000005Z", "2026-05-31")
