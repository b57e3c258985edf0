"""What is kept sealed: under CARILLON_SECRET_KEY, one key or several, of which the first seals and all open."""

import base64
import binascii
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

SHORTEST = 16
_SALT = b"carillon: stored tokens"
_FERNET_BYTES = 32


class SealError(Exception):
    """There is no key, or not the one that it was sealed with. Says what to do, and never what a key is."""


class Keyring:
    """`keys` are parted by commas; those that are no Fernet keys are stretched. Nothing is computed before its use."""

    def __init__(self, keys: str | None) -> None:
        self._keys = [key.strip() for key in (keys or "").split(",") if key.strip()]

    def require(self) -> None:
        """Raises SealError if nothing can be sealed."""
        if not self._keys:
            raise SealError(
                "CARILLON_SECRET_KEY is not set: it seals the stored tokens; `openssl rand -hex 32` makes one"
            )
        if any(len(key) < SHORTEST for key in self._keys):
            raise SealError(f"CARILLON_SECRET_KEY has a key of less than {SHORTEST} characters; make it longer")

    def seal(self, text: str) -> str:
        """Raises SealError."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Raises SealError."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise SealError(
                "CARILLON_SECRET_KEY does not open the stored tokens: write the key that sealed them behind the new one"
                " and a comma, or log in again"
            ) from None

    @cached_property
    def _fernet(self) -> "MultiFernet":
        from cryptography.fernet import Fernet, MultiFernet

        self.require()
        return MultiFernet([Fernet(_as_fernet_key(key)) for key in self._keys])


def _as_fernet_key(key: str) -> bytes:
    try:
        if len(base64.urlsafe_b64decode(key.encode())) == _FERNET_BYTES:
            return key.encode()
    except (binascii.Error, ValueError):
        pass
    return _stretched(key)


def _stretched(key: str) -> bytes:
    """By scrypt, in 16 MiB; the salt is one for all, since the key must give the same on every host."""
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    derived = Scrypt(salt=_SALT, length=_FERNET_BYTES, n=2**14, r=8, p=1).derive(key.encode())
    return base64.urlsafe_b64encode(derived)
