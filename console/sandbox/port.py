"""A listening port: HTTP/1.1 with keep-alive, a thread for each connection, no DNS look-ups."""

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import ThreadingHTTPServer
from socketserver import TCPServer
from threading import Lock, Thread
from typing import Any

from console.sandbox.faults import Held
from console.sandbox.reception import Outcome
from console.sandbox.rules import Call
from console.sandbox.wire import Connection


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1_024

    def __init__(self, port: "Port") -> None:
        self.port = port
        super().__init__((port.host, port.number), Connection)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's own would ask the DNS for a name
        self.server_name, self.server_port = self.port.host, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        self.port.connected(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.port.left(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # a client that leaves is daily bread
            super().handle_error(request, client_address)


class Port:
    """A port that can be closed and opened again under the same number."""

    def __init__(self, receive: Callable[[Call], Outcome], held: Held, number: int = 0) -> None:
        self.host = "127.0.0.1"
        self.number = number
        self.receive = receive
        self.held = held
        self._lock = Lock()
        self._connections: dict[socket.socket, bool] = {}  # and whether a call is under way on it
        self._listener: Listener | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.number}"

    @property
    def closed(self) -> bool:
        return self._listener is None

    def open(self) -> None:
        """Raises OSError if the port is taken."""
        try:
            self._listener = Listener(self)
        except OSError as error:
            raise OSError(
                error.errno, f"port {self.number} of {self.host} cannot be opened: {error.strerror}"
            ) from None
        self.number = self._listener.server_port
        Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """No new connections; idle ones are cut, calls under way are finished."""
        listener, self._listener = self._listener, None
        if listener:
            listener.shutdown()
            listener.server_close()
        self._cut(lambda busy: not busy)

    def stop(self) -> None:
        self.close()
        self._cut(lambda _: True)

    def connected(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections[connection] = False

    def left(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.pop(connection, None)

    @contextmanager
    def at_work(self, connection: socket.socket) -> Iterator[None]:
        with self._lock:
            self._connections[connection] = True
        try:
            yield
        finally:
            with self._lock:
                self._connections[connection] = False

    def _cut(self, which: Callable[[bool], bool]) -> None:
        with self._lock:
            for connection, busy in self._connections.items():
                if which(busy):
                    with suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)
