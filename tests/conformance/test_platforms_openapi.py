"""What OnlyFansAPI is sent, and what the sandbox answers in its place, against the vendor's own OpenAPI text."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from openapi_core.validation.request.exceptions import InvalidRequestBody
from openapi_core.validation.response.exceptions import InvalidData

from carillon.platforms.client import encoded
from carillon.platforms.contract import Account, Content, ListRef, Request, TagUsers
from carillon.platforms.onlyfansapi.adapter import OnlyFansAPI
from carillon.platforms.onlyfansapi.calendar import OnlyFansAPICalendar
from console.sandbox import Sandbox
from sandbox_calls import Reply, call

HOST = "https://app.onlyfansapi.com"
ACCOUNT = Account(HOST, "acct_XXXXXXXXXXXXXXX", "sk_live_5ecret")
AT = datetime(2027, 1, 1, tzinfo=UTC)
LISTS = (ListRef(kind="smart", value="fans"), ListRef(kind="custom", value="1234567890"))

CONTENTS: dict[str, Content] = {
    "text alone": Content(text="Hello!", include=LISTS[:1]),
    "no audience": Content(text=""),
    "exclusions": Content(text="Hello!", include=LISTS, exclude=LISTS[1:]),
    "users": Content(text="Hello!", users=("123", "1234567890")),
    "lists and users": Content(text="Hello!", include=LISTS, users=("123",)),
    "a price in dollars": Content(text="Hi", include=LISTS, media=("1",), price_cents=1_500),
    "a price with cents": Content(text="Hi", include=LISTS, media=("1",), price_cents=697),
    "free": Content(text="Hi", include=LISTS, media=("1",), price_cents=0),
    "vault and single use": Content(text="Hi", include=LISTS, media=("ofapi_media_abc123", "1234567890")),
    "previews by count": Content(text="Hi", include=LISTS, media=("1", "2"), price_cents=300, preview_media=1),
    "previews by id": Content(text="Hi", include=LISTS, media=("1", "2"), price_cents=300, preview_media=("2",)),
    "locked": Content(text="Hi", include=LISTS, media=("1",), price_cents=300, locked_text=True),
    "not locked": Content(text="Hi", include=LISTS, locked_text=False),
    "a giphy": Content(text="Hi", include=LISTS, giphy="WAGC3LeqJvXglm5H7a"),
    "saved for later": Content(text="Hi", include=LISTS, save_for_later=True),
    "tags": Content(
        text="Hi",
        include=LISTS,
        tag_users=TagUsers(creators=("1", "2"), partners=("3",), guests=("4", "5")),
    ),
}
EVERY_FIELD = Content(
    text="<p>Hi &lt;3 🌙</p>",
    include=LISTS,
    exclude=(ListRef(kind="smart", value="muted"),),
    users=("123",),
    media=("ofapi_media_abc123", "1234567890"),
    price_cents=20_000,
    preview_media=("1234567890",),
    locked_text=True,
    giphy="WAGC3LeqJvXglm5H7a",
    save_for_later=False,
    tag_users=TagUsers(creators=("1",), partners=("2",), guests=("3",)),
)


@pytest.fixture(scope="module")
def document() -> OpenAPI:
    return OpenAPI.from_file_path(str(Path(__file__).with_name("onlyfansapi.yaml")))


def checked(document: OpenAPI, sent: Request) -> None:
    path, headers = sent.url.removeprefix(HOST), dict(sent.headers)
    document.validate_request(_seen(path, encoded(sent), headers))


def _seen(path: str, body: bytes, headers: dict[str, Any]) -> MockRequest:
    return MockRequest(HOST, "post", path, headers=headers, data=body, content_type="application/json")


@pytest.mark.parametrize("content", [*CONTENTS.values(), EVERY_FIELD], ids=[*CONTENTS, "every field"])
def test_each_send_is_one_that_the_document_knows(document: OpenAPI, content: Content) -> None:
    checked(document, OnlyFansAPI().request(ACCOUNT, content))
    checked(document, OnlyFansAPICalendar().place(ACCOUNT, content, AT))


def test_every_field_of_the_document_is_said() -> None:
    body = OnlyFansAPICalendar().place(ACCOUNT, EVERY_FIELD, AT).json
    assert body is not None
    schema = _schema()
    assert set(body) == set(schema["properties"])


def _schema() -> dict[str, Any]:
    document = yaml.safe_load(Path(__file__).with_name("onlyfansapi.yaml").read_text())
    post = document["paths"]["/api/{account}/mass-messaging"]["post"]
    schema: dict[str, Any] = post["requestBody"]["content"]["application/json"]["schema"]
    return schema


@pytest.mark.parametrize(
    "body", [b"{}", b'{"text": 7}', b'{"text": "x", "userLists": [1]}', b'{"text": "x", "price": "5"}', b"[]"]
)
def test_the_document_refuses_what_is_not_in_it(document: OpenAPI, body: bytes) -> None:
    """So that the test above can fail."""
    request = _seen("/api/acct_1/mass-messaging", body, {"Authorization": "Bearer x"})
    with pytest.raises(InvalidRequestBody):
        document.validate_request(request)


def test_the_document_wants_a_key(document: OpenAPI) -> None:
    with pytest.raises(OpenAPIError):
        document.validate_request(_seen("/api/acct_1/mass-messaging", b'{"text": "x"}', {}))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        running.limit("onlyfansapi", 1_000, 1)
        yield running


def answered(sandbox: Sandbox, body: dict[str, object]) -> Reply:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {sandbox.keys['onlyfansapi']}"}
    path = f"/api/{sandbox.accounts['onlyfansapi']}/mass-messaging"
    return call(sandbox.urls["onlyfansapi"], "POST", path, headers, body)


TAKEN: list[dict[str, object]] = [
    {"text": "Hello", "userLists": ["fans"]},
    {"text": "Hello", "userIds": ["123"], "excludedLists": ["4"]},
    {"text": "Hello", "userLists": ["fans"], "mediaFiles": ["12345"], "price": 6.97, "lockedText": True},
    {"text": "Hello", "userLists": ["fans"], "saveForLater": True},
    {"text": "Hello", "userLists": ["fans"], "scheduledDate": "2099-12-31T23:59:00Z"},
]


@pytest.mark.parametrize("body", TAKEN)
def test_each_answer_of_the_sandbox_is_one_that_the_document_knows(
    document: OpenAPI, sandbox: Sandbox, body: dict[str, object]
) -> None:
    reply = answered(sandbox, body)
    assert reply.status == 200
    said(document, reply.body)


def said(document: OpenAPI, body: bytes) -> None:
    request = _seen("/api/acct_demo/mass-messaging", b'{"text": "x"}', {"Authorization": "Bearer x"})
    document.validate_response(request, MockResponse(body, 200, content_type="application/json"))


@pytest.mark.parametrize("body", [b'{"data": {"id": "x"}}', b'{"data": []}', b'{"_meta": {"_credits": {"used": "1"}}}'])
def test_an_answer_that_the_document_does_not_know(document: OpenAPI, body: bytes) -> None:
    with pytest.raises(InvalidData):
        said(document, body)
