"""The words of the command line that speak to one creator's platform: login, lists, members, media, new lists."""

from pathlib import Path
from typing import Annotated

import typer

from console.options import AsJson, CampaignsPath, settings_for

AsCsv = Annotated[
    str | None, typer.Option("--csv", metavar="FILE", help="CSV, into a file, or - for stdout.", show_default=False)
]
ListName = Annotated[
    str, typer.Argument(metavar="LIST", help="As in campaign files: subscribers, custom:ID, name:NAME.")
]


def lists(creator: str, json: AsJson = False, csv: AsCsv = None, campaigns: CampaignsPath = None) -> int:
    """The lists of a creator, as the platform shows them now."""
    from console.lists import show_lists

    return show_lists(settings_for(campaigns), creator, json=json, csv=csv)


def members(
    creator: str, list_: ListName, json: AsJson = False, csv: AsCsv = None, campaigns: CampaignsPath = None
) -> int:
    """Who is on a list."""
    from console.members import show_members

    return show_members(settings_for(campaigns), creator, list_, json=json, csv=csv)


def media(creator: str, json: AsJson = False, csv: AsCsv = None, campaigns: CampaignsPath = None) -> int:
    """The media that a creator can send."""
    from console.media import show_media

    return show_media(settings_for(campaigns), creator, json=json, csv=csv)


def list_create(creator: str, name: str, campaigns: CampaignsPath = None) -> int:
    """Make a list, and print its id."""
    from console.lists import create_list

    return create_list(settings_for(campaigns), creator, name)


def list_add(
    creator: str,
    list_: ListName,
    users: Annotated[list[str] | None, typer.Argument(metavar="[USER]...", show_default=False)] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="One id on each line, or - for stdin.", show_default=False),
    ] = None,
    campaigns: CampaignsPath = None,
) -> int:
    """Add fans to a list; who is on it already is left out."""
    from console.list_add import add_to_list

    return add_to_list(settings_for(campaigns), creator, list_, users or (), file)


def login(
    creator: str,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Of the redirect to this machine.")] = 8765,
    campaigns: CampaignsPath = None,
) -> int:
    """Let Carillon speak for a creator, by OAuth in a browser (Fanvue)."""
    from console.login import log_in

    return log_in(settings_for(campaigns), creator, port)
