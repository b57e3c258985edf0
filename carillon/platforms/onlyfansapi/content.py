"""What a broadcast says to OnlyFansAPI, now or at a time, and anew in an update; and where an account's calls are.

Source: OnlyFansAPI reference, "Send Mass Message" and "Update Mass Message".
"""

from collections.abc import Mapping
from datetime import datetime

from carillon import clock
from carillon.platforms.contract import Account, Content, TagUsers
from carillon.platforms.forms import dollars, given, list_ids, part

SINGLE_USE = "ofapi_media_"  # what begins so is used up by one send


def at(account: Account) -> str:
    assert account.id is not None, "OnlyFansAPI needs an account"
    return f"{account.url}/api/{part(account.id)}"


def fields(content: Content, scheduled: datetime | None = None) -> dict[str, object]:
    tagged = content.tag_users or TagUsers()
    return {
        "text": content.text,
        "userLists": list_ids(content.include),
        "excludedLists": list_ids(content.exclude),
        "userIds": list(content.users),
        "lockedText": content.locked_text,
        "price": dollars(content),
        "mediaFiles": list(content.media),
        "previews": _previews(content),
        "giphyId": content.giphy,
        "rfTag": _joined(tagged.creators),
        "rfPartner": _joined(tagged.partners),
        "rfGuest": _joined(tagged.guests),
        "scheduledDate": None if scheduled is None else clock.rfc3339_seconds(scheduled),
        "saveForLater": content.save_for_later,
    }


def restated(content: Content, scheduled: datetime) -> Mapping[str, object] | None:
    """All of it for an update, which lacks exclusions, tags and saving; None where it cannot say everything.

    Whether an update keeps what it leaves out is not documented; it is taken for a whole new content. Should it keep
    media, it keeps their price too: that is only said to be nothing beside other media. Media that one send uses up
    may be gone already, and are not told again.
    """
    if content.exclude or content.tag_users or content.save_for_later is not None:
        return None
    previews = _previews(content)
    if not set(previews) <= set(content.media) or any(media.startswith(SINGLE_USE) for media in content.media):
        return None
    beside_media: dict[str, object] = {"price": 0} if content.media else {}
    return {"lockedText": False, **beside_media, **given(fields(content, scheduled))}


def _previews(content: Content) -> list[str]:
    if isinstance(content.preview_media, int):
        return list(content.media[: content.preview_media])
    return list(content.preview_media or ())


def _joined(ids: tuple[str, ...] | None) -> str | None:
    """The reference types these fields as text and describes them as arrays of ids."""
    return ",".join(ids) if ids else None
