"""YAML with places: values by 1.2, doubts, merges, and bombs refused before they grow."""

import time

import pytest

from carillon.campaigns.places import key_at, value_at
from carillon.campaigns.yaml_bytes import YamlError
from carillon.campaigns.yaml_scalars import Doubtful, resolve
from carillon.campaigns.yaml_tree import parse


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("12", 12),
        ("-5", -5),
        ("9.99", 9.99),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("hello", "hello"),
        ("10/1h", "10/1h"),
        ("2h", "2h"),
        ("nobody", "nobody"),
        ("1.2.3", "1.2.3"),
        ("2026-12-01 and more", "2026-12-01 and more"),
    ],
)
def test_a_word_without_doubt(word: str, value: object) -> None:
    assert resolve(word) == value
    assert not isinstance(resolve(word), Doubtful)


DOUBTFUL = """no yes on Off y N 0123 08 0o17 0x1F 1e3 1_000 +1 .5 1. .inf -.inf .nan 18:30 1:30:00 = 2026-12-01
2026-12-01T18:00:00Z"""


@pytest.mark.parametrize("word", DOUBTFUL.split())
def test_a_word_that_readers_disagree_on_is_doubtful(word: str) -> None:
    assert isinstance(resolve(word), Doubtful)
    assert resolve(word) == word


def test_places_of_keys_and_values() -> None:
    values, root = parse(b"a:\n  b: [x, yy]\n  'c': {d: 1}\n")
    assert values == {"a": {"b": ["x", "yy"], "c": {"d": 1}}}
    assert key_at(root, ("a", "b")) == (2, 3)
    assert value_at(root, ("a", "b")) == (2, 6)
    assert value_at(root, ("a", "b", 1)) == (2, 10)
    assert value_at(root, ("a", "c", "d")) == (3, 12)
    assert value_at(root, ("a", "c", "unknown")) == (3, 8)
    assert key_at(root, ("a", "c", "unknown")) == (3, 3)


def test_columns_count_characters() -> None:
    _, root = parse("a: {'🌙é': x}\n".encode())
    assert value_at(root, ("a", "🌙é")) == (1, 11)


def test_own_keys_win_over_merged_ones_and_earlier_over_later() -> None:
    values, root = parse(b"a: &a {k: 1, l: 1}\nb: &b {l: 2, m: 2}\nc: {<<: [*a, *b], k: 3}\n")
    assert values["c"] == {"k": 3, "l": 1, "m": 2}
    assert key_at(root, ("c", "m")) == (2, 14)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    values, root = parse("\ufeffa: 1\r\nb: 2\r\n".encode())
    assert values == {"a": 1, "b": 2}
    assert key_at(root, ("b",)) == (2, 1)


def laughs() -> str:
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    return "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *levels])


def merges() -> str:
    keys = ", ".join(f"k{i}: 1" for i in range(1000))
    return "\n".join([f"a: &a {{{keys}}}", *(f"b{i}: {{<<: *a}}" for i in range(20_000))])


BOMBS = {
    "laughs": laughs(),
    "merges": merges(),
    "sequence": "[" * 10_000,
    "mapping": "{a: " * 10_000,
    "blocks": "\n".join(" " * i + "a:" for i in range(1000)),
    "aliases of depth": "a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 20 + "*a" + "]" * 20,
    "size": "#" * (1024 * 1024 + 1),
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_refused_at_once(text: str) -> None:
    data = text.encode()
    start = time.process_time()
    with pytest.raises(YamlError):
        parse(data)
    assert time.process_time() - start < 2  # unrefused they take minutes, or all memory


@pytest.mark.parametrize(
    ("data", "line", "column", "word"),
    [
        ("a: é\nb: ü".encode("latin-1"), 1, 4, "UTF-8"),
        ("a: 1".encode("utf-16"), 1, 1, "UTF-16"),
        ("a: 1".encode("utf-16-le"), 1, 2, "U+0000"),
        ("a: 1\n\tb: \u2028".encode(), 2, 5, "U+2028"),
        (b"a: \x1b[31m", 1, 4, "U+001B"),
        (b"a: [1, 2\nb: 3", 2, 2, "begun on line 1"),
    ],
)
def test_odd_bytes_are_refused_where_they_stand(data: bytes, line: int, column: int, word: str) -> None:
    with pytest.raises(YamlError, match=r".") as error:
        parse(data)
    assert (error.value.line, error.value.column) == (line, column)
    assert word in error.value.message
