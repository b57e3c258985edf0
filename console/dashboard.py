"""`carillon dashboard`, and what `up` serves of it: the webhook receiver, and health.

Any number of these processes may run beside each other, and beside an `up` on the same home: the ledger is all that
they share with it.
"""

from collections.abc import Callable
from contextlib import closing

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from carillon import logs
from carillon.handoff import broker as brokers
from carillon.handoff.broker import Queue
from carillon.handoff.doorbell import RELEASE, Ringer
from carillon.ledger.connect import Ledger
from carillon.ledger.installation import installation
from carillon.monitoring import metrics
from carillon.monitoring.health import Health
from carillon.monitoring.reach import unreachable
from carillon.platforms.roster import PLATFORMS
from carillon.settings import Settings
from console.attendance import Attendance
from console.daemons import ended, process_name, served, stop_on_signals, stopped_within, wait_for_the_end
from console.failures import CommandError
from console.opening import ledger_to_write
from console.receiver.endpoint import Receiver
from console.receiver.following import Following
from console.web_server import WebServer

log = structlog.get_logger()

_STOP_SECONDS = 20.0


class Dashboard:
    """All that is served, from `start` to `stop`. `nudge` tells the scheduler that something may be done now."""

    def __init__(self, settings: Settings, ledger: Ledger, broker: Queue, who: str, nudge: Callable[[], None]) -> None:
        self._following = Following(ledger, who, nudge)
        receiver = Receiver(ledger, PLATFORMS, self._following.ring)
        self._web = WebServer(
            app(receiver, lambda: unreachable(ledger, broker)), settings.dashboard_host, settings.dashboard_port
        )

    def open(self) -> None:
        """Raises OSError if its port is taken."""
        self._web.open()

    @property
    def url(self) -> str:
        return self._web.url

    def start(self) -> None:
        self._following.start()
        self._web.start()

    def wrong(self) -> list[str]:
        return ["nothing is served any more"] if self._web.ended else []

    def stop(self) -> None:
        self._web.stop()
        self._following.stop()


def dashboard(settings: Settings) -> int:
    """Run until SIGTERM or Ctrl-C; returns the exit code. Raises CommandError or LedgerError."""
    logs.set_up(settings.log)
    require_safe_address(settings)
    stopping = stop_on_signals()
    with closing(ledger_to_write(settings)) as ledger:
        broker = brokers.make(settings.redis_url, installation(ledger))
        who = f"dashboard {process_name()}"
        ringer, attendance = Ringer(broker, RELEASE), Attendance(ledger, "dashboard", who)
        served_here = Dashboard(settings, ledger, broker, who, ringer.ring)
        try:
            served_here.open()
        except OSError as error:
            raise CommandError(f"{error}; free it, or set CARILLON_DASHBOARD_PORT") from None
        for begin in (ringer, attendance, served_here):
            begin.start()
        health = Health(served_here.wrong, lambda: unreachable(ledger, broker), metrics.exposition)
        with served(settings.health_port, health):
            log.info("dashboard is up", url=served_here.url, ledger=ledger.shown)
            wait_for_the_end(stopping, served_here.wrong)
            stopped_within(_STOP_SECONDS, served_here.stop, ringer.stop, attendance.stop)
        return ended(0)


def require_safe_address(settings: Settings) -> None:
    """Raises CommandError where everybody could look at it."""
    if settings.dashboard_is_open:
        raise CommandError(
            f"CARILLON_DASHBOARD_HOST is {settings.dashboard_host}, which others can reach: "
            "set CARILLON_DASHBOARD_PASSWORD too, or leave it at 127.0.0.1"
        )


def app(receiver: Receiver, wrong: Callable[[], list[str]]) -> Starlette:
    """What is served at which path; `wrong` says in plain words why it could not do its work now."""

    async def healthz(_request: Request) -> JSONResponse:
        return _state([])

    def readyz(_request: Request) -> JSONResponse:  # in a thread: it waits for servers
        return _state(wrong())

    routes = [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/webhooks/{platform}/{creator}", receiver),
    ]
    application = Starlette(routes=routes)
    application.router.redirect_slashes = False  # a webhook is sent to the address that was given, or not at all
    return application


def _state(wrong: list[str]) -> JSONResponse:
    told = {"status": "failing" if wrong else "ok", "wrong": wrong}
    return JSONResponse(told, 503 if wrong else 200, {"Cache-Control": "no-store"})
