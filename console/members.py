"""`carillon members CREATOR LIST`: who is on a list, to its end, written as it is read."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from carillon import logs
from carillon.settings import Settings
from console.accounts import contact
from console.lists import found, reference
from console.progress import Progress
from console.streaming import stream

T = TypeVar("T")


def show_members(settings: Settings, name: str, which: str, *, json: bool, csv: str | None) -> int:
    """Raises CredentialError and PlatformError."""
    ref = reference(which)
    logs.set_up(settings.log)
    shares = csv in {None, "-"}
    with Progress("reading members", shares_terminal=shares) as progress, contact(settings, name, progress) as account:
        members = account.platform.audience.members(account.caller, account.account, found(account, ref))
        rows = ((one.id, one.handle, one.name) for one in counted(members, progress))
        stream(("id", "handle", "name"), rows, as_json=json, csv_path=csv)
    return 0


def counted(items: Iterable[T], progress: Progress) -> Iterator[T]:
    """The same, with the progress told now and then."""
    for number, item in enumerate(items, 1):
        yield item
        if number % 25 == 0:
            progress.at(f"{number:,}")
