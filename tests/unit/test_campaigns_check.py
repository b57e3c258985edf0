"""Wrong files: each is refused at the right place, with a word that says why. `▶` marks the place."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carillon.campaigns.findings import Finding
from carillon.campaigns.load import check, load
from carillon.campaigns.starter import starter

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MARK = "▶"

CREATORS = """\
defaults: {timezone: Europe/Berlin}
creators:
  luna: {platform: frontrow, credentials: "env:LUNA_KEY"}
  mia: {platform: ofauth, account: conn_1, credentials: "env:OFAUTH_KEY"}
  fay: {platform: fanvue, credentials: "env:FAY_KEY", vars: {emoji: "x", words: [a, b]}}
  ona: {platform: onlyfansapi, account: acct_1, credentials: "env:ONA_KEY"}
"""


def campaign(creator: str | None = "luna", **lines: str | None) -> str:
    """A right campaign, but for the lines given; None takes a line out."""
    right: dict[str, str | None] = {
        "creator": creator,
        "lists": "{include: [fans]}" if creator in ("mia", "ona") else "{include: [subscribers]}",
        "text": "Hello",
        "schedule": '{cron: "0 20 * * FRI"}',
    }
    given = {key.rstrip("_"): value for key, value in lines.items()}
    body = "".join(f"    {key}: {value}\n" for key, value in {**right, **given}.items() if value is not None)
    return f"{CREATORS}campaigns:\n  x:\n{body}"


def at_name(text: str) -> str:
    return text.replace("campaigns:\n  x:", f"campaigns:\n  {MARK}x:")


def schedule(flow: str) -> str:
    return campaign(schedule=flow)


def creator(lines: str) -> str:
    return f"creators:\n  zoe: {lines}\n"


def found(text: str, tmp_path: Path) -> tuple[list[Finding], tuple[int, int]]:
    before, _, _ = text.partition(MARK)
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    file = tmp_path / "campaigns.yaml"
    file.write_bytes(text.replace(MARK, "").encode("utf-8", "surrogatepass"))
    return check(file, now=NOW), (line, column)


NO_YAML = [
    ("a: 1\n▶a: 2\n", "twice"),
    ("version: ▶!!int 1\n", "tags"),
    ("x-a: ▶!!python/object/apply:os.system [id]\n", "tags"),
    ("version: 1\n▶---\nversion: 1\n", "second document"),
    ("creators:\n▶\tluna: {}\n", "tab"),
    ("a: b▶: c\n", "not YAML"),
    ("a: ▶'b\n", "not YAML"),
    ("a: ▶*b\n", "anchor"),
    ("a: &a [▶*a]\n", "inside"),
    ("creators: {▶no: {}}\n", "quote"),
    ("creators: {▶1: {}}\n", "quote"),
    ("creators: {▶[a]: 1}\n", "key"),
    ("creators: {x: {▶<<: 3}}\n", "<<"),
    ("a: b▶\x00\n", "U+0000"),
    ("a: b▶\u202ec\n", "U+202E"),
    ('a: ▶"\\u202e"\n', "U+202E"),
    ('a: "\\u▶d800"\n', "not YAML"),
    ("a: b▶\udc80\n", "UTF-8"),
    ("▶", "empty"),
    ("▶# nothing but a comment\n", "empty"),
    ("▶version: 1\n", "declares nothing"),
    ("▶- a\n- b\n", "keys and values"),
    ("▶%YAML 1.1\n---\nversion: 1\n", "1.2"),
]

SHAPES = [
    ("version: ▶2\ncampaigns: {}\n", "version 1"),
    ("version: ▶'1'\ncampaigns: {}\n", "version 1"),
    ("▶campaings: {}\n", "did you mean `campaigns`"),
    ("campaigns:▶ \n", "nothing"),
    ("campaigns: ▶[]\n", "keys and values"),
    ("campaigns:\n  ▶Upper: {}\n", "a name is"),
    ("campaigns:\n  x: ▶5\n", "keys and values"),
    (campaign(schedule=None, shedule="{every: 1h}").replace("shedule", "▶shedule"), "did you mean `schedule`"),
    (campaign(cron="x").replace("    cron", "    ▶cron"), "belongs under `schedule`"),
    (campaign(canary="10%").replace("    canary", "    ▶canary"), "later"),
    (campaign(scheduled_by="▶platform"), "frontrow has no scheduler of its own"),
    (campaign(scheduled_by="▶fanvue"), "one of carillon, platform"),
    (campaign(lead="24h").replace("    lead", "    ▶lead"), "goes with `scheduled_by: platform`"),
    (campaign(text="▶no"), "quote"),
    (campaign(text="▶0123"), "quote"),
    (campaign(text="▶1e3"), "quote"),
    (campaign(text="▶12"), "quote"),
    (campaign(text="▶null"), "nothing"),
    (campaign(text="▶~"), "nothing"),
    (campaign(text="▶2026-12-01"), "quote"),
    (campaign(text="▶[a]"), "a list"),
    (campaign(text='▶" "'), "blank"),
    (campaign("▶no"), "quote"),
    (campaign("▶Luna"), "a name is"),
    (campaign(enabled="▶yes"), "true or false"),
    (campaign(priority='▶"5"'), "whole number"),
    (campaign(priority="▶1.5"), "whole number"),
    (campaign(catch_up="▶latests"), "did you mean latest"),
    (campaign(overlap="▶wait"), "queue, skip"),
    (campaign(expires_after="▶5 mins"), "duration"),
    (campaign(expires_after="▶-5m"), "duration"),
    (campaign(expires_after="▶0s"), "at least 1s"),
    (campaign(labels="▶ppv"), "a list"),
    (campaign(media="▶[]"), "at least one"),
    (campaign("mia", users="[▶'a b']"), "spaces"),
    (campaign(lists="{include: [▶Subscribers]}"), "lower case"),
    (campaign(lists="{include: [▶'smart:VIP']}"), "lower case"),
    (campaign(lists="{include: [▶'nmae:VIP']}"), "kind of list"),
    (campaign(lists="{include: [▶0123]}"), "quote"),
    (campaign(lists="{▶includes: [subscribers]}"), "did you mean `include`"),
    (campaign(for_="{luna: {▶priority: 5}}"), "not a key here"),
    (campaign(for_="{luna: ▶5}"), "keys and values"),
    (creator("{▶platfrom: fanvue, platform: fanvue, credentials: 'env:K'}"), "did you mean `platform`"),
    ("creators:\n  ▶zoe: {credentials: 'env:K'}\n", "`platform` is missing"),
    (creator("{platform: ▶fanvu, credentials: 'env:K'}"), "did you mean fanvue"),
    ("creators:\n  ▶fanvue: {platform: fanvue, credentials: 'env:K'}\n", "may not be called"),
    ("creators:\n  ▶all: {platform: fanvue, credentials: 'env:K'}\n", "may not be called"),
    (creator("{platform: fanvue, credentials: ▶sk_live_verysecret}"), "never written here"),
    (creator("{platform: fanvue, credentials: 'env:K', webhook_secret: ▶whsec_verysecret}"), "never written here"),
    (creator("{platform: fanvue, credentials: 'env:K', timezone: ▶Europe/Berln}"), "did you mean Europe/Berlin"),
    (creator("{platform: fanvue, credentials: 'env:K', timezone: ▶CET+1}"), "time zone"),
    (creator("{platform: fanvue, credentials: 'env:K', limit: ▶0/1h}"), "COUNT/DURATION"),
    (creator("{platform: fanvue, credentials: 'env:K', limit: ▶10}"), "COUNT/DURATION"),
    (creator("{platform: fanvue, credentials: 'env:K', limit: ▶true}"), "COUNT/DURATION"),
    (creator("{platform: fanvue, credentials: 'env:K', quiet_hours: ▶23-8}"), "HH:MM"),
    (creator("{platform: fanvue, credentials: 'env:K', timezone: UTC, quiet_hours: ▶'08:00-08:00'}"), "same minute"),
    (creator("{platform: fanvue, credentials: 'env:K', away: [▶2026-02-30]}"), "calendar"),
    (creator("{platform: fanvue, credentials: 'env:K', away: [▶2026-12-26..2026-12-24]}"), "before it starts"),
    (creator("{platform: fanvue, credentials: 'env:K', vars: {a: ▶18:30}}"), "quote"),
    (creator("{platform: fanvue, credentials: 'env:K', vars: {▶__class__: a}}"), "variable"),
]

TIMES = [
    (schedule("{cron: ▶'61 * * * *'}"), "minute"),
    (schedule("{cron: ▶'0 0 * * * *'}"), "five fields"),
    (schedule("{cron: ▶'0 0 30 2 *'}"), "never"),
    (schedule("{cron: ['0 0 * * *', ▶'0 0 * * FRU']}"), "weekday"),
    (schedule("{cron: ▶'@daily'}"), "0 0 * * *"),
    (schedule("{cron: ▶'*/0 * * * *'}"), "step"),
    (schedule("{cron: ▶'5/15 * * * *'}"), "5-59/15"),
    (schedule("{cron: ▶'0 0 * * FRI-SUN'}"), "backwards"),
    (schedule("{cron: ▶'0 0 L * *'}"), "day of the month"),
    (schedule("▶{}"), "one of cron, every and at"),
    (schedule("{every: 1h, ▶cron: '0 0 * * *'}"), "one too many"),
    (schedule("{every: ▶5 mins}"), "duration"),
    (schedule("{every: ▶0s}"), "at least 1s"),
    (schedule("{at: ▶18:30}"), "quote it"),
    (schedule("{at: ▶2026-12-31}"), "time of day"),
    (schedule("{at: ▶2026-12-31T25:00}"), "time of day"),
    (schedule("{at: ▶tomorrow}"), "2026-12-31T23:59"),
    (schedule("{every: 1h, start: 2026-12-02, end: ▶2026-12-01}"), "before the start"),
    (schedule("{cron: ▶'0 0 1 * *', start: 2026-12-02, end: 2026-12-20}"), "never due"),
    (schedule("{at: ▶2026-12-24T18:00, except: [2026-12-24..2026-12-26]}"), "rules it out"),
    (schedule("{every: 1h, timezone: ▶Mars/Base}"), "time zone"),
    (schedule("{every: 1h, jitter: ▶5}"), "duration"),
    (schedule("{every: 1h, ▶untill: 2026-12-02}"), "not a key here"),
    (at_name(campaign().replace("timezone: Europe/Berlin", "labels: []")), "no time zone"),
    (at_name(schedule("{every: 1m}")), "in the way: x"),
]

CONTENTS = [
    (at_name(campaign(lists=None)), "`lists` is missing"),
    (at_name(campaign(schedule=None)), "`schedule` is missing"),
    (at_name(campaign(text=None)), "`text` or `media` is missing"),
    (at_name(campaign("ona", text=None, media="[1]")), "always needs"),
    (campaign().replace("    creator: luna\n", "").replace("  x:", "  ▶x:"), "`creators` or `creator`"),
    (campaign(creators="[luna]").replace("    creators", "    ▶creators"), "one too many"),
    (campaign("▶lunna"), "did you mean `luna`"),
    (campaign().replace("creator: luna", "creators: [luna, ▶'group:all-of-them']"), "no group"),
    (campaign().replace("creator: luna", "creators: ▶[luna]\n    except_creators: [luna]"), "no creator is left"),
    (campaign(lists="▶payers"), "no audience"),
    (campaign(lists="▶subscribers"), "{include: [subscribers]}"),
    (campaign(lists="▶{exclude: [subscribers]}"), "`include` is missing"),
    (campaign(lists="▶{include: [subscribers], exclude: [subscribers]}"), "nobody is left"),
    (campaign(lists="▶pay") + "audiences: {pay: {fanvue: {include: [muted]}}}\n", "no lists for frontrow"),
    (campaign() + "audiences: {pay: {▶fanvu: {include: [muted]}}}\n", "did you mean `fanvue`"),
    (campaign() + "groups: {g: [▶lunna]}\n", "did you mean `luna`"),
    (campaign(users="[1]").replace("    users", "    ▶users"), "does not offer"),
    (campaign("fay", markdown="true").replace("    markdown", "    ▶markdown"), "fanvue does not offer"),
    (campaign("ona", subscribed_after="30d").replace("    subscr", "    ▶subscr"), "does not offer"),
    (campaign("mia", subscribed_after="▶yesterday"), "2026-12-31T23:59"),
    (campaign("mia", subscribed_after="▶5x"), "duration"),
    (campaign(price="9.99").replace("    price", "    ▶price"), "needs `media`"),
    (campaign(price="▶-5", media="[m]"), "at most two decimals"),
    (campaign(price="▶2.999", media="[m]"), "at most two decimals"),
    (campaign(price='▶"5,00"', media="[m]"), "without quotes"),
    (campaign(price="▶.nan", media="[m]"), "without quotes"),
    (campaign(price="▶.inf", media="[m]"), "without quotes"),
    (campaign(price="▶1e9", media="[m]"), "without quotes"),
    (campaign(price="▶1.99", media="[m]"), "from 2.00"),
    (campaign("mia", price="▶500", media="[1]"), "3.00 to 200.00"),
    (campaign("ona", price="▶2.99", media="[1]"), "3.00 to 200.00"),
    (campaign(media="[▶./clip.mp4]"), "takes no files"),
    (campaign("mia", media="[▶./clip.mp4]"), "there is no file"),
    (campaign("mia", media="[▶../../x]"), "outside the folder"),
    (campaign("mia", media="[▶'file:///etc/passwd']"), "by its path"),
    (campaign("mia", media="[▶'file:secret']"), "by its path"),
    (campaign("fay", media="[▶http://cdn.example/a.mp4]"), "must begin with https"),
    (campaign(media="[▶https://cdn.example/a.mp4]"), "takes no URLs"),
    (campaign("mia", media="[1, ▶'http://169.254.169.254/']"), "public"),
    (campaign("mia", media="[▶'https://2130706433/']"), "public"),
    (campaign("mia", media="[▶'http://[::ffff:127.0.0.1]/']"), "public"),
    (campaign("mia", media="[▶'https://ok@evil.example/']"), "public"),
    (campaign("mia", preview_media="1").replace("    preview", "    ▶preview"), "needs `media`"),
    (campaign("mia", media="[1]", preview_media="▶2"), "only 1"),
    (campaign("mia", media="[1, 2]", preview_media="▶[3]"), "must stand in `media`"),
    (campaign("mia", media="[1, 2]", preview_media="▶[2]"), "beginning"),
    (campaign("fay", media="[m]", preview_media="1").replace("    preview", "    ▶preview"), "does not offer"),
    (campaign("ona", tag_users="▶{}"), "nobody is tagged"),
    (campaign(for_="{▶lunna: {text: Hi}}"), "did you mean `luna`"),
    (campaign(for_="{frontrow: {text: ▶'{{ nobody }}'}}"), "not known in texts"),
    (campaign(text="▶'{{ creator.__class__ }}'"), "not known in texts"),
    (campaign(text="▶'{{ 7*7 }}'"), "calculate"),
    (campaign(text="▶\"{{ 'a' * 10**9 }}\""), "calculate"),
    (campaign(text="▶'{% for i in range(10**9) %}x{% endfor %}'"), "loop"),
    (campaign(text="▶'{{ creator.vars.nope }}'"), "creator.vars.nope has no value"),
    (campaign("fay", text="▶'{{ creator.vars.words }}'"), "join"),
    (campaign(text="▶'{{ creator.name'"), "no template"),
    (campaign("fay", text="▶" + "a" * 5001), "5,000"),
    (campaign("fay", text="▶'{{ creator.vars.emoji }}" + "a" * 5000 + "'"), "5,000"),
    (campaign(text="▶\"{{ creator.vars.nope | default('') }}\""), "blank"),
    (campaign(text="|▶\n      Hi\n      {{ nobody }}").replace("|▶", "▶|"), "line 2 of the text"),
]

ACCOUNTS = [
    ("creators:\n  ▶zoe: {platform: fanvue}\n", "`credentials` is missing"),
    ("creators:\n  ▶zoe: {platform: ofauth, credentials: 'env:K'}\n", "`account` is missing"),
    (creator("{platform: frontrow, credentials: 'env:K', ▶account: a}"), "takes no `account`"),
    (creator("{platform: frontrow, credentials: 'env:K', limit: ▶11/1h}"), "more than frontrow allows"),
    (creator("{platform: frontrow, credentials: 'env:K', limit: ▶3/10m}"), "more than frontrow allows"),
    ("creators:\n  ▶zoe: {platform: frontrow, credentials: 'env:K', quiet_hours: '23:00-08:00'}\n", "timezone"),
    (CREATORS + "  zoe: {platform: ofauth, account: ▶conn_1, credentials: 'env:OTHER'}\n", "same account"),
    (CREATORS + "  zoe: {platform: frontrow, credentials: ▶'env:LUNA_KEY'}\n", "same credentials"),
    (CREATORS + "  zoe: {platform: fanvue, credentials: ▶'env:FAY_KEY'}\n", "same credentials"),
]


@pytest.mark.parametrize(("text", "word"), NO_YAML + SHAPES + TIMES + CONTENTS + ACCOUNTS)
def test_a_wrong_file_is_refused_at_the_place_that_is_wrong(text: str, word: str, tmp_path: Path) -> None:
    findings, place = found(text, tmp_path)
    errors = [finding for finding in findings if finding.severity == "error"]
    assert [(error.line, error.column) for error in errors] == [place], errors
    assert word in errors[0].message
    assert "verysecret" not in errors[0].message
    assert load(tmp_path / "campaigns.yaml", now=NOW).catalogue is None or word.startswith("in the way")


WARNINGS = [
    (schedule("{at: ▶2026-11-20T18:00}"), "past"),
    (schedule("{at: ▶2027-03-28T02:30}"), "clocks change"),
    (schedule("{at: ▶2027-10-31 02:30}"), "2027-10-31T00:30:00Z"),
    (schedule("{every: 1d, end: ▶2026-11-01}"), "over"),
    (campaign("fay", price="▶2.99", media="[m]"), "under 3.00"),
    (campaign(price="▶500", media="[m]"), "not in cents"),
    (campaign(lists="{include: [subscribers, ▶subscribrs]}"), "did you mean `subscribers`"),
    (campaign(text="▶Hi {fan_name}"), "{fan_name}"),
    (campaign(enabled="false", price="▶-5", media="[m]"), "decimals"),
    (campaign(enabled="false", shedule="1").replace("    shedule", "    ▶shedule"), "did you mean"),
    (campaign(enabled="false", price="▶1.00", media="[m]"), "from 2.00"),
    (at_name(campaign(enabled="false", lists=None)), "`lists` is missing"),
]


@pytest.mark.parametrize(("text", "word"), WARNINGS)
def test_a_warning_does_not_stop_a_file(text: str, word: str, tmp_path: Path) -> None:
    findings, place = found(text, tmp_path)
    assert [(finding.severity, finding.line, finding.column) for finding in findings] == [("warning", *place)], findings
    assert word in findings[0].message
    loaded = load(tmp_path / "campaigns.yaml", now=NOW)
    assert loaded.catalogue is not None
    assert "x" in loaded.catalogue.campaigns


RIGHT = [
    schedule("{at: 2026-12-31T23:59}"),
    schedule("{at: 2026-12-31 23:59:30}"),
    schedule('{at: "2026-12-31T23:59+01:00"}'),
    schedule("{cron: ['0 0 * * 7', '30 12 1-7 * MON']}"),
    schedule("{every: 6h, start: 2026-12-01T18:00, end: 2027-01-01, jitter: 0s, except: [2026-12-24..2026-12-26]}"),
    campaign("mia", lists=None, users="[1, 'u2']"),
    campaign("mia", lists=None, subscribed_after="30d"),
    campaign("mia", subscribed_after="2026-11-01"),
    campaign("mia", media="[12345, 'https://cdn.example/clip.mp4']", price="200", preview_media="[12345]"),
    campaign("ona", media="[a, b]", price="3", preview_media="[b]", giphy="abc", save_for_later="true"),
    campaign("ona", tag_users="{creators: [1], guests: ['2']}", locked_text="false"),
    campaign("fay", text=None, media="[m]", price="3.00"),
    campaign(text="'{{ creator.name }} {{ occurrence.weekday }} {{ occurrence.number % 2 }}'"),
    campaign(lists="{include: [3, 'name:Big Spenders', 'custom:abc'], exclude: []}"),
    campaign(lists="{include: [3]}").replace("creator: luna", "creators: all\n    except_creators: [mia]"),
    campaign(**{"x-note": "{a: [no, 1]}"}) + "x-any: {1: no}\nversion: 1\n",
    "campaigns: {}\n",
    "x-c: &c {creator: luna, text: Hi}\n" + campaign(creator=None, text=None, **{"<<": "*c"}),
]


@pytest.mark.parametrize("text", RIGHT)
def test_a_right_file_passes_without_a_word(text: str, tmp_path: Path) -> None:
    assert found(text, tmp_path)[0] == []
    catalogue = load(tmp_path / "campaigns.yaml", now=NOW).catalogue
    assert catalogue is not None
    assert len(list(catalogue.entries())) == text.count("    schedule:") * (3 if "all" in text else 1)


def test_all_faults_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = campaign(price="-5", overlap="wait", markdown="true", text="no") + "groups: {g: [nobody]}\n"
    findings, _ = found(text, tmp_path)
    assert findings == sorted(findings)
    assert [finding.line for finding in findings] == [11, 13, 13, 14, 15, 16]


def test_two_creators_of_one_platform_are_checked_each_by_its_own_values(tmp_path: Path) -> None:
    own = campaign(media="[m]", for_="{lea: {price: ▶1.00}}").replace("creator: luna", "creators: [luna, lea]")
    lea = "  lea: {platform: frontrow, credentials: 'env:LEA'}\ncampaigns:"
    findings, place = found(own.replace("campaigns:", lea), tmp_path)
    assert [(finding.line, finding.column) for finding in findings] == [place]
    unheard = campaign(lists="▶pay").replace("creator: luna", "creators: [luna, lea]")
    lists = "audiences: {pay: {luna: {include: [subscribers]}}}\n"
    findings, place = found(unheard.replace("campaigns:", lea) + lists, tmp_path)
    assert [(finding.line, finding.column) for finding in findings] == [place]
    assert findings[0].message.endswith("(creator lea)")


def test_findings_name_the_file_as_the_user_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "a.yaml").write_text("version: 3\ncampaigns: {}\n")
    (tmp_path / "some" / ".hidden.yaml").write_text("nonsense")
    (tmp_path / "some" / "b.yml").write_text("nonsense")
    (tmp_path / "some" / "c\n.yaml").write_text("nonsense")
    told = [str(finding) for finding in check(Path("some"), now=NOW)]
    assert told[0].startswith("some/a.yaml:1:10: error: this Carillon reads version 1")
    assert told[1].startswith("some/b.yml:1:1: warning: left out")
    assert told[2].startswith("some/c\\x0a.yaml:1:1: warning: left out")
    assert len(told) == 3


@pytest.mark.parametrize("name", ["missing.yaml", "empty", "pipe.yaml"])
def test_what_cannot_be_read_is_one_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    findings = check(tmp_path / name, now=NOW)
    assert [(finding.file, finding.severity) for finding in findings] == [(str(tmp_path / name), "error")]


def test_entries_are_for_the_whole_folder_and_defaults_for_their_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CREATORS + "x-note: 1\ngroups: {g: [luna]}\n")
    (tmp_path / "b.yaml").write_text(campaign().partition("campaigns:")[2].join(["campaigns:", ""]))
    findings = check(tmp_path, now=NOW)
    assert ["no time zone" in finding.message for finding in findings] == [True]
    (tmp_path / "b.yaml").write_text("defaults: {timezone: UTC}\n" + (tmp_path / "b.yaml").read_text())
    assert check(tmp_path, now=NOW) == []


def test_a_name_in_two_files_is_told_with_both_places(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(campaign())
    (tmp_path / "b.yaml").write_text("defaults: {timezone: UTC}\ncampaigns:" + campaign().partition("campaigns:")[2])
    findings = check(tmp_path, now=NOW)
    assert [(finding.file, finding.line) for finding in findings] == [(str(tmp_path / "b.yaml"), 3)]
    assert f"{tmp_path / 'a.yaml'}:8" in findings[0].message


def test_a_limit_above_the_documented_one_is_a_warning_where_the_url_is_overridden(tmp_path: Path) -> None:
    file = tmp_path / "campaigns.yaml"
    file.write_text(creator("{platform: frontrow, credentials: 'env:K', limit: 3/8s}"))
    assert [finding.severity for finding in check(file, now=NOW)] == ["error"]
    assert [finding.severity for finding in check(file, frozenset({"frontrow"}), NOW)] == ["warning"]


def test_the_starter_file_passes(tmp_path: Path) -> None:
    assert found(starter(), tmp_path)[0] == []


EXAMPLE = """\
version: 1

defaults:                            # any campaign key; a campaign's own value wins
  timezone: Europe/Berlin            # the last resort for zones

platforms:                           # values for all creators of a platform; a creator's own wins
  ofauth: {credentials: env:OFAUTH_KEY, limit: 10/1h}

creators:
  luna:
    name: Luna                       # shown, and creator.name in texts; else the key
    platform: frontrow               # fanvue | frontrow | ofauth | onlyfansapi
    credentials: env:LUNA_KEY        # env:NAME or file:PATH; a secret typed here is an error
    timezone: America/New_York
    quiet_hours: "23:00-08:00"       # her local time; what is due waits for the end
    limit: 10/1h                     # COUNT/DURATION
    vars: {emoji: "🌙"}
  mia:
    platform: ofauth
    account: conn_abc123             # x-connection-id (OFAuth), {account} (OnlyFansAPI), creator uuid (Fanvue agency)

groups:
  everyone: [luna, mia]

audiences:                           # one meaning, each platform's or creator's own lists
  paying:
    frontrow: {include: [subscribers], exclude: [recent_tippers]}
    ofauth: {include: ["custom:1", "name:VIP"]}

campaigns:
  friday-drop:
    creators: [group:everyone]       # or creator: luna; or all
    lists: paying                    # an audience, or {include: […], exclude: […]}
    text: "New drop tonight, {{ creator.name }} here {{ creator.vars.emoji | default('') }}"
    price: 9.99                      # US dollars; each platform's unit is Carillon's business
    schedule:
      cron: "0 20 * * FRI"           # Unix cron, or a list of them; or every: 6h; or at: "2026-12-31T23:59"
      start: 2026-12-01
      end: 2027-03-01
      jitter: 5m
    for:                             # other values for one creator or platform
      luna: {media: [med_a1b2c3]}
      ofauth: {media: ["12345", "https://cdn.example/clip.mp4"], preview_media: 1}
    catch_up: latest
    expires_after: 2h
    priority: 5
    labels: [ppv, weekly]

  welcome-back:
    creator: luna
    lists: {include: [expired_subscribers], exclude: ["custom:7f0c9a52-0b53-4a53-a1b5-3f1f0e1f2a11"]}
    text: We miss you.
    schedule: {every: 7d, start: "2026-12-01T18:00"}
"""


def test_the_documented_example_passes(tmp_path: Path) -> None:
    assert found(EXAMPLE, tmp_path)[0] == []


WORDS = [
    "null",
    "[]",
    "{}",
    "no",
    "-1",
    "1e9",
    "[1, [2]]",
    "{a: b}",
    "*x",
    "&x z",
    "!t z",
    "all",
    "group:g",
    "|",
    "'",
    "{",
    "\t",
]


@given(st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from([*WORDS, ""]), st.booleans()), min_size=1, max_size=3))
@settings(max_examples=150, deadline=2000)
def test_whatever_is_mistyped_is_a_finding_and_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, str, bool]]
) -> None:
    lines = EXAMPLE.splitlines()
    for number, word, value_alone in edits:
        index = number % len(lines)
        key, colon, _ = lines[index].partition(":")
        lines[index] = f"{key}{colon} {word}" if value_alone else word
    findings, _ = found("\n".join(lines), tmp_path_factory.mktemp("edited"))
    for finding in findings:
        assert 1 <= finding.line <= len(lines) + 1
        assert "Input should" not in finding.message
        assert "Value error" not in finding.message
