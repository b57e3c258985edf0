"""References to a platform's lists: `ID` or `smart:ID`, `custom:ID`, `name:NAME`."""

import re

from carillon.platforms.contract import ListRef

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CUSTOM = re.compile(r"[!-~]{1,200}")
_SMART = re.compile(r"[a-z0-9_.-]{1,100}")


def parse_reference(text: str) -> ListRef:
    """Raises ValueError with a sentence for a person."""
    kind, colon, value = text.partition(":")
    if not colon:
        return _bare(text)
    if kind == "smart":
        return _smart(value)
    if kind == "custom":
        return _custom(value)
    if kind == "name":
        return _name(value)
    raise ValueError(f"`{kind}:` is not a kind of list: use smart:, custom: or name:")


def _bare(text: str) -> ListRef:
    if _UUID.fullmatch(text) or re.fullmatch(r"[0-9]+", text):
        return ListRef(kind="custom", value=text)
    return _smart(text)


def _smart(value: str) -> ListRef:
    if value != value.lower():
        raise ValueError(f"the ids of smart lists are lower case: write {value.lower()}")
    if not _SMART.fullmatch(value):
        raise ValueError(
            "the id of a smart list has no spaces or odd characters; for a list by its name write name:NAME"
        )
    return ListRef(kind="smart", value=value)


def _custom(value: str) -> ListRef:
    if not _CUSTOM.fullmatch(value):
        raise ValueError("the id of a custom list is its number or UUID, such as custom:12345")
    return ListRef(kind="custom", value=value)


def _name(value: str) -> ListRef:
    if not value.strip() or value != value.strip():
        raise ValueError("name: needs the name of a list, with no space around it")
    return ListRef(kind="name", value=value)
