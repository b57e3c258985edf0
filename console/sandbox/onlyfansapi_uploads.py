"""OnlyFansAPI's uploads, to its CDN for one use or into the vault for many, and their status.

Its specification has multipart forms with a file or `file_url`; its landing page's sample a JSON body with `file_url`:
both are taken. What the vault call answers is not documented: here as an upload, with the vault's `media` beside.
"""

import re
from email import message_from_bytes
from email.message import Message
from math import ceil
from typing import Literal, cast
from uuid import uuid4

from console.sandbox.onlyfansapi_shapes import ACCOUNT, enveloped
from console.sandbox.rules import Answer, Call, Read, Refused, Strict, Text, Write, parsed, require
from console.sandbox.uploads import Upload, kind_of
from console.sandbox.world import Account

_MOST_BYTES = 100_000_000
_CREDITS_PER_MB = 3  # Credit System
_WORDS = {"ready": "completed", "processing": "processing", "error": "failed"}


class _Fetch(Strict):
    file_url: Text
    type: Literal["default", "avatar", "header"] = "default"


def _form(call: Call) -> tuple[dict[str, str], tuple[str, str, bytes] | None]:
    """Its fields, and the file's name, content type and bytes."""
    head = f"Content-Type: {call.headers['content-type']}\r\n\r\n".encode()
    told = message_from_bytes(head + call.body)
    require(told.is_multipart(), "The body is no multipart form", "file")
    fields: dict[str, str] = {}
    file: tuple[str, str, bytes] | None = None
    for part in cast("list[Message]", told.get_payload()):
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if name == "file":
            file = (part.get_filename() or "", part.get_content_type(), cast("bytes", content))
        else:
            fields[str(name)] = cast("bytes", content).decode()
    return fields, file


def _taken(account: Account, call: Call) -> Upload:
    if call.headers.get("content-type", "").startswith("multipart/form-data"):
        fields, file = _form(call)
    else:
        fields, file = parsed(_Fetch, call.body).model_dump(), None
    url, slow = fields.get("file_url"), fields.get("async", "false")
    require(set(fields) <= {"file_url", "async", "type"}, f"Unknown fields: {sorted(fields)}", "file")
    require((file is None) != (url is None), "Either file or file_url must be given", "file")
    require(slow in ("true", "false", "1", "0"), "async must be true or false", "async")
    name, mime, content = file or (str(url).rpartition("/")[2], "", b"")
    require(len(content) <= _MOST_BYTES, "The file may not be greater than 100 MB", "file")
    upload_id = f"ofapi_media_{uuid4().hex}"
    upload = Upload("onlyfansapi", account.id, upload_id, name, kind_of(name, mime), (upload_id,), url=url)
    upload.put(1, content)
    upload.later = slow in ("true", "1")
    upload.at, account.uploads[upload_id] = call.arrived_at, upload
    account.backstage.spend(account.key, _CREDITS_PER_MB * ceil(len(content) / 1_000_000))
    return upload


def _upload(account: Account, call: Call, _: re.Match[str]) -> object:
    upload = _taken(account, call)
    return _answered(account, call, upload)


def _to_vault(account: Account, call: Call, _: re.Match[str]) -> object:
    upload = _taken(account, call)
    upload.media = (upload.id, str(account.backstage.records.number()))
    return _answered(account, call, upload)


def _answered(account: Account, call: Call, upload: Upload) -> Answer:
    upload.finish()
    if upload.later:
        account.process(upload)
        url = f"http://{call.headers['host']}/api/{account.id}/media/uploads/{upload.id}/status"
        return Answer(202, {"status": "pending", "prefixed_id": upload.id, "polling_url": url})
    account.media.update(dict.fromkeys(upload.media, "ready"))
    told: dict[str, object] = {
        "prefixed_id": upload.id,
        "file_name": upload.name,
        "processId": uuid4().hex,
        "host": "cdn",
    }
    more: dict[str, object] = {
        "sourceUrl": upload.url,
        "extra": "",
        "additional": {"user": "1"},
        "thumbs": [],
        "note": "Works once",
    }
    return Answer(200, told | more | _vaulted(account, upload))


def _vaulted(account: Account, upload: Upload) -> dict[str, object]:
    return {"media": _shown(account, upload.media[1])} if len(upload.media) > 1 else {}


def _status(account: Account, _: Call, found: re.Match[str]) -> object:
    """Free, and not wrapped in `data` (Upload Media)."""
    account.backstage.spend(account.key, -1)
    state, upload = account.media.get(found["media"]), account.uploads.get(found["media"])
    if state is None:
        raise Refused("No such upload", 404)
    told: dict[str, object] = {"status": _WORDS[state], "prefixed_id": found["media"]}
    return told | (_vaulted(account, upload) if upload and state == "ready" else {})


def _vault(account: Account, call: Call, _: re.Match[str]) -> object:
    rows = [_shown(account, media) for media in reversed(account.media) if media.isdecimal()]
    limit, offset = call.whole("limit", 10, 1, 100), call.whole("offset", 0, 0)
    return enveloped(account, {"list": rows[offset : offset + limit], "hasMore": offset + limit < len(rows)})


def _shown(account: Account, media: str) -> dict[str, object]:
    state = account.media[media]
    kind = next((upload.kind for upload in account.uploads.values() if media in upload.media), "photo")
    return {"id": int(media), "type": kind, "isReady": state == "ready", "hasError": state == "error"}


def _one(account: Account, _: Call, found: re.Match[str]) -> object:
    if found["media"] not in account.media:
        raise Refused("No such media", 404)
    return enveloped(account, _shown(account, found["media"]))


READS = (
    Read(re.compile(ACCOUNT + "/media/vault/(?P<media>[0-9]+)"), _one),
    Read(re.compile(ACCOUNT + "/media/uploads/(?P<media>ofapi_media_[^/]+)/status"), _status),
    Read(re.compile(ACCOUNT + "/media/vault"), _vault),
)
WRITES = (
    Write("POST", re.compile(ACCOUNT + "/media/upload"), _upload),
    Write("POST", re.compile(ACCOUNT + "/media/vault"), _to_vault),
)
