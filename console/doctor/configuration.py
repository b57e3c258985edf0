"""The settings: where they come from, all that is wrong with them, and what makes no sense together."""

import os
import stat
from collections.abc import Iterator
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values

from carillon import settings as environment
from carillon.platforms.roster import PLATFORMS
from carillon.settings import Settings, SettingsError
from console.doctor.findings import Finding

_CHECK = "settings"
_PREFIX = "CARILLON_"
_KNOWN = tuple(f"{_PREFIX}{name.upper()}" for name in Settings.model_fields)
_ENV_FILE = Path(".env")


def read(campaigns: Path | None) -> tuple[Settings, frozenset[str], list[Finding]]:
    """The settings, the names of those that are faulty and so have their defaults, and what is to be said of them."""
    found = [*_sources(), *_misspelt(), *_env_file()]
    try:
        settings, faults = environment.load(campaigns=campaigns), []
    except SettingsError as error:
        faults = str(error).splitlines()
        settings = _without(faults, campaigns)
    found += [Finding(_CHECK, "error", fault, "mend it where it is set") for fault in faults]
    return settings, frozenset(map(_field, faults)), [*found, *_shape(settings), *_addresses(settings)]


def _field(fault: str) -> str:
    return fault.partition(":")[0].removeprefix(_PREFIX).lower()


def _without(faults: list[str], campaigns: Path | None) -> Settings:
    given: dict[str, Any] = {name: Settings.model_fields[name].default for name in map(_field, faults)}
    if campaigns:
        given["campaigns"] = campaigns
    return Settings(_secrets_dir=_credentials(), **given)


def _credentials() -> str | None:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return folder if folder and os.path.isdir(folder) else None


def _sources() -> Iterator[Finding]:
    """Names alone: values may hold passwords. To be asked before `.env` is loaded into the environment."""
    here = set(dotenv_values(_ENV_FILE)) if _ENV_FILE.is_file() else set()
    folder = _credentials()
    given = {path.name.upper() for path in Path(folder).iterdir()} if folder else set()
    places = (("environment", set(os.environ)), (str(_ENV_FILE.absolute()), here), (folder, given))
    told = [f"{', '.join(names)} from {place}" for place, found in places if (names := _ours(found))]
    yield Finding(_CHECK, "ok", "; ".join(told) or "none is set, so all have their defaults")


def _ours(names: set[str]) -> list[str]:
    return sorted(name for name in names if name in _KNOWN)


def _misspelt() -> Iterator[Finding]:
    names = {*os.environ, *(dotenv_values(_ENV_FILE) if _ENV_FILE.is_file() else ())}
    for name in sorted(name for name in names if name.startswith(_PREFIX) and name not in _KNOWN):
        if near := get_close_matches(name, _KNOWN, 1, 0.85):
            yield Finding(_CHECK, "warning", f"there is no setting {name}", f"did you mean {near[0]}?")


def _env_file() -> Iterator[Finding]:
    if not _ENV_FILE.is_file():
        return
    mode = _ENV_FILE.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        message = f"others may change {_ENV_FILE.absolute()}, and with it where keys are sent"
        yield Finding(_CHECK, "error", message, f"chmod 600 {_ENV_FILE}")
    elif mode & stat.S_IROTH:
        message = f"every user of this machine may read {_ENV_FILE.absolute()}: chmod 600 it if it holds a secret"
        yield Finding(_CHECK, "note", message)


def _shape(settings: Settings) -> Iterator[Finding]:
    embedded, queue = settings.database.startswith("sqlite"), settings.redis_url is not None
    if embedded and queue:
        message = "CARILLON_REDIS_URL is set, but the ledger is SQLite, which several processes do not share"
        yield Finding(_CHECK, "warning", message, "set CARILLON_DATABASE_URL to a PostgreSQL too, or neither of them")
    if not embedded and not queue:
        message = "without CARILLON_REDIS_URL only `carillon up` can use this PostgreSQL, in one process"
        yield Finding(_CHECK, "note", message)
    if settings.dashboard_is_open:
        message = f"others could reach the dashboard on {settings.dashboard_host}, so it does not start"
        yield Finding(_CHECK, "error", message, "set CARILLON_DASHBOARD_PASSWORD, or leave CARILLON_DASHBOARD_HOST")
    if not settings.alarm_urls:
        yield Finding(_CHECK, "note", "alarms stand in the log and in the ledger alone: CARILLON_ALARM_URLS is not set")
    else:
        yield from _alarm_urls(settings)


def _alarm_urls(settings: Settings) -> Iterator[Finding]:
    from carillon.monitoring.channels import check_urls

    for fault in check_urls(settings.alarm_urls):
        yield Finding(_CHECK, "error", f"CARILLON_ALARM_URLS: {fault}", "mend that one; no alarm goes there")


def _addresses(settings: Settings) -> Iterator[Finding]:
    for platform, url in settings.platform_urls.items():
        name, own = f"{_PREFIX}{platform.upper()}_URL", PLATFORMS[platform].url
        parts = urlsplit(url)
        if parts.scheme == "http" and not _is_here(parts.hostname or ""):
            yield Finding(
                _CHECK, "error", f"{name}: keys would go to {url} for all to read", "use https://, or unset it"
            )
        else:
            yield Finding(_CHECK, "note", f"{name} sends what is meant for {own} to {url}")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
