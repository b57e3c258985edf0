"""The media of a campaign, against what the platform takes: its own ids, URLs, and files beside the YAML."""

import ipaddress
from urllib.parse import urlsplit

from carillon.campaigns.layers import Layers
from carillon.campaigns.media_files import MediaError, is_file, look_at, path_of
from carillon.campaigns.report import CampaignReport
from carillon.platforms.contract import Platform
from carillon.platforms.sources import is_url
from carillon.platforms.store import MOST_BYTES


def check_media(layers: Layers, platform: Platform, report: CampaignReport) -> None:
    given = layers.find("media")
    if given is None:
        return
    folder = layers.campaign.file.folder
    for index, medium in layers.campaign.file.items(given.path, given.value):
        trouble = _trouble(medium, platform, folder)
        if trouble is not None:
            report.value((*given.path, index), trouble)


def _trouble(medium: str, platform: Platform, folder: str) -> str | None:
    offers = platform.limits.offers
    if is_url(medium):
        return _url_trouble(medium, platform)
    if not is_file(medium):
        return None
    if "media_files" not in offers:
        return f"{platform.name} takes no files; write the id of a medium that is there"
    if "://" in medium:
        return "a file is named by its path beside this one, such as ./clip.mp4"
    try:
        look_at(path_of(medium, folder), folder, min(platform.library.most_bytes or MOST_BYTES, MOST_BYTES))
    except MediaError as error:
        return str(error)
    return None


def _url_trouble(url: str, platform: Platform) -> str | None:
    """Where neither its sends nor its uploads take a URL, Carillon fetches it, over https alone."""
    offers = platform.limits.offers
    if not offers & {"media_urls", "media_files"}:
        return f"{platform.name} takes no URLs; write the id of a medium that is there"
    if not _public(url):
        return "this URL does not lead to a public host"
    if not offers & {"media_urls", "media_fetched"} and not url.startswith("https://"):
        return f"{platform.name} takes no URLs, so Carillon fetches this one: it must begin with https://"
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
