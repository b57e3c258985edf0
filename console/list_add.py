"""`carillon list-add CREATOR LIST USERS`: fans onto a list that the creator made, in requests as large as they may be.

Who is on the list already is read first and left out, so that a command which was cut off is simply given again.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from carillon import logs
from carillon.platforms import errors
from carillon.platforms.contract import ListRef
from carillon.platforms.forms import text_id, whole_number
from carillon.platforms.writing import written
from carillon.settings import Settings
from console.accounts import Contact, contact
from console.failures import CommandError
from console.lists import found, reference
from console.members import counted
from console.options import WrongCommandError
from console.printing import complain, line
from console.progress import Progress


@dataclass
class Tally:
    """What became of the fans; `refused` with the platform's words."""

    added: int = 0
    skipped: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        skipped = f"skipped {self.skipped} (on it already, or left out by the platform)"
        return f"added {self.added}, {skipped}, refused {len(self.refused)}"


def add_to_list(settings: Settings, name: str, which: str, users: Sequence[str], file: Path | None) -> int:
    """Exit code 1 if the platform refused any. Raises CredentialError and PlatformError."""
    ref = reference(which)
    wanted = _wanted(users, file)
    logs.set_up(settings.log)
    tally = Tally()
    with Progress("adding", shares_terminal=False) as progress, contact(settings, name, progress) as account:
        try:
            _add(account, _custom(account, ref), wanted, tally, progress)
        except (errors.PlatformError, KeyboardInterrupt):
            complain(f"{tally}; give the same command again to go on")
            raise
    for fan, words in tally.refused:
        complain(f"{fan} was refused: {words}")
    line(str(tally))
    return 1 if tally.refused else 0


def _wanted(users: Sequence[str], file: Path | None) -> list[str]:
    """Each once, in the order given. Raises WrongCommandError and CommandError."""
    if bool(users) == bool(file):
        raise WrongCommandError("name the users, or a --file with one on each line")
    for user in users:
        if not _is_id(user):
            raise WrongCommandError(f"{user!r} is no user's id")
    named = list(users) if file is None else list(_read(file))
    if not named:
        raise CommandError(f"{file} names nobody")
    return list(dict.fromkeys(named))


def _read(file: Path) -> Iterator[str]:
    """One id a line; what stands behind a # is not read."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CommandError(f"{file} is not text in UTF-8") from None
    for number, told in enumerate(text.splitlines(), 1):
        user = told.partition("#")[0].strip()
        if user and not _is_id(user):
            raise CommandError(f"{file}:{number}: {user[:80]!r} is no user's id: write one on each line")
        if user:
            yield user


def _is_id(word: str) -> bool:
    return text_id(word) is not None and not any(letter.isspace() for letter in word)


def _custom(account: Contact, ref: ListRef) -> str:
    """The list's id. Raises CommandError if nobody can be added to it."""
    known = found(account, ref)
    if known.kind != "custom":
        raise CommandError(f"{ref.value} is a smart list, which {account.platform.name} keeps up by itself")
    if account.platform.audience.add(account.account, known.value, ["0"]) is None:
        raise CommandError(f"{account.platform.name} lets nobody be added to a list through its API")
    return known.value


def _add(account: Contact, list_id: str, wanted: Sequence[str], tally: Tally, progress: Progress) -> None:
    present = _present(account, list_id, progress)
    missing = [user for user in wanted if user not in present]
    tally.skipped = len(wanted) - len(missing)
    at_once = account.platform.audience.fans_at_once
    for start in range(0, len(missing), at_once):
        _add_together(account, list_id, missing[start : start + at_once], tally)
        progress.at(f"{min(start + at_once, len(missing)):,} of {len(missing):,}")


def _present(account: Contact, list_id: str, progress: Progress) -> set[str]:
    """Who is on it; nobody where the platform does not show it, since adding one twice harms nothing."""
    ref = ListRef(kind="custom", value=list_id)
    try:
        members = account.platform.audience.members(account.caller, account.account, ref)
        return {one.id for one in counted(members, progress)}
    except errors.Unreadable as error:
        if error.status == 404:
            raise CommandError(f"there is no custom list {list_id}: {error.words}") from None
        return set()


def _add_together(account: Contact, list_id: str, users: Sequence[str], tally: Tally) -> None:
    """Where one of them is refused, the halves are tried apart, so that it alone is left out."""
    request = account.platform.audience.add(account.account, list_id, users)
    assert request is not None
    try:
        told = written(account.caller.write(request), account.account.secret)
    except errors.Refused as error:
        if error.status == 403:  # it is no fan's fault
            raise
        if len(users) == 1:
            tally.refused.append((users[0], error.words))
            return
        half = len(users) // 2
        for part in (users[:half], users[half:]):
            _add_together(account, list_id, part, tally)
        return
    skipped = min(len(users), whole_number(told.get("skipped")) or 0)
    tally.added += len(users) - skipped
    tally.skipped += skipped
