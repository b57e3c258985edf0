"""What OnlyFans makes of a text, as its two proxies show it afterwards.

OFAuth, "Text Formatting": bold `**` and `__`, italic `*` and `_`, three of them bold, italic and blue, `~` grey,
`~~` blue, `#` and `##` line sizes, line breaks; marks must touch white space or the text's ends. OnlyFansAPI, "Text
formatting": HTML is kept, plain text gets a paragraph and breaks.
"""

import html
import re

_MARKS = {
    "***": '<span class="m-editor-fc__blue-1"><strong><em>{}</em></strong></span>',
    "___": '<span class="m-editor-fc__blue-1"><strong><em>{}</em></strong></span>',
    "**": "<strong>{}</strong>",
    "__": "<strong>{}</strong>",
    "~~": '<span class="m-editor-fc__blue-2">{}</span>',
    "*": "<em>{}</em>",
    "_": "<em>{}</em>",
    "~": '<span class="m-editor-fc__gray">{}</span>',
}
_SIZES = {"#": '<span class="m-editor-fs__l">{}</span>', "##": '<span class="m-editor-fs__m">{}</span>'}
_MARKED = re.compile(r"(?<!\S)(?P<mark>\*{1,3}|_{1,3}|~{1,2})(?P<words>[^\s*_~](?:[^*_~\n]*[^\s*_~])?)(?P=mark)(?!\S)")


def of_markdown(text: str) -> str:
    lines = [_line(html.escape(line)) for line in text.split("\n")]
    return f"<p>{'<br />'.join(lines)}</p>" if text else ""


def of_plain(text: str) -> str:
    if re.match("</?[a-zA-Z]", text):
        return text
    return f"<p>{html.escape(text, quote=False)}</p>".replace("\n", "<br />\n") if text else ""


def _line(line: str) -> str:
    marked = _MARKED.sub(lambda found: _MARKS[found["mark"]].format(found["words"]), line)
    size, _, words = marked.partition(" ")
    return _SIZES[size].format(words) if size in _SIZES else marked
