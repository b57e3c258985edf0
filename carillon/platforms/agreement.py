"""Whether a mass message that a platform shows is a certain broadcast: said by its words, media and price alone.

| text                             | media and price, as far as shown       | so      |
| -------------------------------- | -------------------------------------- | ------- |
| the same words                   | agree, or none is shown                | `whole` |
| the same words                   | one is another                         | `part`  |
| cut, and begins with these words | whatever                               | `part`  |
| other words                      | whatever                               | `no`    |
| no words, or text is not shown   | the same ids of media, and the price   | `whole` |
|                                  | one is another                         | `no`    |
|                                  | agree, but that is less than the above | `part`  |

Without words, what else is shown must name the message: a price or a number of media would fit many. `whole` may
record a broadcast as sent that never was, so it wants proof; `no` and `part` never send anything again.
"""

from typing import Literal

from carillon.platforms.contract import Content, Shown
from carillon.platforms.wording import plain

Agreement = Literal["whole", "part", "no"]

_ELLIPSES = ("…", "...")


def agrees(content: Content, shown: Shown) -> Agreement:
    """Ids and times are not looked at. What only `Platform.whole` shows must be in `shown` already."""
    words = _words(content.text, shown.text)
    rest = (_media(content, shown), _price(content, shown))
    if words == "other" or (words == "none" and False in rest):
        return "no"
    if words == "cut" or False in rest:
        return "part"
    if words == "same" or (shown.media and rest == (True, True)):
        return "whole"
    return "part"


def differences(content: Content, shown: Shown) -> list[str]:
    """What of the message is surely not the broadcast's: `text`, `media`, `price`; a text that is cut says so."""
    words = {"other": "text", "cut": "text (cut)"}.get(_words(content.text, shown.text))
    rest = (("media", _media(content, shown)), ("price", _price(content, shown)))
    return ([words] if words else []) + [name for name, agreed in rest if agreed is False]


def _words(ours: str | None, theirs: str | None) -> Literal["same", "cut", "other", "none"]:
    if theirs is None:
        return "none"
    own, other = plain(ours or ""), plain(theirs)
    if own == other:
        return "same" if own else "none"
    beginning = next((other.removesuffix(mark).rstrip() for mark in _ELLIPSES if other.endswith(mark)), None)
    return "cut" if beginning and own.startswith(beginning) else "other"


def _media(content: Content, shown: Shown) -> bool | None:
    if shown.media is not None:
        return shown.media == frozenset(content.media)
    return None if shown.media_count is None else shown.media_count == len(content.media)


def _price(content: Content, shown: Shown) -> bool | None:
    return None if shown.price_cents is None else shown.price_cents == (content.price_cents or 0)
