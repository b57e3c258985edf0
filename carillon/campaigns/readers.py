"""The single values of a campaign file: each function here reads one, or says what is wrong with it.

Readers raise ValueError with a sentence for a person. Values of `credentials` and `webhook_secret` are never
repeated, since a secret may have been typed there.
"""

import re
from datetime import timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo, available_timezones

from carillon.campaigns.cron import parse_cron
from carillon.campaigns.durations import parse_duration, parse_rate
from carillon.campaigns.references import parse_reference
from carillon.campaigns.times import DateRange, Moment
from carillon.campaigns.yaml_scalars import Doubtful, reading
from carillon.platforms.contract import ListRef
from carillon.platforms.limits import Rate
from carillon.quiet_hours import QuietHours

NAME_FORM = r"[a-z0-9][a-z0-9_-]{0,63}"
IDENTIFIER_FORM = r"[A-Za-z][A-Za-z0-9_]{0,63}"
CREDENTIAL_FORM = r"(env:[A-Za-z_][A-Za-z0-9_]*|file:[^\x00-\x1f]+)"
ID_FORM = r"[!-~]{1,2000}"
MEDIUM_FORM = rf"{ID_FORM}|(?=\.|[^\x00-\x1f\x7f]*/)[^\x00-\x1f\x7f]{{1,2000}}"
"""An id or a URL; the path of a file may have spaces and any letters."""
_PRIORITIES = 1_000_000
_HIGHEST_CENTS = 100_000_000


class Nothing:
    """Stands in for a value that was left empty, so that no type takes it for one that was not given."""


def text(value: object) -> str:
    """Words. What any YAML reader takes for something else must be quoted."""
    if isinstance(value, Doubtful | bool | int | float):
        word = str(value).lower() if isinstance(value, bool) else str(value)
        raise ValueError(f'text is wanted, and YAML reads {word} as {reading(value)}: quote it, "{word}"')
    if not isinstance(value, str):
        raise ValueError(f"text is wanted here, not {kind(value)}")
    return value


def shown_text(value: object) -> str:
    """Text that someone reads."""
    words = text(value)
    if not words.strip():
        raise ValueError("the text is blank")
    return words


def short_text(value: object) -> str:
    words = shown_text(value)
    if len(words) > 200 or not words.isprintable():
        raise ValueError("one line of at most 200 characters is wanted here")
    return words


def name(value: object) -> str:
    word = text(value)
    if not re.fullmatch(NAME_FORM, word):
        raise ValueError("a name is 1 to 64 of a-z, 0-9, _ and -, and begins with a letter or digit")
    return word


def creator_name(platforms: frozenset[str], value: object) -> str:
    word = name(value)
    if word in platforms or word == "all":
        raise ValueError(f"a creator may not be called `{word}`: campaigns use that word for many creators")
    return word


def identifier(value: object) -> str:
    """A name that texts can use, as in creator.vars.NAME."""
    word = text(value)
    if not re.fullmatch(IDENTIFIER_FORM, word):
        raise ValueError("the name of a variable is letters, digits and _, and begins with a letter")
    return word


def member(value: object) -> str:
    """A creator's name, `group:NAME` or `all`."""
    word = text(value)
    group, colon, rest = word.partition(":")
    if colon and group != "group":
        raise ValueError(f"`{group}:` is not known here: write a creator's name, group:NAME, or all")
    name(rest if colon else word)
    return word


def account(value: object) -> str:
    return _id(value, "an account's id")


def item(value: object) -> str:
    """An id of a platform; plain decimal integers are taken unquoted."""
    return _id(value, "an id")


def medium(value: object) -> str:
    word = _with_digits(value)
    if not re.fullmatch(MEDIUM_FORM, word):
        raise ValueError("a medium has no spaces and only plain characters; a file is written ./NAME")
    if word.startswith(("http:", "https:")) and not re.fullmatch(ID_FORM, word):
        raise ValueError("a URL has no spaces and only plain characters")
    if word.startswith("file:") and "/" not in word:
        raise ValueError("a file is named by its path beside this one, such as ./clip.mp4")
    if word.startswith(("http:", "https:")) and not re.match(r"https?://[^/]", word):
        raise ValueError("this is not a URL: it starts http:// or https:// and a host")
    return word


def reference(value: object) -> ListRef:
    return parse_reference(_with_digits(value))


def boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"true or false is wanted here, not {kind(value)}")
    return value


def priority(value: object) -> int:
    number = _integer(value)
    if abs(number) > _PRIORITIES:
        raise ValueError(f"a priority is {-_PRIORITIES} to {_PRIORITIES}")
    return number


def count(value: object) -> int:
    number = _integer(value)
    if number < 0:
        raise ValueError("a count is 0 or more")
    return number


def cents(value: object) -> int:
    """US dollars with at most two decimals, in cents."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a price is a number of US dollars without quotes, such as 9.99")
    if not re.fullmatch(r"[0-9]+(\.[0-9]{1,2})?", repr(value)):
        raise ValueError("a price is a number of US dollars with at most two decimals, such as 9.99")
    amount = round(value * 100)
    if amount > _HIGHEST_CENTS:
        raise ValueError("this is no price in US dollars")
    return amount


def duration(value: object) -> timedelta:
    return parse_duration(_written(value))


def some_time(value: object) -> timedelta:
    length = duration(value)
    if not length:
        raise ValueError("a duration of at least 1s is wanted here")
    return length


def moment(value: object) -> Moment:
    _quote_sexagesimal(value)
    return Moment.parse(_written(value))


def moment_of_day(value: object) -> Moment:
    point = moment(value)
    if point.whole_day:
        raise ValueError(f'`at` needs a time of day, such as "{point}T18:00"')
    return point


def moment_or_duration(value: object) -> Moment | timedelta:
    _quote_sexagesimal(value)
    word = _written(value)
    return parse_duration(word) if re.fullmatch(r"[0-9]+[a-z]", word) else Moment.parse(word)


def dates(value: object) -> DateRange:
    return DateRange.parse(_written(value))


def quiet_hours(value: object) -> QuietHours:
    _quote_sexagesimal(value)
    return QuietHours.parse(text(value))


def rate(value: object) -> Rate:
    return parse_rate(_written(value))


def cron_line(value: object) -> str:
    line = " ".join(text(value).split())
    parse_cron(line)
    return line


def zone(value: object) -> str:
    """A name of the time zone database."""
    key = text(value)
    if not known_zone(key):
        near = get_close_matches(key, available_timezones(), 1)
        raise ValueError(f"`{key}` is no time zone{f'; did you mean {near[0]}?' if near else ''}")
    return key


def known_zone(key: str) -> bool:
    if key in ("localtime", "Factory", "posixrules") or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_+/-]*", key):
        return False
    try:
        return ZoneInfo(key).key == key and not key.startswith(("posix/", "right/"))
    except (KeyError, OSError, ValueError):
        return False


def credential(value: object) -> str:
    """`env:NAME` or `file:PATH`; whatever else stands there is not repeated."""
    if not isinstance(value, str) or not re.fullmatch(CREDENTIAL_FORM, value):
        raise ValueError(
            "a secret is never written here: write env:NAME or file:PATH, and put it there; if this was one, renew it"
        )
    return value


def variable(value: object) -> str | int | float | bool | list[str | int | float | bool]:
    """What `vars` may hold."""
    if isinstance(value, list):
        return [_single(entry) for entry in value]
    return _single(value)


def _single(value: object) -> str | int | float | bool:
    if isinstance(value, bool | int | float):
        return value
    return text(value)


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"a whole number is wanted here, without quotes, not {kind(value)}")
    return value


def _id(value: object, what: str) -> str:
    word = _with_digits(value)
    if not re.fullmatch(ID_FORM, word):
        raise ValueError(f"{what} has no spaces and only plain characters")
    return word


def _with_digits(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return str(value)
    return text(value)


def _written(value: object) -> str:
    """The word itself, in doubt too: its form is told apart by the reader that follows."""
    return str(value) if isinstance(value, str | bool | int | float) else text(value)


def _quote_sexagesimal(value: object) -> None:
    if isinstance(value, Doubtful) and re.fullmatch(r"[0-9:]+", value):
        raise ValueError(f'YAML may read {value} as a number: quote it, "{value}"')


def kind(value: object) -> str:
    """What stands there, without repeating it."""
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "keys and values"}
    return "text" if isinstance(value, str) else kinds.get(type(value), "nothing")


def one_of(words: tuple[str, ...], value: object) -> str:
    word = text(value)
    if word not in words:
        near = get_close_matches(word, words, 1)
        raise ValueError(f"one of {', '.join(words)} is wanted{f'; did you mean {near[0]}?' if near else ''}")
    return word


def version(value: object) -> int:
    if value != 1 or isinstance(value, bool):
        raise ValueError("this Carillon reads version 1 of campaign files: write version: 1")
    return 1
