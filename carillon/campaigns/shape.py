"""The shape of one campaign file: which keys stand where, and what each may hold.

What depends on other entries, on the platform or on the calendar is `check.py`'s business.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from carillon.campaigns import fields
from carillon.campaigns.readers import Nothing
from carillon.platforms.contract import TagUsers

SCHEMA_ADDRESS = "https://json-schema.org/draft/2020-12/schema"


def _free_keys(schema: dict[str, Any]) -> None:
    schema["patternProperties"] = {"^x-": {}}


class Shape(BaseModel):
    """Known keys alone, `x-` keys apart; a key with nothing behind it is wrong, not left out."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_free_keys)

    @model_validator(mode="before")
    @classmethod
    def _own_keys(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        return {key: Nothing() if value is None else value for key, value in values.items() if not key.startswith("x-")}

    def given(self, key: str) -> bool:
        return key in self.model_fields_set

    def value(self, key: str) -> Any:
        return getattr(self, key)


class Lists(Shape):
    """References to lists of a platform."""

    include: tuple[fields.Reference, ...] = Field((), min_length=1)
    exclude: tuple[fields.Reference, ...] = ()


class Tagged(Shape):
    """Release forms."""

    creators: tuple[fields.Id, ...] = Field((), min_length=1)
    partners: tuple[fields.Id, ...] = Field((), min_length=1)
    guests: tuple[fields.Id, ...] = Field((), min_length=1)

    def users(self) -> TagUsers:
        return TagUsers.model_validate({key: self.value(key) for key in self.model_fields_set})


class Schedule(Shape):
    """When. Exactly one of `cron`, `every`, `at`, which `check_schedule.py` sees to."""

    cron: fields.CronLines = Field((), min_length=1)
    every: fields.SomeTime = None
    at: fields.PointOfDay = None
    timezone: fields.Zone = None
    start: fields.Point = None
    end: fields.Point = None
    jitter: fields.Duration = None
    except_: tuple[fields.Dates, ...] = Field((), alias="except")


# Begins the names of a union's branches, which pydantic puts among the keys: no key of a file can hold a NUL.
BRANCH = "\x00"


def _sort_of(word: str, other: str) -> Discriminator:
    return Discriminator(lambda value: other if isinstance(value, list | dict | Lists | tuple) else word)


Audience = Annotated[
    Annotated[fields.Name, Tag(BRANCH + "name")] | Annotated[Lists, Tag(BRANCH + "lists")],
    _sort_of(BRANCH + "name", BRANCH + "lists"),
]
Preview = Annotated[
    Annotated[fields.Count, Tag(BRANCH + "count")]
    | Annotated[tuple[fields.Medium, ...], Field(min_length=1), Tag(BRANCH + "ids")],
    _sort_of(BRANCH + "count", BRANCH + "ids"),
]


class Content(Shape):
    """What one broadcast says and to whom."""

    lists: Audience | None = None
    users: tuple[fields.Id, ...] = Field((), min_length=1)
    text: fields.Text = None
    media: tuple[fields.Medium, ...] = Field((), min_length=1)
    price: fields.Price = None
    preview_media: Preview | None = None
    locked_text: fields.Boolean = None
    markdown: fields.Boolean = None
    subscribed_after: fields.PointOrDuration = None
    giphy: fields.OptionalLine = None
    save_for_later: fields.Boolean = None
    tag_users: Tagged | None = None


class Variant(Content):
    """Other values for one creator or platform."""

    schedule: Schedule | None = None


class Campaign(Variant):
    """One campaign as declared."""

    creators: fields.Members = Field((), min_length=1)
    creator: fields.OptionalName = None
    except_creators: fields.Members = ()
    catch_up: fields.CatchUp = None
    expires_after: fields.SomeTime = None
    overlap: fields.Overlap = None
    priority: fields.Priority = None
    enabled: fields.Boolean = None
    labels: tuple[fields.Line, ...] = ()
    on_unknown: fields.OnUnknown = None
    scheduled_by: fields.ScheduledBy = None
    lead: fields.SomeTime = None
    for_: dict[fields.Name, Variant] = Field({}, alias="for")


class Defaults(Campaign):
    """Values for all campaigns of the file."""

    timezone: fields.Zone = None


class CreatorDefaults(Shape):
    """Values for all creators of a platform."""

    credentials: fields.Credential = None
    timezone: fields.Zone = None
    quiet_hours: fields.Quiet = None
    limit: fields.Limit = None
    away: tuple[fields.Dates, ...] = ()
    vars: dict[fields.Identifier, fields.Variable] = {}
    webhook_secret: fields.Credential = None
    enabled: fields.Boolean = None


class Creator(CreatorDefaults):
    """One account on one platform."""

    name: fields.OptionalLine = None
    platform: fields.PlatformName
    account: fields.Account = None


class CampaignFile(Shape):
    """One file, whole."""

    version: fields.Version = 1
    defaults: Defaults = Defaults()
    platforms: dict[fields.PlatformName, CreatorDefaults] = {}
    creators: dict[fields.CreatorName, Creator] = {}
    groups: dict[fields.Name, Annotated[tuple[fields.Name, ...], Field(min_length=1)]] = {}
    audiences: dict[fields.Name, dict[fields.Name, Lists]] = {}
    campaigns: dict[fields.Name, Campaign] = {}


class _Schema(GenerateJsonSchema):
    """A key may be left out, but not stand empty."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def schema() -> dict[str, Any]:
    """The JSON Schema of a campaign file: it accepts whatever check accepts, and tells an editor the keys."""
    shape = CampaignFile.model_json_schema(schema_generator=_Schema)
    return {"$schema": SCHEMA_ADDRESS, **shape, "title": "Carillon campaign file"}
