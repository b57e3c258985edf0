"""From the bytes of a file to text that is safe to parse: UTF-8, of bounded size, nothing invisible in it."""

import re

SIZE_LIMIT = 1024 * 1024

# Controls, line separators that editors do not count, bidirectional overrides, a BOM inside, non-characters.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class YamlError(Exception):
    """The file is not one that Carillon reads. `line` and `column` count from 1."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.message = message


def decode(data: bytes) -> str:
    """Raises YamlError at the first byte that cannot stand."""
    if len(data) > SIZE_LIMIT:
        raise YamlError(1, 1, "the file is larger than 1 MiB: split it into several files of a folder")
    if data.startswith(_UTF16):
        raise YamlError(1, 1, "the file is UTF-16: save it as UTF-8")
    text = _utf8(data).removeprefix("\ufeff")
    if found := FORBIDDEN.search(text):
        line, column = _position(text, found.start())
        raise YamlError(line, column, f"{describe(found[0])} must not stand in a campaign file: take it out")
    return text


def describe(character: str) -> str:
    """A character that cannot be shown, by its number."""
    kind = "the bidirectional control" if "\u202a" <= character <= "\u2069" else "the character"
    return f"{kind} U+{ord(character):04X}"


def _utf8(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line, column = _position(before, len(before))
        raise YamlError(line, column, "the file is not UTF-8 from here on: save it as UTF-8") from None


def _position(text: str, index: int) -> tuple[int, int]:
    before = text[:index].replace("\r\n", "\n").replace("\r", "\n")
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
