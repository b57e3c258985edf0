"""The texts of messages: Jinja2 in a sandbox, cut down to words that no text can misuse.

A text may look at a handful of names, choose with `if`, go once through a list of the creator's variables, and use
the filters below. It cannot calculate, call, nest loops or grow beyond what a message may hold. So a text that was
checked renders later too, at once and the same every time.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, nodes
from jinja2.sandbox import SandboxedEnvironment

from carillon.campaigns.text_filters import FILTERS, TESTS, Missing, single
from carillon.campaigns.text_forms import Form, Scope, filled, form_of, path_of

LONGEST = 100_000  # characters; ten times what any platform takes

_NAMES = {
    "creator": {"key", "name", "platform", "vars"},
    "campaign": {"name"},
    "occurrence": {"local", "date", "weekday", "number"},
    "loop": {"index", "index0", "first", "last", "length"},
}
_CONTROL = frozenset(chr(code) for code in range(32) if chr(code) not in "\n\t") | {chr(127)}


class TextError(Exception):
    """What is wrong with a text, in a sentence; `line` counts within the text."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


class Text:
    """A text ready to render. `timely` says that it looks at the occurrence."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._template: Template | None = None
        self._form: Form | None = None
        self.plain = not any(mark in source for mark in ("{{", "{%", "{#"))
        self.timely = False
        if not self.plain:
            tree = _parsed(source)
            self.timely = any(name.name == "occurrence" for name in tree.find_all(nodes.Name))
            _Reader().look(tree)
            self._form = form_of(tree)

    def render(self, scope: Scope) -> str:
        """Raises TextError where a name has no value."""
        if self.plain:
            return self._source
        try:
            if self._form is not None:
                return _bounded(filled(self._form, scope))
            if self._template is None:
                self._template = _ENVIRONMENT.from_string(self._source)
            return _bounded(self._template.generate(**vars(scope)))
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise TextError(_words(error)) from None


@lru_cache(maxsize=4096)
def compiled(source: str) -> Text:
    """Raises TextError for anything that a text may not say."""
    return Text(source)


def wrong_character(rendered: str) -> str | None:
    """A control or lone surrogate that no message may hold."""
    if rendered.isprintable():
        return None
    return next((char for char in rendered if char in _CONTROL or "\ud800" <= char <= "\udfff"), None)


def _parsed(source: str) -> nodes.Template:
    try:
        return _ENVIRONMENT.parse(source)
    except TemplateError as error:
        raise TextError(f"the text is no template: {error.message}", getattr(error, "lineno", 1)) from None
    except RecursionError:
        raise TextError("the text is nested too deeply") from None


def _bounded(pieces: Iterable[str]) -> str:
    kept: list[str] = []
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > LONGEST:
            raise ValueError(f"the text grows beyond {LONGEST:,} characters")
        kept.append(piece)
    return "".join(kept)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


class _Reader:
    """Walks through a parsed text and stops at what it may not say."""

    def __init__(self) -> None:
        self._loop_names: set[str] = set()

    def look(self, node: nodes.Node) -> None:
        if isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem):
            self._path(node)
        elif isinstance(node, nodes.For):
            self._loop(node)
        elif isinstance(node, nodes.Filter):
            self._filter(node)
        elif type(node) in _PLAIN_NODES:
            self._known_test(node)
            self._below(node)
        else:
            self._refuse(node, _REFUSED.get(type(node).__name__, "this is more than a text may say"))

    def _below(self, node: nodes.Node) -> None:
        for child in node.iter_child_nodes():
            self.look(child)

    def _path(self, node: nodes.Expr) -> None:
        name, *rest = path_of(node) or self._refuse(
            node, "texts look at names such as creator.vars.emoji, and at nothing computed"
        )
        if name in self._loop_names and not rest:
            return
        if name not in _NAMES or (name == "loop" and not self._loop_names):
            self._refuse(node, f"`{name}` is not known in texts; known are creator, campaign and occurrence")
        self._known_path(node, name, rest)

    def _known_path(self, node: nodes.Expr, name: str, rest: list[str]) -> None:
        known = ", ".join(f"{name}.{key}" for key in sorted(_NAMES[name])).replace("vars", "vars.NAME")
        fits = len(rest) == (2 if rest[:1] == ["vars"] else 1) and rest[0] in _NAMES[name]
        if not fits or rest[-1].startswith("_"):
            self._refuse(node, f"`{'.'.join((name, *rest))}` is not known in texts; known are {known}")

    def _loop(self, node: nodes.For) -> None:
        steps = path_of(node.iter)
        if self._loop_names:
            self._refuse(node, "loops cannot stand in loops")
        if steps is None or steps[:2] != ["creator", "vars"] or not isinstance(node.target, nodes.Name):
            self._refuse(node, "a loop goes through a list, as in {% for word in creator.vars.words %}")
        if node.recursive:
            self._refuse(node, "loops cannot be recursive")
        self.look(node.iter)
        self._loop_names = {node.target.name, "loop"}
        for child in (*node.body, *([node.test] if node.test else []), *node.else_):
            self.look(child)
        self._loop_names = set()

    def _filter(self, node: nodes.Filter) -> None:
        if node.name not in FILTERS:
            self._refuse(node, f"the filter `{node.name}` is not known in texts; known are {', '.join(FILTERS)}")
        self._below(node)

    def _known_test(self, node: nodes.Node) -> None:
        if isinstance(node, nodes.Test) and node.name not in TESTS:
            self._refuse(node, f"`is {node.name}` is not known in texts; known are {', '.join(TESTS)}")
        if isinstance(node, nodes.Mod) and not _divides(node.right):
            self._refuse(node, "`%` takes a whole number other than 0, as in occurrence.number % 2")

    def _refuse(self, node: nodes.Node, message: str) -> NoReturn:
        raise TextError(message, node.lineno or 1)


def _divides(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) and type(node.value) is int and node.value != 0


_PLAIN_NODES = {
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Const,
    nodes.Concat,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.If,
    nodes.CondExpr,
    nodes.Test,
    nodes.Mod,
    nodes.List,
    nodes.Tuple,
    nodes.Keyword,
}
_REFUSED = {
    "Call": "texts cannot call anything",
    "Pow": "texts do not calculate",
    "Mul": "texts do not calculate",
    "Add": "texts do not calculate; join words with ~",
    "Sub": "texts do not calculate",
    "Div": "texts do not calculate",
    "FloorDiv": "texts do not calculate",
    "Assign": "texts cannot set names; use creator.vars",
    "Include": "texts stand alone",
    "Import": "texts stand alone",
    "Extends": "texts stand alone",
}


class _Sandbox(SandboxedEnvironment):
    intercepted_binops = frozenset({"%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if type(left) is not int:  # text % text is formatting, which can fill the memory
            raise TypeError("`%` counts: it takes whole numbers")
        return super().call_binop(context, operator, left, right)


def _environment() -> SandboxedEnvironment:
    environment = _Sandbox(undefined=Missing, autoescape=False, keep_trailing_newline=True, finalize=single)
    environment.globals.clear()
    environment.filters = dict(FILTERS)
    environment.tests = {name: environment.tests[name] for name in TESTS}
    return environment


_ENVIRONMENT = _environment()
