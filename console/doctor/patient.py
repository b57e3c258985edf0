"""What is examined, and what the first checks find out for the later ones."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from carillon.campaigns.catalogue import Catalogue
from carillon.ledger.connect import Ledger
from carillon.settings import Settings


@dataclass(frozen=True)
class Account:
    """An enabled creator, as the ledger has it, or the campaign files before the first start."""

    key: str
    platform: str
    account_id: str | None
    credentials: str
    timezone: str | None
    webhook_secret: str | None


@dataclass
class Patient:
    """`ledger` is None until it can be asked, `files` are the campaign files if they are right."""

    settings: Settings
    ledger: Ledger | None = None
    in_force: Catalogue | None = None
    files: Catalogue | None = None
    accounts: list[Account] = field(default_factory=list)

    @property
    def embedded(self) -> bool:
        return self.settings.database.startswith("sqlite")

    @property
    def begun(self) -> bool:
        """Whether anything was ever in force."""
        return self.in_force is not None

    @property
    def ledger_file(self) -> Path | None:
        """Of an embedded ledger; None if there is none."""
        try:
            url = make_url(self.settings.database)
        except (ArgumentError, ValueError):
            return None
        return Path(url.database) if self.embedded and url.database not in {None, "", ":memory:"} else None


def account(creator: Any) -> Account:
    """Of a creator of the ledger or of the campaign files, which have these in common."""
    return Account(
        creator.key,
        creator.platform,
        creator.account_id,
        creator.credentials,
        creator.timezone,
        creator.webhook_secret,
    )
