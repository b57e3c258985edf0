"""Takes out of a platform's words what must not be kept: the key, and the broadcast's own text. Both may be echoed."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from unicodedata import category
from urllib.parse import quote

LONGEST_WORDS = 300
_LONGEST_READ = 20_000
_RUN = 12  # so many characters in a row of a text are no accident
_RUN_OF_KEY = 8
_SHORTEST_TEXT = 8  # below it a text is a word that a platform may need for its reason


def scrubbed(words: str, secret: str, texts: Iterable[str | None]) -> str:
    """One line of at most 300 characters, without the key in any usual encoding and without pieces of the texts."""
    plain = without_key(words, secret)
    for text in texts:
        plain = _without_runs(plain, _on_one_line(text or ""), "[text]")
    return cut(plain)


def without_key(words: str, secret: str) -> str:
    """One line without control characters; the key, or a piece of it, is `***`. Not cut, so that no half is left."""
    if not secret:
        return _on_one_line(words[:_LONGEST_READ])
    plain = _on_one_line(_key_in_any_form(secret).sub("***", words[:_LONGEST_READ]))[: 10 * LONGEST_WORDS]
    return _without_runs(plain, secret, "***", _RUN_OF_KEY) if len(secret) >= _RUN_OF_KEY else plain


def cut(words: str) -> str:
    return words if len(words) <= LONGEST_WORDS else words[: LONGEST_WORDS - 1] + "…"


def _on_one_line(words: str) -> str:
    return " ".join("".join(" " if category(letter)[0] == "C" else letter for letter in words).split())


def _key_in_any_form(secret: str) -> re.Pattern[str]:
    longest_first = sorted(set(_forms(secret)), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)


def _forms(secret: str) -> Iterator[str]:
    yield secret
    if len(secret) < _RUN_OF_KEY:  # in other forms it might be any word
        return
    raw = secret.encode()
    yield quote(secret, safe="")
    yield html.escape(secret)
    yield json.dumps(secret)[1:-1]
    yield raw.hex()
    yield base64.b64encode(raw).decode().rstrip("=")
    yield base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _without_runs(words: str, original: str, mark: str, least: int = _RUN) -> str:
    """Marks `least` characters in a row that stand in the original too, or all of a short one, in whatever case."""
    run = min(least, len(original))
    if run < min(least, _SHORTEST_TEXT):
        return words
    told, here = "", 0
    lower, known = _lower(words), _lower(original)
    while here < len(words):
        end = here + run
        if lower[here:end] not in known or end > len(words):
            told, here = told + words[here], here + 1
            continue
        while end < len(words) and lower[here : end + 1] in known:
            end += 1
        told, here = told + mark, end
    return told


def _lower(words: str) -> str:
    """Letter by letter, so that places stay the same."""
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in words)
