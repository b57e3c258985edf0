"""Fanvue's media: what there is, and whether it can be sent.

Source: API reference, "List media"; of uploads `upload.py` tells.
"""

from collections.abc import Iterator
from dataclasses import replace

from carillon.platforms import messages
from carillon.platforms.contract import Account, Caller, Request
from carillon.platforms.fanvue import wire
from carillon.platforms.fanvue.readiness import media_state, state_of
from carillon.platforms.fanvue.upload import bring
from carillon.platforms.parts import Medium, Progress, Reference, Source
from carillon.platforms.rows import Place, rows


class FanvueLibrary:
    """The largest file: the newer API's `/v1` reference. What was uploaded can be sent again and again."""

    most_bytes: int | None = 1_610_612_736

    def media(self, client: Caller, account: Account) -> Iterator[Medium]:
        def request(place: Place) -> Request:
            return wire.getting(account, f"/media?{place.query(50)}")

        for medium, told in rows(client, account.secret, request, "media"):
            yield Medium(
                medium,
                messages.text_of(told, "mediaType", "type") or None,
                messages.text_of(told, "name", "filename") or None,
                state_of(told.get("status")),
                messages.instant(told.get("createdAt")),
            )

    def upload(self, client: Caller, account: Account, source: Source, progress: Progress) -> Reference:
        return bring(client, account, source, progress)

    def upload_url(self, client: Caller, account: Account, url: str, progress: Progress) -> Reference | None:  # noqa: ARG002
        return None

    def uploaded(self, client: Caller, account: Account, reference: Reference, progress: Progress) -> Reference:  # noqa: ARG002
        return replace(reference, state=media_state(client, account, reference.id))
