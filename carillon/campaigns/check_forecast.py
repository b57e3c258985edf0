"""What the coming week would bring: broadcasts that cannot go before they expire, told once for each campaign."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count, islice

from carillon.campaigns.catalogue import Catalogue, Entry
from carillon.campaigns.durations import written
from carillon.campaigns.findings import Finding, Severity
from carillon.campaigns.forecast import Outlook, thinned_forecast
from carillon.clock import rfc3339_seconds

AHEAD = timedelta(days=7)
# Looked at for one account and for all. What is cut off is later in the week, or stands in a folder so large that
# a check of seconds cannot see all of it; a flood shows at its start.
_MOST_OF_ACCOUNT = 12_000
_MOST = 300_000
_MOST_NAMES = 5


def check_forecast(catalogue: Catalogue, now: datetime, severity: Severity) -> list[Finding]:
    accounts: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in catalogue.entries():
        if entry.enabled:
            accounts[entry.creator.key].append(entry)
    seen = count()
    return [
        _finding(catalogue, outlook, severity)
        for entries in accounts.values()
        for outlook in _conflicts(entries, now, seen)
    ]


def _conflicts(entries: list[Entry], now: datetime, seen: Iterator[int]) -> list[Outlook]:
    """The first conflict of each campaign."""
    found: dict[str, Outlook] = {}
    for outlook in islice(thinned_forecast(entries, now, now + AHEAD), _MOST_OF_ACCOUNT):
        if next(seen) >= _MOST:
            break
        if outlook.conflict:
            found.setdefault(outlook.entry.campaign, outlook)
            if len(found) == len(entries):
                break
    return list(found.values())


def _finding(catalogue: Catalogue, outlook: Outlook, severity: Severity) -> Finding:
    entry = outlook.entry
    file = next(file for file in catalogue.files if entry.campaign in file.shape.campaigns)
    return file.at_key(("campaigns", entry.campaign), severity, _words(outlook))


def _words(outlook: Outlook) -> str:
    entry, creator = outlook.entry, outlook.entry.creator
    due = rfc3339_seconds(outlook.occurrence.due)
    words = f"not all that is due until {due} for {creator.key} can go within {written(entry.expires_after)}"
    words += f" under the limit of {creator.limit}" + (" and the quiet hours" if creator.quiet_hours else "")
    names = outlook.in_the_way
    if names:
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        words += f"; in the way: {', '.join(names[:_MOST_NAMES])}{more}"
    return words
