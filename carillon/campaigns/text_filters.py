"""The filters and tests that texts may use. None calls, formats, or grows a text beyond bounds."""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import StrictUndefined, Undefined
from jinja2.filters import FILTERS as JINJA_FILTERS

_LONGEST = 100_000

TESTS = ("defined", "undefined", "none", "true", "false", "odd", "even", "eq", "ne", "in", "lt", "gt", "le", "ge")


class Missing(StrictUndefined):
    """A variable that a creator does not have."""

    @property
    def _undefined_message(self) -> str:
        return f"creator.vars.{self._undefined_name} has no value; give it one, or write | default('')"


def single(value: Any) -> Any:
    """What stands in a text at last is one word or number."""
    if isinstance(value, list):
        raise TypeError("a list is not a text: write | join(', ')")
    return value


def _default(value: Any, instead: Any = "", blank_too: bool = False) -> Any:
    return instead if isinstance(value, Undefined) or (blank_too and not value) else value


def _replace(text: Any, old: Any, new: Any) -> str:
    before, after = str(old), str(new)
    count = str(text).count(before)
    _within(len(str(text)) + count * len(after))
    return str(text).replace(before, after)


def _join(words: Any, between: Any = "") -> str:
    parts = [str(word) for word in words]
    _within(sum(map(len, parts)) + len(str(between)) * len(parts))
    return str(between).join(parts)


def _within(size: int) -> None:
    if size > _LONGEST:
        raise ValueError(f"the text grows beyond {_LONGEST:,} characters")


def _plain(name: str) -> Callable[..., Any]:
    filter_: Callable[..., Any] = JINJA_FILTERS[name]
    return filter_


FILTERS: Mapping[str, Callable[..., Any]] = {
    "default": _default,
    "d": _default,
    "join": _join,
    "replace": _replace,
    **{name: _plain(name) for name in ("capitalize", "first", "last", "length", "lower", "title", "trim", "upper")},
}
