"""YAML text to plain values plus the place of every key and value, in one pass over libyaml's events.

One document, no tags, text keys, no duplicate keys; depth and whatever aliases could multiply are
bounded while it is built, so that a bomb is refused before it grows.
"""

from dataclasses import dataclass
from typing import Any

from yaml._yaml import CParser
from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from carillon.campaigns.places import Place
from carillon.campaigns.yaml_bytes import FORBIDDEN, YamlError, decode, describe
from carillon.campaigns.yaml_scalars import Doubtful, reading, resolve

DEPTH_LIMIT = 50
GROWTH_LIMIT = 200_000  # values and keys that aliases and merges may add to a file

_MERGE = "<<"
_LETTERS = {"y", "Y", "n", "N"}  # YAML 1.1 has them for true and false, but no reader takes a key so


@dataclass(slots=True)
class _Node:
    """`size` and `depth` count what the node holds, aliases written out; `below` is by key or by index."""

    value: Any
    place: Place
    size: int = 1
    depth: int = 0
    below: "dict[str, _Node] | list[_Node] | None" = None


def parse(data: bytes) -> tuple[Any, Place]:
    """Plain values (None for an empty file) and their places. Raises YamlError."""
    try:
        node = _Document(decode(data)).read()
    except MarkedYAMLError as error:
        raise _syntax_error(error) from None
    return node.value, node.place


class _Document:
    def __init__(self, text: str) -> None:
        self.parser = CParser(text)
        self.anchors: dict[str, _Node | None] = {}
        self.growth = 0
        self.free = 0  # below how many `x-` keys we are: their keys may be anything

    def read(self) -> _Node:
        self._next()  # the stream's start
        start = self._next()
        if isinstance(start, StreamEndEvent):
            return _Node(None, Place(1, 1))
        _plain_start(start)
        node = self._node(self._next(), 0)
        self._next()  # the document's end
        after = self._next()
        if not isinstance(after, StreamEndEvent):
            raise _error(after, "a second document: a campaign file holds one; take out the `---` or use two files")
        return node

    def _next(self) -> Event:
        event = self.parser.get_event()
        assert event is not None
        return event

    def _node(self, event: Event, depth: int) -> _Node:
        if isinstance(event, AliasEvent):
            return self._alias(event, depth)
        assert isinstance(event, ScalarEvent | CollectionStartEvent)
        if event.tag is not None:
            raise _error(event, "tags such as `!!str` are not taken in campaign files: leave it out")
        if event.anchor is None:
            return self._untagged(event, depth)
        self.anchors[event.anchor] = None
        node = self._untagged(event, depth)
        self.anchors[event.anchor] = node
        return node

    def _untagged(self, event: Event, depth: int) -> _Node:
        if isinstance(event, ScalarEvent):
            return _scalar(event)
        if depth >= DEPTH_LIMIT:
            raise _error(event, f"nested deeper than {DEPTH_LIMIT} levels")
        if isinstance(event, MappingStartEvent):
            return self._mapping(event, depth + 1)
        return self._sequence(event, depth + 1)

    def _sequence(self, start: Event, depth: int) -> _Node:
        nodes = []
        while not isinstance(event := self._next(), SequenceEndEvent):
            nodes.append(self._node(event, depth))
        place = Place(*_position(start), None, [node.place for node in nodes])
        return _Node([node.value for node in nodes], place, *_measure(nodes), nodes)

    def _mapping(self, start: Event, depth: int) -> _Node:
        keys: dict[str, tuple[int, int]] = {}
        nodes: dict[str, _Node] = {}
        while not isinstance(event := self._next(), MappingEndEvent):
            key = self._key(event, keys)
            keys[key] = _position(event)
            free = depth == 1 and key.startswith("x-")
            self.free += free
            nodes[key] = self._node(self._next(), depth)
            self.free -= free
        if _MERGE in nodes:
            self._merge(nodes.pop(_MERGE), keys.pop(_MERGE), keys, nodes)
        place = Place(*_position(start), keys, {key: node.place for key, node in nodes.items()})
        values = {key: node.value for key, node in nodes.items()}
        return _Node(values, place, *_measure(list(nodes.values())), nodes)

    def _key(self, event: Event, seen: dict[str, tuple[int, int]]) -> str:
        if not isinstance(event, ScalarEvent):
            raise _error(event, "a key is a word, not an alias, a list or a mapping")
        if event.tag is not None:
            raise _error(event, "tags such as `!!str` are not taken in campaign files: leave it out")
        key: str = event.value
        if key in seen:
            raise _error(event, f"the key `{_short(key)}` stands here twice; the first is on line {seen[key][0]}")
        if not event.style and key != _MERGE and not self.free:
            _text_key(event)
        _visible(event)
        return key

    def _alias(self, event: AliasEvent, depth: int) -> _Node:
        assert event.anchor is not None
        node = self.anchors.get(event.anchor)
        if node is None and event.anchor in self.anchors:
            raise _error(event, "this alias stands inside of what it repeats")
        if node is None:
            raise _error(event, "this alias has no anchor before it; quote a text that begins with `*`")
        if depth + node.depth > DEPTH_LIMIT:
            raise _error(event, f"nested deeper than {DEPTH_LIMIT} levels")
        self._grow(node.size, *_position(event))
        return node

    def _grow(self, size: int, line: int, column: int) -> None:
        self.growth += size
        if self.growth > GROWTH_LIMIT:
            words = f"aliases add more than {GROWTH_LIMIT:,} values to this file: repeat less"
            raise YamlError(line, column, words)

    def _merge(
        self,
        merged: _Node,
        position: tuple[int, int],
        keys: dict[str, tuple[int, int]],
        nodes: dict[str, _Node],
    ) -> None:
        """Own keys win, then the earlier of the merged mappings."""
        for source in merged.below if isinstance(merged.below, list) else [merged]:
            if not isinstance(source.below, dict):
                raise YamlError(*position, "`<<` takes an alias of a mapping, or a list of such aliases")
            self._grow(source.size, *position)
            for key, node in source.below.items():
                if key not in nodes:
                    nodes[key] = node
                    keys[key] = (source.place.keys or {})[key]


def _measure(nodes: list[_Node]) -> tuple[int, int]:
    return 1 + sum(node.size for node in nodes), 1 + max((node.depth for node in nodes), default=0)


def _scalar(event: ScalarEvent) -> _Node:
    _visible(event)
    return _Node(event.value if event.style else resolve(event.value), Place(*_position(event)))


def _text_key(event: ScalarEvent) -> None:
    value = resolve(event.value)
    if event.value not in _LETTERS and (not isinstance(value, str) or isinstance(value, Doubtful)):
        word = _short(event.value)
        raise _error(event, f'a key is text, and YAML reads `{word}` as {reading(value)}: quote it, "{word}"')


def _visible(event: ScalarEvent) -> None:
    # Only escapes in double quotes can still bring in what `decode` refuses.
    if event.style == '"' and (found := FORBIDDEN.search(event.value)):
        raise _error(event, f"{describe(found[0])} must not stand in a campaign file: take it out")


def _plain_start(event: Event) -> None:
    assert isinstance(event, DocumentStartEvent)
    if event.version not in (None, (1, 2)):
        raise _error(event, "campaign files are YAML 1.2: leave the `%YAML` line out")
    if event.tags:
        raise _error(event, "tags are not taken in campaign files: leave the `%TAG` line out")


def _syntax_error(error: MarkedYAMLError) -> YamlError:
    begun, found = error.context_mark, error.problem_mark
    unfinished = begun is not None and "end of stream" in str(error.problem)
    mark = begun if unfinished or found is None else found
    assert mark is not None
    words = ", ".join(str(part) for part in (error.context, error.problem) if part)
    if begun is not None and begun.line != mark.line:
        words += f" (begun on line {begun.line + 1})"
    if "cannot start any token" in words:
        words += "; a tab cannot indent, and `%`, `@` and a backquote must be quoted"
    return YamlError(mark.line + 1, mark.column + 1, f"this is not YAML: {words}")


def _error(event: Event, message: str) -> YamlError:
    return YamlError(*_position(event), message)


def _position(event: Event) -> tuple[int, int]:
    mark: Any = event.start_mark
    return mark.line + 1, mark.column + 1


def _short(word: str) -> str:
    return word if len(word) <= 60 else word[:57] + "..."
