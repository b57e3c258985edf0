"""Which campaigns say something else than before, for which creators, found without resolving those that do not."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from carillon.campaigns.catalogue import Catalogue, Entry
from carillon.campaigns.creators import Creator
from carillon.campaigns.folder import Declared


def changed(now: Catalogue, before: Catalogue, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Those of these (campaign, creator) that are new or read otherwise; `pairs` are by campaign."""
    same_audiences = _shapes(now.folder.audiences) == _shapes(before.folder.audiences)
    same_creators = {key for key, creator in now.creators.items() if _same(creator, before.creators.get(key))}
    name, same_campaign = None, False
    for campaign, key in pairs:
        if campaign != name:
            name, same_campaign = campaign, same_audiences and _declared_as_before(now, before, campaign)
        if not (same_campaign and key in same_creators) and _differ(
            now.entry(campaign, key), before.entry(campaign, key)
        ):
            yield campaign, key


def _declared_as_before(now: Catalogue, before: Catalogue, campaign: str) -> bool:
    """Whether its file says the same of it, and by default of all its campaigns."""
    if campaign not in before.folder.campaigns:
        return False
    file, old = now.folder.campaigns[campaign].file, before.folder.campaigns[campaign].file
    same = bool(file.values["campaigns"][campaign] == old.values["campaigns"][campaign])
    return same and file.shape.defaults == old.shape.defaults


def _same(creator: Creator, other: Creator | None) -> bool:
    """Wherever they stand."""
    return other is not None and creator == replace(other, file=creator.file, line=creator.line)


def _differ(entry: Entry | None, other: Entry | None) -> bool:
    return entry != other or (entry is not None and other is not None and entry.draft != other.draft)


def _shapes(declared: Mapping[str, Declared[Any]]) -> dict[str, Any]:
    return {name: one.shape for name, one in declared.items()}
