"""The repository as files: where it stands, and which of its files are written by people."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("carillon", "console", "scheduler", "worker")
README = (ROOT / "README.md").read_text()


def files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def written() -> Iterator[Path]:
    """Every file that is part of the repository."""
    own = {".gitignore", ".editorconfig"}
    yield from (path for path in sorted(ROOT.iterdir()) if path.is_file() and (path.name[0] != "." or path.name in own))
    yield from files(*ROOMS, "tests", "deploy", ".ci")


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(language: str, text: str = README) -> list[str]:
    """The fenced blocks of the README in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
