"""The options that several commands share."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

if TYPE_CHECKING:
    from carillon.settings import Settings

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})")


class WrongCommandError(TyperException):
    """The command line alone shows that this cannot be meant."""

    exit_code = 2


def settings_for(campaigns: Path | None) -> "Settings":
    """The environment's, but with this campaign file or folder if one was given. Raises SettingsError."""
    from carillon import settings

    return settings.load(campaigns=campaigns)


def _before_or_after(context: typer.Context, path: Path | None) -> Path | None:
    """The path given after the command, else the one before it."""
    return path or (context.parent.params.get("campaigns") if context.parent else None)


def instant(text: str) -> datetime:
    """A date, which is UTC midnight, or an instant of RFC 3339."""
    try:
        if _DATE.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        if _INSTANT.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise typer.BadParameter(f"{text!r} is neither a date nor an instant such as 2026-12-31T22:59:00Z")


def state(text: str) -> str:
    from carillon.ledger.states import State

    return _one_of(text, list(State))


def platform(text: str) -> str:
    from carillon.platforms.roster import PLATFORMS

    return _one_of(text, list(PLATFORMS))


def grouping(text: str) -> str:
    return _one_of(text, ["campaign", "creator", "variant", "label", "day"])


def picture(text: str) -> Path:
    if not text.lower().endswith(".png"):
        raise typer.BadParameter(f"{text!r} does not end with .png")
    return Path(text)


def _one_of(text: str, known: list[str]) -> str:
    if text not in known:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(known)}")
    return text


CampaignsPath = Annotated[
    Path | None,
    typer.Option(
        "--campaigns",
        metavar="PATH",
        callback=_before_or_after,
        show_default=False,
        help="The campaign file or folder, before CARILLON_CAMPAIGNS.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, for programs.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why, for the record.", show_default=False)]
Campaigns = Annotated[
    list[str] | None, typer.Option("--campaign", metavar="NAME", help="Of this campaign.", show_default=False)
]
Creators = Annotated[
    list[str] | None, typer.Option("--creator", metavar="KEY", help="Of this creator.", show_default=False)
]
Platforms = Annotated[
    list[str] | None,
    typer.Option("--platform", metavar="NAME", parser=platform, help="On this platform.", show_default=False),
]
States = Annotated[
    list[str] | None,
    typer.Option("--state", metavar="STATE", parser=state, help="In this state.", show_default=False),
]
Since = Annotated[
    datetime | None,
    typer.Option("--since", metavar="WHEN", parser=instant, help="Due then or later.", show_default=False),
]
Until = Annotated[
    datetime | None,
    typer.Option("--until", metavar="WHEN", parser=instant, help="Due then or earlier.", show_default=False),
]
