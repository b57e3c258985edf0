"""Where each key and value of a file stands. Lines and columns count from 1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Path = Sequence[str | int]


@dataclass(frozen=True, slots=True)
class Place:
    """The first character of a value, and the places of what it holds."""

    line: int
    column: int
    keys: "Mapping[str, tuple[int, int]] | None" = None
    values: "Mapping[str, Place] | Sequence[Place] | None" = None


def value_at(root: Place, path: Path) -> tuple[int, int]:
    """The value at `path`, or the deepest known place on the way to it; unknown steps are passed over."""
    return _follow(root, path)[1]


def key_at(root: Place, path: Path) -> tuple[int, int]:
    """The last key on `path`; a list's item counts as its own key."""
    return _follow(root, path)[0]


def _follow(root: Place, path: Path) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the last known key on the way stands, and where its value does."""
    place, key = root, (root.line, root.column)
    value = key
    for step in path:
        if place.keys is not None and step in place.keys:
            key = value = place.keys[str(step)]
        below = _below(place, step)
        if below is not None:
            place, value = below, (below.line, below.column)
            key = key if isinstance(step, str) else value
    return key, value


def _below(place: Place, step: str | int) -> Place | None:
    if isinstance(place.values, Mapping):
        return place.values.get(str(step))
    if place.values is not None and isinstance(step, int) and step < len(place.values):
        return place.values[step]
    return None
