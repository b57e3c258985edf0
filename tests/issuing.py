"""An authorization server that is not the sandbox: one client, PKCE, refresh tokens that work once and kill the chain.

It also is the platform for whom the tokens are: what a request bears is `accepted` or not.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

from standins import Reply, Seen

CLIENT, SECRET = "client-of-ours", "secret-of-the-application"


class Chain:
    """Answers as the server does, until `faults` say otherwise: each is used for one request to the token endpoint."""

    def __init__(self, lasts: float = 3600) -> None:
        self.lasts = lasts
        self.number = 0
        self.spent: list[str] = []
        self.reused = False
        self.revoked: set[str] = set()
        self.faults: list[Callable[[], Reply]] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    @property
    def access(self) -> str:
        return f"access-token-{self.number}"

    @property
    def refresh(self) -> str:
        return f"refresh-token-{self.number}"

    def accepted(self, seen: Seen) -> bool:
        return seen.headers.get("authorization") == f"Bearer {self.access}" and self.access not in self.revoked

    def __call__(self, seen: Seen) -> Reply:
        with self._lock:
            if seen.path.startswith("/oauth2/auth?"):
                return self._ask(seen)
            if seen.path == "/oauth2/token":
                return self._token(seen)
        return Reply(404, {"error": "not_found"})

    def next_pair(self) -> Reply:
        self.number += 1
        return Reply(200, self.pair())

    def pair(self) -> dict[str, object]:
        return {
            "access_token": self.access,
            "refresh_token": self.refresh,
            "expires_in": self.lasts,
            "token_type": "bearer",
            "scope": "openid offline_access read:self write:chat",
        }

    def _ask(self, seen: Seen) -> Reply:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(seen.path).query).items()}
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"]})
        return Reply(302, "", {"Location": f"{asked['redirect_uri']}?{back}"})

    def _token(self, seen: Seen) -> Reply:
        form = {name: values[0] for name, values in parse_qs(seen.body.decode()).items()}
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if seen.headers.get("authorization") != f"Basic {basic}" or form.get("client_id") != CLIENT:
            return Reply(401, {"error": "invalid_client", "error_description": "who are you"})
        fault = self.faults.pop(0) if self.faults else None
        if fault:
            return fault()
        return self._first(form) if form["grant_type"] == "authorization_code" else self._next(form)

    def _first(self, form: dict[str, str]) -> Reply:
        asked = self._codes.pop(form["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
        if asked is None or asked["code_challenge"] != challenge.rstrip("="):
            return Reply(400, {"error": "invalid_grant", "error_description": "a wrong code or verifier"})
        assert asked["redirect_uri"] == form["redirect_uri"]
        return self.next_pair()

    def _next(self, form: dict[str, str]) -> Reply:
        self.reused |= form["refresh_token"] in self.spent
        if form["refresh_token"] != self.refresh or self.reused:
            return Reply(400, {"error": "invalid_grant", "error_description": f"{form['refresh_token']} is spent"})
        self.spent.append(form["refresh_token"])
        return self.next_pair()


def page(status: int) -> Callable[[], Reply]:
    """What a gateway answers in the server's place."""
    return lambda: Reply(status, "<html>busy</html>", {"Content-Type": "text/html"})


def told(status: int, error: str, **headers: str) -> Callable[[], Reply]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps({"error": error, "error_description": "told so"})
    return lambda: Reply(status, body, {"Content-Type": "application/json", **named})
