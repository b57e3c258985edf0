"""What this process counts for Prometheus: attempts, lateness, 429s, preflights, orders, beats.

Labels are words from closed sets, anything else counts as `other`: never a creator, a campaign, an id or a text. So
there are as many series for one creator as for ten thousand.

The processes of one worker count into files of a folder that their parent tells the sums of. It makes the folder, and
names it in PROMETHEUS_MULTIPROC_DIR, before this module or prometheus_client is imported for the first time.
"""

import os
from collections.abc import Collection, Iterable
from itertools import product
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from carillon.handoff.orders import QUEUES as PLATFORMS

VERDICTS = ("accepted", "refused", "redirect", "credentials", "forbidden", "throttled", "not_sent", "unknown")
OUTCOMES = ("clear", "stop", "later", "turned_away")
OTHER = "other"

_FOLDER = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
_MOST_NAMES = 32

disable_created_metrics()  # type: ignore[no-untyped-call]
_registry = CollectorRegistry()
ProcessCollector(registry=_registry)

_attempts = Counter(
    "carillon_attempts_total", "Requests to send, by what came of them", ("platform", "verdict"), registry=_registry
)
_attempt_seconds = Histogram(
    "carillon_attempt_seconds",
    "From the claim of a broadcast to the platform's answer",
    ("platform",),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30),
    registry=_registry,
)
_throttled = Counter(
    "carillon_throttled_total", "429s, to sends and to the reads before them", ("platform",), registry=_registry
)
_lateness = Histogram(
    "carillon_lateness_seconds",
    "From due to accepted; waits for the limit, quiet hours, pauses, cool-downs and retries count in",
    ("platform",),
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600),
    registry=_registry,
)
_preflights = Counter(
    "carillon_preflights_total", "Looks at the platform before a claim", ("platform", "outcome"), registry=_registry
)
_handed_off = Counter(
    "carillon_handed_off_total", "Orders to deliver that the queue accepted", ("platform",), registry=_registry
)
_beat_seconds = Histogram(
    "carillon_beat_seconds",
    "How long a beat of the scheduler took",
    ("beat",),
    buckets=(0.01, 0.1, 1, 10),
    registry=_registry,
)
_database_errors = Counter(
    "carillon_database_errors_total", "Times that the ledger could not be used", ("where",), registry=_registry
)


def _show_zeros(metric: MetricWrapperBase, *words: Iterable[str]) -> None:
    """A series that is there from the start shows its first event as a rise."""
    for labels in product(PLATFORMS, *words):
        metric.labels(*labels)


for _metric in (_attempt_seconds, _throttled, _lateness, _handed_off):
    _show_zeros(_metric)
_show_zeros(_attempts, VERDICTS)
_show_zeros(_preflights, OUTCOMES)


def attempt(platform: str, verdict: str, seconds: float) -> None:
    """One request to send was made, or failed before its first byte."""
    known = word(platform, PLATFORMS)
    _attempts.labels(known, word(verdict, VERDICTS)).inc()
    _attempt_seconds.labels(known).observe(seconds)


def throttled(platform: str) -> None:
    """A 429, whatever was asked."""
    _throttled.labels(word(platform, PLATFORMS)).inc()


def accepted(platform: str, lateness_seconds: float) -> None:
    """A broadcast was accepted so long after it was due."""
    _lateness.labels(word(platform, PLATFORMS)).observe(max(0.0, lateness_seconds))


def preflight(platform: str, outcome: str) -> None:
    _preflights.labels(word(platform, PLATFORMS), word(outcome, OUTCOMES)).inc()


def handed_off(platform: str, count: int) -> None:
    _handed_off.labels(word(platform, PLATFORMS)).inc(count)


def beat(name: str, seconds: float) -> None:
    """`name` is a word of the code, not of the data."""
    _beat_seconds.labels(_name(name, _beats)).observe(seconds)


def database_error(where: str) -> None:
    """`where` is a word of the code, such as the name of a beat."""
    _database_errors.labels(_name(where, _places)).inc()


def word(text: str, known: Collection[str]) -> str:
    return text if text in known else OTHER


_beats: set[str] = set()
_places: set[str] = set()


def _name(text: str, seen: set[str]) -> str:
    """Names that nobody listed: the first thirty-two count by themselves."""
    if text not in seen and len(seen) >= _MOST_NAMES:
        return OTHER
    seen.add(text)
    return text


def exposition() -> bytes:
    """This process's figures as Prometheus reads them; those of all processes where they share a folder."""
    if _FOLDER is None:
        return generate_latest(_registry)
    gathered = CollectorRegistry()
    MultiProcessCollector(gathered, _FOLDER)  # type: ignore[no-untyped-call]
    return generate_latest(gathered)


def forget_process(pid: int) -> None:
    """Of a child that ended only its sums are kept: in one file for all, so that restarts do not pile files up.

    For the parent alone, which is also the one that reads the files.
    """
    for kind in ("counter", "histogram"):
        of_child = Path(_FOLDER or "", f"{kind}_{pid}.db")
        if _FOLDER is None or not of_child.exists():
            continue
        sums = MmapedDict(str(of_child.with_name(f"{kind}_ended.db")))  # type: ignore[no-untyped-call]
        for key, value, _, _ in MmapedDict.read_all_values_from_file(of_child):  # type: ignore[no-untyped-call]
            sums.write_value(key, sums.read_value(key)[0] + value, 0.0)  # type: ignore[no-untyped-call]
        sums.close()  # type: ignore[no-untyped-call]
        of_child.unlink()
