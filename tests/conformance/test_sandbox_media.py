"""Uploads to the sandbox: counted and hashed, ready after a moment, and consumed where they work once."""

import time
from collections.abc import Callable, Iterator
from hashlib import md5, sha256
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest

from console.sandbox import Sandbox
from sandbox_calls import SIMPLE, Reply, call, headers_for, look, send, write

FILE = Random(1).randbytes(10_240)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        running.world.backstage.processing_seconds = 0.1
        running.world.backstage.part_size = 4_096
        yield running


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def uploaded(sandbox: Sandbox) -> tuple[object, object, object]:
    (row,) = call(sandbox.control_url, "GET", "/uploads", {}).rows()
    return row["size"], row["sha256"], row["complete"]


WHOLE = (len(FILE), sha256(FILE).hexdigest(), True)


def begun(sandbox: Sandbox) -> dict[str, Any]:
    body = {"name": "Set", "filename": "set.jpg", "mediaType": "image"}
    return write(sandbox, "fanvue", "POST", "/media/uploads", body).json()


def put(sandbox: Sandbox, upload: str, number: int, content: bytes) -> Reply:
    signed = look(sandbox, "fanvue", f"/media/uploads/{upload}/parts/{number}/url")
    assert signed.headers["content-type"].startswith("text/plain")
    url = urlsplit(signed.body.decode())
    return call(f"http://{url.netloc}", "PUT", f"{url.path}?{url.query}", {}, content)


def test_fanvues_sessions(sandbox: Sandbox) -> None:
    session = begun(sandbox)
    upload, media, size = session["uploadId"], session["mediaUuid"], session["partSize"]
    path, parts = f"/media/uploads/{upload}", []
    assert look(sandbox, "fanvue", f"/media/{media}").json() == {"uuid": media, "status": "created"}
    for number, start in enumerate(range(0, len(FILE), size), 1):
        content = FILE[start : start + size]
        etag = put(sandbox, upload, number, content).headers["etag"]
        assert etag == f'"{md5(content).hexdigest()}"'
        parts.append({"PartNumber": number, "ETag": etag})
    for wrong in ([], parts[1:], parts[:2], [parts[0] | {"ETag": "x"}, *parts[1:]]):
        assert write(sandbox, "fanvue", "PATCH", path, {"parts": wrong}).status == 400
    assert write(sandbox, "fanvue", "PATCH", path, {"parts": parts}).json() == {"status": "processing"}
    assert uploaded(sandbox) == WHOLE
    naming: dict[str, object] = {**SIMPLE["fanvue"], "mediaUuids": [media]}
    assert send(sandbox, "fanvue", naming).status == 400
    until(lambda: look(sandbox, "fanvue", f"/media/{media}").json()["status"] == "ready")
    assert [send(sandbox, "fanvue", naming).status for _ in "12"] == [201, 201]
    rows: Any = look(sandbox, "fanvue", "/media?status=ready").json()["data"]
    assert (rows[0]["uuid"], rows[0]["mediaType"], rows[0]["name"]) == (media, "image", "set.jpg")
    assert write(sandbox, "fanvue", "PATCH", path, {"parts": parts}).status == 404


def test_the_signed_address_takes_no_other_credentials_and_ends_with_its_session(sandbox: Sandbox) -> None:
    session = begun(sandbox)
    path = f"/media/uploads/{session['uploadId']}/parts/1/url"
    url = urlsplit(look(sandbox, "fanvue", path).body.decode())
    at = f"{url.path}?{url.query}"
    assert call(sandbox.urls["fanvue"], "PUT", at, headers_for(sandbox, "fanvue"), FILE).status == 400
    assert call(sandbox.urls["fanvue"], "PUT", url.path, {}, FILE).status == 400
    assert call(sandbox.urls["fanvue"], "PUT", at, {}, FILE).status == 200
    assert look(sandbox, "fanvue", "/media/uploads/none/parts/1/url").status == 404
    assert write(sandbox, "fanvue", "POST", "/media/uploads", {"name": "x", "filename": "y"}).status == 400


def init(sandbox: Sandbox, **more: object) -> Reply:
    body = {"filename": "set.mp4", "size": len(FILE), "contentType": "video/mp4", **more}
    return write(sandbox, "ofauth", "POST", "/v2/access/uploads/init", body)


def test_ofauth_in_parts_into_the_vault(sandbox: Sandbox) -> None:
    reply = init(sandbox, vaultUpload={"mode": "message"})
    upload, size = reply.json()["mediaUploadId"], int(reply.headers["x-ofauth-upload-part-size"])
    assert (size, reply.headers["x-ofauth-upload-total-parts"]) == (4_096, "3")
    headers = headers_for(sandbox, "ofauth")
    for number in (2, 1, 3):
        part = FILE[(number - 1) * size : number * size]
        path = f"/v2/access/uploads/{upload}/parts/{number}"
        assert call(sandbox.urls["ofauth"], "PUT", path, headers, part).json()["partNumber"] == number
        done = write(sandbox, "ofauth", "POST", "/v2/access/uploads/complete", {"mediaUploadId": upload})
        assert done.status == (200 if number == 3 else 400)
    media: Any = done.json()["media"]
    assert (media["type"], media["isReady"], uploaded(sandbox)) == ("video", False, WHOLE)
    until(lambda: any(row["id"] == media["id"] and row["isReady"] for row in vault(sandbox)))
    naming: dict[str, object] = {**SIMPLE["ofauth"], "mediaItems": [media["id"]]}
    assert [send(sandbox, "ofauth", naming).status for _ in "12"] == [201, 201]


def vault(sandbox: Sandbox) -> list[dict[str, Any]]:
    rows: Any = look(sandbox, "ofauth", "/v2/access/vault/media").json()["list"]
    return list(rows)


def test_ofauth_in_one_part_for_one_send(sandbox: Sandbox) -> None:
    upload = init(sandbox).json()["mediaUploadId"]
    path, headers = f"/v2/access/uploads/{upload}", headers_for(sandbox, "ofauth")
    assert call(sandbox.urls["ofauth"], "PUT", path, headers, FILE[1:]).status == 400
    naming: dict[str, object] = {**SIMPLE["ofauth"], "mediaItems": [f"upload:{upload}"]}
    assert send(sandbox, "ofauth", naming).status == 400
    assert call(sandbox.urls["ofauth"], "PUT", path, headers, FILE).json() == {"mediaUploadId": upload}
    assert [send(sandbox, "ofauth", naming).status for _ in "12"] == [201, 400]
    assert uploaded(sandbox) == WHOLE
    assert init(sandbox, size=0).status == 400
    assert init(sandbox, mimeType="video/mp4").status == 400


def form(file: bytes | None = FILE, **fields: str) -> tuple[str, bytes]:
    parts = [f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()]
    if file is not None:
        head = (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="set.gif"\r\nContent-Type: image/gif\r\n\r\n'
        )
        parts.append(head + file + b"\r\n")
    return "multipart/form-data; boundary=b", b"".join(parts) + b"--b--\r\n"


def posted(sandbox: Sandbox, path: str, kind: str, body: bytes) -> Reply:
    headers = headers_for(sandbox, "onlyfansapi") | {"Content-Type": kind}
    return call(sandbox.urls["onlyfansapi"], "POST", f"/api/acct_demo/media/{path}", headers, body)


def test_onlyfansapi_for_one_send_at_once(sandbox: Sandbox) -> None:
    reply = posted(sandbox, "upload", *form(type="default"))
    upload = reply.json()["prefixed_id"]
    assert (reply.status, reply.headers["x-ofapi-credits-used"], uploaded(sandbox)) == (200, "4", WHOLE)
    naming: dict[str, object] = {**SIMPLE["onlyfansapi"], "mediaFiles": [upload]}
    assert [send(sandbox, "onlyfansapi", naming).status for _ in "12"] == [200, 422]
    for wrong in (
        form(None),
        form(file_url="https://example.com/a.jpg"),
        form(size="1"),
        form(FILE, **{"async": "soon"}),
    ):
        assert posted(sandbox, "upload", *wrong).status == 422
    as_json = b'{"file_url": "https://example.com/a.mp4"}'
    assert posted(sandbox, "upload", "application/json", as_json).json()["sourceUrl"] == "https://example.com/a.mp4"


def test_onlyfansapi_into_the_vault_in_the_background(sandbox: Sandbox) -> None:
    reply = posted(sandbox, "vault", *form(FILE, **{"async": "1"}))
    pending: Any = reply.json()
    assert (reply.status, pending["status"]) == (202, "pending")
    path = pending["polling_url"].removeprefix(sandbox.urls["onlyfansapi"])
    first = look(sandbox, "onlyfansapi", path)
    assert (first.json()["status"], first.headers["x-ofapi-credits-used"]) == ("processing", "0")
    until(lambda: look(sandbox, "onlyfansapi", path).json()["status"] == "completed")
    media: Any = look(sandbox, "onlyfansapi", path).json()["media"]
    assert (media["type"], media["isReady"]) == ("gif", True)
    naming: dict[str, object] = {**SIMPLE["onlyfansapi"], "mediaFiles": [str(media["id"])]}
    assert [send(sandbox, "onlyfansapi", naming).status for _ in "12"] == [200, 200]
    listed: Any = look(sandbox, "onlyfansapi", "/api/acct_demo/media/vault").json()["data"]
    assert listed["list"][0]["id"] == media["id"]
    assert look(sandbox, "onlyfansapi", f"/api/acct_demo/media/vault/{media['id']}").status == 200
