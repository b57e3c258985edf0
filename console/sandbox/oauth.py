"""Fanvue's authorization server: code with PKCE, and refresh tokens that rotate and are watched.

Sources: its OAuth implementation guide, "Authentication overview" and "Scopes"; the official sample app for the forms.
Nobody is asked: every request is approved at once. A spent refresh token ends its whole chain at once; the grace of
half a minute that one reader reports is not given. The error bodies are those of RFC 6749.
"""

import binascii
import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from time import time
from urllib.parse import parse_qsl, urlencode, urlsplit

from console.sandbox.faults import Faults
from console.sandbox.oauth_chains import Chains, Code
from console.sandbox.reception import Outcome, failure, instead
from console.sandbox.rules import Answer, Call, Refused
from console.sandbox.world import World

CLIENT_ID, CLIENT_SECRET = "demo_client", "demo_client_secret"
_SYSTEM = frozenset({"openid", "offline_access", "offline"})
_READ = ("self", "chat", "fan", "creator", "media", "post", "insights", "tracking_links", "agency")
_WRITE = ("chat", "creator", "media", "post", "tracking_links", "agency")
_SCOPES = _SYSTEM | {f"read:{what}" for what in _READ} | {f"write:{what}" for what in _WRITE}
_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class _Wrong(Exception):  # noqa: N818 - an answer, not a fault of the sandbox
    def __init__(self, error: str, words: str, status: int = 400) -> None:
        super().__init__(words)
        self.body = {"error": error, "error_description": words}
        self.status = status


@dataclass
class OAuth:
    """`denied`: whoever is asked says no. Chains and their log are in `chains`."""

    world: World
    faults: Faults
    chains: Chains
    denied: bool = False

    def receive(self, call: Call) -> Outcome:
        with self.world.backstage.clock.lock:
            try:
                if (call.method, call.path) == ("GET", "/oauth2/auth"):
                    return Outcome(self._asked(call))
                if (call.method, call.path) == ("POST", "/oauth2/token"):
                    return self._token(call)
            except _Wrong as wrong:
                return Outcome(Answer(wrong.status, wrong.body, {"Cache-Control": "no-store"}))
            except Refused as no:
                return Outcome(Answer(no.status, {"error": "server_error", "error_description": no.words}, no.headers))
        return Outcome(Answer(404, {"error": "not_found"}))

    def _asked(self, call: Call) -> Answer:
        """Only to an address that is plainly the client's: everything else that is wrong is told there."""
        query = call.query
        back = query.get("redirect_uri", "")
        if query.get("client_id") != CLIENT_ID or urlsplit(back).scheme not in ("http", "https"):
            raise _Wrong("invalid_client", "client_id or redirect_uri is not known")
        told = {"state": query.get("state", "")}
        if wrong := self._wrong(query):
            told |= wrong.body
        else:
            scopes = query["scope"]
            told["code"] = self.chains.code(Code(back, query["code_challenge"], scopes, time()))
            told["scope"] = scopes
        return Answer(302, b"", {"Location": f"{back}{'&' if urlsplit(back).query else '?'}{urlencode(told)}"})

    def _wrong(self, query: Mapping[str, str]) -> _Wrong | None:
        scopes = set(query.get("scope", "").split())
        checks = {
            "response_type must be code": query.get("response_type") == "code",
            "state must have at least 8 characters": len(query.get("state", "")) >= 8,
            "PKCE with S256 is mandatory": query.get("code_challenge_method") == "S256",
            "code_challenge is not one": bool(_CHALLENGE.fullmatch(query.get("code_challenge", ""))),
        }
        for words, right in checks.items():
            if not right:
                return _Wrong("invalid_request", words)
        if not scopes >= _SYSTEM or not scopes <= _SCOPES:
            return _Wrong("invalid_scope", f"openid, offline_access, offline, and of {sorted(_SCOPES)}")
        return _Wrong("access_denied", "The creator said no") if self.denied else None

    def _token(self, call: Call) -> Outcome:
        form = dict(parse_qsl(call.body.decode(errors="replace")))
        fault = self.faults.take("fanvue", "token", "", call.body)
        if replaced := instead(fault):
            return replaced
        if call.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            raise _Wrong("invalid_request", "The body must be a form")
        _require_client(call, form)
        pair = self._granted(form)
        if fault and fault.manner == "accept_and_fail":
            raise failure(fault)
        return Outcome(Answer(200, pair, {"Cache-Control": "no-store"}), fault)

    def _granted(self, form: Mapping[str, str]) -> dict[str, object]:
        kind = form.get("grant_type")
        if kind == "authorization_code":
            code = self.chains.spend(form.get("code", ""))
            if code is None or code.redirect != form.get("redirect_uri"):
                raise _Wrong("invalid_grant", "The code is spent, too old, or was for another redirect_uri")
            digest = sha256(form.get("code_verifier", "").encode()).digest()
            if urlsafe_b64encode(digest).rstrip(b"=").decode() != code.challenge:
                raise _Wrong("invalid_grant", "code_verifier does not fit")
            return self.chains.begin(code.scopes)
        if kind == "refresh_token":
            pair = self.chains.rotate(form.get("refresh_token", ""))
            if pair is None:
                raise _Wrong("invalid_grant", "The refresh token is not valid")
            return pair
        raise _Wrong("unsupported_grant_type", "authorization_code or refresh_token")


def _require_client(call: Call, form: Mapping[str, str]) -> None:
    scheme, _, shown = call.headers.get("authorization", "").partition(" ")
    try:
        known = scheme == "Basic" and b64decode(shown, validate=True).decode() == f"{CLIENT_ID}:{CLIENT_SECRET}"
    except (binascii.Error, UnicodeDecodeError):
        known = False
    if not known or form.get("client_id") != CLIENT_ID:
        raise _Wrong("invalid_client", "The client is not known", 401)
