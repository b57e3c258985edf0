"""OnlyFansAPI's vault, and uploads to it: a file of up to 100 MB, or a URL that it fetches itself.

Source: reference, "Upload Media to Vault", "Upload Media" and "Check Upload Status". What lies in the vault can be
sent again and again. Where the vault takes no uploads (an older FAQ says so), the other upload gives an
`ofapi_media_` id, which one send uses up. A sample on the vendor's pages reads `data.id` from it: read as such too.
"""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace

from carillon.platforms import answers, onlyfans
from carillon.platforms.contract import Account, Caller, MediaState, Request
from carillon.platforms.errors import Refused, Unreadable
from carillon.platforms.forms import bearer, get, is_number, part, text_id
from carillon.platforms.offsets import rows
from carillon.platforms.onlyfansapi import queue
from carillon.platforms.onlyfansapi.content import SINGLE_USE, at
from carillon.platforms.onlyfansapi.multipart import form
from carillon.platforms.parts import Medium, Progress, Reference, Source
from carillon.platforms.writing import carrying, seconds_for, written

_PAGE = 100
_LARGE = 10_000_000  # bytes from which the reference's advice to upload in the background is followed
_FETCHES = 100_000_000  # bytes for which a platform that fetches a URL is waited for
_VAULT, _ONCE = "media/vault", "media/upload"


class OnlyFansAPILibrary:
    most_bytes: int | None = 100_000_000

    def media(self, client: Caller, account: Account) -> Iterator[Medium]:
        def page(offset: int) -> Request:
            url = f"{at(account)}/{_VAULT}?limit={_PAGE}&offset={offset}&field=recent&sort=desc"
            return get(url, bearer(account.secret))

        return (onlyfans.medium(media_id, row) for media_id, row in rows(client, account.secret, page, "media"))

    def upload(self, client: Caller, account: Account, source: Source, progress: Progress) -> Reference:
        fields = {"async": "1"} if source.size > _LARGE else {}
        return _uploaded(client, account, fields, source, progress)

    def upload_url(self, client: Caller, account: Account, url: str, progress: Progress) -> Reference | None:
        return _uploaded(client, account, {"file_url": url, "async": "1"}, None, progress)

    def uploaded(self, client: Caller, account: Account, reference: Reference, progress: Progress) -> Reference:  # noqa: ARG002
        return _polled(client, account, reference)


def _uploaded(
    client: Caller, account: Account, fields: Mapping[str, str], source: Source | None, progress: Progress
) -> Reference:
    """What is under way is only asked after, unless it has failed."""
    if isinstance(known := progress.kept.get("upload"), str):
        reference = _polled(client, account, Reference(known, "processing", single_use=True))
        if reference.state != "broken":
            return reference
        progress.keep(upload=None)
    where = _ONCE if progress.kept.get("vault") is False else _VAULT
    try:
        return _sent(client, account, where, fields, source, progress)
    except Refused as error:
        if where == _ONCE or error.status not in (404, 405):
            raise
    progress.keep(vault=False)
    return _sent(client, account, _ONCE, fields, source, progress)


def _sent(
    client: Caller,
    account: Account,
    where: str,
    fields: Mapping[str, str],
    source: Source | None,
    progress: Progress,
) -> Reference:
    boundary = f"carillon-{secrets.token_hex(16)}"
    raw = form(boundary, fields, source)
    kind = f"multipart/form-data; boundary={boundary}"
    request = carrying("POST", f"{at(account)}/{where}", bearer(account.secret), kind, raw)
    wait = seconds_for(_FETCHES if source is None else source.size)
    reference = _read(written(client.write(request, wait), account.secret), where == _VAULT)
    if reference.state == "processing" and reference.single_use:
        progress.keep(upload=reference.id)
    return reference


def _read(body: Mapping[str, object], from_vault: bool) -> Reference:
    """The vault's number if there is one; a number from elsewhere is not known to last. Raises Unreadable."""
    data = body.get("data")
    told = data if isinstance(data, Mapping) else body
    media = told.get("media") if isinstance(told.get("media"), Mapping) else told
    assert isinstance(media, Mapping)
    media_id = text_id(media.get("id"))
    if media_id and is_number(media_id):
        state = onlyfans.medium_state(media)
        return Reference(media_id, "ready" if state == "unknown" else state, single_use=not from_vault)
    upload = text_id(media.get("prefixed_id")) or text_id(told.get("prefixed_id")) or media_id
    if upload is None:
        raise Unreadable("the answer names no medium")
    return Reference(upload, _state(told), single_use=True)


def _state(told: Mapping[str, object]) -> MediaState:
    """ "Check Upload Status": what answers at once names no state, and is ready."""
    states: Mapping[object, MediaState] = {"pending": "processing", "processing": "processing", "failed": "broken"}
    status = told.get("status")
    return states.get(status, "ready") if isinstance(status, str) else "ready"


def _polled(client: Caller, account: Account, reference: Reference) -> Reference:
    """A vault's number is asked for by itself, an upload by its status, which is free."""
    secret = account.secret
    if not reference.id.startswith(SINGLE_USE):
        body = answers.read(client.get(get(f"{at(account)}/{_VAULT}/{part(reference.id)}", bearer(secret))), secret)
        told = queue.told(body, "data") or body
        state = onlyfans.medium_state(told) if isinstance(told, Mapping) else "unknown"
        return replace(reference, state=reference.state if state == "unknown" else state)
    url = f"{at(account)}/media/uploads/{part(reference.id)}/status"
    body = answers.read(client.get(get(url, bearer(secret))), secret)
    if not isinstance(body, Mapping):
        raise Unreadable("the answer shows no upload")
    return _read({"prefixed_id": reference.id, **body}, from_vault=True)
