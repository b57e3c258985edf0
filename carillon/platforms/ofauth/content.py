"""What a broadcast says to OFAuth, now or at a time, and anew in an update; and the headers of all calls.

Source: OFAuth guide, "All Queue Options", and the models of its SDKs (3.0.0).
"""

from datetime import datetime

from carillon import clock
from carillon.platforms.contract import Account, Content, TagUsers
from carillon.platforms.forms import dollars, given, list_ids, numbers_if_digits

SINGLE_USE = "upload:"  # what begins so is used up by one send


def access(account: Account) -> str:
    return f"{account.url}/v2/access"


def headers(account: Account) -> dict[str, str]:
    assert account.id is not None, "OFAuth needs an account"
    return {"apikey": account.secret, "x-connection-id": account.id}


def fields(content: Content, at: datetime | None = None) -> dict[str, object]:
    """`at`: when the platform is to send it; now, if None."""
    after = content.subscribed_after
    return {
        "text": content.text,
        "mediaItems": numbers_if_digits(content.media),
        "price": dollars(content),
        "previewMediaCount": _preview_count(content),
        "isLockedText": content.locked_text,
        "userIds": numbers_if_digits(content.users),
        "userLists": numbers_if_digits(list_ids(content.include)),
        "excludeUserLists": numbers_if_digits(list_ids(content.exclude)),
        "scheduledDate": None if at is None else clock.rfc3339_seconds(at),
        "subscribedAfterDate": None if after is None else clock.rfc3339_seconds(after),
        "isMarkdown": content.markdown,
        "releaseForms": _release_forms(content.tag_users or TagUsers()),
    }


def restated(content: Content, at: datetime) -> dict[str, object]:
    """All of it for a PUT, with what it lacks said as the models' defaults; what would be an empty array is left out.

    Whether a PUT keeps what it leaves out is not documented; it is taken for what PUT means, a whole new content.
    Should it keep media, it keeps their price too: that is only said to be nothing beside other media.
    """
    plain: dict[str, object] = {"text": "", "isLockedText": False, "isMarkdown": True}
    beside_media: dict[str, object] = {"price": 0, "previewMediaCount": 0} if content.media else {}
    return {**plain, **beside_media, **given(fields(content, at))}


def _preview_count(content: Content) -> int | None:
    """Ids are checked to be the beginning of the media before, so that their number says which."""
    previews = content.preview_media
    return len(previews) if isinstance(previews, tuple) else previews


def _release_forms(tagged: TagUsers) -> dict[str, object]:
    return given(
        {
            "users": numbers_if_digits(tagged.creators),
            "partners": numbers_if_digits(tagged.partners),
            "guests": numbers_if_digits(tagged.guests),
        }
    )
