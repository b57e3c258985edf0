"""What stands in a broadcast's media before the platform has it: a file, or a URL that the platform does not take.

A file is its absolute path in what a campaign says, and `file:HASH:NAME` once it is frozen: then its content lies in
the store under the SHA-256, whatever becomes of the path. Everything else is a platform's id, or a URL for it.
"""

import re
from collections.abc import Iterator
from os.path import basename
from urllib.parse import urlsplit

from carillon.platforms.contract import Content, Platform

_FROZEN = re.compile(r"(file:[0-9a-f]{64}):(.+)", re.DOTALL)


def frozen_file(sha256: str, name: str) -> str:
    return f"file:{sha256}:{name}"


def is_url(medium: str) -> bool:
    return medium.startswith(("http://", "https://"))


def source_of(medium: str) -> str:
    """By what an upload is remembered: `file:HASH` without a name, or the URL."""
    frozen = _FROZEN.fullmatch(medium)
    return frozen[1] if frozen else medium


def stored_hash(source: str) -> str | None:
    """The SHA-256 of a file's source; None for a URL."""
    return source.removeprefix("file:") if source.startswith("file:") else None


def name_of(medium: str) -> str:
    frozen = _FROZEN.fullmatch(medium)
    return frozen[2] if frozen else basename(urlsplit(medium).path) or "medium"


def shown(medium: str) -> str:
    """For people: a file by its name."""
    if medium.startswith("/") or _FROZEN.fullmatch(medium):
        return f"file:{name_of(medium)}"
    return medium


def to_upload(platform: Platform, content: Content) -> Iterator[str]:
    """Those of its media that the platform must be given first."""
    for medium in content.media:
        if _FROZEN.fullmatch(medium) or (is_url(medium) and "media_urls" not in platform.limits.offers):
            yield medium
