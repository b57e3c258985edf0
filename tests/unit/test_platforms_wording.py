"""What platforms do to a text is forgiven; two different words never are."""

import html
from unicodedata import normalize

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from carillon.platforms.wording import plain

SAME = {
    "as it is": ("Hey everyone! New content 🔥", "Hey everyone! New content 🔥"),
    "a paragraph": ("Hello there", "<p>Hello there</p>"),
    "line breaks": ("One\nTwo\r\n\r\nThree", "<p>One<br />Two</p>\n<p>Three<BR></p>"),
    "entities": ("Tom & Jerry's <3", "<p>Tom &amp; Jerry&#039;s &lt;3</p>"),
    "entities escaped twice": ("Tom & Jerry", "Tom &amp;amp; Jerry"),
    "an emoji as a number": ("Hot 🔥", "Hot &#128293;"),
    "spaces": ("  Hello   there ", "Hello&nbsp;there"),
    "composed letters": ("Cafe\u0301", "Caf\u00e9"),
    "variation selectors": ("I ❤️ you", "I \u2764 you"),
    "what no one sees": ("Hel\u200blo\ufeff \u2067there\u00ad", "Hello there"),
    "bold": ("🎉 **Special Offer!**\n\nThanks", "<p>🎉 <strong>Special Offer!</strong><br /><br />Thanks</p>"),
    "italic": ("_So_ *soft*", "<em>So</em> <i>soft</i>"),
    "three at once": (
        "***Wow*** __yes__",
        '<span class="m-editor-fc__blue-1"><strong><em>Wow</em></strong></span> yes',
    ),
    "grey and blue": ("~quiet~ ~~loud~~", "<span class='m-editor-fc__gray'>quiet</span> <span class=x>loud</span>"),
    "bold before a comma": ("**Hi**, you", "<b>Hi</b>, you"),
    "headings": ("# Tonight\n## Eight", '<span class="m-editor-fs__l">Tonight</span><br>Eight'),
    "links": ("See [my page](https://a.b/c?d=1&e=2) now", '<p>See <a href="/away?url=https%3A">my page</a> now</p>'),
    "a bare link": ("<https://a.b/c>", '<a href="https://a.b/c">https://a.b/c</a>'),
    "escaped marks": (r"5 \* 3 \_no\_", "5 * 3 _no_"),
    "bold inside of a word": ("<b>un</b>believable", "unbelievable"),
    "nothing": ("", "<p><br></p> \u200b"),
}


@pytest.mark.parametrize(("ours", "theirs"), SAME.values(), ids=SAME)
def test_what_platforms_do_is_forgiven(ours: str, theirs: str) -> None:
    assert plain(ours) == plain(theirs)


OTHER = {
    "a letter": ("Drop at 8pm", "Drop at 9pm"),
    "a capital": ("Hello", "hello"),
    "an emoji": ("Hi 🔥", "Hi 💕"),
    "a sign": ("Now!", "Now?"),
    "one word or two": ("to gether", "together"),
    "a line break": ("to\ngether", "together"),
    "order": ("now and then", "then and now"),
    "marks in a word": ("snake_case", "snakecase"),
    "a power": ("5**3", "53"),
    "a hashtag": ("#sale", "sale"),
    "words that look like a tag": ("Hi <a big surprise>", "Hi <a small surprise>"),
    "an unknown tag": ("Hi <everyone>", "Hi <nobody>"),
    "words that look like a link": ("call [me](maybe)", "call me"),
    "more": ("Hello", "Hello there"),
}


@pytest.mark.parametrize(("ours", "theirs"), OTHER.values(), ids=OTHER)
def test_other_words_stay_other(ours: str, theirs: str) -> None:
    assert plain(ours) != plain(theirs)


letters = st.characters(categories=["L", "N"])
words = st.text(letters, min_size=1, max_size=8).map(lambda word: normalize("NFC", word))
marked = st.builds("{}{}{}".format, words, st.sampled_from(["_", "*", "~", "'", "-", "__"]), words)
texts = st.lists(words | marked, min_size=1, max_size=8)
anything = st.text(max_size=40)


def with_another(said: list[str], at: int, word: str) -> list[str]:
    at %= len(said)
    return [*said[:at], word, *said[at + 1 :]]


near = st.tuples(texts, st.integers(0, 7), words | marked).map(lambda one: (one[0], with_another(*one)))


@settings(deadline=None)
@given(near | st.tuples(texts, texts))
@example((["हिंदी_शब्द"], ["हिंदीशब्द"]))
@example((["to", "gether"], ["together"]))
def test_different_words_never_become_one(two: tuple[list[str], list[str]]) -> None:
    some, others = ([normalize("NFC", word) for word in said] for said in two)
    assert (plain(" ".join(some)) == plain("\n".join(others))) == (some == others)
    assert (plain(" ".join(f"**{word}**" for word in some)) == plain(as_html(" ".join(others)))) == (some == others)


def as_html(text: str) -> str:
    return "<p>" + html.escape(text).replace("\n", "<br />\n") + "</p>"


@settings(deadline=None)
@given(anything)
@example("&amp;lt;b&gt;")
@example("&am<b></b>p;")
@example(r"\\*x*")
def test_html_around_any_text_is_forgiven(text: str) -> None:
    assert plain(as_html(text)) == plain(text)
    assert plain(html.escape(text, quote=False)) == plain(text)


MARKDOWN = [
    ("**{}**", "<strong>{}</strong>"),
    ("__{}__", "<strong>{}</strong>"),
    ("*{}*", "<em>{}</em>"),
    ("_{}_", "<em>{}</em>"),
    ("***{}***", '<span class="m-editor-fc__blue-1"><strong><em>{}</em></strong></span>'),
    ("~{}~", '<span class="m-editor-fc__gray">{}</span>'),
    ("~~{}~~", '<span class="m-editor-fc__blue-2">{}</span>'),
    ("[{}](https://example.com/x_y)", '<a href="https://example.com/x_y" rel="nofollow">{}</a>'),
    ("{}", "{}"),
]


@settings(deadline=None)
@given(st.lists(st.tuples(words | marked, st.sampled_from(MARKDOWN)), max_size=8), st.sampled_from([" ", "\n", "\n\n"]))
def test_markdown_that_became_html_is_forgiven(said: list[tuple[str, tuple[str, str]]], between: str) -> None:
    ours = between.join(markdown.format(word) for word, (markdown, _) in said)
    theirs = between.replace("\n", "<br />").join(marked_up.format(html.escape(word)) for word, (_, marked_up) in said)
    assert plain(ours) == plain(f"<p>{theirs}</p>")


def test_a_long_text_of_nothing_but_entities_takes_no_time() -> None:
    assert plain("&" + "amp;" * 2_500) == "&"
