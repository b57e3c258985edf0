"""One HTTP request to an address that a person gave. What went wrong is told without the address: it is a secret."""

import logging
import os
from collections.abc import Mapping
from typing import Literal
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

_CONNECT_SECONDS, _READ_SECONDS = 5.0, 10.0
_LOOPBACK = ("localhost", "127.0.0.0/8", "::1")


class AddressError(Exception):
    """An address that leads nowhere. Its words hold nothing of the address."""


def call(
    method: Literal["GET", "POST"],
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    redirects: bool = False,
) -> str | None:
    """None if the answer is a 2xx, else what went wrong."""
    import requests  # costs 16 MB, and most installations need none of this

    prepare()
    try:
        answer = requests.request(
            method,
            url,
            data=body,
            headers={"User-Agent": "carillon/monitoring", "Accept": "application/json", **(headers or {})},
            timeout=(_CONNECT_SECONDS, _READ_SECONDS),
            allow_redirects=redirects,
            stream=True,  # its status says all
        )
        answer.close()
    except requests.Timeout:
        return "no answer in time"
    except (requests.RequestException, ValueError) as error:
        return f"cannot be reached ({type(error).__name__})"
    return None if 200 <= answer.status_code < 300 else f"answered {answer.status_code}"


def split(url: str) -> SplitResult:
    """Raises AddressError unless it has a host, and a port that is one if any."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:  # it quotes the address
        raise AddressError("is not an address") from None
    if not usable:
        raise AddressError("has no host, or not a port")
    return parts


def prepare() -> None:
    """For `requests` and all that uses it: addresses stay out of the log, and loopback is reached directly."""
    logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)
    _spare_loopback_the_proxy()


def _spare_loopback_the_proxy() -> None:
    """Proxy variables are obeyed, but never for loopback; `requests` takes that from the environment alone."""
    spared = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    missing = [host for host in _LOOPBACK if host not in spared.split(",")]
    if missing and "*" not in spared and getproxies().keys() - {"no"}:
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join([*filter(None, [spared]), *missing])
