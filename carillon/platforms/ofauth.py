"""OFAuth: one key for many connections, chosen by a header.

Source: OFAuth guide, "Send Mass Messages", and the models of its SDKs (3.0.0).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from carillon import clock
from carillon.platforms import messages, pages
from carillon.platforms.contract import (
    Account,
    AudienceList,
    Caller,
    Content,
    MediaState,
    Receipt,
    Request,
    Shown,
    Shows,
    TagUsers,
)
from carillon.platforms.errors import Unreadable
from carillon.platforms.forms import dollars, get, given, list_ids, numbers_if_digits, post, receipt
from carillon.platforms.history import Walk, back_past
from carillon.platforms.limits import Limits
from carillon.platforms.onlyfansapi import BUILT_IN_LISTS
from carillon.platforms.wording import plain

_SAME_TIME = timedelta(minutes=1)


class OFAuth:
    """Price: guide, "All Queue Options". Text: the SDKs' models. Lists: OnlyFans' own, by name.

    How many broadcasts an hour it takes is not documented. Previews are a count: the first from the left.
    """

    name = "ofauth"
    url = "https://api.ofauth.com"
    limits = Limits(
        broadcasts=None,
        text=10_000,
        price_cents=(300, 20_000),
        smart_lists=BUILT_IN_LISTS,
        needs_account=True,
        offers=frozenset(
            {
                "users",
                "preview_media",
                "locked_text",
                "markdown",
                "subscribed_after",
                "tag_users",
                "media_urls",
            }
        ),
    )

    def request(self, account: Account, content: Content) -> Request:
        after = content.subscribed_after
        body = {
            "text": content.text,
            "mediaItems": numbers_if_digits(content.media),
            "price": dollars(content),
            "previewMediaCount": _preview_count(content),
            "isLockedText": content.locked_text,
            "userIds": numbers_if_digits(content.users),
            "userLists": numbers_if_digits(list_ids(content.include)),
            "excludeUserLists": numbers_if_digits(list_ids(content.exclude)),
            "subscribedAfterDate": None if after is None else clock.rfc3339_seconds(after),
            "isMarkdown": content.markdown,
            "releaseForms": _release_forms(content.tag_users or TagUsers()),
        }
        return post(f"{account.url}/v2/access/mass-messages", _headers(account), body)

    def receipt(self, body: Mapping[str, object]) -> Receipt:
        return receipt(body)

    def lists(self, client: Caller, account: Account) -> Iterator[AudienceList]:
        def page(_: int, read: int) -> Request:
            return get(f"{account.url}/v2/access/users/lists?limit=100&offset={read}", _headers(account))

        return pages.paged(client, page, account.secret, 100, pages.by_id)

    def media(self, client: Caller, account: Account, media_id: str) -> MediaState:  # noqa: ARG002
        return "unknown"

    def shows(self, content: Content, age: timedelta) -> Shows:  # noqa: ARG002
        """No page says how soon statistics show what was sent, and the queue may not be served at all."""
        return "some"

    def shown(self, client: Caller, account: Account, since: datetime) -> tuple[Shown, ...]:
        """The queue, under the ids of the receipts, and the statistics, which may count by others."""
        return _joined(_queued(client, account, since), _sent(client, account, since))

    def whole(self, client: Caller, account: Account, shown: Shown) -> Shown:  # noqa: ARG002
        """A single message has its own id, and whether that is the one shown here is not documented."""
        return shown


def _sent(client: Caller, account: Account, since: datetime) -> tuple[Shown, ...]:
    """Guide, "List Sent Mass Messages". There is no offset: the SDKs go on by an earlier end."""

    def page(walk: Walk) -> Request:
        url = f"{account.url}/v2/access/analytics/mass-messages/sent?limit=10"
        return get(url + _until(walk) if walk.pages else url, _headers(account))

    return back_past(client, account.secret, since, page, messages.onlyfans)


def _until(walk: Walk) -> str:
    """A second on, so that none is lost whether or not the end itself belongs to it."""
    oldest = walk.back_to()
    if oldest is None:
        raise Unreadable("the sent mass messages have more pages, but do not come newest first")
    return f"&endDate={clock.rfc3339_seconds(oldest + timedelta(seconds=1))}"


def _queued(client: Caller, account: Account, since: datetime) -> tuple[Shown, ...]:
    """Pre-release reference, "List mass messages"; the guide and newer SDKs lack it, so it may not be served."""
    sent = _listed(client, account, since, "sent")
    unsent = (replace(shown, delivery="cancelled") for shown in _listed(client, account, since, "unsent"))
    found = [*sent, *map(messages.without_blanks, unsent)]
    return tuple({shown.id: shown for shown in found}.values())


def _listed(client: Caller, account: Account, since: datetime, kind: str) -> tuple[Shown, ...]:
    def page(walk: Walk) -> Request:
        url = f"{account.url}/v2/access/mass-messages?limit=20&offset={walk.items}&type={kind}"
        return get(url, _headers(account))

    return back_past(client, account.secret, since, page, messages.onlyfans, not_served=(403, 404))


def _joined(queued: Iterable[Shown], sent: Iterable[Shown]) -> tuple[Shown, ...]:
    """Each message once, with what both say of it. One stands for one, so that two twins stay two."""
    others = {shown.id: shown for shown in sent}
    by_id = {shown.id: others.pop(shown.id, None) for shown in queued}
    found = []
    for shown in queued:
        other = by_id[shown.id] or next((one for one in others.values() if _is_same(shown, one)), None)
        found.append(messages.filled(shown, other) if other else shown)
        if other:
            others.pop(other.id, None)
    return (*found, *others.values())


def _is_same(queued: Shown, sent: Shown) -> bool:
    """Ids aside: how those of the queue and of the statistics relate is not documented."""
    times, texts = (queued.created_at, sent.created_at), (queued.text, sent.text)
    if times[0] is None or times[1] is None or texts[0] is None or texts[1] is None:
        return False
    return abs(times[0] - times[1]) <= _SAME_TIME and plain(texts[0]) == plain(texts[1])


def _headers(account: Account) -> dict[str, str]:
    assert account.id is not None, "OFAuth needs an account"
    return {"apikey": account.secret, "x-connection-id": account.id}


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
