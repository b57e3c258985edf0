"""What an unquoted YAML word is: read by YAML 1.2 core, and doubted where YAML 1.1 differs."""

import re
from collections.abc import Callable
from functools import lru_cache

Scalar = str | int | float | bool | None


class Doubtful(str):
    """Unquoted text that some YAML reader takes for something else: `no`, `0123`, `1e3`, `18:30`, a date."""

    __slots__ = ()


_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+([eE][-+][0-9]+)?")
# Whatever begins like a number may be one: only these beginnings are looked at closer.
_SUSPECT = re.compile(r"[-+]?[0-9.]|[=yYnNoO<]")
_DOUBTFUL = re.compile(
    r"[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|=|<<"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    r"|[-+]?0b[01_]+|[-+]?0o?[0-7_]+|[-+]?0x[0-9a-fA-F_]+"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"
    r"|[-+]?([0-9][0-9_]*)?\.[0-9_]*([eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*([eE][-+]?[0-9]+)?"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?"
    r"([ \t]*(Z|[-+][0-9]{1,2}(:[0-9]{2})?))?"
)
_DIGITS_LIMIT = 400  # int() of Python refuses more than 4,300 anyway; no number here needs them


@lru_cache(maxsize=4096)
def resolve(word: str) -> Scalar:
    """The value of an unquoted scalar."""
    if word in _NULLS:
        return None
    if word in _BOOLS:
        return _BOOLS[word]
    if not _SUSPECT.match(word):
        return word
    if len(word) > _DIGITS_LIMIT:
        return _long(word)
    for pattern, kind in _NUMBERS:
        if pattern.fullmatch(word):
            return kind(word)
    return Doubtful(word) if _DOUBTFUL.fullmatch(word) and word != "." else word


def _long(word: str) -> str:
    return Doubtful(word) if re.fullmatch(r"[-+0-9_.:eExXa-fA-F]+", word) else word


_NUMBERS: tuple[tuple[re.Pattern[str], Callable[[str], int | float]], ...] = ((_INT, int), (_FLOAT, float))


def reading(value: object) -> str:
    """What YAML makes of an unquoted value, for a sentence such as: YAML reads it as a number."""
    if value is None:
        return "nothing"
    if isinstance(value, bool) or re.fullmatch(r"[yYnNoO][a-zA-Z]*", str(value)):
        return "true or false"
    if isinstance(value, str) and re.match(r"[0-9]{4}-", value):
        return "a date"
    return "a number"
