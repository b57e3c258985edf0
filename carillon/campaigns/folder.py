"""All campaign files of one folder together: creators, groups and audiences are for all, defaults are not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from carillon.campaigns.file import SourceFile
from carillon.campaigns.lazy import Lazy
from carillon.campaigns.shape import Campaign, Creator, CreatorDefaults, Lists

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Declared(Generic[Kind]):
    """An entry of a section, and the file that it stands in."""

    section: str
    name: str
    file: SourceFile
    shape: Kind


@dataclass(frozen=True)
class Folder:
    """The files in the order of their names. Where two declare the same name the first counts, and check tells."""

    files: tuple[SourceFile, ...]

    @cached_property
    def platforms(self) -> Mapping[str, Declared[CreatorDefaults]]:
        return self._first("platforms")

    @cached_property
    def creators(self) -> Mapping[str, Declared[Creator]]:
        return self._first("creators")

    @cached_property
    def groups(self) -> Mapping[str, Declared[tuple[str, ...]]]:
        return self._first("groups")

    @cached_property
    def audiences(self) -> Mapping[str, Declared[Mapping[str, Lists]]]:
        return self._first("audiences")

    @cached_property
    def campaigns(self) -> Mapping[str, Declared[Campaign]]:
        """Each read when it is asked for."""
        stands: dict[str, SourceFile] = {}
        for file in self.files:
            for name in file.shape.campaigns:
                stands.setdefault(name, file)
        return Lazy(stands, lambda name: Declared("campaigns", name, stands[name], stands[name].shape.campaigns[name]))

    def all(self, section: str) -> Iterator[Declared[Any]]:
        """Every entry of a section, second ones of the same name too."""
        for file in self.files:
            for name, shape in getattr(file.shape, section).items():
                yield Declared(section, name, file, shape)

    @cached_property
    def wrong(self) -> tuple[SourceFile, ...]:
        """The files that lost something."""
        return tuple(file for file in self.files if file.broken)

    def any_broken(self, *sections: str) -> bool:
        """Whether whole entries were found wrong already."""
        wrong = (part for file in self.wrong for part in (*file.broken, *file.meant))
        return any(part[0] in sections and len(part) < 3 for part in wrong)

    def is_broken(self, section: str, name: str) -> bool:
        """Whether the entry stands in a file but was found wrong already."""
        return any(file.lost((section, name)) for file in self.wrong)

    def groups_known(self) -> bool:
        """Whether all members of groups are creators."""
        return all(name in self.creators for group in self.groups.values() for name in group.shape)

    def members(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """Creators by name, `group:NAME` or `all`, each once, in order; unknown ones are left out."""
        found: dict[str, None] = {}
        for word in words:
            found.update(dict.fromkeys(self._meant(word)))
        return tuple(name for name in found if name in self.creators)

    def _meant(self, word: str) -> tuple[str, ...]:
        if word == "all":
            return tuple(self.creators)
        if word.startswith("group:"):
            group = self.groups.get(word.removeprefix("group:"))
            return group.shape if group else ()
        return (word,)

    def _first(self, section: str) -> dict[str, Declared[Any]]:
        found: dict[str, Declared[Any]] = {}
        for declared in self.all(section):
            found.setdefault(declared.name, declared)
        return found
