"""Mappings that make a value when it is asked for, so that a hundred thousand campaigns take little memory."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from carillon.campaigns.places import Place
from carillon.campaigns.shape import Campaign

T = TypeVar("T")
Position = tuple[int, int]


class Lazy(Mapping[str, T]):
    """Has the keys of `names`; nothing that was made is kept."""

    def __init__(self, names: Mapping[str, Any], make: Callable[[str], T]) -> None:
        self._names = names
        self._make = make

    def __getitem__(self, name: str) -> T:
        if name not in self._names:
            raise KeyError(name)
        return self._make(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names


class Packed:
    """The campaigns of one file as JSON texts, each with its place: read again and again, and known to be right."""

    def __init__(self, values: Mapping[str, Any], positions: Mapping[str, Position]) -> None:
        self._texts = {name: _text([positions[name], value]) for name, value in values.items()}

    @property
    def values(self) -> Mapping[str, Any]:
        return Lazy(self._texts, lambda name: json.loads(self._texts[name])[1])

    @property
    def shapes(self) -> Mapping[str, Campaign]:
        return Lazy(self._texts, lambda name: Campaign.model_validate(self.values[name]))

    @property
    def place(self) -> Place:
        """Of the whole section; inside the campaigns nothing is known."""
        return Place(1, 1, Lazy(self._texts, lambda name: tuple(json.loads(self._texts[name])[0])))


def _text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
