"""One pair of tokens for the next: by one process at a time, and never with a refresh token that may be spent."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from carillon import clock
from carillon.ledger import tokens
from carillon.ledger.connect import Ledger
from carillon.ledger.tokens import Kept, Refresh
from carillon.platforms import errors
from carillon.platforms.credentials import CredentialError
from carillon.platforms.oauth import Granted, Issuer
from carillon.platforms.sealing import Keyring, SealError
from worker.insist import written
from worker.verdict import backoff

log = structlog.get_logger()

_PATIENCE_SECONDS = 2.0
"""What a thread waits for another process's refresh, so that a slow server does not take all threads of a platform."""

_POLL_SECONDS = 0.05
_RENEWED_BEFORE = 60.0
_OUTCOME = "what became of a token's refresh"
_SPENT = "the answer to a token's refresh was lost, and a refresh token works once"


@dataclass(frozen=True)
class Pair:
    """An account's tokens of one generation, of the login of `holder`: an agency may have several."""

    holder: int
    generation: int
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    stored_at: datetime
    expires_at: datetime

    @property
    def seconds_left(self) -> float:
        return (self.expires_at - clock.now()).total_seconds()

    @property
    def near_its_end(self) -> bool:
        """It is time for the next one; of a short life only the last tenth, else one would be renewed all the time."""
        return self.seconds_left <= min(_RENEWED_BEFORE, (self.expires_at - self.stored_at).total_seconds() / 10)


def sealed(keys: Keyring, granted: Granted, before: str = "") -> str:
    """What the ledger keeps; `before` is the refresh token that goes on where no new one came. Raises SealError."""
    return keys.seal(json.dumps({"access": granted.access, "refresh": granted.refresh or before}))


def opened(keys: Keyring, row: Kept) -> Pair:
    """Raises CredentialError."""
    try:
        told = json.loads(keys.open(row.sealed))
    except SealError as error:
        raise CredentialError(str(error)) from None
    return Pair(row.creator_id, row.generation, told["access"], told["refresh"], row.stored_at, row.expires_at)


class Renewals:
    """`issuers` by platform; where one is missing, its application is not set up."""

    def __init__(self, ledger: Ledger, keys: Keyring, issuers: Mapping[str, Issuer], who: str) -> None:
        self._ledger, self._keys, self._issuers, self._who = ledger, keys, issuers, who
        self._again: dict[int, tuple[int, float]] = {}  # tries in a row that did not get through; not before

    def renew(self, platform: str, creator_id: int, pair: Pair, *, refused: bool) -> Pair:
        """The next pair; or this one, while it lasts and, if it was `refused`, where another would be as well.

        Raises Unreachable, and Unauthorized where only a person can help.
        """
        lasts = not refused and pair.seconds_left > 0
        give_up = clock.ticks() + _PATIENCE_SECONDS
        while True:
            row = self._row(creator_id)
            if (row.creator_id, row.generation) != (pair.holder, pair.generation):
                return self._other(row)
            if row.abandoned:
                raise self._lost(row.creator_id, row.generation, _SPENT)
            if refused and row.refused == row.generation - 1:
                return pair
            if row.owner is None:
                this = Refresh(row.creator_id, pair.generation, f"{self._who} {os.urandom(4).hex()}")
                if self._may_try(row.creator_id) and self._claimed(platform, this, refused):
                    return self._refresh(platform, this, pair, lasts)
            if lasts:
                return pair
            if clock.ticks() > give_up:
                raise errors.Unreachable("the account's token is not renewed yet")
            time.sleep(_POLL_SECONDS)

    def _row(self, creator_id: int) -> Kept:
        row = tokens.kept(self._ledger, creator_id)
        if row is None or row.lost:
            raise errors.Unauthorized((row and row.lost) or "the account's tokens are gone; log in again", 401)
        return row

    def _other(self, row: Kept) -> Pair:
        try:
            return opened(self._keys, row)
        except CredentialError as error:
            raise errors.Unauthorized(str(error), 401) from None

    def _may_try(self, creator_id: int) -> bool:
        return clock.ticks() >= self._again.get(creator_id, (0, 0.0))[1]

    def _claimed(self, platform: str, this: Refresh, refused: bool) -> bool:
        """Raises Unauthorized where there is nobody to ask."""
        if platform not in self._issuers:
            raise errors.Unauthorized(f"its token has ended, and {application(platform)} are not set", 401)
        try:
            return tokens.claim(self._ledger, this, refused=refused)
        except SQLAlchemyError:  # it may stand all the same, and nothing was spent for it
            written(_OUTCOME, lambda: tokens.give_back(self._ledger, this))
            raise

    def _refresh(self, platform: str, this: Refresh, pair: Pair, lasts: bool) -> Pair:
        try:
            granted = self._issuers[platform].refresh(pair.refresh)
        except (errors.NotSent, errors.Throttled) as error:
            self._put_off(this, getattr(error, "retry_after", None))
            if lasts:
                return pair
            raise errors.Unreachable(error.words) from None
        except errors.Forbidden as error:
            written(_OUTCOME, lambda: tokens.give_back(self._ledger, this))
            raise errors.Unauthorized(f"{error.words}; see {application(platform)}", 401) from None
        except errors.Refused as error:
            raise self._lost(this.creator_id, this.generation, error.words) from None
        except Exception as error:  # noqa: BLE001  whatever it was, the token may be spent
            words = error.words if isinstance(error, errors.PlatformError) else type(error).__name__
            raise self._lost(this.creator_id, this.generation, f"{_SPENT}: {words}") from None
        return self._stored(this, pair, granted)

    def _put_off(self, this: Refresh, asked: float | None) -> None:
        written(_OUTCOME, lambda: tokens.give_back(self._ledger, this))
        tries = self._again.get(this.creator_id, (0, 0.0))[0]
        self._again[this.creator_id] = (tries + 1, clock.ticks() + max(asked or 0.0, backoff(tries)))

    def _lost(self, creator_id: int, generation: int, words: str) -> errors.Unauthorized:
        return errors.Unauthorized(tokens.lose(self._ledger, creator_id, generation, words, self._who), 401)

    def _stored(self, this: Refresh, pair: Pair, granted: Granted) -> Pair:
        """Kept before it is used."""
        text, lasts = sealed(self._keys, granted, pair.refresh), timedelta(seconds=granted.seconds)
        stored = written(_OUTCOME, lambda: tokens.store(self._ledger, this, text, lasts))
        self._again.pop(this.creator_id, None)
        log.info("token renewed", account=this.creator_id, stored=stored)
        return self._other(self._row(this.creator_id))


def application(platform: str) -> str:
    """The settings that name an OAuth application."""
    return f"CARILLON_{platform.upper()}_CLIENT_ID and CARILLON_{platform.upper()}_CLIENT_SECRET"
