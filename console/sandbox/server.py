"""The sandbox as one object: a port for each platform, one for Fanvue's sign-in and one that takes orders.

with Sandbox() as sandbox:
    sandbox.faults.add("fanvue", Fault.throttled(retry_after=5))
    os.environ["CARILLON_FANVUE_URL"] = sandbox.urls["fanvue"]
"""

import signal
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from time import time
from types import TracebackType

from console.sandbox import control, fanvue, frontrow, ofauth, onlyfansapi
from console.sandbox.backstage import Backstage
from console.sandbox.faults import Faults, Held
from console.sandbox.hooks import Hooks
from console.sandbox.oauth import CLIENT_ID, CLIENT_SECRET, OAuth
from console.sandbox.oauth_chains import Chains
from console.sandbox.port import Port
from console.sandbox.rates import Rate, Rates
from console.sandbox.reception import Outcome, Reception
from console.sandbox.records import Delivery, Excess
from console.sandbox.rules import Call
from console.sandbox.sales import Sale
from console.sandbox.world import ACCOUNTS, Account, World

PLATFORMS = (fanvue.RULES, frontrow.RULES, ofauth.RULES, onlyfansapi.RULES)


class Sandbox:
    """Keys and ports go by platform, two more by `auth` and `control`; one that is not given, or 0, is any free."""

    def __init__(
        self, keys: Mapping[str, str] | None = None, ports: Mapping[str, int] | None = None, seed: int = 1
    ) -> None:
        self.world = World(keys, seed)
        self.keys = self.world.keys
        self.accounts = {platform: ids[0] for platform, ids in ACCOUNTS.items()}
        self.faults = Faults()
        self.rates: Rates = Rates()
        self.oauth: OAuth = OAuth(self.world, self.faults, Chains(self.world))
        self._held = Held()
        self._ended = Event()
        self._ports = self._laid_out(ports or {})

    def _laid_out(self, numbers: Mapping[str, int]) -> dict[str, Port]:
        desks = {rules.name: Reception(rules, self.world, self.faults, self.rates) for rules in PLATFORMS}
        ports = {name: Port(desk.receive, self._held, numbers.get(name, 0)) for name, desk in desks.items()}
        more: dict[str, Callable[[Call], Outcome]] = {
            "auth": self.oauth.receive,
            "control": partial(control.receive, self),
        }
        return ports | {name: Port(receive, self._held, numbers.get(name, 0)) for name, receive in more.items()}

    def __enter__(self) -> "Sandbox":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Raises OSError, naming the port, if one is taken; then none is left open."""
        self.world.backstage.clock.start()
        try:
            for port in self._ports.values():
                port.open()
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """Cuts every connection."""
        self._ended.set()
        self.world.backstage.clock.stop()
        with ThreadPoolExecutor(len(self._ports)) as pool:
            list(pool.map(Port.stop, self._ports.values()))

    def run_forever(self) -> None:
        """Returns on Ctrl-C or SIGTERM. In the main thread of a started sandbox."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._ended.set())
        self._ended.wait()

    @property
    def urls(self) -> dict[str, str]:
        return {rules.name: self._ports[rules.name].url for rules in PLATFORMS}

    @property
    def auth_url(self) -> str:
        """Of Fanvue's authorization server."""
        return self._ports["auth"].url

    @property
    def control_url(self) -> str:
        return self._ports["control"].url

    def account(self, platform: str, account_id: str | None = None) -> Account:
        """The first account of a platform, or the one with this id. Its lists and media may be changed."""
        return self.world.named(platform, account_id or self.accounts[platform])

    def add_account(self, platform: str, account_id: str, key: str | None = None) -> Account:
        """FrontRow knows a creator by the key alone: each needs one of its own."""
        return self.world.add(platform, account_id, key)

    def limit(self, platform: str, count: int, seconds: float) -> None:
        self.world.backstage.records.limit(platform, count, seconds)

    def deliveries(self) -> list[Delivery]:
        """What went out to fans, in the order in which it was taken."""
        return self._by_now().records.deliveries()

    def scheduled(self) -> list[Delivery]:
        """What the platforms' own schedulers took, whatever became of it."""
        return self._by_now().records.scheduled()

    def sales(self) -> list[Sale]:
        """What fans bought and tipped by now."""
        with self.world.backstage.clock.lock:
            return list(self.world.backstage.sales(time()))

    def uploads(self) -> list[dict[str, object]]:
        """Every upload with its size and sha256."""
        with self.world.backstage.clock.lock:
            return [upload.told() for account in self.world.all() for upload in account.uploads.values()]

    def _by_now(self) -> Backstage:
        self.world.backstage.clock.run()
        return self.world.backstage

    def rate(self, platform: str, rate: Rate | None) -> None:
        """How many requests it takes; None: any number."""
        with self.world.backstage.clock.lock:
            self.rates.set(platform, rate)

    def link(self, platform: str, account_id: str, linked: bool) -> None:
        """Whether OFAuth or OnlyFansAPI still has its login to OnlyFans. Raises KeyError."""
        self.account(platform, account_id).linked = linked
        self.world.backstage.hooks.linked(platform, account_id, linked)

    @property
    def hooks(self) -> Hooks:
        """Who is told by webhooks, and the log of that."""
        return self.world.backstage.hooks

    def withdraw(self, message_id: str) -> None:
        """As if its creator had deleted it in the app. Raises KeyError if no platform took it."""
        self.world.backstage.records.withdraw(message_id)

    @property
    def over_limit(self) -> list[Excess]:
        return self.world.backstage.records.over_limit()

    def refuse_connections(self, platform: str, refuse: bool) -> None:
        """Closes the port of a platform, or `auth`, or opens it again as it was. Calls under way are finished."""
        port = self._ports[platform]
        if refuse:
            port.close()
        elif port.closed:
            port.open()

    def wait_for_held(self, timeout: float) -> Delivery | None:
        """The next delivery that a `hold` keeps unanswered, None if none came within that many seconds."""
        return self._held.wait(timeout)

    def release_held(self) -> None:
        self._held.release()


def serve(ports: Mapping[str, int] | None = None) -> None:
    """`carillon sandbox`: prints what another shell needs, and runs until Ctrl-C or SIGTERM."""
    with Sandbox(ports=ports) as sandbox:
        for platform, url in sandbox.urls.items():
            print(f"CARILLON_{platform.upper()}_URL={url}")
        for platform, key in sandbox.keys.items():
            print(f"DEMO_{platform.upper()}_KEY={key}")
        print(f"CARILLON_FANVUE_AUTH_URL={sandbox.auth_url}")
        print(f"CARILLON_FANVUE_CLIENT_ID={CLIENT_ID}")
        print(f"CARILLON_FANVUE_CLIENT_SECRET={CLIENT_SECRET}")
        print(f"# faults and deliveries: {sandbox.control_url}", flush=True)
        sandbox.run_forever()
