"""Is the file right, and does it fit the platforms: everything that can be known without asking anyone."""

from datetime import datetime

from carillon.campaigns import creators
from carillon.campaigns.catalogue import campaign_creators
from carillon.campaigns.check_content import check_content
from carillon.campaigns.check_folder import check_folder
from carillon.campaigns.check_schedule import check_schedule
from carillon.campaigns.check_text import check_text
from carillon.campaigns.creators import Creator
from carillon.campaigns.folder import Declared, Folder
from carillon.campaigns.layers import Given, Layers
from carillon.campaigns.report import CampaignReport, Report, nearest
from carillon.campaigns.shape import Campaign
from carillon.platforms.roster import PLATFORMS


def check(folder: Folder, overridden: frozenset[str], now: datetime) -> Report:
    """All rules but the forecast. `overridden` are platforms whose URL is another than the real one."""
    report = Report()
    check_folder(folder, overridden, report)
    resolved = {name: creators.resolve(declared, folder) for name, declared in folder.creators.items()}
    for declared in folder.all("campaigns"):
        own = CampaignReport(report, declared.file, declared.name)
        if ("campaigns", declared.name) not in declared.file.broken:
            _check_campaign(declared, folder, resolved, now, own)
    return report


def _check_campaign(
    declared: Declared[Campaign],
    folder: Folder,
    resolved: dict[str, Creator | None],
    now: datetime,
    report: CampaignReport,
) -> None:
    known = _check_creators(declared, folder, report)
    _check_for(declared, folder, report)
    for key in campaign_creators(declared, folder) if known else ():
        creator = resolved[key]
        platform = folder.creators[key].shape.platform
        layers = Layers(declared, key, platform)
        if not report.seen(("content",), key if _differs(layers) else platform):
            check_content(layers, key, platform, folder, report)
        if creator is not None:
            check_text(layers, creator, now, report)
            check_schedule(layers, creator, now, report)


def _differs(layers: Layers) -> bool:
    """Whether creators of one platform may get different content."""
    given = layers.find("lists")
    return layers.find("for") is not None or (given is not None and isinstance(given.value, str))


def _check_creators(declared: Declared[Campaign], folder: Folder, report: CampaignReport) -> bool:
    layers = Layers(declared)
    given = layers.find("creators", "creator")
    if given is None:
        report.campaign("`creators` or `creator` is missing")
        return False
    _check_both(declared, report)
    for key in ("creators", "creator", "except_creators"):
        words = layers.find(key)
        if words is not None:
            _check_members(words, folder, report)
    if campaign_creators(declared, folder):
        return True
    if not report.any_error and not folder.any_broken("creators"):
        report.value(given.path, "no creator is left")
    return False


def _check_both(declared: Declared[Campaign], report: CampaignReport) -> None:
    shape, path = declared.shape, ("campaigns", declared.name)
    if shape.given("creators") and shape.given("creator"):
        second = report.in_order([(*path, "creators"), (*path, "creator")])[1]
        report.key(second, f"`{second[-1]}` is one too many: write `creator` or `creators`")


def _check_members(given: Given, folder: Folder, report: CampaignReport) -> None:
    words = (given.value,) if isinstance(given.value, str) else given.value
    for index, word in enumerate(words):
        section, name = ("groups", word[6:]) if word.startswith("group:") else ("creators", word)
        known = list(getattr(folder, section))
        if word != "all" and name not in known and not folder.is_broken(section, name):
            report.value(
                (*given.path, index), f"there is no {section.removesuffix('s')} `{name}`{nearest(name, known)}"
            )


def _check_for(declared: Declared[Campaign], folder: Folder, report: CampaignReport) -> None:
    known = [*PLATFORMS, *folder.creators]
    given = Layers(declared).find("for")
    for key in given.value if given is not None else ():
        if given is not None and key not in known and not folder.is_broken("creators", key):
            report.key((*given.path, key), f"`{key}` is neither a creator nor a platform{nearest(key, known)}")
