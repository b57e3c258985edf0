"""The JSON Schema: valid, and it takes what check takes."""

import json

import pytest
from jsonschema import Draft202012Validator

from carillon.campaigns.shape import schema
from carillon.campaigns.starter import starter
from carillon.campaigns.yaml_tree import parse


def test_it_is_a_valid_schema_that_can_be_printed() -> None:
    Draft202012Validator.check_schema(schema())
    assert json.loads(json.dumps(schema()))["$schema"].endswith("2020-12/schema")


RIGHT = """\
version: 1
x-any: {1: 2}
defaults: {timezone: Europe/Berlin, priority: 1}
platforms: {ofauth: {credentials: env:K, limit: 10/1h, away: [2026-12-24..2026-12-26]}}
creators: {mia: {platform: ofauth, account: 123, quiet_hours: "23:00-08:00", vars: {a: b, c: [1, x], d: 1.5, e: true}}}
groups: {all-of-us: [mia]}
audiences: {p: {ofauth: {include: [1, "name:VIP"], exclude: []}}}
campaigns:
  x:
    creators: all
    except_creators: [group:all-of-us]
    lists: p
    users: [1, "a"]
    text: Hi
    media: [123, "https://cdn.example/a.mp4"]
    price: 9.99
    preview_media: [123]
    subscribed_after: 30d
    tag_users: {guests: [1]}
    schedule: {cron: "0 0 * * *", start: 2026-12-01, end: "2027-01-01T00:00Z", jitter: 5m, except: [2026-12-24]}
    for: {mia: {schedule: {every: 6h}, preview_media: 1}}
    x-note: anything
  y: {creator: mia, lists: {include: [fans]}, text: Hi, schedule: {cron: ["0 0 * * *"]}, enabled: false}
"""


@pytest.mark.parametrize("text", [RIGHT, starter(), "campaigns: {}\n"])
def test_it_takes_what_check_takes(text: str) -> None:
    assert list(Draft202012Validator(schema()).iter_errors(parse(text.encode())[0])) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("campaigns:", "campaings:"),
        ("schedule:", "shedule:"),
        ("platform: ofauth", "platform: fanvu"),
        ("text: Hi", 'text: ""'),
        ("jitter: 5m", "jitter: 5 mins"),
        ("env:K", "sk_live"),
        ("enabled: false", "enabled: 5"),
    ],
)
def test_an_editor_sees_what_is_wrong(before: str, after: str) -> None:
    assert before in RIGHT
    assert list(Draft202012Validator(schema()).iter_errors(parse(RIGHT.replace(before, after).encode())[0])) != []
