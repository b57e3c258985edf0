"""What a platform echoes of the key or of the broadcast's text is kept by nobody."""

import base64
import json
from urllib.parse import quote

import pytest

from carillon.platforms.redaction import scrubbed, without_key

KEY = 'sk_live/9aF+3&x"7Qz='
TEXT = "Tonight at nine:\n<b>the red dress</b>, just for you 💋"


@pytest.mark.parametrize(
    "echoed",
    [
        KEY,
        KEY.upper(),
        KEY.encode().hex().upper(),
        quote(KEY, safe=""),
        quote(KEY, safe="").lower(),
        json.dumps(KEY)[1:-1],
        base64.b64encode(KEY.encode()).decode(),
        base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("="),
    ],
)
def test_the_key_is_not_kept_in_any_usual_form(echoed: str) -> None:
    assert without_key(f"the key {echoed} is wrong", KEY).rstrip("= ") in {
        "the key *** is wrong",
        "the key ***= is wrong",
    }


def test_a_piece_of_the_key_is_not_kept() -> None:
    assert without_key(f"no such key: {KEY[:11]}...", KEY) == "no such key: ***..."
    assert without_key("no such key: sk_live", KEY) == "no such key: sk_live"


def test_a_short_key_is_taken_out_as_it_is_and_harms_no_other_word() -> None:
    assert without_key("key 5ecret, is 7365637265", "5ecret") == "key ***, is 7365637265"
    assert without_key("no key at all", "") == "no key at all"


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("HTTP 400: text: Tonight at nine: <b>the red dress</b>, just for you 💋", "HTTP 400: text: [text]"),
        ("HTTP 400: 'TONIGHT AT NINE:' is a lie", "HTTP 400: '[text]' is a lie"),
        ("HTTP 400: &lt;b&gt;the red dress&lt;/b&gt; is forbidden", "HTTP 400: &lt;b&gt;[text]&lt;/b&gt; is forbidden"),
        ("HTTP 400: the dress code", "HTTP 400: the dress code"),
        ("HTTP 400: price too low", "HTTP 400: price too low"),
    ],
)
def test_pieces_of_the_text_are_not_kept(words: str, kept: str) -> None:
    assert scrubbed(words, KEY, [TEXT]) == kept


def test_a_short_text_is_taken_out_whole_and_a_mere_word_is_left() -> None:
    assert scrubbed("forbidden: hot stuff!", KEY, ["hot stuff", None, ""]) == "forbidden: [text]!"
    assert scrubbed("price too low", KEY, ["price"]) == "price too low"


def test_key_and_texts_together_on_one_short_line() -> None:
    words = f"a\nb {KEY} {TEXT} https://cdn.example/clip?sig=abcdef " + "x" * 400
    found = scrubbed(words, KEY, [TEXT, "https://cdn.example/clip?sig=abcdef"])
    assert found.startswith("a b *** [text] [text] xxx")
    assert len(found) == 300
    assert scrubbed(found, KEY, [TEXT]) == found


def test_the_key_is_not_cut_in_half() -> None:
    assert "sk_l" not in scrubbed("x" * 290 + KEY * 50, KEY, [])
