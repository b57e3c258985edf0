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
        plain: list[tuple[Path, Variant]] = [
            (("campaigns", campaign.name), campaign.shape),
            (("defaults",), campaign.file.shape.defaults),
        ]
        self._layers = [(path, shape, shape.model_fields_set) for path, shape in plain]
        variants = _variants(self.find("for"), [creator, platform])
        self._layers[:0] = [(path, shape, shape.model_fields_set) for path, shape in variants]

    def find(self, *keys: str) -> Given | None:
        """The first layer's value that has one of `keys`, which stand for the same thing."""
        names = [(key, "for_" if key == "for" else key) for key in keys]
        for path, shape, given in self._layers:
            for key, name in names:
                if name in given:
                    return Given(getattr(shape, name), (*path, key))
        return None

    def value(self, key: str, default: Any = None) -> Any:
        given = self.find(key)
        return default if given is None else given.value


def _variants(given: Given | None, keys: list[str | None]) -> list[tuple[Path, Variant]]:
    if given is None:
        return []
    return [((*given.path, key), given.value[key]) for key in keys if key is not None and key in given.value]
