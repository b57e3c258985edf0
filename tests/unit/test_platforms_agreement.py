"""Whether what a platform shows is a certain broadcast: too easily said, one is lost; never said, a person decides."""

import pytest

from carillon.platforms.agreement import agrees, differences
from carillon.platforms.contract import Content, Shown

HELLO = Content(text="Hello **you**")
PAID = Content(text="New set", media=("a", "b"), price_cents=999)
SILENT = Content(media=("a", "b"), price_cents=999)
FREE = Content(media=("a",))


def shown(**fields: object) -> Shown:
    return Shown("1", **fields)  # type: ignore[arg-type]


WHOLE = {
    "words alone": (HELLO, shown(text="<p>Hello <strong>you</strong></p>")),
    "free and without media": (HELLO, shown(text="Hello you", media=frozenset(), media_count=0, price_cents=0)),
    "all of it": (PAID, shown(text="New set", media=frozenset("ab"), price_cents=999)),
    "media counted": (PAID, shown(text="New set", media_count=2, price_cents=999)),
    "media or price not shown": (PAID, shown(text="New set", price_cents=999)),
    "a mark that only looks cut": (Content(text="Soon…"), shown(text="<p>Soon…</p>")),
    "no words, but these media at this price": (SILENT, shown(text="", media=frozenset("ab"), price_cents=999)),
    "free media": (FREE, shown(text="", media=frozenset("a"), price_cents=0)),
    "words not shown, but these media at this price": (PAID, shown(media=frozenset("ab"), price_cents=999)),
}
PART = {
    "other media": (PAID, shown(text="New set", media=frozenset("ac"), price_cents=999)),
    "one of the media": (PAID, shown(text="New set", media=frozenset("a"), price_cents=999)),
    "another number of media": (PAID, shown(text="New set", media_count=1, price_cents=999)),
    "another price": (PAID, shown(text="New set", media=frozenset("ab"), price_cents=1_999)),
    "free instead of paid": (PAID, shown(text="New set", media_count=2, price_cents=0)),
    "paid instead of free": (HELLO, shown(text="Hello you", price_cents=300)),
    "words that are cut": (HELLO, shown(text="<p>Hello y…</p>")),
    "words that are cut with dots": (PAID, shown(text="New...", media=frozenset("ab"), price_cents=999)),
    "nothing shown": (HELLO, shown()),
    "nothing shown of one without words": (SILENT, shown()),
    "words not shown, and a number and a price that fit many": (PAID, shown(media_count=2, price_cents=999)),
    "words not shown, nor the price": (PAID, shown(media=frozenset("ab"))),
    "no words, and a number that fits many": (FREE, shown(text="", media_count=1, price_cents=0)),
}
NO = {
    "other words": (HELLO, shown(text="Good night")),
    "other words with the same media": (PAID, shown(text="Old set", media=frozenset("ab"), price_cents=999)),
    "more words": (HELLO, shown(text="Hello you all")),
    "fewer words": (HELLO, shown(text="Hello")),
    "cut, but other words": (HELLO, shown(text="Hello th…")),
    "cut to nothing": (HELLO, shown(text="…")),
    "words where there are none": (SILENT, shown(text="Hi", media=frozenset("ab"), price_cents=999)),
    "no words where there are some": (PAID, shown(text="", media=frozenset("ab"), price_cents=999)),
    "words not shown, and other media": (PAID, shown(media=frozenset("cd"), price_cents=999)),
    "words not shown, and another price": (PAID, shown(media=frozenset("ab"), price_cents=500)),
    "no words, and another number of media": (SILENT, shown(text="", media_count=3)),
}
CASES = [
    pytest.param(*case, answer, id=f"{answer}: {name}")
    for answer, cases in (("whole", WHOLE), ("part", PART), ("no", NO))
    for name, case in cases.items()
]


@pytest.mark.parametrize(("content", "message", "answer"), CASES)
def test_agreement(content: Content, message: Shown, answer: str) -> None:
    assert agrees(content, message) == answer


def test_ids_times_and_progress_say_nothing() -> None:
    bound = Shown("2", text="Hello you", recipient_count=3, delivery="cancelled")
    assert agrees(HELLO, bound) == "whole"


@pytest.mark.parametrize(
    ("message", "names"),
    [
        (shown(text="New set", media=frozenset("ab"), price_cents=999), []),
        (shown(), []),
        (shown(text="Old set"), ["text"]),
        (shown(text="New...", price_cents=5), ["text (cut)", "price"]),
        (shown(text="Old set", media_count=1, price_cents=0), ["text", "media", "price"]),
    ],
)
def test_what_differs(message: Shown, names: list[str]) -> None:
    assert differences(PAID, message) == names
