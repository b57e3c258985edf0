"""Campaigns whose time the platform keeps: planned, missed, edited and followed by the scheduler, on both databases."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dramatiq.brokers.stub import StubBroker
from sqlalchemy import insert, select, update

from carillon import clock
from carillon.handoff.orders import FOLLOW
from carillon.ledger import decisions, placing
from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms, attempts, broadcasts, creators, cursors
from ledger_rows import broadcast
from scheduler.awake import move_on
from scheduler.missed import catch_up
from scheduler.placed import follow_placed
from scheduler.plan import plan
from scheduler.proposals import REMOVED, RESCHEDULED
from scheduler.publish import Publisher
from scheduler.rescue import Reminders
from scheduler.watch import watch

HEAD = """version: 1
creators:
  fay: {platform: fanvue, credentials: env:F, timezone: UTC}
campaigns:
"""
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


def one(schedule: str, name: str = "one", **more: str) -> str:
    keys = {"creator": "fay", "text": "Hi", "lists": "{include: [all_fans]}", "schedule": schedule}
    said = {**keys, "scheduled_by": "platform", **more}
    return f"  {name}: {{{', '.join(f'{key}: {value}' for key, value in said.items())}}}\n"


def at(instant: datetime) -> str:
    return f'{{at: "{instant:%Y-%m-%dT%H:%M:%SZ}"}}'


def later(hours: float) -> datetime:
    return clock.now().replace(microsecond=0) + hours * HOUR


Declare = Callable[[str], Publisher]


@pytest.fixture
def declare(ledger: Ledger, tmp_path: Path) -> Declare:
    running: list[Publisher] = []

    def write(text: str) -> Publisher:
        (tmp_path / "campaigns.yaml").write_text(HEAD + text)
        if not running:
            running.append(Publisher(ledger, tmp_path / "campaigns.yaml", frozenset(), "scheduler test"))
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


def rows(ledger: Ledger) -> list[Any]:
    with ledger.read() as session:
        return list(session.execute(select(broadcasts).order_by(placing.DUE, broadcasts.c.id)))


def place(ledger: Ledger) -> None:
    """As if workers had placed all that there is."""
    with ledger.write() as connection:
        placed = {"state": "placed", "waiting_for": None, "hand_off_at": clock.now() + HOUR, "attempts": 1}
        connection.execute(update(broadcasts).values(placed))


def go(ledger: Ledger, publisher: Publisher) -> list[int]:
    with ledger.write() as connection:
        connection.execute(update(creators).values(wake_at=clock.now() - SECOND))
    assert publisher.catalogue is not None
    return [id_ for id_, _ in move_on(ledger, publisher.catalogue.campaigns.keys(), "scheduler test", 100).queued]


@pytest.mark.parametrize(("more", "lead"), [({}, 24), ({"lead": "72h"}, 72), ({"lead": "1h"}, 1)])
def test_it_may_be_placed_that_long_before_it_is_due(
    ledger: Ledger, declare: Declare, more: dict[str, str], lead: int
) -> None:
    declare(one('{every: 1h, start: "2026-01-01T00:00Z"}', **more))
    found = rows(ledger)
    assert all(row.goes_at - row.due_at == lead * HOUR for row in found)
    assert all(row.expires_at - row.goes_at == 2 * HOUR for row in found)
    ahead = found[-1].goes_at - clock.now()
    assert max(lead, 23) * HOUR < ahead <= max(lead + 1, 24) * HOUR


def test_it_is_planned_further_before_the_next_is_to_be_placed(ledger: Ledger, declare: Declare) -> None:
    publisher = declare(one('{every: 1h, start: "2026-01-01T00:00Z"}', lead="72h"))
    with ledger.write() as connection:
        connection.execute(update(cursors).values(planned_until=clock.now() + 72 * HOUR))
    plan_all(ledger, publisher)
    with ledger.read() as session:
        (until,) = session.scalars(select(cursors.c.planned_until))
    assert until > clock.now() + 72.9 * HOUR


def test_it_is_released_when_it_may_be_placed(ledger: Ledger, declare: Declare) -> None:
    publisher = declare(one(at(later(3))) + one(at(later(30)), "two", lead="25h"))
    assert go(ledger, publisher) == [rows(ledger)[0].id]


def test_a_scheduler_that_was_away_has_missed_what_was_due_and_not_what_was_to_be_placed(
    ledger: Ledger, declare: Declare
) -> None:
    publisher = declare(one(at(later(3)), catch_up="skip") + one(at(later(4)), "two", catch_up="skip"))
    first, _ = rows(ledger)
    with ledger.write() as connection:
        was_due = {"goes_at": clock.now() - HOUR / 2, "due_at": clock.now() - 20 * HOUR}
        connection.execute(update(broadcasts).where(broadcasts.c.id == first.id).values(was_due))
    assert publisher.catalogue is not None
    catch_up(ledger, publisher.catalogue, (clock.now() - 30 * HOUR, clock.now()), "scheduler test")
    assert [row.state for row in rows(ledger)] == ["skipped", "planned"]


def test_an_edit_of_the_lead_moves_what_is_planned(ledger: Ledger, declare: Declare) -> None:
    when = later(20)
    declare(one(at(when), lead="2h"))
    declare(one(at(when), lead="6h"))
    (row,) = rows(ledger)
    assert (row.state, row.goes_at - row.due_at, row.version) == ("planned", 6 * HOUR, 2)
    declare(one(at(when), scheduled_by="carillon"))
    (again,) = rows(ledger)
    assert (again.goes_at, again.due_at) == (None, row.goes_at)


def test_an_edit_of_the_text_is_wished_of_what_is_placed(ledger: Ledger, declare: Declare) -> None:
    when = later(20)
    declare(one(at(when)))
    place(ledger)
    declare(one(at(when), text="Hi again"))
    (row,) = rows(ledger)
    wished = json.loads(row.wished)["columns"]
    assert (row.state, row.wish, json.loads(wished["content"])["text"]) == ("placed", "replace", "Hi again")
    assert datetime.fromisoformat(wished["goes_at"]) == row.goes_at
    assert row.hand_off_at <= clock.now()
    assert json.loads(row.content)["text"] == "Hi", "until the platform has it"


def test_an_edit_that_the_platform_does_not_see_is_made_at_once(ledger: Ledger, declare: Declare) -> None:
    when = later(20)
    declare(one(at(when)))
    place(ledger)
    declare(one(at(when), expires_after="5h"))
    (row,) = rows(ledger)
    assert (row.wish, row.expires_after, row.expires_at - row.goes_at) == (None, 5 * 3600, 5 * HOUR)


@pytest.mark.parametrize(
    ("edited", "reason"),
    [("  {}\n", "removed"), ("disabled", "disabled"), ("rescheduled", "rescheduled")],
)
def test_what_the_file_has_no_more_is_withdrawn(ledger: Ledger, declare: Declare, edited: str, reason: str) -> None:
    when = later(20)
    declare(one(at(when)))
    place(ledger)
    texts = {"disabled": one(at(when), enabled="false"), "rescheduled": one(at(when + 2 * HOUR))}
    declare(texts.get(edited, one(at(when), "other", text="Other")))
    row = next(row for row in rows(ledger) if row.campaign == "one")
    assert (row.state, row.wish) == ("placed", "withdraw")
    assert json.loads(row.wished)["reason"].startswith(reason)


def test_declared_again_before_it_was_withdrawn_it_is_kept(ledger: Ledger, declare: Declare) -> None:
    when = later(20)
    declare(one(at(when)) + one(at(when), "other", text="Other"))
    place(ledger)
    declare(one(at(when), "other", text="Other"))
    declare(one(at(when)) + one(at(when), "other", text="Other"))
    row = next(row for row in rows(ledger) if row.campaign == "one")
    assert (row.state, row.wish) == ("placed", "replace")
    assert len(rows(ledger)) == 2


def test_what_a_person_withdraws_no_edit_keeps(ledger: Ledger, declare: Declare) -> None:
    when = later(20)
    declare(one(at(when)))
    place(ledger)
    decisions.cancel(ledger, rows(ledger)[0].id, "person:ada", None)
    declare(one(at(when), text="Hi again"))
    assert rows(ledger)[0].wish == "withdraw"


@pytest.mark.parametrize("state", ["queued", "sending", "unknown"])
@pytest.mark.parametrize("edited", ["text", "gone"])
def test_an_edit_while_it_is_being_placed_is_followed(
    ledger: Ledger, declare: Declare, state: str, edited: str
) -> None:
    when = later(20)
    declare(one(at(when)) + one(at(when), "other", text="Other"))
    with ledger.write() as connection:
        connection.execute(update(broadcasts).where(broadcasts.c.campaign == "one").values(state=state))
    rest = one(at(when), "other", text="Other")
    publisher = declare(rest if edited == "gone" else one(at(when), text="Hi again") + rest)
    row = next(row for row in rows(ledger) if row.campaign == "one")
    if (state, edited) == ("queued", "gone"):
        assert row.state == "cancelled"
        return
    place(ledger)
    plan_all(ledger, publisher)
    assert broadcast(ledger, row.id).wish == ("withdraw" if edited == "gone" else "replace")
    with ledger.read() as session:
        assert set(session.scalars(select(cursors.c.edited))) == {False}


def test_what_was_about_to_be_placed_when_it_was_rescheduled_is_withdrawn(ledger: Ledger, declare: Declare) -> None:
    when = later(20)
    declare(one(at(when)))
    (row,) = rows(ledger)
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(state="queued"))
    publisher = declare(one(at(when + HOUR)))
    with ledger.write() as connection:
        connection.execute(update(broadcasts).where(broadcasts.c.id == row.id).values(state="planned"))
    plan_all(ledger, publisher)
    assert [each.state for each in rows(ledger)] == ["cancelled", "planned"]


def test_what_is_to_be_placed_anew_follows_the_file(ledger: Ledger, declare: Declare) -> None:
    when = later(20)
    declare(one(at(when)))
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(attempts=1))
    declare(one(at(when), text="Hi again"))
    assert json.loads(rows(ledger)[0].content)["text"] == "Hi again"


@pytest.mark.parametrize("due_in", [20, -0.5], ids=["before it was due", "after"])
def test_what_somebody_removed_on_the_platform_is_not_planned_again(
    ledger: Ledger, declare: Declare, due_in: float
) -> None:
    when = later(20)
    publisher = declare(one(at(when)))
    by_hand = "removed: the platform's own scheduler has it no more, and Carillon did not withdraw it"
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(state="cancelled", reason=by_hand, goes_at=later(due_in)))
        connection.execute(update(cursors).values(planned_until=clock.now()))
    plan_all(ledger, publisher)
    assert [row.state for row in rows(ledger)] == ["cancelled"]


@pytest.mark.parametrize("ends_as", ["cancelled", "sent"])
def test_at_another_time_of_that_day_it_waits_until_the_first_is_withdrawn(
    ledger: Ledger, declare: Declare, ends_as: str
) -> None:
    noon = (clock.now() + 24 * HOUR).replace(hour=12, minute=0, second=0, microsecond=0)
    daily = '{{cron: "0 {} * * *"}}'
    declare(one(daily.format(noon.hour), lead="48h"))
    place(ledger)
    publisher = declare(one(daily.format(noon.hour + 1), lead="48h"))
    old = [row for row in rows(ledger) if row.state == "placed"]
    new = [row for row in rows(ledger) if row.state == "planned"]
    assert {row.wish for row in old} == {"withdraw"}
    assert {row.waiting_for for row in new} == {"overlap"}
    assert go(ledger, publisher) == []
    with ledger.write() as connection:
        ended = {"state": ends_as, "wish": None, "wished": None}
        connection.execute(update(broadcasts).where(broadcasts.c.id.in_([row.id for row in old])).values(ended))
        again = update(broadcasts).where(broadcasts.c.state == "planned")
        connection.execute(again.values(not_before=clock.now() - SECOND))
    same_day = {row.id for row in new if row.day in {each.day for each in old}}
    assert same_day
    gone = set(go(ledger, publisher))
    assert same_day <= gone if ends_as == "cancelled" else not same_day & gone
    states = {broadcast(ledger, id_).state for id_ in same_day}
    assert states == ({"queued"} if ends_as == "cancelled" else {"held"})


@pytest.mark.parametrize(("verdict", "state"), [("withdrawn", "planned"), ("accepted", "cancelled")])
def test_declared_again_after_it_was_withdrawn_it_goes_unless_it_may_have_gone(
    ledger: Ledger, declare: Declare, verdict: str, state: str
) -> None:
    when = later(20)
    publisher = declare(one(at(when)))
    with ledger.write() as connection:
        connection.execute(update(broadcasts).values(state="cancelled", reason=REMOVED, attempts=1))
        connection.execute(update(cursors).values(planned_until=clock.now()))
        now = clock.now()
        made = {"number": 1, "token": "t", "host": "h", "pid": 1, "process_birth": "b", "timeout_seconds": 20.0}
        told = {"started_at": now, "lease_until": now, "request_digest": "d", "verdict": verdict}
        connection.execute(insert(attempts).values(broadcast_id=1, **made, **told))
    plan_all(ledger, publisher)
    assert [row.state for row in rows(ledger)] == [state]


def test_what_a_person_withdraws_holds_nothing_else_up(ledger: Ledger, declare: Declare) -> None:
    publisher = declare(one('{every: 1h, start: "2026-01-01T00:00Z"}', lead="48h"))
    first, *rest = rows(ledger)
    with ledger.write() as connection:
        mine = update(broadcasts).where(broadcasts.c.id == first.id)
        connection.execute(mine.values(state="placed", waiting_for=None, hand_off_at=clock.now() + HOUR, attempts=1))
    decisions.cancel(ledger, first.id, "person:ada", None)
    assert set(go(ledger, publisher)) <= {row.id for row in rest}
    assert "overlap" not in {row.waiting_for for row in rows(ledger)}


@pytest.mark.parametrize(("ends_as", "then"), [("cancelled", "queued"), ("sent", "held")])
def test_what_goes_once_waits_until_its_old_time_is_withdrawn(
    ledger: Ledger, declare: Declare, ends_as: str, then: str
) -> None:
    when = later(20)
    declare(one(at(when)))
    place(ledger)
    publisher = declare(one(at(when + 30 * HOUR), lead="72h"))
    old, new = rows(ledger)
    assert (old.wish, new.state, new.waiting_for) == ("withdraw", "planned", "overlap")
    with ledger.write() as connection:
        mine = update(broadcasts).where(broadcasts.c.id == new.id)
        connection.execute(mine.values(not_before=clock.now() - SECOND))
    assert go(ledger, publisher) == [], "asked again, it waits again"
    assert broadcast(ledger, new.id).not_before > clock.now()
    with ledger.write() as connection:
        ended = {"state": ends_as, "wish": None, "wished": None, "reason": RESCHEDULED}
        connection.execute(update(broadcasts).where(broadcasts.c.id == old.id).values(ended))
        again = update(broadcasts).where(broadcasts.c.state == "planned")
        connection.execute(again.values(not_before=clock.now() - SECOND))
    go(ledger, publisher)
    assert broadcast(ledger, new.id).state == then


def test_workers_are_told_when_to_look(ledger: Ledger, declare: Declare) -> None:
    declare(one(at(later(3))) + one(at(later(4)), "two"))
    place(ledger)
    broker, reminders = StubBroker(), Reminders()
    broker.declare_queue("fanvue")
    assert follow_placed(ledger, broker, reminders) == []
    first, _ = rows(ledger)
    with ledger.write() as connection:
        mine = update(broadcasts).where(broadcasts.c.id == first.id)
        connection.execute(mine.values(hand_off_at=clock.now() - SECOND))
    assert follow_placed(ledger, broker, reminders) == [first.id]
    assert follow_placed(ledger, broker, reminders) == [], "not again at once"
    message = broker.queues["fanvue"].get_nowait()
    assert FOLLOW.encode() in message


def test_what_nobody_settles_two_minutes_after_it_was_due_alarms(ledger: Ledger, declare: Declare) -> None:
    declare(one(at(later(3))) + one(at(later(4)), "two"))
    place(ledger)
    first, second = rows(ledger)
    for row, ago in ((first, 3), (second, 1)):
        with ledger.write() as connection:
            mine = update(broadcasts).where(broadcasts.c.id == row.id)
            connection.execute(mine.values(goes_at=clock.now() - timedelta(minutes=ago)))
    watch(ledger)
    with ledger.read() as session:
        assert list(session.scalars(select(alarms.c.cause))) == [f"placed:{first.id}"]
