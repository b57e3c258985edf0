"""The judge: all four platforms on one port, in a process of its own, whose log is the only truth about doubles.

It writes down every POST that it takes at its arrival, and answers 0 to 0.3 s later. Tests use `Judge`; the process
is `python -m chaos.scenarios_judge RULES`, prints its port, and lives until its stdin ends.
"""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from chaos import scenarios_wire as wire

_SLOWEST = 0.3


@dataclass(frozen=True)
class Rules:
    """How the platforms behave; instants and spans in seconds.

    `cut`: texts whose first arrival is taken and never answered. `limit`: so many broadcasts of an account in any so
    many seconds; a refused one does not count. `outage`: from when to when all is answered with 503, and none is taken;
    with `reads_go_on` that is said to broadcasts alone.
    """

    cut: tuple[str, ...] = ()
    limit: tuple[int, float] | None = None
    outage: tuple[float, float] | None = None
    reads_go_on: bool = False
    seed: int = 1

    def tell(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def told(cls, text: str) -> Self:
        values: dict[str, Any] = json.loads(text)
        values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**values)


@dataclass(frozen=True)
class Arrival:
    """One POST, `at` seconds since 1970; `what` is taken, cut (taken, no answer), throttled or unavailable."""

    at: float
    platform: str
    account: str
    text: str
    what: str


class Judge:
    """The process, and what its log says."""

    def __init__(self, folder: Path, rules: Rules) -> None:
        self._log = folder / "judge.jsonl"
        self._log.touch()
        tests = Path(__file__).parents[1]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tests), os.environ.get("PYTHONPATH", "")))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.scenarios_judge", str(self._log), rules.tell()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)

    @property
    def arrivals(self) -> list[Arrival]:
        """Oldest first."""
        lines = self._log.read_text().splitlines(keepends=True)
        return [Arrival(**json.loads(line)) for line in lines if line.endswith("\n")]


class _Desk:
    """Takes or refuses, one POST after the other."""

    def __init__(self, rules: Rules, log: Path) -> None:
        self._rules, self._log = rules, log
        self._draw = random.Random(rules.seed)
        self._lock = threading.Lock()
        self._taken: dict[str, list[wire.Message]] = defaultdict(list)
        self._seen: set[str] = set()
        self._count = 0

    def reads(self, at: float) -> bool:
        return self._rules.reads_go_on or not self._is_out(at)

    def _is_out(self, at: float) -> bool:
        return self._rules.outage is not None and self._rules.outage[0] <= at < self._rules.outage[1]

    def newest(self, account: str) -> list[wire.Message]:
        with self._lock:
            return self._taken[account][::-1]

    def receive(self, platform: str, account: str, text: str) -> tuple[str, wire.Message | float, float]:
        """What becomes of it, the message or the seconds to wait, and how long to take for the answer."""
        with self._lock:
            at, pause = time.time(), self._draw.uniform(0, _SLOWEST)
            wait = self._wait(account, at)
            what = "unavailable" if self._is_out(at) else "throttled" if wait else self._take(account, text, at)
            with self._log.open("a") as log:
                log.write(json.dumps(asdict(Arrival(at, platform, account, text, what))) + "\n")
            return what, self._taken[account][-1] if what in ("taken", "cut") else wait, pause

    def _take(self, account: str, text: str, at: float) -> str:
        self._count += 1
        self._taken[account].append(wire.Message(self._count, text, at))
        cut = text in self._rules.cut and text not in self._seen
        self._seen.add(text)
        return "cut" if cut else "taken"

    def _wait(self, account: str, at: float) -> float:
        if self._rules.limit is None:
            return 0
        count, seconds = self._rules.limit
        inside = [message.at for message in self._taken[account] if at - message.at < seconds]
        return inside[-count] + seconds - at if len(inside) >= count else 0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, desk: _Desk) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.desk = desk

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is part of the game."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        platform = wire.platform_of(self.path)
        if platform is None or len(body) < int(self.headers["Content-Length"]):
            self.close_connection = True
            return
        what, found, pause = self.server.desk.receive(platform, self._account(self.path), json.loads(body)["text"])
        time.sleep(pause)
        if what == "cut":
            self.close_connection = True
        elif isinstance(found, wire.Message):
            self._answer(*wire.receipt(platform, found))
        elif what == "throttled":
            self._answer(429, {"error": "too many"}, {"Retry-After": str(ceil(found))})
        else:
            self._answer(503, {"error": "unavailable"})

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        if not self.server.desk.reads(time.time()):
            self._answer(503, {"error": "unavailable"})
            return
        asked = wire.Asked(self.server.desk.newest(self._account(target.path)), dict(parse_qsl(target.query)))
        self._answer(*wire.read(target.path, asked))

    def _account(self, path: str) -> str:
        return wire.account_of(path, {name.lower(): value for name, value in self.headers.items()})

    def _answer(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        self.send_response_only(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Silence."""


def _serve(log: str, told: str) -> None:
    server = _Server(_Desk(Rules.told(told), Path(log)))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve(*sys.argv[1:])
