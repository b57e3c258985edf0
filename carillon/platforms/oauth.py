"""Authorization code with PKCE, and rotating refresh tokens: what is asked of an authorization server, by Authlib.

Fanvue, "OAuth implementation guide" and the vendor's sample app: `/oauth2/auth` and `/oauth2/token`, PKCE S256, the
client by Basic. A refresh token works once, and using a spent one ends the whole chain ("Authentication overview"), so
each error says whether the token may have been spent. Nothing of a token stands in an error's words.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from carillon.platforms import errors
from carillon.platforms.answers import Headers, retry_after
from carillon.platforms.forms import get
from carillon.platforms.redaction import scrubbed

if TYPE_CHECKING:
    from authlib.integrations.requests_client import OAuth2Session
    from requests import Response

CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 10.0
_AN_HOUR = 3600
_LONGEST = 24 * 365 * _AN_HOUR
_NOT_PROCESSED = {"server_error", "temporarily_unavailable"}


@dataclass(frozen=True)
class Server:
    """A platform's authorization server, and the rights that Carillon asks it for."""

    url: str
    scopes: tuple[str, ...]


SERVERS: Mapping[str, Server] = MappingProxyType(
    {
        "fanvue": Server(
            "https://auth.fanvue.com",
            (
                *("openid", "offline_access", "offline"),
                *("read:self", "read:chat", "write:chat", "read:fan", "read:media", "write:media", "read:insights"),
                *("read:creator", "write:creator"),
            ),
        )
    }
)
"""Fanvue, "Scopes": those for lists, sends, media and results, and those by which an agency acts for its creators."""


@dataclass(frozen=True)
class Granted:
    """A pair of tokens; `seconds` is how long the first one lasts. `scopes` is None where the server does not say."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    seconds: float
    scopes: frozenset[str] | None = None


@dataclass(frozen=True)
class Asked:
    """Where a person is to say yes, and what comes back with the answer or proves that it is ours."""

    url: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)


class Issuer:
    """One OAuth application at one authorization server.

    `exchange` and `refresh` raise NotSent (no byte left), Throttled (the server said that it did nothing), Refused (the
    code or token is over), Forbidden (the application is not set up right; nothing was spent), MaybeSent (it may have
    been spent).
    """

    def __init__(self, server: Server, url: str | None, client_id: str, client_secret: str) -> None:
        self._url = url or server.url
        self._scopes, self._id, self._secret = server.scopes, client_id, client_secret

    def ask(self, redirect: str) -> Asked:
        from authlib.common.security import generate_token

        verifier = generate_token(64)
        session = self._session(redirect_uri=redirect, scope=" ".join(self._scopes), code_challenge_method="S256")
        url, state = session.create_authorization_url(f"{self._url}/oauth2/auth", code_verifier=verifier)
        return Asked(url, state, verifier)

    def exchange(self, code: str, asked: Asked, redirect: str) -> Granted:
        """The code that came back, for the first pair."""
        named = {"code": code, "code_verifier": asked.verifier, "redirect_uri": redirect, "client_id": self._id}
        return self._granted("fetch_token", (code, asked.verifier), grant_type="authorization_code", **named)

    def refresh(self, token: str) -> Granted:
        return self._granted("refresh_token", (token,), refresh_token=token, client_id=self._id)

    def _granted(self, call: str, secrets: tuple[str, ...], **fields: Any) -> Granted:
        import requests
        from authlib.common.errors import AuthlibBaseError

        told: list[Mapping[str, Any]] = []

        def judged(answer: "Response") -> "Response":
            told.append(self._judged(answer, secrets))
            return answer

        with self._session() as session:
            session.register_compliance_hook("access_token_response", judged)
            session.register_compliance_hook("refresh_token_response", judged)
            waits = (CONNECT_SECONDS, ANSWER_SECONDS)
            try:
                ask = getattr(session, call)
                ask(f"{self._url}/oauth2/token", timeout=waits, allow_redirects=False, **fields)
            except (AuthlibBaseError, requests.RequestException, ValueError, TypeError) as error:
                if not told:  # else the pair is there, with something odd beside it
                    raise self._failed(error) from None
        return _read(told[0])

    def _session(self, **about: Any) -> "OAuth2Session":
        from authlib.integrations.requests_client import OAuth2Session

        session = OAuth2Session(self._id, self._secret, **about)
        session.headers.update(get(self._url, {}).headers)
        session.trust_env = not _is_loopback(self._url)  # proxies are obeyed, but never for this machine
        return session

    def _judged(self, answer: "Response", secrets: tuple[str, ...]) -> Mapping[str, Any]:
        """The pair, if that is what came. Raises the errors that `Issuer` names."""
        body = _object(answer)
        access = body.get("access_token")
        if 200 <= answer.status_code < 300 and isinstance(access, str) and access:
            return body
        error, status = body.get("error"), answer.status_code
        words = self._words(status, body, secrets)
        if error in _NOT_PROCESSED or status == 429:
            raise errors.Throttled(words, retry_after(Headers(answer.headers)), status)
        if error == "invalid_grant":
            raise errors.Refused(words, status)
        if 300 <= status < 500 and status != 408:
            raise errors.Forbidden(words, status)
        raise errors.MaybeSent(words, status)

    def _words(self, status: int, body: Mapping[str, object], secrets: tuple[str, ...]) -> str:
        said = [str(body[key]) for key in ("error", "error_description", "message") if body.get(key)]
        words = f"{urlsplit(self._url).netloc}: HTTP {status}: {': '.join(said) or 'without a reason'}"
        for secret in (self._secret, *secrets):
            words = scrubbed(words, secret, ())
        return words

    def _failed(self, error: Exception) -> errors.PlatformError:
        host = urlsplit(self._url).netloc
        if _never_left(error):
            return errors.NotSent(f"{host}: cannot connect ({type(error).__name__})")
        return errors.MaybeSent(f"{host}: no whole answer ({type(error).__name__})")


def issuer(platform: str, url: str | None, client_id: str | None, client_secret: str | None) -> Issuer | None:
    """None for a platform without OAuth, or without an application."""
    server = SERVERS.get(platform)
    return Issuer(server, url, client_id, client_secret) if server and client_id and client_secret else None


def _read(token: Mapping[str, Any]) -> Granted:
    """The vendor's sample app: `expires_in` in seconds; "Authentication overview": about an hour."""
    seconds, refresh, scope = token.get("expires_in"), token.get("refresh_token"), token.get("scope")
    try:
        lasts = min(max(0.0, float(_AN_HOUR if seconds is None else seconds)), _LONGEST)
    except (TypeError, ValueError):
        lasts = _AN_HOUR
    scopes = frozenset(scope.split()) if isinstance(scope, str) and scope else None
    return Granted(token["access_token"], refresh if isinstance(refresh, str) else None, lasts, scopes)


def _object(answer: "Response") -> Mapping[str, object]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, Mapping) else {}


def _never_left(error: Exception) -> bool:
    """Whether it failed before the request's first byte: no name, no connection, a certificate that is not trusted."""
    from ssl import SSLCertVerificationError

    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    return any(
        isinstance(one, NewConnectionError | ConnectTimeoutError | SSLCertVerificationError) for one in _in(error)
    )


def _in(error: object, depth: int = 6) -> Iterator[object]:
    """The error and those that it wraps, as requests and urllib3 nest them."""
    yield error
    if depth and isinstance(error, Exception):
        inside = (getattr(error, "reason", None), getattr(error, "original_error", None), *error.args)
        for one in inside:
            yield from _in(one, depth - 1)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
