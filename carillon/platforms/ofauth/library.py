"""OFAuth's vault, and uploads to it: a session, one part or several, each of which may be sent again.

Source: the models of its SDKs (3.0.0) and the page "Initialize media upload", whose `size` and `contentType` are
followed; the SDKs' own upload helpers say `filesize` and `mimeType`. URLs go as they are among a message's media
(page "mediaItems"): the platform fetches them, and no upload of one is asked for. No page says how large a file may be.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from math import ceil

from carillon.platforms import onlyfans
from carillon.platforms.answers import Answer
from carillon.platforms.contract import Account, Caller, Raw, Request
from carillon.platforms.errors import Refused, Unreadable
from carillon.platforms.forms import get, is_number, part, text_id, whole_number
from carillon.platforms.ofauth.content import SINGLE_USE, access, headers
from carillon.platforms.offsets import rows
from carillon.platforms.parts import Medium, Progress, Reference, Source
from carillon.platforms.writing import carrying, saying, seconds_for, written

_PAGE = 40  # the SDKs' most
_NEWEST = 3 * _PAGE


@dataclass(frozen=True)
class _Session:
    """`sent` are the numbers of the parts that are there, from 1; a session of one part has none."""

    id: str
    parts: int
    part_bytes: int
    sent: tuple[int, ...] = ()


class OFAuthLibrary:
    most_bytes: int | None = None

    def media(self, client: Caller, account: Account) -> Iterator[Medium]:
        def page(offset: int) -> Request:
            url = f"{access(account)}/vault/media?limit={_PAGE}&offset={offset}&sortBy=recent&sortDirection=desc"
            return get(url, headers(account))

        return (onlyfans.medium(media_id, row) for media_id, row in rows(client, account.secret, page, "media"))

    def upload(self, client: Caller, account: Account, source: Source, progress: Progress) -> Reference:
        """A session that is refused in the middle may be over: then one is begun anew, once."""
        if session := _kept(progress):
            try:
                return _go_on(client, account, source, session, progress)
            except Refused:
                progress.keep(upload=None)
        return _go_on(client, account, source, _begun(client, account, source, progress), progress)

    def upload_url(self, client: Caller, account: Account, url: str, progress: Progress) -> Reference | None:  # noqa: ARG002
        return None

    def uploaded(self, client: Caller, account: Account, reference: Reference, progress: Progress) -> Reference:  # noqa: ARG002
        """Among the newest of the vault, since no call shows a single medium."""
        newest = islice(self.media(client, account), _NEWEST)
        medium = next((medium for medium in newest if medium.id == reference.id), None)
        known = medium is not None and medium.state != "unknown"
        return replace(reference, state=medium.state) if medium and known else reference


def _kept(progress: Progress) -> _Session | None:
    kept = progress.kept
    upload, parts, part_bytes, sent = (kept.get(name) for name in ("upload", "parts", "part_bytes", "sent"))
    if not isinstance(upload, str) or not isinstance(parts, int) or not isinstance(part_bytes, int):
        return None
    return _Session(upload, parts, part_bytes, tuple(sent) if isinstance(sent, list | tuple) else ())


def _begun(client: Caller, account: Account, source: Source, progress: Progress) -> _Session:
    """`vaultUpload`, so that the medium stays: without it the upload is a reference for one send alone."""
    wanted = {
        "filename": source.name,
        "size": source.size,
        "contentType": source.mime,
        "vaultUpload": {"mode": "message"},
    }
    answer = client.write(saying("POST", f"{access(account)}/uploads/init", headers(account), wanted))
    upload = text_id(written(answer, account.secret).get("mediaUploadId"))
    if upload is None:
        raise Unreadable("the answer names no upload")
    parts, part_bytes = _cut(answer, source.size)
    progress.keep(upload=upload, parts=parts, part_bytes=part_bytes, sent=[])
    return _Session(upload, parts, part_bytes)


def _cut(answer: Answer, size: int) -> tuple[int, int]:
    """How many parts of how many bytes: headers of the answer; without them all is one."""
    parts, part_bytes = _header(answer, "total-parts"), _header(answer, "part-size")
    if part_bytes and not parts:
        parts = ceil(size / part_bytes)
    if not parts or parts == 1:
        return 1, size
    part_bytes = part_bytes or ceil(size / parts)
    if not size <= parts * part_bytes < size + part_bytes:
        raise Unreadable(f"{parts} parts of {part_bytes} bytes do not make a file of {size}")
    return parts, part_bytes


def _header(answer: Answer, name: str) -> int | None:
    value = answer.headers.get(f"x-ofauth-upload-{name}", "").strip()
    return whole_number(int(value)) if is_number(value) else None


def _go_on(client: Caller, account: Account, source: Source, session: _Session, progress: Progress) -> Reference:
    url, secret = f"{access(account)}/uploads/{part(session.id)}", account.secret
    if session.parts == 1:
        body = _put(client, account, url, source, 0, source.size)
        return _reference(body, session.id)
    sent = list(session.sent)
    for number in range(1, session.parts + 1):
        if number not in sent:
            begin = (number - 1) * session.part_bytes
            _put(client, account, f"{url}/parts/{number}", source, begin, min(session.part_bytes, source.size - begin))
            sent.append(number)
            progress.keep(sent=list(sent))
    done = saying("POST", f"{access(account)}/uploads/complete", headers(account), {"mediaUploadId": session.id})
    return _reference(written(client.write(done, seconds_for(0)), secret), session.id)


def _put(client: Caller, account: Account, url: str, source: Source, begin: int, length: int) -> Mapping[str, object]:
    raw = Raw(length, lambda: source.read(begin, length))
    request = carrying("PUT", url, headers(account), source.mime, raw)
    return written(client.write(request, seconds_for(length)), account.secret)


def _reference(body: Mapping[str, object], upload: str) -> Reference:
    """The vault's id if there is one, which lasts; else the upload itself, which one send uses up."""
    media = body.get("media")
    if isinstance(media, Mapping) and (media_id := text_id(media.get("id"))):
        state = onlyfans.medium_state(media)
        return Reference(media_id, "ready" if state == "unknown" else state)
    once = upload if upload.startswith(SINGLE_USE) else f"{SINGLE_USE}{upload}"
    return Reference(once, "ready", single_use=True)
