"""What a campaign says, against what the platform takes."""

import ipaddress
from urllib.parse import urlsplit

from carillon.campaigns.drafts import lists_for
from carillon.campaigns.folder import Folder
from carillon.campaigns.layers import Given, Layers
from carillon.campaigns.report import CampaignReport, nearest
from carillon.campaigns.shape import Lists
from carillon.platforms.limits import Limits
from carillon.platforms.roster import PLATFORMS

_OFFERED = ("users", "locked_text", "markdown", "subscribed_after", "giphy", "save_for_later", "tag_users")
_DEAREST_USUAL = 20_000  # cents; the platforms that document a highest price document this one


def check_content(layers: Layers, creator: str, platform: str, folder: Folder, report: CampaignReport) -> None:
    """Everything but the text, which is rendered for each creator."""
    limits = PLATFORMS[platform].limits
    _check_audience(layers, creator, platform, folder, report)
    _check_something_said(layers, platform, limits, report)
    for key in _OFFERED:
        given = layers.find(key)
        if given is not None and key not in limits.offers:
            report.key(given.path, f"{platform} does not offer `{key}`")
    _check_media(layers, platform, limits, report)
    _check_price(layers, platform, limits, report)
    _check_preview(layers, platform, limits, report)
    _check_tags(layers, report)


def _check_audience(layers: Layers, creator: str, platform: str, folder: Folder, report: CampaignReport) -> None:
    given = layers.find("lists")
    if given is None:
        limits = PLATFORMS[platform].limits
        alone = layers.find("subscribed_after") is not None and "subscribed_after" in limits.offers
        if layers.find("users") is None and not alone:
            report.campaign("`lists` is missing: to whom does it go?", creator)
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
    return f"there is no audience `{name}`{nearest(name, list(folder.audiences))}"


def _check_lists(lists: Lists, given: Given, layers: Layers, platform: str, report: CampaignReport) -> None:
    if not lists.include and layers.find("users") is None:
        report.value(given.path, "`include` is missing: to whom does it go?")
    if lists.include and set(lists.include) <= set(lists.exclude):
        report.value(given.path, "nobody is left: all included lists are excluded")
    known = PLATFORMS[platform].limits.smart_lists
    own = not isinstance(given.value, str)
    for side in ("include", "exclude"):
        for index, ref in enumerate(getattr(lists, side)):
            if known and ref.kind == "smart" and ref.value not in known:
                path = (*given.path, side, index) if own else given.path
                words = f"`{ref.value}` is no list that {platform} is known to have{nearest(ref.value, sorted(known))}"
                report.warn(path, words)


def _check_something_said(layers: Layers, platform: str, limits: Limits, report: CampaignReport) -> None:
    if layers.find("text") is not None:
        return
    if limits.needs_text:
        report.campaign(f"`text` is missing: {platform} always needs one")
    elif layers.find("media") is None:
        report.campaign("`text` or `media` is missing: there is nothing to send")


def _check_media(layers: Layers, platform: str, limits: Limits, report: CampaignReport) -> None:
    given = layers.find("media")
    for index, medium in enumerate(given.value if given is not None else ()):
        trouble = _medium_trouble(medium, platform, limits)
        if trouble is not None and given is not None:
            report.value((*given.path, index), trouble)


def _medium_trouble(medium: str, platform: str, limits: Limits) -> str | None:
    if medium.startswith(("http://", "https://")):
        if "media_urls" not in limits.offers:
            return f"{platform} takes no URLs; write the id of a medium that is there"
        return None if _public(medium) else "this URL does not lead to a public host"
    if "/" in medium or medium.startswith("."):
        return "files come later; write the id of a medium that is on the platform"
    return None


def _public(url: str) -> bool:
    """Whether a URL names a host that the platform could reach; names are not looked up."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    if parts.username is not None or parts.password is not None:
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        top = host.rstrip(".").rpartition(".")[2]
        return "." in host.rstrip(".") and not top.isdigit() and top not in ("local", "localhost", "internal")


def _check_price(layers: Layers, platform: str, limits: Limits, report: CampaignReport) -> None:
    given = layers.find("price")
    if given is None:
        return
    if layers.find("media") is None:
        report.key(given.path, "`price` needs `media`: there is nothing to unlock")
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
    given = layers.find("preview_media")
    if given is None:
        return
    media = layers.value("media", ())
    counted = isinstance(given.value, int)
    if "preview_media" not in limits.offers:
        report.key(given.path, f"{platform} does not offer `preview_media`")
    elif not media:
        report.key(given.path, "`preview_media` needs `media`")
    elif counted and given.value > len(media):
        report.value(given.path, f"there are only {len(media)} media to preview")
    elif not counted and not set(given.value) <= set(media):
        report.value(given.path, "what is previewed must stand in `media` too")
    elif not counted and "preview_media_ids" not in limits.offers and media[: len(given.value)] != given.value:
        report.value(given.path, f"{platform} previews the first of `media`: put these ids at its beginning")


def _check_tags(layers: Layers, report: CampaignReport) -> None:
    given = layers.find("tag_users")
    if given is not None and not given.value.model_fields_set:
        report.value(given.path, "nobody is tagged: creators, partners or guests")


def _dollars(cents: int) -> str:
    return f"{cents / 100:.2f}"
