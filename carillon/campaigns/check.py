"""Is the file right, and does it fit the platforms: everything that can be known without asking anyone."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from carillon.campaigns import creators
from carillon.campaigns.catalogue import campaign_creators
from carillon.campaigns.check_content import check_content, check_for_anyone
from carillon.campaigns.check_folder import check_folder
from carillon.campaigns.check_schedule import check_keeper, check_schedule
from carillon.campaigns.check_text import check_text
from carillon.campaigns.creators import Creator
from carillon.campaigns.file import SourceFile
from carillon.campaigns.folder import Declared, Folder
from carillon.campaigns.layers import Given, Layers
from carillon.campaigns.report import CampaignReport, Report, nearest
from carillon.campaigns.shape import Campaign
from carillon.platforms.roster import PLATFORMS

_MEMBERS = ("creators", "creator", "except_creators")


def check(folder: Folder, overridden: frozenset[str], now: datetime) -> Report:
    """All rules but the forecast. `overridden` are platforms whose URL is another than the real one."""
    report = Report()
    check_folder(folder, overridden, report)
    resolved = {name: creators.resolve(declared, folder) for name, declared in folder.creators.items()}
    for declared in folder.all("campaigns"):
        own = CampaignReport(report, declared.file, declared.name)
        if not declared.file.is_stub(declared.name):
            _check_campaign(declared, folder, resolved, now, own)
    return report


def _check_campaign(
    declared: Declared[Campaign],
    folder: Folder,
    resolved: Mapping[str, Creator],
    now: datetime,
    report: CampaignReport,
) -> None:
    members = _check_creators(declared, folder, report)
    _check_for(declared, members, folder, report)
    for creator in [resolved[key] for key in members]:
        layers = Layers(declared, creator.key, creator.platform)
        if not report.seen(("content",), creator.key if _differs(layers) else creator.platform):
            check_content(layers, creator.key, creator.platform, folder, report)
        check_text(layers, creator, folder, now, report)
        check_schedule(layers, creator, folder, now, report)
        check_keeper(layers, creator.platform, report)
    if not members:
        layers = Layers(declared)
        check_for_anyone(layers, folder, report)
        check_text(layers, None, folder, now, report)
        check_schedule(layers, None, folder, now, report)
        check_keeper(layers, None, report)


def _differs(layers: Layers) -> bool:
    """Whether creators of one platform may get different content."""
    given = layers.find("lists")
    return layers.find("for") is not None or (given is not None and isinstance(given.value, str))


def _check_creators(declared: Declared[Campaign], folder: Folder, report: CampaignReport) -> tuple[str, ...]:
    """Those that the campaign is for, as far as it can be known."""
    layers = Layers(declared)
    if layers.missing("creators", "creator"):
        report.campaign("`creators` or `creator` is missing")
    _check_both(declared, report)
    for key in _MEMBERS:
        words = layers.find(key)
        if words is not None:
            _check_members(words, declared.file, folder, report)
    if layers.stands("except_creators") and layers.find("except_creators") is None:
        return ()
    members = campaign_creators(declared, folder)
    given = layers.find("creators", "creator")
    if given is not None and not members and _sure(declared, folder, report):
        report.value(given.path, "no creator is left")
    return members


def _sure(declared: Declared[Campaign], folder: Folder, report: CampaignReport) -> bool:
    """Whether nothing wrong hides for whom the campaign is."""
    lost = (declared.file.lost(("campaigns", declared.name, key)) for key in _MEMBERS)
    wrong = report.any_error or folder.any_broken("creators", "groups") or any(lost)
    return not wrong and folder.groups_known()


def _check_both(declared: Declared[Campaign], report: CampaignReport) -> None:
    shape, path = declared.shape, ("campaigns", declared.name)
    if all(shape.given(key) or (*path, key) in declared.file.broken for key in ("creators", "creator")):
        second = report.in_order([(*path, "creators"), (*path, "creator")])[1]
        report.key(second, f"`{second[-1]}` is one too many: write `creator` or `creators`")


def _check_members(given: Given, file: SourceFile, folder: Folder, report: CampaignReport) -> None:
    words = (given.value,) if isinstance(given.value, str) else given.value
    for index, word in file.items(given.path, words):
        section, name = ("groups", word[6:]) if word.startswith("group:") else ("creators", word)
        known = list(getattr(folder, section))
        if word != "all" and name not in known and not folder.is_broken(section, name):
            report.value(
                (*given.path, index), f"there is no {section.removesuffix('s')} `{name}`{nearest(name, known)}"
            )


def _check_for(declared: Declared[Campaign], members: Sequence[str], folder: Folder, report: CampaignReport) -> None:
    known = [*PLATFORMS, *folder.creators]
    given = Layers(declared).find("for")
    if given is None:
        return
    met = {*members, *(folder.creators[key].shape.platform for key in members)}
    for key in given.value:
        if key not in known and not folder.is_broken("creators", key):
            report.key((*given.path, key), f"`{key}` is neither a creator nor a platform{nearest(key, known)}")
    unmet = [key for key in given.value if key in known and key not in met]
    # what `defaults` say for a creator is there for those campaigns that have her
    if unmet and members and given.path[0] == "campaigns" and _sure(declared, folder, report):
        for key in unmet:
            report.warn_key((*given.path, key), _not_met(key))


def _not_met(key: str) -> str:
    if key in PLATFORMS:
        return f"none of the campaign's creators is on {key}"
    return f"`{key}` is not among the campaign's creators"
