"""OFAuth's vault and its uploads in one or several parts (its client; "Initialize media upload").

Every upload may be named once as `upload:<mediaUploadId>`; with `vaultUpload` it enters the vault under a number too.
"""

import re
from math import ceil
from typing import Annotated, Literal
from uuid import uuid4

from pydantic import Field

from console.sandbox.ofauth_results import page
from console.sandbox.onlyfans import second
from console.sandbox.rules import Answer, Call, Camel, Read, Refused, Text, Write, parsed, require, require_json
from console.sandbox.uploads import Upload, kind_of
from console.sandbox.world import Account

_UPLOADS = "/v2/access/uploads"
_PART_SIZE = 5 * 1024 * 1024  # its real ones are told by the header alone


class _VaultUpload(Camel):
    mode: Literal["message"]
    user_id: int | str | None = None


class _Begin(Camel):
    filename: Text
    size: Annotated[int, Field(gt=0)]
    content_type: Text
    vault_upload: _VaultUpload | None = None


class _Complete(Camel):
    media_upload_id: Text


def _begin(account: Account, call: Call, _: re.Match[str]) -> object:
    require_json(call)
    wanted = parsed(_Begin, call.body)
    upload_id, part = str(uuid4()), account.backstage.part_size or _PART_SIZE
    vault = (str(account.backstage.records.number()),) if wanted.vault_upload else ()
    kind, media = kind_of(wanted.filename, wanted.content_type), (f"upload:{upload_id}", *vault)
    account.uploads[upload_id] = Upload("ofauth", account.id, upload_id, wanted.filename, kind, media, wanted.size)
    account.uploads[upload_id].at = call.arrived_at
    headers = {"x-ofauth-upload-total-parts": ceil(wanted.size / part), "x-ofauth-upload-part-size": part}
    told = {name: str(value) for name, value in headers.items()}
    return Answer(200, {"mediaUploadId": upload_id}, told)


def _open(account: Account, upload_id: str) -> Upload:
    upload = account.uploads.get(upload_id)
    if upload is None:
        raise Refused("Upload not found", 404)
    require(not upload.complete, "This upload is finished", "mediaUploadId")
    return upload


def _whole(account: Account, call: Call, found: re.Match[str]) -> object:
    upload = _open(account, found["upload"])
    require(len(call.body) == upload.declared, "The size is not what was declared", "size")
    upload.put(1, call.body)
    return _end(account, upload)


def _part(account: Account, call: Call, found: re.Match[str]) -> object:
    etag = _open(account, found["upload"]).put(int(found["part"]), call.body)
    return {"mediaUploadId": found["upload"], "partNumber": int(found["part"]), "etag": etag}


def _complete(account: Account, call: Call, _: re.Match[str]) -> object:
    require_json(call)
    upload = _open(account, parsed(_Complete, call.body).media_upload_id)
    numbers = list(upload.etags())
    require(numbers == list(range(1, len(numbers) + 1)), "Parts are missing", "mediaUploadId")
    require(upload.held() == upload.declared, "The size is not what was declared", "mediaUploadId")
    return _end(account, upload)


def _end(account: Account, upload: Upload) -> object:
    upload.finish()
    account.process(upload)
    account.media[upload.media[0]] = "ready"
    media = [{**_shown(account, one), "createdAt": second(upload.at)} for one in upload.media[1:]]
    return {"mediaUploadId": upload.id} | ({"media": media[0]} if media else {})


def _vault(account: Account, call: Call, _: re.Match[str]) -> object:
    return page(call, [_shown(account, media) for media in reversed(account.media) if media.isdecimal()])


def _shown(account: Account, media: str) -> dict[str, object]:
    state = account.media[media]
    kind = next((upload.kind for upload in account.uploads.values() if media in upload.media), "photo")
    return {"id": int(media), "type": kind, "isReady": state == "ready", "hasError": state == "error"}


READS = (Read(re.compile("/v2/access/vault/media"), _vault),)
WRITES = (
    Write("POST", re.compile(_UPLOADS + "/init"), _begin),
    Write("POST", re.compile(_UPLOADS + "/complete"), _complete),
    Write("PUT", re.compile(_UPLOADS + "/(?P<upload>[^/]+)"), _whole),
    Write("PUT", re.compile(_UPLOADS + "/(?P<upload>[^/]+)/parts/(?P<part>[1-9][0-9]{0,4})"), _part),
)
