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
from console.sandbox.fans import Fan, made_up, user_id, uuid_id, whole_id
from console.sandbox.records import Delivery

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

    def __init__(self, platform: str, account_id: str, key: str, seed: int) -> None:
        self.platform = platform
        self.id = account_id
        self.key = key
        self.media: dict[str, str] = dict(_MEDIA[platform])  # id: ready, processing or error
        self.taken: list[Delivery] = []  # oldest first, whatever the client heard of it
        self._seed = f"{seed}/{platform}/{account_id}"

    @cached_property
    def fans(self) -> tuple[Fan, ...]:
        return made_up(self._seed, _FAN_IDS[self.platform])

    @cached_property
    def lists(self) -> dict[str, lists.FanList]:
        """By id."""
        return lists.of(self.platform, self.fans)

    def newest_first(self) -> list[Delivery]:
        """What its lists show by now."""
        shown = (one for one in self.taken if not one.hidden or one.arrived_at + one.hidden <= time())
        return sorted(shown, key=lambda delivery: delivery.arrived_at, reverse=True)

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
        self._seed = seed
        self._accounts: dict[tuple[str, str, str | None], Account] = {}
        self._keys: set[tuple[str, str]] = set()
        for platform, (first, second) in ACCOUNTS.items():
            self.add(platform, first)
            self.add(platform, second, self.keys[platform] + ("_two" if platform == "frontrow" else ""))

    def add(self, platform: str, account_id: str, key: str | None = None) -> Account:
        """The first account of a Fanvue key is its own; later ones are creators that it manages."""
        key = key or self.keys[platform]
        account = Account(platform, account_id, key, self._seed)
        own = platform == "frontrow" or (platform == "fanvue" and not self.knows(platform, key))
        self._keys.add((platform, key))
        self._accounts[platform, key, None if own else account_id] = account
        return account

    def knows(self, platform: str, key: str) -> bool:
        return (platform, key) in self._keys

    def find(self, platform: str, key: str, account_id: str | None = None) -> Account | None:
        return self._accounts.get((platform, key, account_id))

    def named(self, platform: str, account_id: str) -> Account:
        """By its id alone, for tests. Raises KeyError."""
        for account in self._accounts.values():
            if (account.platform, account.id) == (platform, account_id):
                return account
        raise KeyError(f"{platform} has no account {account_id}")
