"""The request that would send a broadcast, as a person may see it: whole, but with *** in place of the secret."""

from typing import Any

from carillon.platforms.contract import Account, Content, ListRef
from carillon.platforms.roster import PLATFORMS
from carillon.platforms.sources import shown
from carillon.settings import Settings


def request_shown(settings: Settings, platform: str, account_id: str | None, content: Content) -> dict[str, Any]:
    """`{method, url, headers, body}`. What has no id yet stays a name: of a list, or of a file that is uploaded."""
    adapter = PLATFORMS[platform]
    account = Account(settings.platform_urls.get(platform, adapter.url), account_id, "***")
    request = adapter.request(account, _with_names(_with_files(content)))
    return {"method": request.method, "url": request.url, "headers": dict(request.headers), "body": request.json}


def _with_files(content: Content) -> Content:
    said: dict[str, object] = {"media": tuple(map(shown, content.media))}
    if isinstance(content.preview_media, tuple):
        said["preview_media"] = tuple(map(shown, content.preview_media))
    return content.model_copy(update=said)


def _with_names(content: Content) -> Content:
    lists = {
        side: tuple(_as_id(ref) for ref in refs)
        for side, refs in (("include", content.include), ("exclude", content.exclude))
    }
    return content.model_copy(update=lists)


def _as_id(ref: ListRef) -> ListRef:
    return ListRef(kind="custom", value=f"name:{ref.value}") if ref.kind == "name" else ref
