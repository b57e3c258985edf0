"""Publishing, planning, edits and catching up, on both databases."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dramatiq.brokers.stub import StubBroker
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import OperationalError

from carillon import clock
from carillon.campaigns.catalogue import Catalogue
from carillon.campaigns.load import reload
from carillon.ledger import decisions
from carillon.ledger.beats import beat
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import beats, broadcasts, catalogues, creators, cursors, events, pauses
from ledger_rows import add_broadcast
from scheduler.missed import catch_up, gap
from scheduler.plan import plan
from scheduler.publish import NothingInForceError, Publisher
from scheduler.release import release

ELSEWHERE = {"host": "elsewhere", "host_at": clock.now(), "revision": "0001"}
HEAD = """version: 1
creators:
  bea: {platform: frontrow, credentials: env:K, timezone: Europe/Berlin}
campaigns:
"""


def one(schedule: str, name: str = "one", **more: str) -> str:
    keys = {"creator": "bea", "text": "Hi", "lists": "{include: [subscribers]}", "schedule": schedule, **more}
    return f"  {name}: {{{', '.join(f'{key}: {value}' for key, value in keys.items())}}}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "campaigns.yaml"


Declare = Callable[[str], Publisher]


@pytest.fixture
def declare(ledger: Ledger, file: Path) -> Declare:
    """Write the file, and have one scheduler, that goes on running, take it up and plan."""
    running: list[Publisher] = []

    def write(text: str) -> Publisher:
        file.write_text(text)
        if not running:
            running.append(Publisher(ledger, file, frozenset(), "scheduler test"))
            running[0].start()
        else:
            running[0].look()
            running[0].look()
        plan_all(ledger, running[0])
        return running[0]

    return write


def plan_all(ledger: Ledger, publisher: Publisher) -> int:
    assert publisher.catalogue is not None
    return plan(ledger, publisher.catalogue, publisher.generation, "scheduler test")


def rows(ledger: Ledger, **where: Any) -> list[Any]:
    with ledger.read() as session:
        wanted = select(broadcasts).order_by(broadcasts.c.due_at).filter_by(**where)
        return list(session.execute(wanted))


def standing(ledger: Ledger) -> list[tuple[str, str]]:
    return [(row.state, (row.reason or "").split(":")[0]) for row in rows(ledger)]


def later(**units: float) -> datetime:
    return clock.now().replace(microsecond=0) + timedelta(**units)


def at(instant: datetime) -> str:
    return f'{{at: "{instant:%Y-%m-%dT%H:%M:%SZ}"}}'


def every(period: str, start: datetime) -> str:
    return f'{{every: {period}, start: "{start:%Y-%m-%dT%H:%M:%SZ}"}}'


def test_occurrences_up_to_a_day_ahead_become_rows(ledger: Ledger, declare: Declare) -> None:
    start = later(minutes=1)
    publisher = declare(HEAD + one(every("1h", start), price="3", media="[m1]", expires_after="30m", priority="2"))
    found = rows(ledger)
    assert [row.due_at for row in found] == [start + timedelta(hours=n) for n in range(24)]
    assert [row.number for row in found] == list(range(1, 25))
    first = found[0]
    assert (first.state, first.waiting_for, first.version, first.attempts) == ("planned", "time", 1, 0)
    assert (first.occurrence, first.kind, first.priority) == (f"{start:%Y-%m-%dT%H:%M:%SZ}", "every", 2)
    assert first.expires_at - first.due_at == timedelta(minutes=30)
    assert plan_all(ledger, publisher) == 0, "planning again adds nothing"


def test_two_schedulers_plan_one_row_each(ledger: Ledger, declare: Declare, file: Path) -> None:
    declare(HEAD + one(every("2h", later(minutes=1))))
    before = [row.id for row in rows(ledger)]
    with ledger.write() as connection:
        connection.execute(update(cursors).values(planned_until=clock.now()))
    other = Publisher(ledger, file, frozenset(), "another scheduler")
    other.start()
    plan_all(ledger, other)
    assert [row.id for row in rows(ledger)] == before
    assert other.generation == 1


def test_a_long_plan_is_made_in_bounded_steps(ledger: Ledger, declare: Declare) -> None:
    publisher = declare(HEAD + one(every("1m", later(minutes=1))))
    assert len(rows(ledger)) == 300
    while plan_all(ledger, publisher):
        pass
    found = rows(ledger)
    assert 1438 <= len(found) <= 1440
    assert len({row.occurrence for row in found}) == len(found)


def test_expiry_counts_from_the_end_of_quiet_hours(ledger: Ledger, declare: Declare) -> None:
    due = later(minutes=5).astimezone(UTC)
    end = due + timedelta(hours=3)
    quiet = f'timezone: UTC, quiet_hours: "{due - timedelta(hours=1):%H:%M}-{end:%H:%M}"'
    declare(HEAD.replace("timezone: Europe/Berlin", quiet) + one(at(due)))
    assert rows(ledger)[0].expires_at == end.replace(second=0) + timedelta(hours=2)


@pytest.mark.parametrize(("minutes", "state"), [(-5, "planned"), (-180, "planned"), (5, "planned")])
def test_an_at_goes_even_if_it_lies_in_the_past_when_it_is_first_loaded(
    ledger: Ledger, declare: Declare, minutes: int, state: str
) -> None:
    declare(HEAD + one(at(later(minutes=minutes))))
    assert standing(ledger) == [(state, "")]


def test_cron_and_every_count_from_when_they_were_loaded(ledger: Ledger, declare: Declare) -> None:
    declare(HEAD + one(every("1h", later(minutes=-150))))
    assert min(row.due_at for row in rows(ledger)) > clock.now()


def test_a_moved_at_replaces_what_was_not_due(ledger: Ledger, declare: Declare) -> None:
    first, second = later(hours=1), later(hours=2)
    declare(HEAD + one(at(first)))
    declare(HEAD + one(at(second)))
    assert standing(ledger) == [("cancelled", "rescheduled"), ("planned", "")]
    declare(HEAD + one(at(first)))
    assert standing(ledger) == [("planned", ""), ("cancelled", "rescheduled")]
    assert len(rows(ledger)) == 2, "declared again it is the same row"


@pytest.mark.parametrize("gone", ["sent", "queued", "sending", "unknown", "held", "unsent"])
def test_an_at_that_went_or_may_have_gone_is_the_only_one(ledger: Ledger, declare: Declare, gone: str) -> None:
    declare(HEAD + one(at(later(minutes=-1))))
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(state=gone, waiting_for=None))
    declare(HEAD + one(at(later(hours=1))))
    assert [row.state for row in rows(ledger)] == [gone]


def test_a_new_schedule_counts_from_now(ledger: Ledger, declare: Declare) -> None:
    start = later(hours=1)
    declare(HEAD + one(every("12h", start)))
    declare(HEAD + one(every("12h", start + timedelta(hours=2))))
    assert standing(ledger) == [
        ("cancelled", "rescheduled"),
        ("planned", ""),
        ("cancelled", "rescheduled"),
        ("planned", ""),
    ]


def test_what_went_that_day_under_another_revision_is_held(ledger: Ledger, declare: Declare) -> None:
    soon = later(seconds=30)
    declare(HEAD + one(every("1d", soon)))
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(state="sent", waiting_for=None))
    declare(HEAD + one(every("1d", soon + timedelta(seconds=1))))
    held = [row for row in rows(ledger) if row.state == "held"]
    assert len(held) == 1
    assert held[0].reason.startswith("edited_after_send")


def test_content_is_replaced_only_where_nothing_was_tried(ledger: Ledger, declare: Declare) -> None:
    start = later(minutes=10)
    declare(HEAD + one(every("6h", start), text="Before"))
    ids = [row.id for row in rows(ledger)]
    with ledger.write() as connection:
        tried = update(broadcasts).where(broadcasts.c.id == ids[0])
        connection.execute(tried.values(attempts=1))
        due = update(broadcasts).where(broadcasts.c.id == ids[1])
        connection.execute(due.values(due_at=clock.now() - timedelta(seconds=1)))
        queued = update(broadcasts).where(broadcasts.c.id == ids[2])
        connection.execute(queued.values(state="queued"))
    declare(HEAD + one(every("6h", start), text="After"))
    by_id = {row.id: row for row in rows(ledger)}
    assert ["Before" in by_id[id_].content for id_ in ids] == [True, True, True, False]
    assert [by_id[id_].version for id_ in ids] == [1, 1, 1, 2]
    with ledger.read() as session:
        told = session.execute(select(events).where(events.c.broadcast_id == ids[3])).one()
    assert (told.source, told.target) == ("planned", "planned")


def test_only_what_changed_gets_a_new_version(ledger: Ledger, declare: Declare) -> None:
    start = later(minutes=10)
    declare(HEAD + one(at(start)) + one(at(start), "two"))
    declare(HEAD + one(at(start)) + one(at(start), "two", text="Other"))
    assert {row.campaign: row.version for row in rows(ledger)} == {"one": 1, "two": 2}


@pytest.mark.parametrize(("edit", "word"), [("", "removed"), (one("{every: 6h}", enabled="false"), "disabled")])
def test_withdrawn_campaigns_are_cancelled(ledger: Ledger, declare: Declare, edit: str, word: str) -> None:
    two = one(at(later(hours=1)), "two")
    declare(HEAD + one("{every: 6h}") + two)
    declare(HEAD + edit + two)
    assert {state for state in standing(ledger) if state != ("planned", "")} == {("cancelled", word)}
    assert [row.campaign for row in rows(ledger, state="planned")] == ["two"]
    declare(HEAD + one("{every: 6h}") + two)
    assert {row.state for row in rows(ledger)} == {"planned"}


def test_a_persons_cancel_stands(ledger: Ledger, declare: Declare) -> None:
    two = one(at(later(hours=1)), "two")
    declare(HEAD + one(at(later(hours=1))) + two)
    mine = rows(ledger, campaign="one")[0].id
    decisions.cancel(ledger, mine, "person:ada", "no")
    declare(HEAD + two)
    declare(HEAD + one(at(later(hours=1))) + two)
    assert rows(ledger, id=mine)[0].state == "cancelled"


def test_a_stale_file_follows_the_ledger(ledger: Ledger, declare: Declare, file: Path) -> None:
    old, new = HEAD + one("{every: 6h}"), HEAD + one("{every: 6h}", text="Newer")
    declare(old)
    running = declare(new)
    assert running.generation == 2
    file.write_text(old)
    stale = Publisher(ledger, file, frozenset(), "a stale scheduler")
    stale.start()
    assert stale.generation == 2
    stale.look()
    with ledger.read() as session:
        assert session.scalar(select(func.count()).select_from(catalogues)) == 2
    running.look()
    assert running.look(), "it saw the change itself while running"
    assert running.generation == 3
    assert stale.look(), "the others follow"
    assert stale.generation == 3


def test_the_plan_of_an_older_catalogue_adds_nothing(ledger: Ledger, declare: Declare) -> None:
    old = declare(HEAD + one("{every: 6h}"))
    assert old.catalogue is not None
    kept, generation = Catalogue.restore(old.catalogue.content), old.generation
    declare(HEAD + one("{every: 6h}", "two"))
    with ledger.write() as connection:
        connection.execute(update(cursors).values(planned_until=clock.now(), revision=""))
    assert plan(ledger, kept, generation, "scheduler test") == 0


def test_a_restart_with_a_bad_file_goes_on_with_the_ledger(ledger: Ledger, declare: Declare, file: Path) -> None:
    declare(HEAD + one("{every: 6h}"))
    file.write_text("version: 1\ncampaigns: [")
    again = Publisher(ledger, file, frozenset(), "scheduler test")
    again.start()
    assert again.catalogue is not None
    assert list(again.catalogue.campaigns) == ["one"]


def test_a_bad_file_when_none_was_ever_in_force(ledger: Ledger, file: Path) -> None:
    file.write_text("version: 1\ncampaigns: [")
    with pytest.raises(NothingInForceError) as caught:
        Publisher(ledger, file, frozenset(), "scheduler test").start()
    assert str(caught.value).startswith(f"{file}:")


def test_live_facts_of_a_creator_follow_the_file(ledger: Ledger, declare: Declare) -> None:
    declare(HEAD + one("{every: 6h}"))
    edited = 'env:K, limit: 5/2h, quiet_hours: "23:00-08:00", webhook_secret: env:HOOK,'
    declare(HEAD.replace("env:K,", edited) + one("{every: 6h}"))
    with ledger.read() as session:
        row = session.execute(select(creators)).one()
    assert (row.limit_count, row.limit_seconds, row.quiet_hours) == (5, 7200, "23:00-08:00")
    assert (row.account, row.timezone) == ("env:K", "Europe/Berlin")
    assert row.webhook_secret == "env:HOOK"


def outage(ledger: Ledger, began: datetime) -> tuple[datetime, datetime]:
    """As if the only scheduler had last beaten then."""
    with ledger.write() as connection:
        connection.execute(insert(beats).values(process="dead", role="scheduler", at=began, **ELSEWHERE))
        connection.execute(update(cursors).values(since=began, planned_until=began))
    missed = gap(ledger)
    assert missed is not None
    return missed


@pytest.mark.parametrize(
    ("rule", "states"),
    [
        ("latest", ["skipped", "skipped", "skipped", "planned"]),
        ("all", ["planned", "planned", "planned", "planned"]),
        ("skip", ["skipped", "skipped", "skipped", "skipped"]),
    ],
)
def test_what_was_missed_is_caught_up_by_its_rule(
    ledger: Ledger, declare: Declare, rule: str, states: list[str]
) -> None:
    publisher = declare(HEAD + one(every("10m", later(minutes=5)), catch_up=rule))
    assert publisher.catalogue is not None
    with ledger.write() as connection:  # the world goes on for forty minutes, without a scheduler
        for row in rows(ledger):
            moved = {"due_at": row.due_at - timedelta(minutes=40), "expires_at": row.expires_at - timedelta(minutes=40)}
            connection.execute(update(broadcasts).where(broadcasts.c.id == row.id).values(moved))
    began = clock.now() - timedelta(minutes=38)
    with ledger.write() as connection:
        connection.execute(insert(beats).values(process="dead", role="scheduler", at=began, **ELSEWHERE))
    missed = gap(ledger)
    assert missed is not None
    catch_up(ledger, publisher.catalogue, missed, "scheduler test")
    catch_up(ledger, publisher.catalogue, missed, "scheduler test")
    assert [row.state for row in rows(ledger) if row.due_at <= clock.now()] == states
    skipped = rows(ledger, state="skipped")
    assert all(row.reason.startswith("missed_window") for row in skipped)


@pytest.mark.parametrize(("word", "state"), [("retry", "failed"), ("resolve", "held")])
def test_what_a_person_has_planned_again_is_not_missed(ledger: Ledger, declare: Declare, word: str, state: str) -> None:
    publisher = declare(HEAD + one("{at: '2030-01-01T12:00'}", catch_up="skip"))
    assert publisher.catalogue is not None
    mine, left = (add_broadcast(ledger, 1, name, state=state, catch_up="skip") for name in ("mine", "left"))
    if word == "retry":
        decisions.retry(ledger, mine, {}, "person:ada", None)
    else:
        decisions.resolve(ledger, mine, sent=False, message_id=None, who="person:ada", reason="I looked")
    long_ago = {"due_at": clock.now() - timedelta(minutes=20)}
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(state="planned", waiting_for="time", **long_ago))
    catch_up(ledger, publisher.catalogue, outage(ledger, clock.now() - timedelta(minutes=30)), "scheduler test")
    assert {row.id: row.state for row in rows(ledger) if row.id in (mine, left)} == {mine: "planned", left: "skipped"}


def test_an_outage_that_outlasts_the_plan_leaves_a_hundred_rows_and_a_count(ledger: Ledger, declare: Declare) -> None:
    publisher = declare(HEAD + one(every("1m", later(minutes=-600)), catch_up="skip"))
    assert publisher.catalogue is not None
    with ledger.write() as connection:
        connection.execute(broadcasts.delete())
    missed = outage(ledger, clock.now() - timedelta(minutes=500))
    catch_up(ledger, publisher.catalogue, missed, "scheduler test")
    assert len(rows(ledger, state="skipped")) == 100
    with ledger.read() as session:
        told = session.scalars(select(events.c.why).where(events.c.broadcast_id.is_(None))).all()
    assert len(told) == 1
    assert 398 <= int(told[0].removeprefix("missed_window: ").split()[0]) <= 400


def test_a_scheduler_that_beats_misses_nothing(ledger: Ledger) -> None:
    assert gap(ledger) is None
    beat(ledger, "scheduler", "scheduler test")
    beat(ledger, "scheduler", "scheduler test")
    beat(ledger, "scheduler", "another")
    assert gap(ledger) is None


def test_what_waits_for_a_retry_is_not_missing(ledger: Ledger, declare: Declare) -> None:
    publisher = declare(HEAD + one(at(later(minutes=-20))))
    assert publisher.catalogue is not None
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(waiting_for="retry", attempts=1))
    missed = outage(ledger, clock.now() - timedelta(minutes=30))
    catch_up(ledger, publisher.catalogue, missed, "scheduler test")
    assert standing(ledger) == [("planned", "")]


def test_a_renamed_campaign_is_held_at_release_too(ledger: Ledger, declare: Declare) -> None:
    soon = at(later(seconds=-1))
    declare(HEAD + one(soon))
    publisher = declare(HEAD + one(soon, "uno"))
    assert publisher.catalogue is not None
    with ledger.write() as connection:
        connection.execute(update(broadcasts).where(broadcasts.c.campaign == "one").values(state="sent"))
        connection.execute(update(creators).values(wake_at=clock.now()))
    broker = StubBroker(middleware=[])
    broker.declare_queue("frontrow")
    release(ledger, broker, publisher.catalogue.campaigns.keys(), "scheduler test")
    assert [row.state for row in rows(ledger, campaign="uno")] == ["held"]
    broker.close()


def test_an_edit_that_meets_a_fault_of_the_database_is_taken_up_at_the_next_look(
    ledger: Ledger, declare: Declare, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = declare(HEAD + one("{every: 6h}"))
    file.write_text(HEAD + one("{every: 6h}", text="After"))
    publisher.look()
    with monkeypatch.context() as broken:
        broken.setattr("scheduler.publish.put_in_force", failing)
        with pytest.raises(OperationalError):
            publisher.look()
    assert publisher.look()
    assert publisher.generation == 2


def failing(*_: object) -> None:
    raise OperationalError("", {}, Exception("gone for a moment"))


def test_of_two_that_publish_at_once_the_second_comes_after(ledger: Ledger, declare: Declare, file: Path) -> None:
    declare(HEAD + one("{every: 6h}"))
    mine, other = (Publisher(ledger, file, frozenset(), "scheduler test") for _ in range(2))
    mine.start()
    other.start()
    for publisher, text in ((mine, "Mine"), (other, "Other")):
        file.write_text(HEAD + one("{every: 6h}", text=text))
        loaded = reload(file, publisher.catalogue)
        assert loaded.catalogue
        publisher._publish(loaded.catalogue)
    assert (mine.generation, other.generation) == (2, 3)


def test_the_reference_to_a_key_may_move_without_a_second_send(ledger: Ledger, declare: Declare) -> None:
    soon = at(later(seconds=-1))
    declare(HEAD + one(soon))
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(state="sent", waiting_for=None))
    declare(HEAD.replace("env:K", '"file:bea.key"') + one(soon))
    assert standing(ledger) == [("sent", "")]
    with ledger.read() as session:
        accounts = session.execute(select(creators)).all()
    assert [row.account.endswith("bea.key") for row in accounts] == [True]


def test_a_pause_follows_the_account_when_its_creator_is_renamed(ledger: Ledger, declare: Declare) -> None:
    declare(HEAD + one("{every: 6h}"))
    decisions.pause(ledger, "creator", "bea", "person:ada", None)
    declare(HEAD.replace("bea:", "beatrix:") + one("{every: 6h}", creator="beatrix"))
    with ledger.read() as session:
        assert session.scalars(select(pauses.c.target)).all() == ["beatrix"]
