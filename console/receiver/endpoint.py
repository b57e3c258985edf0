"""One webhook from its first byte to the answer: nothing is believed, or even read as JSON, before it is proven.

The order of the checks: who it is for, method, type and coding, size and time, the secret, the signature over the raw
bytes, JSON, the account in it. Then it is stored, and answered only when that is committed; a platform that hears
anything but 2xx sends it again.
"""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import anyio
import structlog
from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from carillon import clock
from carillon.ledger import hooks
from carillon.ledger.connect import Ledger, first_line
from carillon.platforms import credentials
from carillon.platforms.contract import Platform
from carillon.platforms.parts import BadSignatureError
from console.receiver import body
from console.receiver.refusal import RefusedError

log = structlog.get_logger()

T = TypeVar("T")

_AT_ONCE = 8
"""Webhooks that may ask the ledger in one moment; others wait, so that its connections suffice for all."""

_SECONDS_UNTIL_THEN = "5"

_NAME = re.compile("[a-z0-9_-]{1,64}", re.ASCII)
"""What may be a creator's; a database would choke on some others."""


class Receiver:
    """An ASGI application for one path. `stored` hears of each webhook that is new."""

    def __init__(self, ledger: Ledger, platforms: Mapping[str, Platform], stored: Callable[[], None]) -> None:
        self._ledger, self._platforms, self._stored = ledger, platforms, stored
        self._turns = anyio.CapacityLimiter(_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            said = await self._take(Request(scope, receive))
        except ClientDisconnect:
            return
        except RefusedError as refusal:
            if refusal.status is not HTTPStatus.NOT_FOUND:  # which anybody may ask for, about anything
                log.info("a webhook was refused", path=scope["path"], status=int(refusal.status), why=refusal.words)
            await refusal.answer()(scope, receive, send)
        except SQLAlchemyError as error:
            log.error("a webhook cannot be stored now", path=scope["path"], error=first_line(error))
            away = RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "not now", Retry_After=_SECONDS_UNTIL_THEN)
            await away.answer()(scope, receive, send)
        else:
            await PlainTextResponse(f"{said}\n")(scope, receive, send)

    async def _take(self, request: Request) -> str:
        platform = self._platforms.get(request.path_params["platform"])
        creator = platform and await self._in_turn(self._addressee, platform, request.path_params["creator"])
        if platform is None or creator is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "no such creator on such a platform")
        if request.method != "POST":
            raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "POST alone", Allow="POST")
        body.require_plain_json(request)
        raw = await body.read(request)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        return await self._in_turn(self._keep, platform, creator, headers, raw)

    async def _in_turn(self, ask: Callable[..., T], *about: Any) -> T:
        return await anyio.to_thread.run_sync(ask, *about, limiter=self._turns)

    def _addressee(self, platform: Platform, key: str) -> Row[Any] | None:
        if not _NAME.fullmatch(key):
            return None
        with self._ledger.read() as session:
            return hooks.addressee(session.connection(), platform.name, key)

    def _keep(self, platform: Platform, creator: Row[Any], headers: list[tuple[str, str]], raw: bytes) -> str:
        delivery = _proven(platform, creator, headers, raw)
        account = platform.webhooks.account(body.parse(raw))
        if account is not None and creator.account_id is not None and account != creator.account_id:
            log.warning("a webhook of another account was ignored", creator=creator.key, platform=platform.name)
            return "ignored: it is about another account"
        with self._ledger.write() as connection:
            new = hooks.store(connection, creator, delivery, raw, self._ledger.now(connection))
        if new:
            self._stored()
        return "stored" if new else "known already"


def _proven(platform: Platform, creator: Row[Any], headers: list[tuple[str, str]], raw: bytes) -> str | None:
    """The id of its delivery. Raises RefusedError."""
    if creator.webhook_secret is None:
        raise RefusedError(HTTPStatus.UNAUTHORIZED, "no webhook secret is set for this creator")
    try:
        secret = credentials.read(creator.webhook_secret)
        return platform.webhooks.verify(headers, raw, secret, clock.now())
    except credentials.CredentialError as error:
        log.error("a creator's webhook secret cannot be read", creator=creator.key, error=str(error))
        raise RefusedError(HTTPStatus.UNAUTHORIZED, "no webhook secret is set for this creator") from None
    except BadSignatureError as error:
        raise RefusedError(HTTPStatus.UNAUTHORIZED, str(error)) from None
