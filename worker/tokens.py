"""The tokens of creators that logged in, as a worker speaks for them: read once, and renewed when it is time."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from carillon import clock
from carillon.ledger import tokens
from carillon.ledger.connect import Ledger
from carillon.platforms import errors
from carillon.platforms.answers import Answer
from carillon.platforms.contract import Account, Caller, Request
from carillon.platforms.credentials import CredentialError
from carillon.platforms.forms import bearer
from carillon.platforms.oauth import SERVERS, Issuer, issuer
from carillon.platforms.sealing import Keyring
from carillon.settings import Settings
from worker.renewal import Pair, Renewals, opened

_NOBODY_SECONDS = 5.0
"""For so long it counts that nobody has logged in: who never does pays one small question now and then."""


class Tokens:
    """Those that a ledger keeps; safe among threads, which at worst read a row twice."""

    def __init__(self, ledger: Ledger, keys: Keyring, issuers: Mapping[str, Issuer], who: str) -> None:
        self._ledger, self._keys = ledger, keys
        self._renewals = Renewals(ledger, keys, issuers, who)
        self._pairs: dict[int, Pair] = {}
        self._nobody_until = 0.0

    def pair(self, platform: str, creator_id: int) -> Pair | None:
        """What this process knows, or the ledger has; None for a creator without a login. Raises CredentialError."""
        if platform not in SERVERS:
            return None
        return self._pairs.get(creator_id) or self._read(creator_id)

    def forget(self, creator_id: int) -> None:
        """Ask the ledger anew."""
        self._pairs.pop(creator_id, None)
        self._nobody_until = 0.0

    def fresh(self, platform: str, account: Account) -> Account:
        """The account, with a token that lasts. Raises Unreachable, and Unauthorized where a person must help."""
        if not account.generation:
            return account
        pair = self._known(platform, account)
        if pair.near_its_end:
            pair = self._renewed(platform, account, pair, refused=False)
        return _with(account, pair)

    def after_401(self, platform: str, account: Account) -> Account | None:
        """The account with a newer token than the one that was turned away, if it can be had. Raises as `fresh`."""
        if not account.generation:
            return None
        pair = self._known(platform, account)
        if pair.access == account.secret:
            pair = self._renewed(platform, account, pair, refused=True)
        return _with(account, pair) if pair.access != account.secret else None

    def newest(self, account: Account) -> Account:
        """The account, with the newest token that this process knows."""
        pair = self._pairs.get(account.creator_id or 0)
        return _with(account, pair) if pair and account.generation else account

    def _known(self, platform: str, account: Account) -> Pair:
        assert account.creator_id is not None
        try:
            pair = self.pair(platform, account.creator_id)
        except CredentialError as error:
            raise errors.Unauthorized(str(error), 401) from None
        if pair is None:
            raise errors.Unauthorized("the account's tokens are gone; log in again", 401)
        return pair

    def _renewed(self, platform: str, account: Account, pair: Pair, *, refused: bool) -> Pair:
        assert account.creator_id is not None
        try:
            renewed = self._renewals.renew(platform, account.creator_id, pair, refused=refused)
        except errors.Unauthorized:
            self.forget(account.creator_id)
            raise
        self._pairs[account.creator_id] = renewed
        return renewed

    def _read(self, creator_id: int) -> Pair | None:
        if clock.ticks() < self._nobody_until:
            return None
        row = tokens.kept(self._ledger, creator_id)
        if row is None:
            if not tokens.any_kept(self._ledger):
                self._nobody_until = clock.ticks() + _NOBODY_SECONDS
            return None
        if row.lost:
            raise CredentialError(row.lost)
        pair = self._pairs[creator_id] = opened(self._keys, row)
        return pair


def tokens_of(settings: Settings, ledger: Ledger, who: str) -> Tokens:
    found = issuer("fanvue", settings.fanvue_auth_url, settings.fanvue_client_id, settings.fanvue_client_secret)
    return Tokens(ledger, Keyring(settings.secret_key), {"fanvue": found} if found else {}, who)


class Renewing:
    """A caller whose requests bear the newest token of an account that logged in; one that draws a 401 goes again."""

    def __init__(self, caller: Caller, tokens: Tokens, platform: str, account: Account) -> None:
        self._caller, self._tokens, self._platform, self._account = caller, tokens, platform, account

    def get(self, request: Request) -> Answer:
        """Raises Unreachable, and Unauthorized where a person must help."""
        return self._ask(request, self._caller.get)

    def write(self, request: Request, seconds: float | None = None) -> Answer:
        """Raises as `get`."""
        return self._ask(request, lambda renewed: self._caller.write(renewed, seconds))

    def _ask(self, request: Request, ask: Callable[[Request], Answer]) -> Answer:
        if request.headers.get("Authorization") != bearer(self._account.secret)["Authorization"]:
            return ask(request)  # the signed address of an upload
        account = self._tokens.fresh(self._platform, self._account)
        answer = ask(_borne(request, account))
        if answer.status != 401:
            return answer
        newer = self._tokens.after_401(self._platform, account)
        return ask(_borne(request, newer)) if newer else answer


def _borne(request: Request, account: Account) -> Request:
    return replace(request, headers={**request.headers, **bearer(account.secret)})


def _with(account: Account, pair: Pair) -> Account:
    return replace(account, secret=pair.access, generation=pair.generation)
