"""Folders of campaign files of any size, within the 1 MiB that a file may have."""

from pathlib import Path

_CAMPAIGNS_OF_A_FILE = 5_000
_CREATORS_OF_A_FILE = 12_000


def everyone_at(folder: Path, creators: int, at: str) -> None:
    """One campaign, which goes once to every creator."""
    _declare_creators(folder, creators)
    when = f'{{at: "{at}"}}'
    text = "New drop tonight, {{ creator.name }} here"
    one = f'  drop: {{creators: all, lists: {{include: [subscribers]}}, text: "{text}", schedule: {when}}}\n'
    (folder / "campaigns.yaml").write_text(f"version: 1\ncampaigns:\n{one}")


def many(folder: Path, campaigns: int, creators: int) -> None:
    """Each campaign daily for one creator, spread over the day."""
    _declare_creators(folder, creators)
    for start in range(0, campaigns, _CAMPAIGNS_OF_A_FILE):
        numbers = range(start, min(start + _CAMPAIGNS_OF_A_FILE, campaigns))
        said = "".join(_daily(number, creators) for number in numbers)
        (folder / f"campaigns-{start:06}.yaml").write_text(f"version: 1\ncampaigns:\n{said}")


def _daily(number: int, creators: int) -> str:
    return (
        f"  drop-{number}:\n"
        f"    creator: c{number % creators}\n"
        "    lists: {include: [subscribers], exclude: [recent_tippers]}\n"
        f'    text: "New drop {number} tonight, {{{{ creator.name }}}} here"\n'
        f'    schedule: {{cron: "{number % 60} {number // 60 % 24} * * *"}}\n'
    )


def _declare_creators(folder: Path, count: int) -> None:
    for start in range(0, count, _CREATORS_OF_A_FILE):
        numbers = range(start, min(start + _CREATORS_OF_A_FILE, count))
        said = "".join(
            f"  c{number}: {{platform: frontrow, credentials: env:KEY{number}, timezone: UTC}}\n" for number in numbers
        )
        (folder / f"creators-{start:06}.yaml").write_text(f"version: 1\ncreators:\n{said}")
