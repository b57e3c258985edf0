"""The ledger's figures, compared with rows that are known, on both databases."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert
from structlog.testing import capture_logs

from carillon import clock
from carillon.ledger import alarms
from carillon.ledger.connect import Ledger
from carillon.ledger.schema import migrate
from carillon.ledger.states import State
from carillon.ledger.tables import beats, catalogues
from carillon.monitoring import ledger_figures, ledger_metrics
from carillon.monitoring.ledger_metrics import LedgerMetrics
from carillon.platforms.roster import PLATFORMS
from ledger_rows import add_broadcast, add_creator
from running import until

Figures = dict[tuple[str, ...], float]
Unhurried = tuple[list[str], threading.Event]

OF_THE_LEDGER = {
    "broadcasts",
    "waiting",
    "queue_age_seconds",
    "beat_age_seconds",
    "processes",
    "alarms_open",
    "creators_stopped",
    "creators_cooling_down",
    "catalogue_generation",
}


def told(ledger: Ledger) -> dict[str, Figures]:
    return parsed(LedgerMetrics(ledger))


def parsed(figures: LedgerMetrics) -> dict[str, Figures]:
    """By name without its prefix; each by its labels' values, in the order of the labels' names."""
    families = text_string_to_metric_families(figures.exposition().decode())
    return {
        family.name.removeprefix("carillon_"): {
            tuple(value for _, value in sorted(one.labels.items())): one.value for one in family.samples
        }
        for family in families
    }


def above_zero(figures: Figures) -> Figures:
    return {labels: figure for labels, figure in figures.items() if figure}


def ago(seconds: float) -> datetime:
    return clock.now() - timedelta(seconds=seconds)


def ahead(seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)


def test_an_empty_ledger_shows_zeros_for_every_platform(ledger: Ledger) -> None:
    figures = told(ledger)
    assert figures.keys() >= OF_THE_LEDGER - {"alarms_open", "beat_age_seconds"}
    assert {(platform, "", state) for platform in PLATFORMS for state in State} == figures["broadcasts"].keys()
    for name in ("queue_age_seconds", "creators_stopped", "creators_cooling_down"):
        assert figures[name] == {(platform,): 0 for platform in PLATFORMS}
    assert ("limit", "fanvue") in figures["waiting"]
    assert figures["processes"] == {("scheduler",): 0, ("worker",): 0}
    assert (figures["ledger_up"], figures["catalogue_generation"]) == ({(): 1}, {(): 0})
    assert above_zero(figures["broadcasts"]) == above_zero(figures["waiting"]) == {}


def test_broadcasts_are_counted_by_state_platform_and_the_reasons_first_word(ledger: Ledger) -> None:
    luna, mia = add_creator(ledger), add_creator(ledger, "mia", platform="fanvue")
    rows: list[tuple[int, str, str | None]] = [
        (luna, "sent", None),
        (luna, "sent", "error_after_accept: the platform accepted it with an error"),
        (mia, "sent", None),
        (mia, "unsent", None),
        (luna, "failed", "refused: the text of Luna's message is too long"),
        (luna, "failed", "refused: no such list"),
        (luna, "failed", "list_missing: there is no smart list 'vip'"),
        (mia, "expired", "too_late: it could not go before it expired"),
        (mia, "held", "unknown_outcome: its worker died"),
        (mia, "cancelled", "because I say so"),
        (luna, "queued", None),
        (luna, "sending", None),
    ]
    of = {luna: "frontrow", mia: "fanvue"}
    for number, (creator, state, reason) in enumerate(rows):
        add_broadcast(ledger, creator, f"c{number}", platform=of[creator], state=state, reason=reason)
    assert above_zero(told(ledger)["broadcasts"]) == {
        ("frontrow", "", "sent"): 2,
        ("fanvue", "", "sent"): 1,
        ("fanvue", "", "unsent"): 1,
        ("frontrow", "refused", "failed"): 2,
        ("frontrow", "list_missing", "failed"): 1,
        ("fanvue", "too_late", "expired"): 1,
        ("fanvue", "unknown_outcome", "held"): 1,
        ("fanvue", "other", "cancelled"): 1,
        ("frontrow", "", "queued"): 1,
        ("frontrow", "", "sending"): 1,
    }


def test_what_waits_is_counted_by_what_it_waits_for(ledger: Ledger) -> None:
    luna = add_creator(ledger, limit_count=0)
    mia = add_creator(ledger, "mia", platform="fanvue", stopped_at=ago(5), stopped_reason="credentials: no")
    zoe = add_creator(ledger, "zoe", platform="ofauth", cool_down_until=ahead(60))
    ada = add_creator(ledger, "ada", platform="onlyfansapi")
    waits: list[tuple[int, str, dict[str, Any]]] = [
        (luna, "frontrow", {}),
        (luna, "frontrow", {"due_at": ahead(3600)}),
        (luna, "frontrow", {"due_at": ahead(7200)}),
        (mia, "fanvue", {"waiting_for": "limit"}),  # what it waited for when it was last looked at
        (zoe, "ofauth", {}),
        (ada, "onlyfansapi", {"waiting_for": "retry", "not_before": ahead(60)}),
        (ada, "onlyfansapi", {}),
    ]
    for number, (creator, platform, values) in enumerate(waits):
        add_broadcast(ledger, creator, f"c{number}", platform=platform, state="planned", **values)
    add_broadcast(ledger, ada, "c6", platform="onlyfansapi", state="planned", due_at=ago(0.5))
    figures = told(ledger)
    assert above_zero(figures["waiting"]) == {
        ("limit", "frontrow"): 1,
        ("time", "frontrow"): 2,
        ("creator", "fanvue"): 1,
        ("cool_down", "ofauth"): 1,
        ("retry", "onlyfansapi"): 1,
        ("nothing", "onlyfansapi"): 1,
        ("overlap", "onlyfansapi"): 1,
    }
    assert sum(figures["waiting"].values()) == sum(
        count for (_, _, state), count in figures["broadcasts"].items() if state == "planned"
    )


def test_the_queues_age_is_that_of_its_oldest(ledger: Ledger) -> None:
    luna = add_creator(ledger)
    for number, (state, seconds) in enumerate([("queued", 30), ("queued", 90), ("sending", 500)]):
        add_broadcast(ledger, luna, f"c{number}", state=state, state_since=ago(seconds))
    ages = told(ledger)["queue_age_seconds"]
    assert 90 <= ages["frontrow",] < 150
    assert ages["fanvue",] == 0


def test_beats_are_those_of_the_living_and_the_age_is_that_of_the_last(ledger: Ledger) -> None:
    rows = [
        ("a", "scheduler", 2, None),
        ("b", "scheduler", 3, None),
        ("c", "worker", 300, None),
        ("d", "worker", 200, ago(200)),
        ("e", "juggler", 1, None),
    ]
    with ledger.write() as connection:
        for process, role, seconds, left_at in rows:
            values = {"process": process, "role": role, "at": ago(seconds), "left_at": left_at}
            connection.execute(insert(beats).values(**values, host="h", host_at=clock.now(), revision="0001"))
    figures = told(ledger)
    assert figures["processes"] == {("scheduler",): 2, ("worker",): 0, ("other",): 1}
    assert 2 <= figures["beat_age_seconds"]["scheduler",] < 62
    assert 200 <= figures["beat_age_seconds"]["worker",] < 260


def test_alarms_accounts_and_the_catalogue(ledger: Ledger) -> None:
    add_creator(ledger, stopped_at=ago(5))
    add_creator(ledger, "off", stopped_at=ago(5), enabled=False)
    add_creator(ledger, "mia", platform="fanvue", cool_down_until=ahead(60))
    add_creator(ledger, "zoe", platform="fanvue", cool_down_until=ago(60))
    with ledger.write() as connection:
        for cause in ("held:1", "held:2", "stopped:1", "queued:7"):
            alarms.sound(connection, cause, "look", clock.now())
        alarms.clear(connection, "queued:7", clock.now())
        for generation in (1, 2):
            row = {"generation": generation, "digest": "d", "content": "{}", "published_at": clock.now()}
            connection.execute(insert(catalogues).values(row))
    figures = told(ledger)
    assert above_zero(figures["creators_stopped"]) == {("frontrow",): 1}
    assert above_zero(figures["creators_cooling_down"]) == {("fanvue",): 1}
    assert figures["alarms_open"] == {("held",): 2, ("stopped",): 1}
    assert figures["catalogue_generation"] == {(): 2}


def test_figures_are_kept_for_a_while(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    luna = add_creator(ledger)
    kept, fresh = LedgerMetrics(ledger), LedgerMetrics(ledger)
    assert (sent(kept), sent(fresh)) == (0, 0)
    add_broadcast(ledger, luna, state="sent")
    monkeypatch.setattr(clock, "ticks", at(clock.ticks() + 9))
    assert sent(kept) == 0
    assert parsed(kept)["ledger_figures_age_seconds"][()] >= 9
    monkeypatch.setattr(clock, "ticks", at(clock.ticks() + 60))
    assert sent(kept) == 1


def sent(figures: LedgerMetrics) -> float:
    return parsed(figures)["broadcasts"]["frontrow", "", "sent"]


def at(ticks: float) -> Any:
    return lambda: ticks


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[Unhurried]:
    """Readings of the ledger: who reads, and the word to go on."""
    reading, go_on = list[str](), threading.Event()
    real = ledger_figures.by_state

    def by_state(connection: Any) -> ledger_figures.Figures:
        reading.append(threading.current_thread().name)
        assert go_on.wait(60)
        return real(connection)

    monkeypatch.setattr(ledger_figures, "by_state", by_state)
    yield reading, go_on
    go_on.set()


def test_one_reads_for_all(ledger: Ledger, unhurried: Unhurried, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_metrics, "_PATIENCE", 60)
    figures, (reading, go_on) = LedgerMetrics(ledger), unhurried
    found: list[float] = []
    asking = [threading.Thread(target=lambda: found.append(sent(figures))) for _ in range(4)]
    for thread in asking:
        thread.start()
    until(lambda: reading)
    go_on.set()
    for thread in asking:
        thread.join(60)
    assert (len(reading), found) == (1, [0, 0, 0, 0])


def test_nobody_waits_long_for_another(ledger: Ledger, unhurried: Unhurried, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_metrics, "_PATIENCE", 0.05)
    figures, (reading, go_on) = LedgerMetrics(ledger), unhurried
    first = threading.Thread(target=figures.exposition)
    first.start()
    until(lambda: reading)
    assert parsed(figures)["ledger_up"] == {(): 0}
    go_on.set()
    first.join(60)
    assert parsed(figures)["ledger_up"] == {(): 1}


def test_a_ledger_that_cannot_be_read_takes_its_figures_along_but_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'carillon.db'}")
    figures = LedgerMetrics(ledger)
    with capture_logs() as logs:
        found = parsed(figures)
    assert found["ledger_up"] == {(): 0}
    assert found.keys() & OF_THE_LEDGER == set()
    assert found["attempts"]
    assert found["database_errors"]["metrics",] >= 1
    assert [line["error"] for line in logs] == ["OperationalError"]
    migrate(ledger)
    monkeypatch.setattr(clock, "ticks", at(clock.ticks() + 11))
    assert parsed(figures)["ledger_up"] == {(): 1}
    with ledger.write() as connection:
        beats.drop(connection)
    monkeypatch.setattr(clock, "ticks", at(clock.ticks() + 60))
    with capture_logs():
        assert parsed(figures).keys() & OF_THE_LEDGER == set()
    ledger.close()
