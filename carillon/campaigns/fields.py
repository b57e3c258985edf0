"""The single values of a campaign file as types: how each is read, and how JSON Schema tells it."""

from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema

from carillon.campaigns import readers
from carillon.campaigns.durations import DURATION_FORM, RATE_FORM
from carillon.campaigns.times import DATE_FORM, MOMENT_FORM, DateRange, Moment
from carillon.platforms.contract import ListRef
from carillon.platforms.limits import Rate
from carillon.platforms.roster import PLATFORMS
from carillon.quiet_hours import TEXT_FORM, QuietHours


def _string(form: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{form})$"})


def _id(form: str) -> WithJsonSchema:
    return WithJsonSchema({"type": ["string", "integer"], "minimum": 0, "pattern": f"^(?:{form})$"})


def _word(*words: str) -> tuple[PlainValidator, WithJsonSchema]:
    return PlainValidator(partial(readers.one_of, words)), WithJsonSchema({"enum": list(words)})


_LINE = WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 200})
_SINGLE = ["string", "number", "boolean"]
_VARIABLE: dict[str, Any] = {"type": [*_SINGLE, "array"], "items": {"type": _SINGLE}}

Name = Annotated[str, PlainValidator(readers.name), _string(readers.NAME_FORM)]
Member = Annotated[str, PlainValidator(readers.member), _string(f"(group:)?{readers.NAME_FORM}")]
Zone = Annotated[str | None, PlainValidator(readers.zone), WithJsonSchema({"type": "string"})]
Text = Annotated[str | None, PlainValidator(readers.shown_text), WithJsonSchema({"type": "string", "minLength": 1})]
Line = Annotated[str, PlainValidator(readers.short_text), _LINE]
Id = Annotated[str, PlainValidator(readers.item), _id(readers.ID_FORM)]
Medium = Annotated[str, PlainValidator(readers.medium), _id(readers.MEDIUM_FORM)]
Reference = Annotated[ListRef, PlainValidator(readers.reference), _id(r".+")]
Boolean = Annotated[bool | None, PlainValidator(readers.boolean), WithJsonSchema({"type": "boolean"})]
Priority = Annotated[int | None, PlainValidator(readers.priority), WithJsonSchema({"type": "integer"})]
Count = Annotated[int, PlainValidator(readers.count), WithJsonSchema({"type": "integer", "minimum": 0})]
Price = Annotated[int | None, PlainValidator(readers.cents), WithJsonSchema({"type": "number", "minimum": 0})]
Duration = Annotated[timedelta | None, PlainValidator(readers.duration), _string(DURATION_FORM)]
SomeTime = Annotated[timedelta | None, PlainValidator(readers.some_time), _string(DURATION_FORM)]
Point = Annotated[Moment | None, PlainValidator(readers.moment), _string(MOMENT_FORM)]
PointOfDay = Annotated[Moment | None, PlainValidator(readers.moment_of_day), _string(MOMENT_FORM)]
PointOrDuration = Annotated[
    Moment | timedelta | None,
    PlainValidator(readers.moment_or_duration),
    _string(f"{MOMENT_FORM}|{DURATION_FORM}"),
]
Dates = Annotated[DateRange, PlainValidator(readers.dates), _string(rf"{DATE_FORM}(\.\.{DATE_FORM})?")]
Quiet = Annotated[QuietHours | None, PlainValidator(readers.quiet_hours), _string(TEXT_FORM)]
Limit = Annotated[Rate | None, PlainValidator(readers.rate), _string(RATE_FORM)]
CronLine = Annotated[str, PlainValidator(readers.cron_line), WithJsonSchema({"type": "string"})]
Credential = Annotated[str | None, PlainValidator(readers.credential), _string(readers.CREDENTIAL_FORM)]
Account = Annotated[str | None, PlainValidator(readers.account), _id(readers.ID_FORM)]
Variable = Annotated[Any, PlainValidator(readers.variable), WithJsonSchema(_VARIABLE)]
Identifier = Annotated[str, PlainValidator(readers.identifier), _string(readers.IDENTIFIER_FORM)]
PlatformName = Annotated[
    str, PlainValidator(partial(readers.one_of, tuple(PLATFORMS))), WithJsonSchema({"enum": list(PLATFORMS)})
]
CreatorName = Annotated[
    str, PlainValidator(partial(readers.creator_name, frozenset(PLATFORMS))), _string(readers.NAME_FORM)
]
OptionalName = Annotated[str | None, PlainValidator(readers.name), _string(readers.NAME_FORM)]
OptionalLine = Annotated[str | None, PlainValidator(readers.short_text), _LINE]
CatchUp = Annotated[Literal["latest", "all", "skip"] | None, *_word("latest", "all", "skip")]
Overlap = Annotated[Literal["queue", "skip"] | None, *_word("queue", "skip")]
OnUnknown = Annotated[Literal["hold", "resend"] | None, *_word("hold", "resend")]
ScheduledBy = Annotated[Literal["carillon", "platform"] | None, *_word("carillon", "platform")]
Version = Annotated[int, PlainValidator(readers.version), WithJsonSchema({"const": 1})]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


CronLines = Annotated[
    tuple[CronLine, ...], BeforeValidator(_listed, json_schema_input_type=CronLine | tuple[CronLine, ...])
]
Members = Annotated[tuple[Member, ...], BeforeValidator(_listed, json_schema_input_type=Member | tuple[Member, ...])]
