"""Are the creators' keys there, readable for Carillon alone, and one key one account. What a key is stays untold."""

import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from carillon.platforms import credentials
from carillon.platforms.credentials import CredentialError
from console.doctor.findings import Finding, Status, counted, some_of
from console.doctor.logins import logged_in
from console.doctor.patient import Account, Patient

_CHECK = "credentials"


def check(patient: Patient) -> Iterator[Finding]:
    by_reference: dict[str, list[Account]] = defaultdict(list)
    tokens = {row.credentials for row in logged_in(patient.ledger)} if patient.ledger and patient.begun else set()
    for account in patient.accounts:
        if account.credentials not in tokens:  # who logged in, or whose agency did, needs no other key
            by_reference[account.credentials].append(account)
    digests: dict[str, str] = {}
    missing = []
    for reference, users in by_reference.items():
        try:
            digests[reference] = credentials.digest(credentials.read(reference))
        except CredentialError as error:
            missing.append(_missing(patient, users, str(error)))
    if digests:
        yield Finding(_CHECK, "ok", f"{len(digests)} of {counted(len(by_reference), 'key')} can be read here")
    yield from some_of(missing, "see them with --json")
    yield from some_of(
        [_open(path) for path in _files(digests) if path.stat().st_mode & stat.S_IROTH], "chmod 600 them"
    )
    yield from some_of(list(_doubled(patient.accounts, digests)), "name each account once")


def _missing(patient: Patient, users: Sequence[Account], words: str) -> Finding:
    message, _, mend = words.rpartition("; ")
    status: Status = "error"
    if not patient.embedded:
        status, mend = "warning", f"{mend}; only where workers run does it need to be there"
    return Finding(_CHECK, status, f"{_named(users)}: {message}", mend)


def _named(users: Sequence[Account]) -> str:
    keys = [user.key for user in users]
    return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")


def _files(digests: Mapping[str, str]) -> list[Path]:
    return [Path(reference.partition(":")[2]) for reference in digests if reference.startswith("file:")]


def _open(path: Path) -> Finding:
    return Finding(_CHECK, "warning", f"every user of this machine may read the key in {path}", f"chmod 600 {path}")


def _doubled(accounts: Sequence[Account], digests: Mapping[str, str]) -> Iterator[Finding]:
    """One key is one account, unless the platform tells accounts apart by an id."""
    same: dict[tuple[str, str, str | None], list[Account]] = defaultdict(list)
    for account in accounts:
        if digest := digests.get(account.credentials):
            same[account.platform, digest, account.account_id].append(account)
    for (platform, _, _), twins in same.items():
        if len(twins) > 1:
            names = " and ".join(f"{twin.key} ({twin.credentials})" for twin in twins[:3])
            message = f"{names} have the same key on {platform}: one account, whose limit then counts twice"
            mend = "make them one creator, or give each its own key; see that nothing is sent twice"
            yield Finding("creators", "error", message, mend)
