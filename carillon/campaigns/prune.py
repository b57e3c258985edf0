"""What is left of a file's values without what is wrong in them."""

from collections.abc import Iterable
from typing import Any

Path = tuple[str | int, ...]


def part(values: Any, path: Path) -> Path:
    """What must be left out, of all that a fault at `path` concerns, for the rest to be right."""
    if path[0] == "audiences" or path[:1] + path[2:3] == ("creators", "platform"):
        return path[:2]
    if path[0] in ("platforms", "creators"):
        return path[:3]
    for depth, step in enumerate(path):
        if not (isinstance(values, list) if isinstance(step, int) else isinstance(values, dict) and step in values):
            return path[:depth]
        values = values[step]
    return path


def pruned(values: Any, parts: Iterable[Path]) -> Any:
    """The same values without some parts; a list that loses all its items goes too."""
    below: dict[str | int, list[Path]] = {}
    for step, *rest in parts:
        below.setdefault(step, []).append(tuple(rest))
    kept = {
        step: pruned(value, below[step]) if step in below else value
        for step, value in (values.items() if isinstance(values, dict) else enumerate(values))
        if () not in below.get(step, ())
    }
    if isinstance(values, list):
        return list(kept.values())
    return {key: value for key, value in kept.items() if value != [] or key not in below}
