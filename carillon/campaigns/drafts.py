"""What a campaign says to one creator's fans, before an occurrence fills in the text."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from carillon.campaigns.creators import Creator
from carillon.campaigns.folder import Folder
from carillon.campaigns.layers import Given, Layers
from carillon.campaigns.media_files import is_file, path_of
from carillon.campaigns.occurrences import Occurrence
from carillon.campaigns.shape import Lists
from carillon.campaigns.text import compiled
from carillon.campaigns.text_forms import Scope
from carillon.campaigns.times import Moment
from carillon.platforms.contract import Content

# Keys that go to the platform as they are, by their names in `Content`.
_AS_GIVEN = {
    "users": "users",
    "media": "media",
    "price": "price_cents",
    "preview_media": "preview_media",
    "locked_text": "locked_text",
    "markdown": "markdown",
    "giphy": "giphy",
    "save_for_later": "save_for_later",
}
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Draft:
    """`fixed` are the fields of `Content` that no occurrence changes."""

    fixed: Mapping[str, Any]
    text: str | None
    subscribed_after: Moment | timedelta | None

    def content(self, scope: Scope, occurrence: Occurrence, zone: ZoneInfo) -> Content:
        """Raises TextError where a name in the text has no value."""
        return Content(
            **self.fixed,
            text=None if self.text is None else compiled(self.text).render(scope),
            subscribed_after=self._after(occurrence, zone),
        )

    def _after(self, occurrence: Occurrence, zone: ZoneInfo) -> datetime | None:
        if isinstance(self.subscribed_after, Moment):
            return self.subscribed_after.instant(zone)
        return None if self.subscribed_after is None else occurrence.due - self.subscribed_after


def draft(layers: Layers, creator: Creator, folder: Folder) -> Draft:
    lists = lists_for(layers.find("lists"), creator.key, creator.platform, folder)
    fixed = {field: given.value for key, field in _AS_GIVEN.items() if (given := layers.find(key)) is not None}
    fixed |= _with_paths(fixed, layers.campaign.file.folder)
    tagged = layers.value("tag_users")
    if tagged is not None:
        fixed["tag_users"] = tagged.users()
    if lists is not None:
        fixed.update(include=lists.include, exclude=lists.exclude)
    return Draft(fixed, layers.value("text"), layers.value("subscribed_after"))


def _with_paths(fixed: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """Files by their absolute paths, so that they are found from anywhere."""
    listed = {field: fixed[field] for field in ("media", "preview_media") if isinstance(fixed.get(field), tuple)}
    return {
        field: tuple(path_of(medium, folder) if is_file(medium) else medium for medium in media)
        for field, media in listed.items()
        if any(map(is_file, media))
    }


def lists_for(given: Given | None, creator: str, platform: str, folder: Folder) -> Lists | None:
    """The lists themselves; those of an audience are the creator's own before the platform's."""
    if given is None or isinstance(given.value, Lists):
        return None if given is None else given.value
    audience = folder.audiences.get(given.value)
    if audience is None:
        return None
    return audience.shape.get(creator) or audience.shape.get(platform)


def scope(creator: Creator, campaign: str, occurrence: Occurrence, number: int) -> Scope:
    return Scope(
        creator=SimpleNamespace(
            key=creator.key, name=creator.name, platform=creator.platform, vars=SimpleNamespace(**creator.vars)
        ),
        campaign=SimpleNamespace(name=campaign),
        occurrence=SimpleNamespace(
            local=f"{occurrence.local:%Y-%m-%d %H:%M}",
            date=f"{occurrence.local:%Y-%m-%d}",
            weekday=_WEEKDAYS[occurrence.local.weekday()],
            number=number,
        ),
    )
