"""Reads a creator's key from where its reference points. No text from here ever holds a key."""

import os
import stat
from hashlib import sha256
from pathlib import Path

import structlog

log = structlog.get_logger()

_LONGEST = 65_536
_TOLD: set[Path] = set()


class CredentialError(Exception):
    """A reference that leads to no usable key; its text says which and how to mend it."""


def read(reference: str) -> str:
    """The key behind `env:NAME` or `file:PATH`. Raises CredentialError."""
    source, _, place = reference.partition(":")
    if source == "env" and place:
        found = os.environ.get(place)
        if found is None:
            raise CredentialError(f"{reference}: not set; set {place} where Carillon starts, and restart it")
    elif source == "file" and place:
        found = _file(reference, Path(place))
    else:  # not repeated here: whoever wrote no reference may have written the key itself
        raise CredentialError("a credential must be env:NAME or file:PATH")
    return _usable(reference, found.strip())


def digest(secret: str) -> str:
    """Tells one key from another without keeping either."""
    return sha256(secret.encode()).hexdigest()


def _file(reference: str, path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hang us
        try:
            _require_private(reference, path, os.fstat(descriptor).st_mode)
            return os.read(descriptor, _LONGEST).decode("utf-8", "replace")
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a path"
        raise CredentialError(f"{reference}: cannot be read: {why}; put the key into that file") from None


def _require_private(reference: str, path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise CredentialError(f"{reference}: not a file; name a file that holds the key alone")
    if mode & 0o022:
        raise CredentialError(f"{reference}: others may change it; run chmod 600 {path}")
    if mode & 0o004 and path not in _TOLD:  # services' credentials are often mounted so: said once, not refused
        _TOLD.add(path)
        log.warning("a key file can be read by every user of this machine; run chmod 600 on it", file=str(path))


def _usable(reference: str, secret: str) -> str:
    if not secret:
        raise CredentialError(f"{reference}: empty; put the key there")
    if not all(" " <= letter <= "\xff" and not "\x7f" <= letter <= "\xa0" for letter in secret):
        raise CredentialError(f"{reference}: holds a line break or a letter that no key has; mend it there")
    return secret
