"""The words of a text, without all that platforms change on its way: HTML, markdown, white space, what no one sees.

OnlyFansAPI gives back HTML (its page "Text formatting"); OFAuth makes HTML of markdown, whose markers count only
beside white space or another mark (its page "Text Formatting"). Which of them it was need not be known: what both
add is taken away on both sides. Letters, digits and the marks inside a word are never touched, so that no two
different words become one. Where a link leads is not compared, only its words.
"""

import html
import re
from unicodedata import category, normalize

_INLINE = "a|b|big|code|del|em|font|i|ins|mark|s|small|span|strike|strong|sub|sup|u"
_BREAKING = "blockquote|br|div|h[1-6]|hr|li|ol|p|pre|ul"
_ATTRIBUTE = r"""\s+[\w:-]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>]+)"""  # without `=` it would be a word of the text
_TAG = re.compile(rf"</?(?:(?:{_INLINE})|(?P<breaking>{_BREAKING}))(?:{_ATTRIBUTE})*\s*/?>", re.IGNORECASE)
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)  # soft hyphens, joiners, directions, variation selectors
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\((?:https?://|mailto:|www\.|/)[^()\s]*\)|<((?:https?://|mailto:)[^<>\s]*)>")
_MARKERS = re.compile(r"[*_~`]+")
_HEADING = re.compile(r"(?<!\S)#{1,6}(?!\S)")


def plain(text: str) -> str:
    """The words with one space between them; empty if there are none."""
    seen = normalize("NFC", _UNSEEN.sub("", _without_html(text)))
    unmarked = _MARKERS.sub(_unless_in_a_word, _LINK.sub(r"\1\2", _ESCAPE.sub(r"\1", seen)))
    return " ".join(_HEADING.sub(" ", unmarked).split())


def _without_html(text: str) -> str:
    """Until nothing changes: what is HTML already may have been escaped once more."""
    before = None
    while before != text:
        before, text = text, _TAG.sub(lambda tag: "\n" if tag["breaking"] else "", html.unescape(text))
    return text


def _unless_in_a_word(markers: re.Match[str]) -> str:
    text, start, end = markers.string, markers.start(), markers.end()
    around = text[start - 1 : start], text[end : end + 1]
    return markers[0] if all(letter and category(letter)[0] in "LMN" for letter in around) else ""
