"""A daemon's answers over HTTP: `/healthz` (is it alive), `/readyz` (can it do its work), `/metrics`.

Served by threads of its own after `start`; or, where there may be no thread because the process forks, by its own
loop, which waits for `fileno` and calls `handle`. Nobody is asked for a password: what is told holds no secret.
"""

import json
import os
import threading
from collections.abc import Callable
from http import HTTPStatus

import structlog

from carillon.monitoring.port import Answer, Listener

log = structlog.get_logger()

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Health:
    """`alive` and `ready` say in plain words what is wrong, nothing if all is well; each bounds its own time."""

    def __init__(
        self, alive: Callable[[], list[str]], ready: Callable[[], list[str]], metrics: Callable[[], bytes]
    ) -> None:
        self._answers: dict[str, Callable[[], Answer]] = {
            "/healthz": lambda: _state(alive()),
            "/readyz": lambda: _state(ready()),
            "/metrics": lambda: Answer(HTTPStatus.OK, metrics(), METRICS_TYPE),
        }
        self._listener: Listener | None = None
        self._thread: threading.Thread | None = None

    def open(self, port: int) -> bool:
        """Listen on all addresses; 0 is any free port. A taken one is worth a warning, not a daemon: False."""
        try:
            self._listener = Listener(port, self._answer)
        except OSError as error:
            words = "no health and metrics here: the port cannot be opened; free it, or set CARILLON_HEALTH_PORT"
            log.warning(words, port=port, error=os.strerror(error.errno or 0))
        return self._listener is not None

    @property
    def port(self) -> int:
        number: int = self._opened.socket.getsockname()[1]
        return number

    def start(self) -> None:
        """Answer in threads of its own, one for each client."""
        self._opened.threaded = True
        self._thread = threading.Thread(target=self._opened.serve_forever, args=(0.1,), name="health", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """Readable when somebody asks."""
        return self._opened.fileno()

    def handle(self) -> None:
        """Answer one who asks, if there is one, in this thread: within `port.PATIENCE` and what the answer takes."""
        self._opened.handle_request()

    def close(self) -> None:
        """Also for a forked child, which else would keep the port when its parent is gone."""
        listener, self._listener = self._listener, None
        if listener and self._thread:
            listener.shutdown()
        if listener:
            listener.server_close()

    @property
    def _opened(self) -> Listener:
        assert self._listener, "it is open only after `open` said so"
        return self._listener

    def _answer(self, path: str) -> Answer:
        answer = self._answers.get(path)
        if answer is None:
            return Answer(HTTPStatus.NOT_FOUND, f"here are {', '.join(self._answers)}\n".encode())
        try:
            return answer()
        except Exception as error:  # noqa: BLE001  whatever it was, whoever asks must hear that something is wrong
            log.warning("a question about health failed", path=path, error=type(error).__name__)
            return _state([type(error).__name__])


def _state(wrong: list[str]) -> Answer:
    told = {"status": "failing" if wrong else "ok", "wrong": wrong}
    status = HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK
    return Answer(status, json.dumps(told, ensure_ascii=False).encode(), "application/json")
