"""The sandbox's accounts with their lists and media. What a campaign file may name:

key             fanvue `fv_demo_token`, frontrow `fr_demo_key` (a second creator: the same and `_two`),
                ofauth `of_demo_key`, onlyfansapi `sk_demo_key`
account         fanvue: none, or of a managed creator `c0ffee00-0000-4000-8000-000000000002`; frontrow: none;
                ofauth `conn_demo`, `conn_demo_two`; onlyfansapi `acct_demo`, `acct_demo_two`
smart lists     by the platforms' own words, see `lists.py`
custom lists    fanvue, frontrow: "VIP" `7f0c9a52-0b53-4a53-a1b5-3f1f0e1f2a11`, "Got the last drop" `…a12`,
                "Nobody yet", empty, `…a13`;
                ofauth, onlyfansapi: "Active" `1`, "VIP" `2`, "Got the last drop" `3`, "Nobody yet" `4`
ready media     fanvue `3ed1a000-0000-4000-8000-00000000000a`, `…b`; frontrow `med_a1b2c3`, `med_d4e5f6`;
                ofauth `12345`, `12346`, any URL; onlyfansapi `12345`, `1234567890`, once `ofapi_media_abc123`
processing      fanvue `…c`, frontrow `med_processing`, the others `12347`
broken          fanvue `…d`, frontrow `med_broken`, the others `12348`

Every account has sixty fans of its own; 123, 456, 789, 1011, 1213 are among them on OFAuth and OnlyFansAPI.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from time import time

from console.sandbox import lists
from console.sandbox.backstage import Backstage
from console.sandbox.fans import Fan, made_up, user_id, uuid_id, whole_id
from console.sandbox.records import Delivery
from console.sandbox.sales import Sale
from console.sandbox.uploads import Upload

KEYS = {
    "fanvue": "fv_demo_token",
    "frontrow": "fr_demo_key",
    "ofauth": "of_demo_key",
    "onlyfansapi": "sk_demo_key",
}
ACCOUNTS = {
    "fanvue": ("c0ffee00-0000-4000-8000-000000000001", "c0ffee00-0000-4000-8000-000000000002"),
    "frontrow": ("usr_demo", "usr_demo_two"),
    "ofauth": ("conn_demo", "conn_demo_two"),
    "onlyfansapi": ("acct_demo", "acct_demo_two"),
}
_FAN_IDS = {"fanvue": uuid_id, "frontrow": user_id, "ofauth": whole_id, "onlyfansapi": whole_id}
_MEDIA = {
    "fanvue": {
        "3ed1a000-0000-4000-8000-00000000000a": "ready",
        "3ed1a000-0000-4000-8000-00000000000b": "ready",
        "3ed1a000-0000-4000-8000-00000000000c": "processing",
        "3ed1a000-0000-4000-8000-00000000000d": "error",
    },
    "frontrow": {
        "med_a1b2c3": "ready",
        "med_d4e5f6": "ready",
        "med_processing": "processing",
        "med_broken": "error",
    },
    "ofauth": {"12345": "ready", "12346": "ready", "12347": "processing", "12348": "error"},
    "onlyfansapi": {
        "1234567890": "ready",
        "12345": "ready",
        "ofapi_media_abc123": "ready",
        "12347": "processing",
        "12348": "error",
    },
}


class Account:
    """One creator on one platform. Fans and lists are made up when first asked for."""

    def __init__(self, platform: str, account_id: str, key: str, backstage: Backstage) -> None:
        self.platform = platform
        self.id = account_id
        self.key = key
        self.backstage = backstage
        self.siblings: list[Account] = []  # all that its key opens, itself included
        self.linked = True  # False: the platform has lost its login to OnlyFans
        self.media: dict[str, str] = dict(_MEDIA[platform])  # id: ready, processing or error
        self.uploads: dict[str, Upload] = {}  # by upload id
        self.taken: list[Delivery] = []  # oldest first, whatever the client heard of it
        self._seed = f"{backstage.seed}/{platform}/{account_id}"

    @cached_property
    def fans(self) -> tuple[Fan, ...]:
        return made_up(self._seed, _FAN_IDS[self.platform])

    def fan(self, fan_id: str) -> Fan:
        return next(fan for fan in self.fans if fan.id == fan_id)

    @cached_property
    def lists(self) -> dict[str, lists.FanList]:
        """By id."""
        return lists.of(self.platform, self.fans)

    def process(self, upload: Upload) -> None:
        """What was uploaded is ready after a moment."""
        self.media.update(dict.fromkeys(upload.media, "processing"))
        clock, seconds = self.backstage.clock, self.backstage.processing_seconds
        clock.at(time() + seconds, lambda: self._ready(upload))

    def _ready(self, upload: Upload) -> None:
        self.media.update(dict.fromkeys(upload.media, "ready"))
        if upload.later:
            self.backstage.hooks.uploaded(self.id, upload.id)

    def sales(self, now: float) -> list[Sale]:
        """What its fans bought and tipped, oldest first."""
        mine = (sale for sale in self.backstage.sales(now) if (sale.platform, sale.account) == (self.platform, self.id))
        return sorted(mine, key=lambda sale: sale.at)

    def newest_first(self) -> list[Delivery]:
        """What its lists show by now, also what waits in the platform's scheduler."""
        shown = (one for one in self.taken if not one.hidden or one.arrived_at + one.hidden <= time())
        return sorted(shown, key=lambda delivery: delivery.arrived_at, reverse=True)

    def sent_first(self) -> list[Delivery]:
        """What went out to fans, the latest first."""
        sent = (one for one in self.newest_first() if not (one.waits or one.failed))
        return sorted(sent, key=lambda delivery: delivery.goes_at, reverse=True)

    def message(self, message_id: str) -> Delivery | None:
        return next((one for one in self.newest_first() if one.message_id == message_id), None)

    def audience(
        self, include: Iterable[str], exclude: Iterable[str] = (), users: Iterable[str] = ()
    ) -> tuple[Fan, ...]:
        """Everybody on the included lists and every single user, but nobody on an excluded list."""
        wanted = {fan for name in include for fan in self.lists[name].members}.union(users)
        unwanted = {fan for name in exclude for fan in self.lists[name].members}
        return tuple(fan for fan in self.fans if fan.id in wanted - unwanted)


class World:
    """All accounts, found by what a request shows: key, and account id where the platform wants one."""

    def __init__(self, keys: Mapping[str, str] | None = None, seed: int = 1) -> None:
        self.keys = KEYS | dict(keys or {})
        self.backstage = Backstage(seed)
        self._accounts: dict[tuple[str, str, str | None], Account] = {}
        self._keys: dict[tuple[str, str], list[Account]] = {}
        self._lent: dict[str, tuple[str, float]] = {}
        for platform, (first, second) in ACCOUNTS.items():
            self.add(platform, first)
            self.add(platform, second, self.keys[platform] + ("_two" if platform == "frontrow" else ""))

    def add(self, platform: str, account_id: str, key: str | None = None) -> Account:
        """The first account of a Fanvue key is its own; later ones are creators that it manages."""
        key = key or self.keys[platform]
        account = Account(platform, account_id, key, self.backstage)
        own = platform == "frontrow" or (platform == "fanvue" and not self.knows(platform, key))
        account.siblings = self._keys.setdefault((platform, key), [])
        account.siblings.append(account)
        self._accounts[platform, key, None if own else account_id] = account
        return account

    def lend(self, token: str, key: str, until: float) -> None:
        """Until then `token` opens what `key` opens; an instant in the past takes that back."""
        self._lent[token] = (key, until)

    def behind(self, shown: str) -> str:
        """The key that a bearer token stands for: a token that was lent, or itself; "" if it has run out."""
        key, until = self._lent.get(shown, (shown, None))
        return key if until is None or time() < until else ""

    def knows(self, platform: str, key: str) -> bool:
        return (platform, key) in self._keys

    def first(self, platform: str, key: str) -> Account:
        """Of the accounts of a key that is known."""
        return self._keys[platform, key][0]

    def all(self) -> list[Account]:
        return list(self._accounts.values())

    def find(self, platform: str, key: str, account_id: str | None = None) -> Account | None:
        return self._accounts.get((platform, key, account_id))

    def named(self, platform: str, account_id: str) -> Account:
        """By its id alone, for tests. Raises KeyError."""
        for account in self._accounts.values():
            if (account.platform, account.id) == (platform, account_id):
                return account
        raise KeyError(f"{platform} has no account {account_id}")
