"""A house that a person can read: small files, small functions, names that say something, no shadowed room."""

import ast
import importlib
from collections.abc import Iterator

import pytest

from repository import ROOMS, ROOT, files, shown

FILE_LINES = 300
FUNCTION_LINES = 45
SAY_NOTHING = {"utils", "helpers", "common", "base", "core", "manager", "validate", "misc"}

SOURCES = [path for path in files(*ROOMS) if path.suffix == ".py" and "migrations" not in path.parts]


def too_long(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{node.name} has {lines} lines"


def test_no_file_is_too_long() -> None:
    lengths = {shown(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES} == {}


def test_no_function_is_too_long() -> None:
    found = {shown(path): list(too_long(path.read_text())) for path in SOURCES}
    assert {name: functions for name, functions in found.items() if functions} == {}


def test_each_file_says_what_it_is_for() -> None:
    assert [shown(path) for path in SOURCES if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_no_name_says_nothing() -> None:
    assert [shown(path) for path in files(*ROOMS, "tests") if path.stem in SAY_NOTHING] == []


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_is_this_repositorys(room: str) -> None:
    assert importlib.import_module(room).__file__ == str(ROOT / room / "__init__.py")


def test_no_test_folder_could_shadow_a_room() -> None:
    folders = {path.name for path in (ROOT / "tests").rglob("*") if path.is_dir()}
    assert folders.isdisjoint(ROOMS)
    assert list((ROOT / "tests").rglob("__init__.py")) == []
