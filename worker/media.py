"""What of a broadcast's media must become the platform's ids before it goes, and whether it has."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from carillon.ledger import accounts, references
from carillon.ledger.parcels import Parcel
from carillon.ledger.states import State
from carillon.ledger.uploading import OPEN, Wanted
from carillon.platforms.contract import Content, Platform
from carillon.platforms.sources import name_of, shown, source_of, to_upload
from worker.means import Means
from worker.preflight import MEDIA_SECONDS, Later, Stop


def with_references(means: Means, row: Parcel, platform: Platform, content: Content) -> Content | Stop | Later:
    """Content as the platform can take it; what works once is reserved for this broadcast."""
    media = list(to_upload(platform, content))
    if not media:
        return content
    with means.ledger.read() as session:
        known = references.ready(session.connection(), row.creator_id, {source_of(medium) for medium in media})
    if known is None:
        found = _settled(means, row, media)
        trouble = _trouble(media, found)
        if trouble:
            return trouble
        known = {source: upload.reference for source, upload in found.items()}
    return _resolved(content, known)


def as_sent(
    connection: Connection, platform: Platform, creator_id: int, broadcast_id: int, content: Content
) -> Content:
    """What its last attempt said, for comparing it with what the platform shows."""
    sources = {source_of(medium) for medium in to_upload(platform, content)}
    return _resolved(content, references.as_sent(connection, creator_id, broadcast_id, sources)) if sources else content


def _settled(means: Means, row: Parcel, media: Sequence[str]) -> Mapping[str, Row[Any]]:
    with accounts.held(means.ledger, [row.creator_id]) as (connection, now):
        wanted = [Wanted(row.creator_id, source_of(medium), name_of(medium), max(now, row.due_at)) for medium in media]
        return references.settle(connection, row.id, wanted, now)


def _trouble(media: Sequence[str], found: Mapping[str, Row[Any]]) -> Stop | Later | None:
    for medium in media:
        upload = found[source_of(medium)]
        if upload.state == "failed":
            return Stop(State.FAILED, f"media_missing: {shown(medium)} could not be uploaded: {upload.words}")
    for medium in media:
        upload = found[source_of(medium)]
        if upload.state in OPEN:
            why = f": {upload.words}" if upload.words else ""
            return Later("media", MEDIA_SECONDS, f"{shown(medium)} is not uploaded yet{why}")
    return None


def _resolved(content: Content, known: Mapping[str, str]) -> Content:
    """Previews that are named are among the media, so they are known as well."""
    said: dict[str, object] = {"media": _named(content.media, known)}
    if isinstance(content.preview_media, tuple):
        said["preview_media"] = _named(content.preview_media, known)
    return content.model_copy(update=said)


def _named(media: Sequence[str], known: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(known.get(source_of(medium), medium) for medium in media)
