"""Where alarms go: each URL is a channel. Chat, e-mail and many more by Apprise, the signed webhook by ourselves.

URLs hold secrets. In the ledger a channel is named by a digest, in logs and errors by its place and scheme.
"""

import logging
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from carillon.monitoring import signed
from carillon.monitoring.digest import Digest
from carillon.monitoring.web import AddressError, prepare

if TYPE_CHECKING:
    from apprise import NotifyBase

Send = Callable[[Digest, str], str | None]
"""Tells a digest in the name of a process; None if it was taken, else what went wrong."""

_SCHEME = re.compile(r"([a-z][a-z0-9+-]{1,19})://", re.IGNORECASE)
_READ_SECONDS = 10.0


@dataclass(frozen=True)
class Channel:
    id: str
    name: str
    send: Send


def open_channels(urls: Sequence[str]) -> tuple[list[Channel], list[str]]:
    """The channels, and what is wrong with those URLs that lead nowhere. The same URL twice is one channel."""
    channels: dict[str, Channel] = {}
    faults = []
    for number, url in enumerate(urls, 1):
        scheme = _SCHEME.match(url)
        name = f"alarm URL {number} ({scheme[1].lower()}://)" if scheme else f"alarm URL {number}"
        digest = sha256(url.encode()).hexdigest()[:16]
        try:
            channels.setdefault(digest, Channel(digest, name, _sender(url, scheme[1].lower() if scheme else "")))
        except AddressError as error:
            faults.append(f"{name}: {error}")
    return list(channels.values()), faults


def check_urls(urls: Sequence[str]) -> list[str]:
    """A line for each URL that leads nowhere."""
    return open_channels(urls)[1]


def _sender(url: str, scheme: str) -> Send:
    """Raises AddressError."""
    if scheme in signed.SCHEMES:
        return signed.Signed(url).send
    return _by_apprise(url)


def _by_apprise(url: str) -> Send:
    """Raises AddressError. Apprise is imported here, since it costs 25 MB and a fifth of a second."""
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # it logs URLs
    from apprise import Apprise, AppriseAsset, OverflowMode, PersistentStoreMode

    prepare()
    asset = AppriseAsset(app_id="Carillon", app_desc="Carillon", storage_mode=PersistentStoreMode.MEMORY)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it loads all its services now, and they use old modules
        service = Apprise.instantiate(url, asset=asset)
    if service is None:
        raise AddressError("Apprise knows no such service, or something is missing in the URL; see its documentation")
    if service.overflow_mode is OverflowMode.UPSTREAM:
        service.overflow_mode = OverflowMode.TRUNCATE  # too long a text would be refused at every try
    service.socket_read_timeout = max(service.socket_read_timeout, _READ_SECONDS)
    return lambda digest, who: _notify(service, digest, who)


def _notify(service: "NotifyBase", digest: Digest, who: str) -> str | None:
    from apprise import NotifyFormat, NotifyType

    title = digest.title()
    body = digest.body(who, service.body_maxlen - len(title))
    taken = service.notify(title=title, body=body, notify_type=NotifyType.FAILURE, body_format=NotifyFormat.TEXT)
    return None if taken else "not taken; `apprise -vv -b test URL` tells why"
