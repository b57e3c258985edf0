"""The words of the command line that ask: what is declared, what stands, what was and will be sent."""

from pathlib import Path
from typing import Annotated

import typer

from console.options import (
    AsJson,
    Campaigns,
    CampaignsPath,
    Creators,
    Platforms,
    Since,
    States,
    Until,
    WrongCommandError,
    grouping,
    picture,
    settings_for,
)


def init(
    path: Annotated[Path | None, typer.Argument(help="Where to write it.", show_default="campaigns.yaml")] = None,
    campaigns: CampaignsPath = None,
) -> int:
    """Write a starter file; nothing is ever overwritten."""
    from console.files import init

    return init(path or settings_for(campaigns).campaigns)


def check(
    online: Annotated[bool, typer.Option("--online", help="Ask the platforms too: keys, lists, media.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    json: AsJson = False,
    campaigns: CampaignsPath = None,
) -> int:
    """Say what is wrong with the campaign files, and where."""
    from console.files import check

    return check(settings_for(campaigns), online=online, strict=strict, json=json)


def schema(campaigns: CampaignsPath = None) -> int:  # noqa: ARG001
    """The JSON Schema of campaign files, for editors."""
    from console.files import print_schema

    return print_schema()


def doctor(json: AsJson = False, campaigns: CampaignsPath = None) -> int:
    """What is reachable and what is wrong, each with the mend."""
    from console.doctor import doctor

    return doctor(campaigns, json=json)


def creators(json: AsJson = False, campaigns: CampaignsPath = None) -> int:
    """How each creator's account stands."""
    from console.creators import show_creators

    return show_creators(settings_for(campaigns), json=json)


def campaigns_(json: AsJson = False, campaigns: CampaignsPath = None) -> int:
    """The campaigns in force, and where they stand."""
    from console.campaigns import show_campaigns

    return show_campaigns(settings_for(campaigns), json=json)


def broadcasts(
    campaign: Campaigns = None,
    creator: Creators = None,
    platform: Platforms = None,
    state: States = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int | None, typer.Option("--limit", min=0, help="At most so many.", show_default=False)] = None,
    needs_person: Annotated[bool, typer.Option("--needs-person", help="Held, or with an open alarm.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Print changes as they come, until Ctrl-C.")] = False,
    json: AsJson = False,
    campaigns: CampaignsPath = None,
) -> int:
    """What was and will be sent, oldest due first."""
    from carillon.ledger.questions import Wanted
    from console import broadcasts

    settings = settings_for(campaigns)
    wanted = Wanted(campaign or (), creator or (), platform or (), state or (), since, until, needs_person)
    if follow:
        return broadcasts.follow(settings, wanted, json=json)
    return broadcasts.show_list(settings, wanted, limit, json=json)


def report(
    by: Annotated[
        str,
        typer.Option("--by", metavar="WHAT", parser=grouping, help="campaign, creator, variant, label or day."),
    ] = "campaign",
    campaign: Campaigns = None,
    creator: Creators = None,
    platform: Platforms = None,
    since: Since = None,
    until: Until = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="CSV; - is stdout.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", metavar="FILE.png", parser=picture, help="A picture.")] = None,
    json: AsJson = False,
    campaigns: CampaignsPath = None,
) -> int:
    """What broadcasts brought in: recipients, views, purchases, revenue."""
    if json and csv == Path("-"):
        raise WrongCommandError("stdout takes either --json or --csv -")
    from carillon.ledger.questions import Wanted
    from console.report import Outputs, report

    wanted = Wanted(campaign or (), creator or (), platform or (), (), since, until)
    return report(settings_for(campaigns), wanted, by, Outputs(json=json, csv=csv, plot=plot))  # type: ignore[arg-type]


def show(
    id_: Annotated[str, typer.Argument(metavar="ID")], json: AsJson = False, campaigns: CampaignsPath = None
) -> int:
    """One broadcast whole: content, request, attempts, events, why it waits."""
    from console.show import show

    return show(settings_for(campaigns), id_, as_data=json)
