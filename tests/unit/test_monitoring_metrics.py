"""What a process counts, read as Prometheus reads it; and the sums over the processes of one worker."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from carillon.monitoring import metrics
from carillon.platforms import errors
from carillon.platforms.contract import Receipt
from carillon.platforms.roster import PLATFORMS
from repository import ROOT
from worker import verdict

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]

FRONTROW = {"platform": "frontrow"}
OTHER = {"platform": "other"}


def series(text: bytes) -> Series:
    families = text_string_to_metric_families(text.decode())
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def rises(before: Series, after: Series) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    grown = {key: round(value - before.get(key, 0), 9) for key, value in after.items()}
    return {(name, labels): by for (name, labels), by in grown.items() if by and name.startswith("carillon_")}


def one(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return f"carillon_{name}", frozenset(labels.items())


def in_buckets(name: str, labels: dict[str, str], observed: float, *buckets: str) -> Series:
    return {
        one(f"{name}_count", **labels): 1,
        one(f"{name}_sum", **labels): observed,
        **{one(f"{name}_bucket", **labels, le=bucket): 1 for bucket in buckets},
    }


@pytest.mark.parametrize(
    ("happen", "expected"),
    [
        (
            lambda: metrics.attempt("frontrow", "refused", 7),
            {one("attempts_total", **FRONTROW, verdict="refused"): 1}
            | in_buckets("attempt_seconds", FRONTROW, 7, "10.0", "20.0", "30.0", "+Inf"),
        ),
        (
            lambda: metrics.attempt("myspace", "it said: go away, luna", 100),
            {one("attempts_total", **OTHER, verdict="other"): 1} | in_buckets("attempt_seconds", OTHER, 100, "+Inf"),
        ),
        (lambda: metrics.throttled("fanvue"), {one("throttled_total", platform="fanvue"): 1}),
        (
            lambda: metrics.accepted("frontrow", 1000),
            in_buckets("lateness_seconds", FRONTROW, 1000, "1800.0", "3600.0", "+Inf"),
        ),
        (lambda: metrics.handed_off("ofauth", 500), {one("handed_off_total", platform="ofauth"): 500}),
        (
            lambda: metrics.preflight("frontrow", "clear"),
            {one("preflights_total", **FRONTROW, outcome="clear"): 1},
        ),
        (
            lambda: metrics.preflight("frontrow", "list_missing: vip"),
            {one("preflights_total", **FRONTROW, outcome="other"): 1},
        ),
        (
            lambda: metrics.beat("release", 0.5),
            in_buckets("beat_seconds", {"beat": "release"}, 0.5, "1.0", "10.0", "+Inf"),
        ),
        (lambda: metrics.database_error("record"), {one("database_errors_total", where="record"): 1}),
    ],
)
def test_what_happens_is_counted_once_and_nothing_else(happen: Callable[[], None], expected: Series) -> None:
    before = series(metrics.exposition())
    happen()
    assert rises(before, series(metrics.exposition())) == expected


def test_what_was_accepted_before_it_was_due_is_not_late() -> None:
    before = series(metrics.exposition())
    metrics.accepted("frontrow", -0.2)
    rise = rises(before, series(metrics.exposition()))
    assert one("lateness_seconds_sum", **FRONTROW) not in rise
    assert rise[one("lateness_seconds_bucket", **FRONTROW, le="0.1")] == 1


def test_names_that_never_end_become_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_places", set())
    before = series(metrics.exposition())
    for number in range(1000):
        metrics.database_error(f"broadcast {number}")
    rise = rises(before, series(metrics.exposition()))
    assert len(rise) == 33
    assert rise[one("database_errors_total", where="other")] == 968


def test_every_platform_shows_zeros_from_the_start() -> None:
    told = series(fresh("from carillon.monitoring import metrics; print(metrics.exposition().decode())"))
    for platform in PLATFORMS:
        for name, words in (("attempts_total", {"verdict": "unknown"}), ("preflights_total", {"outcome": "stop"})):
            assert told[one(name, platform=platform, **words)] == 0
        assert told[one("lateness_seconds_bucket", platform=platform, le="0.5")] == 0
    assert told["process_resident_memory_bytes", frozenset()] > 0 or sys.platform != "linux"


def test_every_verdict_of_the_worker_has_its_word() -> None:
    happened = (
        errors.NotSent("no connection"),
        errors.LeaseOver("late"),
        errors.Throttled("slow down", 1),
        errors.Unauthorized("who"),
        errors.Forbidden("no"),
        errors.Redirected("there"),
        errors.Refused("too long"),
        errors.MaybeSent("cut"),
    )
    names = {verdict.turned_away(error, 0, 0).name for error in happened}
    names.add(verdict.accepted(Receipt("m1", 5)).name)
    assert names == set(metrics.VERDICTS)


def fresh(program: str, **variables: str) -> bytes:
    """What a process of its own prints: what is counted here stays counted."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()
    return done.stdout


FAMILY = """
import os, signal
from carillon.monitoring import metrics

def child(sends, dies):
    hear, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        for _ in range(sends):
            metrics.attempt("fanvue", "accepted", 0.1)
            metrics.accepted("fanvue", 3)
        metrics.throttled("ofauth")
        os.write(tell, b"done")
        signal.pause()
    os.read(hear, 4)
    if dies:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        metrics.forget_process(pid)
    return pid

for number in range(3):
    child(2, dies=True)
living = child(5, dies=False)
metrics.forget_process(os.getpid() + 1_000_000)
print(metrics.exposition().decode())
os.kill(living, signal.SIGKILL)
os.waitpid(living, 0)
"""


def test_processes_that_share_a_folder_are_told_as_one_and_the_dead_are_not_lost(tmp_path: Path) -> None:
    told = series(fresh(FAMILY, PROMETHEUS_MULTIPROC_DIR=str(tmp_path)))
    assert told[one("attempts_total", platform="fanvue", verdict="accepted")] == 3 * 2 + 5
    assert told[one("lateness_seconds_count", platform="fanvue")] == 3 * 2 + 5
    assert told[one("lateness_seconds_sum", platform="fanvue")] == 3 * (3 * 2 + 5)
    assert told[one("lateness_seconds_bucket", platform="fanvue", le="2.0")] == 0
    assert told[one("lateness_seconds_bucket", platform="fanvue", le="5.0")] == 3 * 2 + 5
    assert told[one("throttled_total", platform="ofauth")] == 4
    assert told[one("attempts_total", platform="frontrow", verdict="accepted")] == 0
    kinds = sorted(file.name.partition("_")[0] for file in tmp_path.iterdir())
    assert kinds == ["counter"] * 3 + ["histogram"] * 3  # the parent's, the living child's, those of all who ended


def test_a_process_alone_has_nobody_to_forget() -> None:
    before = metrics.exposition()
    metrics.forget_process(os.getpid())
    assert rises(series(before), series(metrics.exposition())) == {}
