"""The words of the command line by which a person decides: cancel, retry, unsend, resolve, pause, resume."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from console.options import (
    Campaigns,
    CampaignsPath,
    Creators,
    Reason,
    Since,
    States,
    WrongCommandError,
    platform,
    settings_for,
)

if TYPE_CHECKING:
    from console.decide import Chosen

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", show_default=False)]


def cancel(
    ids: Ids = None,
    campaign: Campaigns = None,
    creator: Creators = None,
    state: States = None,
    since: Since = None,
    reason: Reason = None,
    campaigns: CampaignsPath = None,
) -> int:
    """Withdraw broadcasts that were not sent: IDs, or all that match."""
    from console.decide import cancel

    return cancel(settings_for(campaigns), _chosen(ids, campaign, creator, state, since), reason)


def retry(
    ids: Ids = None,
    campaign: Campaigns = None,
    creator: Creators = None,
    state: States = None,
    since: Since = None,
    reason: Reason = None,
    same: Annotated[bool, typer.Option("--same", help="The content as it was.")] = False,
    campaigns: CampaignsPath = None,
) -> int:
    """Send failed, skipped or expired broadcasts after all, with what the file says now."""
    from console.decide import retry

    return retry(settings_for(campaigns), _chosen(ids, campaign, creator, state, since), reason, same=same)


def unsend(
    ids: Ids = None,
    campaign: Campaigns = None,
    creator: Creators = None,
    state: States = None,
    since: Since = None,
    occurrence: Annotated[
        str | None,
        typer.Option("--occurrence", metavar="LABEL", help="Of this occurrence.", show_default=False),
    ] = None,
    reason: Reason = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    campaigns: CampaignsPath = None,
) -> int:
    """Take sent broadcasts back from the fans, where the platform lets it be done; buyers keep what they bought."""
    from console.unsend import take_back

    chosen = _chosen(ids, campaign, creator, state, since, occurrence)
    return take_back(settings_for(campaigns), chosen, reason, yes=yes)


def resolve(
    id_: Annotated[str, typer.Argument(metavar="ID")],
    reason: Annotated[str, typer.Option("--reason", help="How you know.")],
    sent: Annotated[bool, typer.Option("--sent", help="The fans have it.")] = False,
    not_sent: Annotated[bool, typer.Option("--not-sent", help="The fans do not have it.")] = False,
    message_id: Annotated[str | None, typer.Option("--message-id", help="The platform's id of it.")] = None,
    campaigns: CampaignsPath = None,
) -> int:
    """Say of a held broadcast whether it was sent; if not, it goes again at once."""
    from console.decide import resolve

    if sent == not_sent:
        raise WrongCommandError("say either --sent or --not-sent")
    if not reason.strip():
        raise WrongCommandError("--reason must say something")
    if message_id and not sent:
        raise WrongCommandError("--message-id goes with --sent")
    return resolve(settings_for(campaigns), id_, sent=sent, message_id=message_id, reason=reason)


Campaign = Annotated[str | None, typer.Argument(metavar="[CAMPAIGN]", show_default=False)]
Creator = Annotated[str | None, typer.Option("--creator", metavar="KEY", help="One creator.", show_default=False)]
Platform = Annotated[
    str | None,
    typer.Option("--platform", metavar="NAME", parser=platform, help="One platform.", show_default=False),
]
All = Annotated[bool, typer.Option("--all", help="Everything.")]


def pause(
    campaign: Campaign = None,
    creator: Creator = None,
    platform: Platform = None,
    everything: All = False,
    reason: Reason = None,
    campaigns: CampaignsPath = None,
) -> int:
    """Claim nothing new of a campaign, a creator, a platform, or at all."""
    from console.decide import pause

    return pause(settings_for(campaigns), *_level(campaign, creator, platform, everything), reason)


def resume(
    campaign: Campaign = None,
    creator: Creator = None,
    platform: Platform = None,
    everything: All = False,
    campaigns: CampaignsPath = None,
) -> int:
    """Lift a pause of that very level; of a creator, also its stop."""
    from console.decide import resume

    return resume(settings_for(campaigns), *_level(campaign, creator, platform, everything))


def _level(campaign: str | None, creator: str | None, platform: str | None, everything: bool) -> tuple[str, str]:
    given = {"campaign": campaign, "creator": creator, "platform": platform, "all": "" if everything else None}
    levels = [(level, target) for level, target in given.items() if target is not None]
    if len(levels) != 1:
        raise WrongCommandError("name one: CAMPAIGN, --creator, --platform or --all")
    return levels[0]


def _chosen(
    ids: Sequence[str] | None,
    campaigns: Sequence[str] | None,
    creators: Sequence[str] | None,
    states: Sequence[str] | None,
    since: datetime | None,
    occurrence: str | None = None,
) -> "Chosen":
    from carillon.ledger.questions import Wanted
    from console.decide import Chosen

    narrowed = any((campaigns, creators, states, since, occurrence))
    if bool(ids) == narrowed:
        raise WrongCommandError("give either IDs, or some of --campaign, --creator, --state and --since")
    if ids:
        return Chosen(ids)
    return Chosen(wanted=Wanted(campaigns or (), creators or (), (), states or (), since), occurrence=occurrence)
