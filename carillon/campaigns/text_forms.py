"""Form letters: texts that only fill in names, without choices or loops.

Most texts are such, and filling them in directly spares compiling each one, which for many thousand campaigns
would be most of the work of a reload. Whatever is not a form letter goes through Jinja2's own renderer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from jinja2 import nodes

from carillon.campaigns.text_filters import FILTERS, Missing, single

_SIMPLE_FILTERS = {"default", "d", "join", "replace", "capitalize", "lower", "title", "trim", "upper"}


@dataclass(frozen=True)
class Scope:
    """What a text may see of one creator, campaign and occurrence."""

    creator: SimpleNamespace
    campaign: SimpleNamespace
    occurrence: SimpleNamespace


@dataclass(frozen=True)
class _Blank:
    """A place to fill in: a path of names and the filters that its value goes through."""

    path: tuple[str, ...]
    filters: tuple[tuple[str, tuple[Any, ...]], ...]


Form = tuple[str | _Blank, ...]


def form_of(tree: nodes.Template) -> Form | None:
    """None if the text is more than a form letter."""
    pieces: list[str | _Blank] = []
    for output in tree.body:
        for node in output.nodes if isinstance(output, nodes.Output) else [output]:
            piece = node.data if isinstance(node, nodes.TemplateData) else _blank(node)
            if piece is None:
                return None
            pieces.append(piece)
    return tuple(pieces)


def filled(form: Form, scope: Scope) -> Iterator[str]:
    """Raises what Jinja2 would raise."""
    for piece in form:
        yield piece if isinstance(piece, str) else str(single(_value(piece, scope)))


def path_of(node: nodes.Node) -> list[str] | None:
    """`creator.vars.emoji` as three words; None for anything else."""
    if isinstance(node, nodes.Name):
        return [node.name]
    if isinstance(node, nodes.Getattr):
        before, word = path_of(node.node), node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        before, word = path_of(node.node), node.arg.value
    else:
        return None
    return None if before is None else [*before, word]


def _blank(node: nodes.Node) -> _Blank | None:
    if isinstance(node, nodes.Filter):
        return _filtered(node)
    path = path_of(node)
    return None if path is None else _Blank(tuple(path), ())


def _filtered(node: nodes.Filter) -> _Blank | None:
    inner = None if node.node is None else _blank(node.node)
    arguments = [argument.value for argument in node.args if isinstance(argument, nodes.Const)]
    plain = len(arguments) == len(node.args) and not node.kwargs
    if inner is None or not plain or node.name not in _SIMPLE_FILTERS:
        return None
    return _Blank(inner.path, (*inner.filters, (node.name, tuple(arguments))))


def _value(blank: _Blank, scope: Scope) -> Any:
    value: Any = scope
    for word in blank.path:
        value = getattr(value, word) if hasattr(value, word) else Missing(name=word)
    for name, arguments in blank.filters:
        value = FILTERS[name](value, *arguments)
    return value
