"""What a campaign says, against what the platform takes."""

from carillon.campaigns.check_media import check_media
from carillon.campaigns.drafts import lists_for
from carillon.campaigns.folder import Folder
from carillon.campaigns.layers import Given, Layers
from carillon.campaigns.report import CampaignReport, nearest
from carillon.campaigns.shape import Lists, Tagged
from carillon.platforms.limits import Limits
from carillon.platforms.roster import PLATFORMS

_OFFERED = ("users", "locked_text", "markdown", "subscribed_after", "giphy", "save_for_later", "tag_users")
_NO_LISTS = "`lists` is missing: to whom does it go?"
_NOTHING_SAID = "`text` or `media` is missing: there is nothing to send"
_DEAREST_USUAL = 20_000  # cents; the platforms that document a highest price document this one


def check_content(layers: Layers, creator: str, platform: str, folder: Folder, report: CampaignReport) -> None:
    """Everything but the text, which is rendered for each creator."""
    limits = PLATFORMS[platform].limits
    _check_audience(layers, creator, platform, folder, report)
    _check_something_said(layers, platform, limits, report)
    for key in _OFFERED:
        path = layers.stands(key)
        if path is not None and key not in limits.offers:
            report.key(path, f"{platform} does not offer `{key}`")
    check_media(layers, PLATFORMS[platform], report)
    _check_price(layers, platform, limits, report)
    _check_preview(layers, platform, limits, report)
    _check_tags(layers, report)


def check_for_anyone(layers: Layers, folder: Folder, report: CampaignReport) -> None:
    """What is wrong on any platform, where it is not known for whom a campaign is."""
    given = layers.find("lists")
    if given is not None and isinstance(given.value, str) and given.value not in folder.audiences:
        if not folder.is_broken("audiences", given.value):
            report.value(given.path, _unheard(given.value, folder))
    elif layers.missing("lists", "users", "subscribed_after"):
        report.campaign(_NO_LISTS)
    if layers.missing("text", "media"):
        report.campaign(_NOTHING_SAID)
    _check_unlocked(layers, report)


def _check_audience(layers: Layers, creator: str, platform: str, folder: Folder, report: CampaignReport) -> None:
    given = layers.find("lists")
    if given is None:
        limits = PLATFORMS[platform].limits
        alone = not layers.missing("subscribed_after") and "subscribed_after" in limits.offers
        if layers.missing("lists", "users") and not alone:
            report.campaign(_NO_LISTS, creator)
        return
    lists = lists_for(given, creator, platform, folder)
    if lists is not None:
        _check_lists(lists, given, layers, platform, report)
    elif not folder.is_broken("audiences", given.value):
        report.value(given.path, _no_audience(given.value, platform, folder), creator)


def _no_audience(name: str, platform: str, folder: Folder) -> str:
    if name in folder.audiences:
        return f"the audience `{name}` has no lists for {platform}"
    if name in PLATFORMS[platform].limits.smart_lists:
        return f"there is no audience `{name}`; for the list of that name write {{include: [{name}]}}"
    return _unheard(name, folder)


def _unheard(name: str, folder: Folder) -> str:
    return f"there is no audience `{name}`{nearest(name, list(folder.audiences))}"


def _check_lists(lists: Lists, given: Given, layers: Layers, platform: str, report: CampaignReport) -> None:
    lost = layers.campaign.file.lost((*given.path, "include"))
    if not lists.include and not lost and layers.missing("users"):
        report.value(given.path, "`include` is missing: to whom does it go?")
    if lists.include and not lost and set(lists.include) <= set(lists.exclude):
        report.value(given.path, "nobody is left: all included lists are excluded")
    known = PLATFORMS[platform].limits.smart_lists
    own = not isinstance(given.value, str)
    for side in ("include", "exclude"):
        for index, ref in layers.campaign.file.items((*given.path, side), getattr(lists, side)):
            if known and ref.kind == "smart" and ref.value not in known:
                path = (*given.path, side, index) if own else given.path
                words = f"`{ref.value}` is no list that {platform} is known to have{nearest(ref.value, sorted(known))}"
                report.warn(path, words)


def _check_something_said(layers: Layers, platform: str, limits: Limits, report: CampaignReport) -> None:
    if limits.needs_text:
        if layers.missing("text"):
            report.campaign(f"`text` is missing: {platform} always needs one")
    elif layers.missing("text", "media"):
        report.campaign(_NOTHING_SAID)


def _check_unlocked(layers: Layers, report: CampaignReport) -> None:
    path = layers.stands("price")
    if path is not None and layers.missing("media"):
        report.key(path, "`price` needs `media`: there is nothing to unlock")


def _check_price(layers: Layers, platform: str, limits: Limits, report: CampaignReport) -> None:
    _check_unlocked(layers, report)
    given = layers.find("price")
    if given is None:
        return
    lowest, highest = limits.price_cents
    if given.value < lowest or (highest is not None and given.value > highest):
        span = f"from {_dollars(lowest)}" if highest is None else f"{_dollars(lowest)} to {_dollars(highest)}"
        report.value(given.path, f"on {platform} a price is {span} US dollars")
    elif given.value < (limits.price_warning_below or 0):
        below = _dollars(limits.price_warning_below or 0)
        report.warn(given.path, f"{platform} may refuse a price under {below} US dollars: its documents disagree")
    elif given.value > _DEAREST_USUAL:
        report.warn(given.path, "a price is in US dollars, not in cents: is this one meant?")


def _check_preview(layers: Layers, platform: str, limits: Limits, report: CampaignReport) -> None:
    given, path, media = layers.find("preview_media"), layers.stands("preview_media"), layers.find("media")
    if path is None:
        return
    if "preview_media" not in limits.offers:
        report.key(path, f"{platform} does not offer `preview_media`")
    elif layers.missing("media"):
        report.key(path, "`preview_media` needs `media`")
    elif given is not None and media is not None and not any(map(layers.campaign.file.lost, (path, media.path))):
        _check_previewed(given, media.value, platform, limits, report)


def _check_previewed(
    given: Given, media: tuple[str, ...], platform: str, limits: Limits, report: CampaignReport
) -> None:
    counted = isinstance(given.value, int)
    if counted and given.value > len(media):
        report.value(given.path, f"there are only {len(media)} media to preview")
    elif not counted and not set(given.value) <= set(media):
        report.value(given.path, "what is previewed must stand in `media` too")
    elif not counted and "preview_media_ids" not in limits.offers and media[: len(given.value)] != given.value:
        report.value(given.path, f"{platform} previews the first of `media`: put these ids at its beginning")


def _check_tags(layers: Layers, report: CampaignReport) -> None:
    given = layers.find("tag_users")
    if given is None or any(layers.campaign.file.lost((*given.path, key)) for key in Tagged.model_fields):
        return
    if not given.value.model_fields_set:
        report.value(given.path, "nobody is tagged: creators, partners or guests")


def _dollars(cents: int) -> str:
    return f"{cents / 100:.2f}"
