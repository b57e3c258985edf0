"""A worker says in the ledger that it is alive, and tells people when no scheduler is: that one could not."""

import os
import signal
import threading
from collections.abc import Callable

import dramatiq
import structlog
from sqlalchemy.exc import SQLAlchemyError

from carillon import clock
from carillon.ledger import beats
from carillon.ledger.connect import Ledger, WrongSchemaError, first_line
from carillon.monitoring.absent import Lookout
from carillon.monitoring.reach import unreachable

log = structlog.get_logger()

EVERY_SECONDS = 10.0
_LATE_SECONDS = 30.0
_HUNG_SECONDS = 180.0


class Presence:
    """Beats in a thread of its own, from `start` to `stop`. `tell` delivers alarms while no scheduler does."""

    def __init__(self, ledger: Ledger, broker: dramatiq.Broker, who: str, tell: Callable[[], None]) -> None:
        self._ledger, self._broker, self._who, self._tell = ledger, broker, who, tell
        self._lookout = Lookout(ledger, "worker")
        self._looked_at, self._wrong = clock.ticks(), ["it has only just started"]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="presence", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Say good-bye, if the ledger can be reached."""
        self._stopping.set()
        self._thread.join(EVERY_SECONDS)
        self._surviving(lambda: beats.leave(self._ledger, self._who))

    def wrong(self) -> list[str]:
        """What kept it from working when it last looked; never waits for anybody."""
        if clock.ticks() - self._looked_at > _LATE_SECONDS:
            return ["it has been waiting for its servers"]
        return self._wrong

    def hangs(self) -> bool:
        """Whether the thread that beats has not come round for long: whoever watches this process may end it."""
        return clock.ticks() - self._looked_at > _HUNG_SECONDS

    def _beat_on(self) -> None:
        while True:
            self._surviving(self._once)
            self._surviving(self._look)
            if self._stopping.wait(EVERY_SECONDS):
                return

    def _look(self) -> None:
        self._wrong, self._looked_at = unreachable(self._ledger, self._broker), clock.ticks()

    def _once(self) -> None:
        beats.beat(self._ledger, "worker", self._who)
        if not self._lookout.look():
            self._tell()

    def _surviving(self, run: Callable[[], None]) -> None:
        try:
            run()
        except WrongSchemaError as error:
            log.error(str(error))
            os.kill(os.getpid(), signal.SIGTERM)
        except SQLAlchemyError as error:
            log.error("the ledger cannot be used now", beat="presence", error=first_line(error))
        except Exception:
            log.exception("a beat failed", beat="presence")
