"""Edits come into force in a short transaction and are applied batch by batch, whatever cuts them off."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, event, select, update

from carillon import clock
from carillon.campaigns.catalogue import Catalogue
from carillon.ledger.connect import Ledger
from carillon.ledger.states import Note
from carillon.ledger.tables import broadcasts, catalogues, creators, cursors
from ledger_rows import add_creator
from scheduler import reading
from scheduler.pairs import cursors_of
from scheduler.plan import plan
from scheduler.proposals import carry_out, propose
from scheduler.publish import Publisher

CREATORS = """version: 1
creators:
  bea: {platform: frontrow, credentials: env:B, timezone: UTC}
  mia: {platform: frontrow, credentials: env:M, timezone: UTC}
campaigns:
"""
WHO = "scheduler test"


def one(name: str, creator: str = "bea", text: str = "Hi") -> str:
    return (
        f"  {name}: {{creator: {creator}, text: {text}, lists: {{include: [subscribers]}}, schedule: {{every: 6h}}}}\n"
    )


def written(file: Path, text: str) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(file)


def started(ledger: Ledger, file: Path) -> Publisher:
    publisher = Publisher(ledger, file, frozenset(), WHO)
    publisher.start()
    return publisher


def planned(ledger: Ledger, publisher: Publisher) -> int:
    assert publisher.catalogue
    return plan(ledger, publisher.catalogue, publisher.generation, WHO)


def edited(publisher: Publisher, file: Path, text: str) -> None:
    written(file, text)
    publisher.look()
    publisher.look()


def standing(ledger: Ledger) -> set[tuple[str, str, str]]:
    with ledger.read() as session:
        columns = (broadcasts.c.campaign, broadcasts.c.state, broadcasts.c.reason, broadcasts.c.content)
        rows = session.execute(select(*columns)).all()
    return {(row.campaign, row.state, (row.reason or json.loads(row.content)["text"]).split(":")[0]) for row in rows}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "campaigns.yaml"


@pytest.fixture
def running(ledger: Ledger, file: Path) -> Publisher:
    """Of three campaigns, each planned."""
    written(file, CREATORS + one("kept") + one("gone") + one("edited", "mia"))
    publisher = started(ledger, file)
    assert planned(ledger, publisher) == 12
    return publisher


AFTER = CREATORS + one("kept") + one("edited", "mia", "Ho") + one("new")


def test_an_edit_that_was_cut_off_is_finished_by_the_next_plan(
    ledger: Ledger, file: Path, running: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr("scheduler.publish.revise", _dies)
        with pytest.raises(KeyboardInterrupt):
            edited(running, file, AFTER)
    assert running.generation == 2, "it is in force"
    assert standing(ledger) == {(name, "planned", "Hi") for name in ("kept", "gone", "edited")}
    other = started(ledger, file)
    assert planned(ledger, other) == 4
    expected = {("kept", "planned", "Hi"), ("gone", "cancelled", "removed"), ("edited", "planned", "Ho")}
    assert standing(ledger) == expected | {("new", "planned", "Hi")}


def _dies(*_: object) -> None:
    raise KeyboardInterrupt


def test_an_edit_waits_for_nobody_whom_it_does_not_concern(ledger: Ledger, file: Path, running: Publisher) -> None:
    if ledger.embedded:
        pytest.skip("SQLite has one writer")
    with ledger.write() as connection:
        bea = select(creators.c.id).where(creators.c.key == "bea")
        connection.execute(bea.with_for_update())
        held = threading.Thread(target=edited, args=(running, file, CREATORS + one("kept") + one("gone")))
        held.start()
        held.join(20)
        assert not held.is_alive(), "it waits for an account that it does not touch"
    assert ("edited", "cancelled", "removed") in standing(ledger)


def test_an_edit_of_everything_holds_few_accounts_at_a_time(
    ledger: Ledger, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.revise._AT_ONCE", 2)
    written(file, CREATORS + "".join(one(f"c{n}") for n in range(9)))
    publisher = started(ledger, file)
    planned(ledger, publisher)
    commits: list[int] = []
    event.listen(ledger.engine, "commit", lambda _: commits.append(_new_texts(ledger)))
    edited(publisher, file, CREATORS + "".join(one(f"c{n}", text="Ho") for n in range(9)))
    assert sorted(set(commits)) == [0, 2, 4, 6, 8], "campaigns with the new text, as each transaction ends"
    assert {text for _, _, text in standing(ledger)} == {"Ho"}


def _new_texts(ledger: Ledger) -> int:
    """As others see it: the transaction that ends now is not among them."""
    return len({campaign for campaign, _, text in standing(ledger) if text == "Ho"})


def test_pairs_that_an_older_release_never_came_to_plan(ledger: Ledger, file: Path, running: Publisher) -> None:
    with ledger.write() as connection:
        connection.execute(delete(broadcasts).where(broadcasts.c.campaign == "gone"))
        connection.execute(delete(cursors).where(cursors.c.campaign == "gone"))
        kept = json.loads(connection.scalar(select(catalogues.c.content)) or "")
        old = {"form": 1, "files": [{k: v for k, v in f.items() if k != "sha256"} for f in kept["files"]]}
        connection.execute(update(catalogues).values(content=json.dumps(old)))
    again = started(ledger, file)
    assert again.generation == 1
    assert planned(ledger, again) == 4


def test_a_restart_on_the_same_files_reads_and_plans_nothing(
    ledger: Ledger, file: Path, running: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.publish.read", _dies)
    monkeypatch.setattr("scheduler.plan._Planner.plan", _dies)
    again = started(ledger, file)
    assert planned(ledger, again) == 0
    written(file, AFTER)
    with pytest.raises(KeyboardInterrupt):
        started(ledger, file)


@pytest.mark.parametrize("text", [AFTER, CREATORS + "  one: {creator: nobody}\n"], ids=["right", "wrong"])
def test_large_files_are_read_in_a_process_of_their_own_with_the_same_findings(
    ledger: Ledger, file: Path, running: Publisher, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    assert running.catalogue
    written(file, text)
    content = running.catalogue.content
    found = []
    for large in (10**9, 0):
        monkeypatch.setattr(reading, "LARGE", large)
        loaded = reading.read(file, 1, frozenset(), running.catalogue, lambda: content)
        found.append((loaded.findings, loaded.catalogue and loaded.catalogue.digest))
    assert found[0] == found[1]


def test_what_moved_on_meanwhile_is_not_planned_twice(ledger: Ledger, file: Path, running: Publisher) -> None:
    with ledger.write() as connection:
        connection.execute(update(cursors).values(planned_until=clock.now()))
        connection.execute(delete(broadcasts))
        (cursor,) = cursors_of(connection, [("kept", _id(ledger, "bea"))]).values()
    note = Note(clock.now(), WHO, "planned")
    assert running.catalogue
    entry = running.catalogue.entry("kept", "bea")
    assert entry
    until = note.at + timedelta(days=1)
    proposal = propose(cursor, entry, list(entry.occurrences(note.at, until)), until, note)
    written_first: Callable[[], list[int]] = lambda: _carry_out(ledger, [proposal], note)  # noqa: E731
    assert len(written_first()) == 4
    assert written_first() == [], "the cursor is another one by now"


def _carry_out(ledger: Ledger, proposals: list[Any], note: Note) -> list[int]:
    with ledger.write() as connection:
        return carry_out(connection, proposals, note)


def _id(ledger: Ledger, key: str) -> int:
    with ledger.read() as session:
        id_: int = session.execute(select(creators.c.id).where(creators.c.key == key)).scalar_one()
        return id_


def test_what_came_into_force_together_is_not_planned_again_at_once(
    ledger: Ledger, running: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.plan._SOME", 1)
    with ledger.write() as connection:
        connection.execute(delete(broadcasts))
        connection.execute(update(cursors).values(planned_until=clock.now() + timedelta(hours=22)))
    before = _far(ledger)
    planned(ledger, running)
    assert (before, _far(ledger)) == (0, 1)
    with ledger.write() as connection:
        connection.execute(update(cursors).values(planned_until=clock.now() + timedelta(hours=19)))
    planned(ledger, running)
    assert _far(ledger) == 3, "what falls behind is planned in any case"


def _far(ledger: Ledger) -> int:
    with ledger.read() as session:
        ahead = cursors.c.planned_until > clock.now() + timedelta(hours=23)
        return len(session.execute(select(cursors).where(ahead)).all())


def test_accounts_that_the_files_do_not_name_are_left_alone(ledger: Ledger, file: Path, running: Publisher) -> None:
    other = add_creator(ledger, "zoe", wake_at=None)
    edited(running, file, AFTER)
    with ledger.read() as session:
        row = session.execute(select(creators).where(creators.c.id == other)).one()
    assert (row.enabled, row.limit_count, row.key) == (False, 10, "zoe")


def test_the_catalogue_that_is_followed_is_the_one_that_was_published(ledger: Ledger, running: Publisher) -> None:
    with ledger.read() as session:
        row = session.execute(select(catalogues)).one()
    assert running.catalogue
    assert Catalogue.restore(row.content).digest == row.digest == running.catalogue.digest
