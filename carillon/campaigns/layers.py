"""Which value of a key holds for one creator: creator before platform before campaign before defaults."""

from dataclasses import dataclass
from typing import Any

from carillon.campaigns.folder import Declared
from carillon.campaigns.shape import Campaign, Variant

Path = tuple[str, ...]


@dataclass(frozen=True)
class Given:
    """A value, and where in the campaign's file it stands."""

    value: Any
    path: Path


class Layers:
    """One campaign's keys. Each key is replaced whole."""

    def __init__(self, campaign: Declared[Campaign], creator: str | None = None, platform: str | None = None) -> None:
        self.campaign = campaign
        self._creator = creator
        self._lost = campaign.file.lost
        plain: list[tuple[Path, Variant]] = [
            (("campaigns", campaign.name), campaign.shape),
            (("defaults",), campaign.file.shape.defaults),
        ]
        self._layers = [(path, shape, shape.model_fields_set) for path, shape in plain]
        variants = _variants(self.find("for"), [creator, platform])
        self._layers[:0] = [(path, shape, shape.model_fields_set) for path, shape in variants]
        self._unsure = bool(campaign.file.broken) and any(
            self._lost((*path, "for", key or "")) for path, _ in plain for key in (creator, platform)
        )

    def find(self, *keys: str) -> Given | None:
        """The first layer's value that has one of `keys`, which stand for the same thing.

        None too where that layer's value was wrong: those below it do not count.
        """
        names = [(key, "for_" if key == "for" else key) for key in keys]
        for path, shape, given in self._layers:
            for key, name in names:
                if name in given:
                    return Given(getattr(shape, name), (*path, key))
            if self.campaign.file.broken and any(self._lost((*path, key)) for key in keys):
                return None
        return None

    def missing(self, *keys: str) -> bool:
        """Whether none of `keys` is given, nor was meant to be by something that was wrong.

        Without a creator, whether none of them could have it.
        """
        if self._creator is None and any(
            variant.given(key) for variant in self.value("for", {}).values() for key in keys
        ):
            return False
        lost = self._unsure or any(self._lost((*path, key)) for path, _, _ in self._layers for key in keys)
        return not lost and self.find(*keys) is None

    def stands(self, key: str) -> Path | None:
        """Where `key` stands first, be its value right or wrong."""
        broken = self.campaign.file.broken
        paths = ((*path, key) for path, _, given in self._layers if key in given or (*path, key) in broken)
        return next(paths, None)

    def value(self, key: str, default: Any = None) -> Any:
        given = self.find(key)
        return default if given is None else given.value


def _variants(given: Given | None, keys: list[str | None]) -> list[tuple[Path, Variant]]:
    if given is None:
        return []
    return [((*given.path, key), given.value[key]) for key in keys if key is not None and key in given.value]
