"""Creators, resolved: a creator's own values before those of the platform."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carillon.campaigns.folder import Declared, Folder
from carillon.campaigns.shape import Creator as CreatorShape
from carillon.campaigns.times import DateRange
from carillon.platforms.limits import DEFAULT_RATE, Rate
from carillon.quiet_hours import QuietHours


@dataclass(frozen=True)
class Creator:
    """One account on one platform. `account` tells accounts apart, `account_id` is what the file calls account.

    `zone` is that of the quiet hours: the creator's own, else the default of the file that declares the creator.
    """

    key: str
    name: str
    platform: str
    account: str
    account_id: str | None
    credentials: str
    timezone: str | None
    zone: str | None
    quiet_hours: QuietHours | None
    limit: Rate
    away: tuple[DateRange, ...]
    vars: Mapping[str, Any]
    webhook_secret: str | None
    enabled: bool
    file: str
    line: int


def resolve(declared: Declared[CreatorShape], folder: Folder) -> Creator:
    """Credentials are empty if there are none, which check tells."""
    shape = declared.shape
    credentials = _reference(declared, folder, "credentials") or ""
    timezone = own(declared, folder, "timezone")
    enabled = own(declared, folder, "enabled")
    return Creator(
        key=declared.name,
        name=shape.name or declared.name,
        platform=shape.platform,
        account=shape.account or credentials,
        account_id=shape.account,
        credentials=credentials,
        timezone=timezone,
        zone=timezone or declared.file.shape.defaults.timezone,
        quiet_hours=own(declared, folder, "quiet_hours"),
        limit=own(declared, folder, "limit") or DEFAULT_RATE,
        away=own(declared, folder, "away") or (),
        vars=own(declared, folder, "vars") or {},
        webhook_secret=_reference(declared, folder, "webhook_secret"),
        enabled=enabled is not False,
        file=declared.file.shown,
        line=declared.file.line("creators", declared.name),
    )


def own(declared: Declared[CreatorShape], folder: Folder, key: str) -> Any:
    """The creator's value of a key, else the platform's, else None."""
    holder = holder_of(declared, folder, key)
    return None if holder is None else holder.shape.value(key)


def holder_of(declared: Declared[CreatorShape], folder: Folder, key: str) -> Declared[Any] | None:
    """Who says it: the creator's entry or the platform's; nobody where it was wrong."""
    if declared.shape.given(key):
        return declared
    if lost(declared, folder, key):
        return None
    platform = folder.platforms.get(declared.shape.platform)
    return platform if platform is not None and platform.shape.given(key) else None


def lost(declared: Declared[CreatorShape], folder: Folder, key: str) -> bool:
    """Whether the creator's value of a key was wrong, or the platform's where the creator has none."""
    if declared.shape.given(key) or declared.file.lost(("creators", declared.name, key)):
        return not declared.shape.given(key)
    path = ("platforms", declared.shape.platform, key)
    platform = folder.platforms.get(declared.shape.platform)
    files = folder.wrong if platform is None else (platform.file,)
    return any(file.lost(path) for file in files)


def _reference(declared: Declared[CreatorShape], folder: Folder, key: str) -> str | None:
    """Where a secret is; a file's path is whole, so that it can be read from anywhere."""
    holder = holder_of(declared, folder, key)
    if holder is None:
        return None
    reference: str = holder.shape.value(key)
    kind, _, path = reference.partition(":")
    if kind == "env":
        return reference
    return f"file:{os.path.normpath(os.path.join(holder.file.folder, path))}"
