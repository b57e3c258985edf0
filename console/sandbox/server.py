"""The sandbox as one object: five ports, four platforms and one that takes orders.

with Sandbox() as sandbox:
    sandbox.faults.add("fanvue", Fault.throttled(retry_after=5))
    os.environ["CARILLON_FANVUE_URL"] = sandbox.urls["fanvue"]
"""

import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from types import TracebackType

from console.sandbox import control, fanvue, frontrow, ofauth, onlyfansapi
from console.sandbox.faults import Faults, Held
from console.sandbox.port import Port
from console.sandbox.reception import Reception
from console.sandbox.records import Delivery, Excess, Records
from console.sandbox.world import ACCOUNTS, Account, World

PLATFORMS = (fanvue.RULES, frontrow.RULES, ofauth.RULES, onlyfansapi.RULES)


class Sandbox:
    """Keys and ports go by platform, one port by `control`; one that is not given, or 0, is any free one."""

    def __init__(
        self, keys: Mapping[str, str] | None = None, ports: Mapping[str, int] | None = None, seed: int = 1
    ) -> None:
        self.world = World(keys, seed)
        self.keys = self.world.keys
        self.accounts = {platform: ids[0] for platform, ids in ACCOUNTS.items()}
        self.faults = Faults()
        self._records = Records()
        self._held = Held()
        self._ended = Event()
        self._ports = self._laid_out(ports or {})

    def _laid_out(self, numbers: Mapping[str, int]) -> dict[str, Port]:
        desks = {rules.name: Reception(rules, self.world, self._records, self.faults) for rules in PLATFORMS}
        ports = {name: Port(desk.receive, self._held, numbers.get(name, 0)) for name, desk in desks.items()}
        return ports | {"control": Port(partial(control.receive, self), self._held, numbers.get("control", 0))}

    def __enter__(self) -> "Sandbox":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Raises OSError, naming the port, if one is taken; then none is left open."""
        try:
            for port in self._ports.values():
                port.open()
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """Cuts every connection."""
        self._ended.set()
        with ThreadPoolExecutor(len(self._ports)) as pool:
            list(pool.map(Port.stop, self._ports.values()))

    def run_forever(self) -> None:
        """Returns on Ctrl-C or SIGTERM. In the main thread of a started sandbox."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._ended.set())
        self._ended.wait()

    @property
    def urls(self) -> dict[str, str]:
        return {name: port.url for name, port in self._ports.items() if name != "control"}

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
        self._records.limit(platform, count, seconds)

    def deliveries(self) -> list[Delivery]:
        return self._records.deliveries()

    def withdraw(self, message_id: str) -> None:
        """As if its creator had deleted it in the app. Raises KeyError if no platform took it."""
        self._records.withdraw(message_id)

    @property
    def over_limit(self) -> list[Excess]:
        return self._records.over_limit()

    def refuse_connections(self, platform: str, refuse: bool) -> None:
        """Closes the port, or opens it again under the same number. Calls under way are finished."""
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
        print(f"# faults and deliveries: {sandbox.control_url}", flush=True)
        sandbox.run_forever()
