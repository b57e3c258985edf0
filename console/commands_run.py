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
    no_dashboard: Annotated[bool, typer.Option("--no-dashboard", help="Without the dashboard.")] = False,
) -> int:
    """Scheduler, worker and dashboard in one process, against the real platforms."""
    from console.up import up

    return up(settings_for(campaigns), with_dashboard=not no_dashboard)


def scheduler(campaigns: CampaignsPath = None) -> int:
    """One of any number of schedulers, on Redis and PostgreSQL."""
    from console.scheduler import scheduler

    return scheduler(settings_for(campaigns))


def worker(
    processes: Annotated[int, typer.Option("--processes", min=1, max=64, help="How many of them.")] = 2,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", min=1, max=256, help="Of each process for each platform.", show_default="by its latency"
        ),
    ] = None,
    campaigns: CampaignsPath = None,
) -> int:
    """One of any number of workers, on Redis and PostgreSQL."""
    from console.worker import worker

    return worker(settings_for(campaigns), processes, threads)


def dashboard(campaigns: CampaignsPath = None) -> int:
    """Receives the platforms' webhooks; one of any number."""
    from console.dashboard import dashboard

    return dashboard(settings_for(campaigns))


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


def migrate(
    after: Annotated[bool, typer.Option("--after", help="Also what waits until no older process runs.")] = False,
    campaigns: CampaignsPath = None,
) -> int:
    """Bring the database to this version of Carillon."""
    from console.opening import migrate

    return migrate(settings_for(campaigns), after)
