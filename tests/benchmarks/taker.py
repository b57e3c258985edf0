"""A platform that takes every broadcast at once or after some time, and costs next to nothing: `python -m
benchmarks.taker SECONDS`. It prints its port, and tells what it took at GET /taken, the count alone at GET /count.
"""

import asyncio
import json
import re
import sys
import time

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_HEAD = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Taken:
    """The bodies and when their answers went out."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.answered: list[float] = []


class Taker(asyncio.Protocol):
    """Speaks just enough HTTP/1.1 for clients that keep connections, and send a request at a time."""

    def __init__(self, taken: Taken, seconds: float) -> None:
        self._taken, self._seconds = taken, seconds
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        heard = self._heard + data if self._heard else data
        head, end, body = heard.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or len(body) < (int(length[1]) if length else 0):
            self._heard = heard
            return
        self._heard = b""
        if head.startswith(b"POST"):
            self._take(body)
        else:
            self._tell(head)

    def _take(self, body: bytes) -> None:
        self._taken.bodies.append(body)
        answer = b'{"id":"mm_%d","recipientCount":847,"queuedAt":"2026-04-28T20:00:00Z"}' % len(self._taken.bodies)
        if self._seconds:
            asyncio.get_running_loop().call_later(self._seconds, self._answer, answer)
        else:
            self._answer(answer)

    def _answer(self, answer: bytes) -> None:
        self._taken.answered.append(time.monotonic())
        self._say(answer, b"202 Accepted")

    def _tell(self, head: bytes) -> None:
        taken = self._taken
        found: object = len(taken.answered)
        if head.startswith(b"GET /taken"):
            found = {"posts": len(taken.bodies), "distinct": len(set(taken.bodies)), "answered": taken.answered}
        self._say(json.dumps(found).encode())

    def _say(self, body: bytes, status: bytes = b"200 OK") -> None:
        self._transport.write(_HEAD % (status, len(body)) + body)


async def serve(seconds: float) -> None:
    taken = Taken()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Taker(taken, seconds), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
