"""Rules across files: each name once, references that lead somewhere, one creator for each account."""

from carillon.campaigns import creators
from carillon.campaigns.creators import Creator
from carillon.campaigns.file import SECTIONS
from carillon.campaigns.findings import Finding, Severity
from carillon.campaigns.folder import Declared, Folder
from carillon.campaigns.report import Report, nearest
from carillon.campaigns.shape import Creator as CreatorShape
from carillon.platforms.limits import DEFAULT_RATE, Limits
from carillon.platforms.roster import PLATFORMS

_ONE = {section: section.removesuffix("s") for section in SECTIONS}


def check_folder(folder: Folder, overridden: frozenset[str], report: Report) -> None:
    _check_names(folder, report)
    _check_groups(folder, report)
    _check_audiences(folder, report)
    for declared in folder.creators.values():
        _check_creator(declared, folder, overridden, report)
    _check_accounts(folder, report)


def _check_names(folder: Folder, report: Report) -> None:
    for section in SECTIONS:
        first: dict[str, Declared[object]] = {}
        for declared in folder.all(section):
            other = first.setdefault(declared.name, declared)
            if other is not declared:
                place = f"{other.file.shown}:{other.file.line(section, declared.name)}"
                message = f"the {_ONE[section]} `{declared.name}` stands in two files; the other is {place}"
                report.add(declared.file.at_key((section, declared.name), "error", message))


def _check_groups(folder: Folder, report: Report) -> None:
    for group in folder.groups.values():
        for index, creator in group.file.items(("groups", group.name), group.shape):
            if creator not in folder.creators and not folder.is_broken("creators", creator):
                message = f"there is no creator `{creator}`{nearest(creator, list(folder.creators))}"
                report.add(group.file.at_value(("groups", group.name, index), "error", message))


def _check_audiences(folder: Folder, report: Report) -> None:
    known = [*PLATFORMS, *folder.creators]
    for audience in folder.audiences.values():
        for key in audience.shape:
            if key not in known and not folder.is_broken("creators", key):
                message = f"`{key}` is neither a platform nor a creator{nearest(key, known)}"
                report.add(audience.file.at_key(("audiences", audience.name, key), "error", message))


def _check_creator(
    declared: Declared[CreatorShape], folder: Folder, overridden: frozenset[str], report: Report
) -> None:
    limits = PLATFORMS[declared.shape.platform].limits
    for finding in (
        _missing_credentials(declared, folder),
        _account(declared, limits),
        _limit(declared, folder, limits, overridden),
        _quiet_zone(declared, folder),
    ):
        if finding is not None:
            report.add(finding)


def _missing_credentials(declared: Declared[CreatorShape], folder: Folder) -> Finding | None:
    if creators.own(declared, folder, "credentials") is not None or creators.lost(declared, folder, "credentials"):
        return None
    message = "`credentials` is missing: write env:NAME or file:PATH, here or under `platforms`"
    return declared.file.at_key(("creators", declared.name), "error", message)


def _account(declared: Declared[CreatorShape], limits: Limits) -> Finding | None:
    path, platform = ("creators", declared.name), declared.shape.platform
    stands = declared.shape.account is not None or (*path, "account") in declared.file.broken
    if limits.needs_account and not stands and not declared.file.lost((*path, "account")):
        return declared.file.at_key(path, "error", f"`account` is missing: {platform} needs it")
    if not limits.takes_account and stands:
        message = f"{platform} takes no `account`: its key belongs to one account"
        return declared.file.at_key((*path, "account"), "error", message)
    return None


def _limit(
    declared: Declared[CreatorShape], folder: Folder, limits: Limits, overridden: frozenset[str]
) -> Finding | None:
    platform, documented = declared.shape.platform, limits.broadcasts
    holder = creators.holder_of(declared, folder, "limit")
    rate = holder.shape.value("limit") if holder is not None else DEFAULT_RATE
    if holder is None or documented is None or not rate.allows_more_than(documented):
        return None
    message = f"{rate} is more than {platform} allows, which is {documented}"
    severity: Severity = "warning" if platform in overridden else "error"
    return holder.file.at_value((holder.section, holder.name, "limit"), severity, message)


def _quiet_zone(declared: Declared[CreatorShape], folder: Folder) -> Finding | None:
    zone = creators.own(declared, folder, "timezone") or declared.file.shape.defaults.timezone
    holder = creators.holder_of(declared, folder, "quiet_hours")
    lost = creators.lost(declared, folder, "timezone") or declared.file.lost(("defaults", "timezone"))
    if zone is not None or lost or holder is None:
        return None
    message = "quiet hours need the creator's `timezone`"
    return declared.file.at_key(("creators", declared.name), "error", message)


def _check_accounts(folder: Folder, report: Report) -> None:
    seen: dict[tuple[str, str], Creator] = {}
    for declared in folder.creators.values():
        creator = creators.resolve(declared, folder)
        if not _account_known(declared, creator):
            continue
        other = seen.setdefault((creator.platform, creator.account), creator)
        if other is not creator:
            word = "account" if creator.account_id else "credentials"
            message = f"`{other.key}` has the same {word} on {creator.platform}: one account is one creator"
            report.add(_place_of_account(declared, word, message))


def _account_known(declared: Declared[CreatorShape], creator: Creator) -> bool:
    if creator.account_id is not None:
        return True
    lost = declared.file.lost(("creators", declared.name, "account"))
    return bool(creator.credentials) and not lost and not PLATFORMS[creator.platform].limits.needs_account


def _place_of_account(declared: Declared[CreatorShape], word: str, message: str) -> Finding:
    path = ("creators", declared.name)
    if declared.shape.given(word):
        return declared.file.at_value((*path, word), "error", message)
    return declared.file.at_key(path, "error", message)
