"""Looks from time to time, in a thread of its own: for what nobody told this scheduler, and as long as nobody can."""

import threading
from collections.abc import Callable

_SECONDS = 0.45
"""What frees or ends is used within half a second, even if nobody rings."""

_DEAF_SECONDS = 0.25
"""While the doorbell cannot be heard."""

_PATIENCE_SECONDS = 2.0


class Pulse:
    """Calls `look`, which must not raise, from `start` to `stop`, and at the end `close`."""

    def __init__(self, look: Callable[[], None], close: Callable[[], None]) -> None:
        self._look, self._close, self._seconds = look, close, _DEAF_SECONDS
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="pulse", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Wait for a look under way, but not for a ledger that hangs."""
        self._stopping.set()
        self._thread.join(_PATIENCE_SECONDS)

    def hear(self, hears: bool) -> None:
        """Whether others can tell at once what they have changed; until it is known, they cannot."""
        self._seconds = _SECONDS if hears else _DEAF_SECONDS

    def _go_on(self) -> None:
        while not self._stopping.wait(self._seconds):
            self._look()
        self._close()
