"""Codes, and the chains of token pairs that grow from them. Under the sandbox's lock."""

from dataclasses import dataclass, field
from secrets import token_urlsafe
from time import time

from console.sandbox.world import World

_CODE_SECONDS = 60


@dataclass(frozen=True)
class Code:
    redirect: str
    challenge: str
    scopes: str
    at: float


@dataclass
class _Chain:
    number: int
    key: str
    scopes: str
    access: list[str] = field(default_factory=list)
    dead: bool = False


class Chains:
    """`seconds`: how long an access token lasts. `key`: whose account says yes next, a key that the world knows.

    `log` tells each grant: what was asked for, and whether it was issued, refused or an attempt to use a token again.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.seconds: float = 3_600
        self.key = world.keys["fanvue"]
        self.log: list[dict[str, object]] = []
        self._codes: dict[str, Code] = {}
        self._refresh: dict[str, tuple[_Chain, bool]] = {}  # and whether it is spent
        self._count = 0

    def code(self, code: Code) -> str:
        name = f"code_{token_urlsafe(24)}"
        self._codes[name] = code
        return name

    def spend(self, name: str) -> Code | None:
        """Works once, for a minute."""
        code = self._codes.pop(name, None)
        if code is None or time() - code.at > _CODE_SECONDS:
            self._note("authorization_code", "refused", None)
            return None
        return code

    def begin(self, scopes: str) -> dict[str, object]:
        self._count += 1
        chain = _Chain(self._count, self.key, scopes)
        self._note("authorization_code", "issued", chain)
        return self._pair(chain)

    def rotate(self, refresh: str) -> dict[str, object] | None:
        """None if it is spent, which ends the chain, or never was one."""
        chain, spent = self._refresh.get(refresh, (None, True))
        if chain is None or chain.dead or spent:
            self._note("refresh_token", "reused" if chain and spent and not chain.dead else "refused", chain)
            self._end(chain)
            return None
        self._refresh[refresh] = (chain, True)
        self._note("refresh_token", "issued", chain)
        return self._pair(chain)

    def expire(self) -> None:
        """All access tokens end now; their refresh tokens go on working."""
        for chain, _ in self._refresh.values():
            self._revoke(chain)

    def end(self) -> None:
        """All chains end, as when a creator takes the permission back."""
        for chain, _ in self._refresh.values():
            self._end(chain)

    def _pair(self, chain: _Chain) -> dict[str, object]:
        access, refresh = f"fva_{token_urlsafe(24)}", f"fvr_{token_urlsafe(24)}"
        self.world.lend(access, chain.key, time() + self.seconds)
        chain.access.append(access)
        self._refresh[refresh] = (chain, False)
        return {
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": int(self.seconds),
            "token_type": "bearer",
            "scope": chain.scopes,
        }

    def _end(self, chain: _Chain | None) -> None:
        if chain:
            chain.dead = True
            self._revoke(chain)

    def _revoke(self, chain: _Chain) -> None:
        for token in chain.access:
            self.world.lend(token, chain.key, 0)

    def _note(self, grant: str, outcome: str, chain: _Chain | None) -> None:
        number = chain.number if chain else None
        self.log.append({"at": time(), "grant": grant, "outcome": outcome, "chain": number})
