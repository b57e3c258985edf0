"""Fanvue's media: the list, and its upload sessions (API reference, "Create multipart upload session").

The parts go to a signed address, here on the same port, which like S3's takes no other credentials. `sizeBytes` and
the three numbers that answer it are of the newer `/v1` and are taken here too.
"""

import re
from math import ceil
from typing import Annotated, Literal
from uuid import uuid4

from pydantic import Field

from console.sandbox.fanvue_shapes import page, second
from console.sandbox.rules import Answer, Call, Camel, Read, Refused, Strict, Write, parsed, require, require_json
from console.sandbox.uploads import Upload
from console.sandbox.world import Account, World

_PART_SIZE = 8 * 1024 * 1024
_MOST_BYTES = 1_610_612_736
_STATES = {"ready": "ready", "processing": "processing", "error": "error", "created": "created"}


class _Session(Camel):
    name: Annotated[str, Field(min_length=1, max_length=255)]
    filename: Annotated[str, Field(min_length=1, max_length=255)]
    media_type: Literal["image", "video", "audio", "document"]
    size_bytes: Annotated[int, Field(gt=0, le=_MOST_BYTES)] | None = None


class _Part(Strict):
    PartNumber: Annotated[int, Field(ge=1, le=10_000)]
    ETag: str


class _Parts(Strict):
    parts: Annotated[tuple[_Part, ...], Field(min_length=1)]


def _begin(account: Account, call: Call, _: re.Match[str]) -> object:
    require_json(call)
    wanted = parsed(_Session, call.body)
    media, upload_id = str(uuid4()), uuid4().hex
    account.uploads[upload_id] = Upload(
        "fanvue", account.id, upload_id, wanted.filename, wanted.media_type, (media,), wanted.size_bytes
    )
    account.uploads[upload_id].at = call.arrived_at
    account.media[media] = "created"
    return {"mediaUuid": media, "uploadId": upload_id} | _numbers(account, wanted.size_bytes)


def _numbers(account: Account, size: int | None) -> dict[str, object]:
    told = account.backstage.part_size
    if size is None and told is None:
        return {}
    part = told or _PART_SIZE
    return {"partSize": part, "maxParts": 10_000, "totalParts": None if size is None else ceil(size / part)}


def _signed(account: Account, call: Call, found: re.Match[str]) -> object:
    _open(account, found["upload"])
    url = f"http://{call.headers['host']}/signed/{found['upload']}/{int(found['part'])}?signature={uuid4().hex}"
    return Answer(200, url.encode(), {"Content-Type": "text/plain; charset=utf-8"})


def _open(account: Account, upload_id: str) -> Upload:
    upload = account.uploads.get(upload_id)
    if upload is None or upload.complete:
        raise Refused("Upload session not found", 404)
    return upload


def _enter_signed(world: World, call: Call, found: re.Match[str]) -> Account:
    stray = {"authorization", "x-fanvue-api-version"} & set(call.headers)
    require(not stray and "signature" in call.query, "Only one auth mechanism allowed", "signature")
    for account in world.all():
        if found["upload"] in account.uploads:
            return account
    raise Refused("NoSuchUpload", 404)


def _put(account: Account, call: Call, found: re.Match[str]) -> object:
    etag = _open(account, found["upload"]).put(int(found["part"]), call.body)
    return Answer(200, b"", {"ETag": etag})


def _complete(account: Account, call: Call, found: re.Match[str]) -> object:
    require_json(call)
    upload = _open(account, found["upload"])
    told = {part.PartNumber: part.ETag for part in parsed(_Parts, call.body).parts}
    require(told == upload.etags(), "Parts do not match what was uploaded", "parts")
    require(sorted(told) == list(range(1, len(told) + 1)), "Parts are missing", "parts")
    upload.finish()
    account.process(upload)
    return {"status": "processing"}


def _one(account: Account, _: Call, found: re.Match[str]) -> object:
    if found["media"] not in account.media:
        raise Refused("Media not found", 404)
    return {"uuid": found["media"], "status": account.media[found["media"]]}


def _all(account: Account, call: Call, _: re.Match[str]) -> object:
    """Newest first, which no page says."""
    files = {media: upload for upload in account.uploads.values() for media in upload.media}
    wanted = call.query.get("status")
    require(wanted is None or wanted in _STATES, f"status must be one of {', '.join(_STATES)}", "status")
    rows = []
    for media, state in reversed(account.media.items()):
        if wanted in (None, state):
            known = files.get(media)
            row = {"uuid": media, "status": state, "mediaType": known.kind if known else "image"}
            name, at = (known.name, known.at) if known else (f"{media[:8]}.jpg", 1_767_603_600)
            rows.append(row | {"name": name, "createdAt": second(at)} if state == "ready" else row)
    return page(call, rows)


def reads(prefix: str) -> tuple[Read, ...]:
    return (
        Read(re.compile(prefix + "/media"), _all),
        Read(re.compile(prefix + "/media/(?P<media>[^/]+)"), _one),
        Read(re.compile(prefix + "/media/uploads/(?P<upload>[^/]+)/parts/(?P<part>[1-9][0-9]{0,4})/url"), _signed),
    )


def writes(prefix: str) -> tuple[Write, ...]:
    return (
        Write("POST", re.compile(prefix + "/media/uploads"), _begin),
        Write("PATCH", re.compile(prefix + "/media/uploads/(?P<upload>[^/]+)"), _complete),
        Write("PUT", re.compile("/signed/(?P<upload>[^/]+)/(?P<part>[1-9][0-9]{0,4})"), _put, _enter_signed),
    )
