"""`carillon check --online`: what the campaign files say, against the platforms as they are now.

What a platform says no to is an error where the file names it. What could not be asked now is a warning.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import Literal

from carillon import logs
from carillon.campaigns import load
from carillon.campaigns.findings import Finding
from carillon.platforms import errors, links
from carillon.platforms.client import Client
from carillon.platforms.contract import AudienceList, ListRef, MediaState
from carillon.platforms.credentials import CredentialError
from carillon.platforms.forms import is_number
from carillon.platforms.oauth import SERVERS
from carillon.settings import Settings
from console.accounts import Accounts, Contact
from console.mentions import ListMention, MediaMention, Mentions, mentions
from console.opening import ledger_to_read
from console.printing import note
from console.progress import Progress

_AT_ONCE = 6
_TURN_SECONDS = 60.0
_MOST_MEDIA = 2_000
_RIGHTS = {
    "fanvue": "read:chat and read:fan",
    "frontrow": "read:fan (messages:read and subscribers:read in its newer reference)",
    "ofauth": "lists:read",
}
"""What reading lists takes. FrontRow's documents name the same rights in two ways; it is told in both."""


def check_online(settings: Settings) -> list[Finding]:
    """Findings beyond those of the files alone; none while these are wrong. Tells sizes on stderr."""
    catalogue = load.load(settings.campaigns, frozenset(settings.platform_urls)).catalogue
    if catalogue is None:
        note("the campaign files are wrong, so no platform was asked")
        return []
    logs.fall_silent()
    asked, ledger = list(mentions(catalogue)), ledger_to_read(settings)
    client = Client(settings.http_timeout)
    with closing(client), closing(ledger) if ledger else nullcontext(), Progress("asking platforms") as progress:
        accounts = Accounts(settings, ledger, client, _TURN_SECONDS)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            findings: set[Finding] = set()
            for number, found in enumerate(pool.map(lambda one: _Look(accounts, one).findings(), asked), 1):
                findings.update(found)
                progress.at(f"{number} of {len(asked)}")
    return sorted(findings)


Known = MediaState | Literal["missing"]


@dataclass(frozen=True)
class _Look:
    """At one creator's account."""

    accounts: Accounts
    of: Mentions

    def findings(self) -> list[Finding]:
        creator = self.of.creator
        try:
            account = self.accounts.contact(creator)
        except CredentialError as error:
            login = f", or `carillon login {creator.key}`" if creator.platform in SERVERS else ""
            return [self.of.credentials.finding("error", f"{error}{login}")]
        try:
            return list(self._asked(account))
        except errors.Unauthorized as error:
            words = f"{creator.platform} does not accept the key of {creator.key}: {error.words}"
            return [self.of.credentials.finding("error", words)]
        except errors.Throttled as error:
            return [self._unknown(f"{creator.platform} wants no more requests now: {error.words}")]
        except errors.PlatformError as error:
            return [self._unknown(f"{creator.platform} cannot be asked now: {error.words}")]

    def _unknown(self, why: str) -> Finding:
        return self.of.name.finding("warning", f"{self.of.creator.key} was not looked at whole: {why}")

    def _asked(self, account: Contact) -> Iterator[Finding]:
        unlinked = links.trouble(account.platform.name, account.caller, account.account)
        if unlinked:
            yield self.of.account.finding("error", unlinked)
            return
        try:
            lists = list(account.platform.lists(account.caller, account.account))
        except errors.Unreadable as error:
            yield self._no_lists(error)
        else:
            _tell_sizes(self.of, lists)
            for mention in self.of.lists:
                yield from _listed(self.of.creator.key, mention, lists)
        yield from self._media(account)

    def _no_lists(self, error: errors.Unreadable) -> Finding:
        creator = self.of.creator
        if error.status == 403:
            rights = _RIGHTS.get(creator.platform, "to read lists")
            return self.of.credentials.finding(
                "error", f"the key of {creator.key} lacks a right, {rights}: {error.words}"
            )
        if error.status == 404 and creator.account_id is not None:
            words = (
                f"{creator.platform} knows no account {creator.account_id} for the key of {creator.key}: {error.words}"
            )
            return self.of.account.finding("error", words)
        return self._unknown(f"{creator.platform} does not show its lists: {error.words}")

    def _media(self, account: Contact) -> Iterator[Finding]:
        states = {mention.id: _state(account, mention.id) for mention in self.of.media}
        in_vault = _of_vault(account, {id_ for id_, state in states.items() if state == "unknown" and is_number(id_)})
        for mention in self.of.media:
            yield from self._judged(mention, in_vault.get(mention.id, states[mention.id]))

    def _judged(self, mention: MediaMention, state: Known) -> Iterator[Finding]:
        creator = self.of.creator
        if state == "missing":
            yield mention.place.finding("error", f"{creator.key} has no medium {mention.id} on {creator.platform}")
        elif state == "broken":
            words = f"{creator.platform} could not process the medium {mention.id} of {creator.key}"
            yield mention.place.finding("error", words)
        elif state == "processing":
            words = f"{creator.platform} is still processing the medium {mention.id} of {creator.key}"
            yield mention.place.finding("warning", words)


def _state(account: Contact, media_id: str) -> Known:
    try:
        return account.platform.media(account.caller, account.account, media_id)
    except errors.Unreadable as error:
        return "missing" if error.status == 404 else "unknown"


def _of_vault(account: Contact, wanted: set[str]) -> dict[str, Known]:
    """For platforms that show no single medium: the vault is read until all are seen, to its end, or too far."""
    found: dict[str, Known] = {}
    if not wanted:
        return found
    try:
        for number, medium in enumerate(account.platform.library.media(account.caller, account.account)):
            if medium.id in wanted:
                found[medium.id] = medium.state
            if len(found) == len(wanted) or number == _MOST_MEDIA:
                return found
    except errors.Unreadable:
        return found
    return {**dict.fromkeys(wanted, "missing"), **found}


def _listed(creator: str, mention: ListMention, lists: Sequence[AudienceList]) -> Iterator[Finding]:
    ref, found = mention.ref, _matching(mention.ref, lists)
    if len(found) > 1 and ref.kind == "name":
        words = f"{creator} has {len(found)} lists named {ref.value!r}: use an id"
        yield mention.place.finding("error", words)
    elif not found and (ref.kind != "smart" or any(known.kind == "smart" for known in lists)):
        words = (
            f"{creator} has no list named {ref.value!r}"
            if ref.kind == "name"
            else f"{creator} has no {ref.kind} list {ref.value}"
        )
        yield mention.place.finding("error", f"{words}; see `carillon lists {creator}`")
    elif mention.included and found and found[0].count == 0:
        yield mention.place.finding("warning", f"nobody is on the list {found[0].name} of {creator} now")


def _matching(ref: ListRef, lists: Sequence[AudienceList]) -> list[AudienceList]:
    if ref.kind == "name":
        return [known for known in lists if known.name == ref.value]
    return [known for known in lists if (known.kind, known.id) == (ref.kind, ref.value)]


def _tell_sizes(of: Mentions, lists: Sequence[AudienceList]) -> None:
    found = {known.id: known for mention in of.lists for known in _matching(mention.ref, lists)}
    sizes = [f"{one.name} {'unknown' if one.count is None else f'{one.count:,}'}" for one in found.values()]
    note(f"{of.creator.key} ({of.creator.platform}): the key works; {', '.join(sizes) or f'{len(lists)} lists'}")
