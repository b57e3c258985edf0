"""Bringing a file to Fanvue: a session, its parts put to signed addresses, and the word that all are there.

Source: API reference, "Create multipart upload session". What a part's address comes as, and how large a part is,
are not in it: an address is taken as plain text, as JSON text or in an object, and the size is what the newer API
says in `partSize`, else 8 MiB. What was reached is kept, so that a session goes on until Fanvue does not know it.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from typing import NoReturn
from urllib.parse import urlsplit

from carillon.platforms.answers import Answer
from carillon.platforms.contract import Account, Caller, Raw, Request
from carillon.platforms.errors import Refused, Unreachable, Unreadable
from carillon.platforms.fanvue import wire
from carillon.platforms.fanvue.readiness import media_status, state_of
from carillon.platforms.forms import part, text_id, whole_number
from carillon.platforms.parts import Progress, Reference, Source
from carillon.platforms.writing import seconds_for, written

_PART_BYTES = 8 << 20
_LONGEST_NAME = 255
_LONGEST_UPLOAD = 4_096
_KINDS = ("image", "video", "audio")
_ADDRESSES = ("url", "signedUrl", "uploadUrl", "data")
_STALE = (400, 404, 409, 422)  # what a session that is finished may say when it is to be finished once more


class _GoneError(Exception):
    """Fanvue does not know the session any more."""


@dataclass(frozen=True)
class _Session:
    upload: str
    medium: str
    part_bytes: int

    @property
    def path(self) -> str:
        return f"/media/uploads/{part(self.upload)}"


def bring(client: Caller, account: Account, source: Source, progress: Progress) -> Reference:
    """Raises as `Library.upload`. A session that is gone is begun anew, once."""
    for _ in "12":
        session = _kept(progress) or _open(client, account, source, progress)
        try:
            _put_parts(client, account, source, progress, session)
            return _finish(client, account, progress, session)
        except _GoneError:
            _forget(progress)
        except Refused:
            _forget(progress)
            raise
    raise Unreachable("Fanvue forgets an upload's session as soon as it is open", 404)


def _kept(progress: Progress) -> _Session | None:
    upload, medium = _name(progress.kept.get("uploadId")), text_id(progress.kept.get("mediaUuid"))
    part_bytes = whole_number(progress.kept.get("partSize"))
    return _Session(upload, medium, part_bytes) if upload and medium and part_bytes else None


def _name(value: object) -> str | None:
    """The storage's own names of uploads are longer than ids."""
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST_UPLOAD else None


def _forget(progress: Progress) -> None:
    progress.keep(uploadId=None, mediaUuid=None, partSize=None, etags=None)


def _open(client: Caller, account: Account, source: Source, progress: Progress) -> _Session:
    kind = source.mime.partition("/")[0]
    name = source.name[-_LONGEST_NAME:]  # its end: there it says what it is
    body = {"name": name, "filename": name, "mediaType": kind if kind in _KINDS else "document"}
    told = _inside(written(client.write(wire.posting(account, "/media/uploads", body)), account.secret))
    upload, medium = _name(told.get("uploadId")), text_id(told.get("mediaUuid"))
    if upload is None or medium is None:
        raise Unreadable("Fanvue opened an upload but did not say which")
    session = _Session(upload, medium, whole_number(told.get("partSize")) or _PART_BYTES)
    most = whole_number(told.get("maxParts"))
    if most and _count(source, session) > most:
        raise Refused(f"{source.name} is too large: Fanvue takes {most} parts of {session.part_bytes} bytes")
    progress.keep(uploadId=upload, mediaUuid=medium, partSize=session.part_bytes, etags={})
    return session


def _put_parts(client: Caller, account: Account, source: Source, progress: Progress, session: _Session) -> None:
    for number in range(1, _count(source, session) + 1):
        if str(number) not in _etags(progress):
            url = _address(client, account, session, number)
            etag = _put(client, source, session, number, url)
            progress.keep(etags={**_etags(progress), str(number): etag})


def _address(client: Caller, account: Account, session: _Session, number: int) -> str:
    answer = client.get(wire.getting(account, f"{session.path}/parts/{number}/url"))
    if not 200 <= answer.status < 300:
        _known(answer, account.secret)
    body = answer.json()
    url = _address_in(answer.body.decode("utf-8", "replace") if body is None else body)
    if not answer.complete or not url.startswith(("https://", f"{urlsplit(account.url).scheme}://")):
        raise Unreadable(f"Fanvue gave no address for part {number} of the upload", answer.status)
    return url


def _address_in(body: object) -> str:
    while isinstance(body, Mapping):
        body = next((body[key] for key in _ADDRESSES if body.get(key)), None)
    url = body.strip() if isinstance(body, str) else ""
    return url if url.isascii() and url.isprintable() and " " not in url else ""


def _put(client: Caller, source: Source, session: _Session, number: int, url: str) -> str:
    """The storage's ETag, with its quotes. The address is all that it asks for: no key, no headers of Fanvue."""
    offset = (number - 1) * session.part_bytes
    length = min(session.part_bytes, source.size - offset)

    def stretch() -> Iterator[bytes]:
        return source.read(offset, length)

    answer = client.write(Request("PUT", url, {}, raw=Raw(length, stretch)), seconds_for(length))
    if not 200 <= answer.status < 300:
        _storage_refuses(answer.status, number)
    if not (etag := answer.headers.get("ETag")):
        raise Unreadable(f"the storage that Fanvue named gave no ETag for part {number}", answer.status)
    return etag


def _storage_refuses(status: int, number: int) -> NoReturn:
    """An address that has run out (403) is fetched anew the next time."""
    words = f"the storage that Fanvue named did not take part {number}: HTTP {status}"
    if status == 404:
        raise _GoneError
    if 400 <= status < 500 and status not in (401, 403, 408, 429):
        raise Refused(words, status)
    raise Unreachable(words, status)


def _finish(client: Caller, account: Account, progress: Progress, session: _Session) -> Reference:
    etags = _etags(progress)
    numbered = sorted((int(number), etag) for number, etag in etags.items())
    body = {"parts": [{"PartNumber": number, "ETag": etag} for number, etag in numbered]}
    answer = client.write(wire.patching(account, session.path, body))
    if answer.status in _STALE and _is_finished(client, account, session):
        return Reference(session.medium, "processing")
    state = state_of(_inside(_known(answer, account.secret)).get("status"))
    return Reference(session.medium, "processing" if state == "unknown" else state)


def _is_finished(client: Caller, account: Account, session: _Session) -> bool:
    """An answer that was lost may have been a yes."""
    with suppress(Unreadable):
        status = media_status(client, account, session.medium)
        return status != "created" and state_of(status) in ("processing", "ready")
    return False


def _count(source: Source, session: _Session) -> int:
    return max(1, ceil(source.size / session.part_bytes))


def _etags(progress: Progress) -> Mapping[str, str]:
    kept = progress.kept.get("etags")
    return kept if isinstance(kept, Mapping) else {}


def _known(answer: Answer, secret: str) -> Mapping[str, object]:
    """As `written`, of a session that is open: a 404 says that it is gone."""
    try:
        return written(answer, secret)
    except Refused as error:
        if error.status == 404:
            raise _GoneError from None
        raise


def _inside(told: Mapping[str, object]) -> Mapping[str, object]:
    """As it is, or what stands in `data`."""
    inner = told.get("data")
    return inner if isinstance(inner, Mapping) else told
