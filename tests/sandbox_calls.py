"""Raw calls to a sandbox: the simplest broadcast of each platform, and a client that hides nothing."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from console.sandbox import Sandbox

PATHS = {
    "fanvue": "/chats/mass-messages",
    "frontrow": "/api/v1/chats/mass-messages",
    "ofauth": "/v2/access/mass-messages",
    "onlyfansapi": "/api/acct_demo/mass-messaging",
}
SIMPLE: dict[str, dict[str, object]] = {
    "fanvue": {"text": "Hello", "includedLists": {"smartListUuids": ["subscribers"]}},
    "frontrow": {"text": "Hello", "includeLists": [{"type": "smart", "id": "subscribers"}]},
    "ofauth": {"text": "Hello", "userLists": [1]},
    "onlyfansapi": {"text": "Hello", "userLists": ["fans"]},
}
PLATFORMS = tuple(PATHS)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    def json(self) -> dict[str, object]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    def rows(self) -> list[dict[str, object]]:
        found = json.loads(self.body)
        assert isinstance(found, list)
        return found


def headers_for(sandbox: Sandbox, platform: str) -> dict[str, str]:
    key = sandbox.keys[platform]
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    if platform == "fanvue":
        headers["X-Fanvue-API-Version"] = "2025-06-26"
    if platform == "ofauth":
        del headers["Authorization"]
        headers |= {"apikey": key, "x-connection-id": "conn_demo"}
    return headers


def call(
    url: str,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: object = None,
    timeout: float = 5,
) -> Reply:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout)
    sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    try:
        connection.request(method, path, sent, dict(headers))
        answer = connection.getresponse()
        return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def send(sandbox: Sandbox, platform: str, body: object = None, timeout: float = 5) -> Reply:
    """The platform's simplest broadcast, or this body."""
    headers = headers_for(sandbox, platform)
    return call(
        sandbox.urls[platform],
        "POST",
        PATHS[platform],
        headers,
        SIMPLE[platform] if body is None else body,
        timeout,
    )


def look(sandbox: Sandbox, platform: str, path: str) -> Reply:
    return call(sandbox.urls[platform], "GET", path, headers_for(sandbox, platform))


def write(sandbox: Sandbox, platform: str, method: str, path: str, body: object = None) -> Reply:
    return call(sandbox.urls[platform], method, path, headers_for(sandbox, platform), body)
