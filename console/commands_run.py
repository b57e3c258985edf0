"""The words of the command line that make something run: up, demo, sandbox, send, migrate."""

from typing import Annotated

import typer

from console.options import CampaignsPath, Creators, settings_for


def demo(
    campaigns: CampaignsPath = None,
    forever: Annotated[bool, typer.Option("--forever", help="Until Ctrl-C.")] = False,
) -> int:
    """See it work: sandbox platforms, made-up fans, and a worker that is killed once."""
    from console.demo import demo

    return demo(forever, campaigns)


def sandbox(campaigns: CampaignsPath = None) -> int:  # noqa: ARG001
    """The four imitated platforms alone."""
    from console.sandbox import serve

    serve()
    return 0


def up(
    campaigns: CampaignsPath = None,
    no_dashboard: Annotated[bool, typer.Option("--no-dashboard", help="Without the dashboard.")] = False,  # noqa: ARG001
) -> int:
    """Scheduler and worker in one process, against the real platforms."""
    from console.up import up

    return up(settings_for(campaigns))


def send(
    campaign: str,
    creator: Creators = None,
    to: Annotated[str | None, typer.Option("--to", metavar="LIST", help="This list instead.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the requests, send nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    campaigns: CampaignsPath = None,
) -> int:
    """Send a campaign once, now, to each of its creators' fans."""
    from console.send import send

    return send(settings_for(campaigns), campaign, creator or (), to, dry_run=dry_run, yes=yes)


def migrate(campaigns: CampaignsPath = None) -> int:
    """Bring the database to this version of Carillon."""
    from console.opening import migrate

    return migrate(settings_for(campaigns))
