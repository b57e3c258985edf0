"""All at once: what is wrong in one key hides nothing that is wrong beside it, and brings nothing along."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from carillon.campaigns.findings import Finding
from carillon.campaigns.load import check, load, reload

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

CREATORS = """\
defaults: {timezone: Europe/Berlin}
creators:
  luna: {platform: frontrow, credentials: "env:LUNA_KEY"}
  mia: {platform: ofauth, account: conn_1, credentials: "env:OFAUTH_KEY"}
"""
FIVE = {
    "creator": "luna",
    "lists": "nobodys",
    "text": "'{{ nobody }}'",
    "price": "5.00",
    "giphy": "abc",
    "schedule": "{every: 1d, start: 2026-12-02, end: 2026-12-01}",
}
WORDS = {
    "lists": "no audience `nobodys`",
    "text": "not known in texts",
    "price": "needs `media`",
    "giphy": "does not offer",
    "schedule": "before the start",
}
RIGHT = {
    "creator": "luna",
    "lists": "{include: [subscribers]}",
    "text": "Hi",
    "schedule": "{every: 1d, start: 2026-12-01}",
}


def campaign(keys: dict[str, str], **others: str | None) -> str:
    given = {**keys, **others}
    lines = "".join(f"    {key}: {value}\n" for key, value in given.items() if value is not None)
    return f"{CREATORS}campaigns:\n  x:\n{lines}"


def found(text: str, folder: Path) -> list[Finding]:
    (folder / "campaigns.yaml").write_text(text)
    return check(folder / "campaigns.yaml", now=NOW)


def assert_told(findings: list[Finding], words: list[str]) -> None:
    """One finding for each of `words`, and no other."""
    messages = [finding.message for finding in findings]
    for word in words:
        assert sum(word in message for message in messages) == 1, (word, messages)
    assert len(messages) == len(words), messages


BESIDE = [
    ({"expires_after": "5x"}, "duration"),
    ({"shedule": "1"}, "did you mean `schedule`"),
    ({"canary": "10%"}, "later"),
    ({"nonsense": "1"}, "not a key here"),
    ({"cron": "'0 0 * * *'"}, "belongs under `schedule`"),
    ({"labels": "[a, 2026-12-01]"}, "quote"),
    ({"enabled": "5"}, "true or false"),
    ({"for": "5"}, "keys and values"),
    ({"for": "{luna: 5}"}, "keys and values"),
    ({"for": "{Luna: {locked_text: true}}"}, "a name is"),
    ({"for": "{luna: {priority: 5}}"}, "not a key here"),
    ({"except_creators": "[Mia]"}, "a name is"),
    ({"creators": "[luna, Mia]", "creator": None}, "a name is"),
    ({"schedule": "{every: 5x, start: 2026-12-02, end: 2026-12-01}"}, "duration"),
    ({"schedule": "{every: 1d, untl: 1, start: 2026-12-02, end: 2026-12-01}"}, "not a key here"),
    ({"schedule": "{every: 1d, timezone: Mars, start: 2026-12-02, end: 2026-12-01}"}, "time zone"),
]


# who is left without those taken out, and whether media stood under `for`, cannot be known
UNKNOWN = {str({"except_creators": "[Mia]"}): "giphy", str({"for": "5"}): "price", str({"for": "{luna: 5}"}): "price"}


@pytest.mark.parametrize(("keys", "word"), BESIDE)
def test_a_wrong_key_of_a_campaign_hides_no_rule(keys: dict[str, str | None], word: str, tmp_path: Path) -> None:
    words = [told for key, told in WORDS.items() if key != UNKNOWN.get(str(keys))]
    assert_told(found(campaign(FIVE, **keys), tmp_path), [word, *words])


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ({"creator": "Luna"}, "a name is"),
        ({"creator": None, "crator": "luna"}, "did you mean `creator`"),
        ({"creator": None}, "`creators` or `creator` is missing"),
        ({"creator": "lunna"}, "did you mean `luna`"),
    ],
)
def test_without_creators_the_rules_for_any_platform_are_told(
    keys: dict[str, str | None], word: str, tmp_path: Path
) -> None:
    words = [told for key, told in WORDS.items() if key != "giphy"]
    assert_told(found(campaign(FIVE, **keys), tmp_path), [word, *words])


MIA: dict[str, str | None] = {"creator": "mia", "lists": "{include: ['1']}"}
ALONE: list[tuple[dict[str, str | None], str]] = [
    ({"text": "12"}, "quote"),
    ({"text": None, "txet": "Hi"}, "did you mean `text`"),
    ({"lists": "5"}, "text is wanted"),
    ({"lists": "{include: [Bad]}"}, "lower case"),
    ({"lists": "{include: [subscribers, Bad], exclude: [subscribers]}"}, "lower case"),
    ({"lists": "{includes: [subscribers]}"}, "did you mean `include`"),
    ({"lists": None, "list": "pay"}, "did you mean `lists`"),
    ({"creator": "Luna"}, "a name is"),
    ({"creator": None, "creators": "[Luna]"}, "a name is"),
    ({"creator": None, "creators": "[Luna]", "for": "{mia: {text: Hi}}"}, "a name is"),
    ({"price": "5.00", "media": "['a b']"}, "spaces"),
    ({"creator": "Luna", "price": "5.00", "for": "{luna: {media: [m]}}"}, "a name is"),
    ({**MIA, "media": "[1, 'a b']", "preview_media": "2"}, "spaces"),
    ({**MIA, "media": "[1]", "preview_media": "['a b', 1]"}, "spaces"),
    ({"price": "5.00", "for": "{luna: 5}"}, "keys and values"),
    ({"schedule": "5"}, "keys and values"),
    ({"schedule": None, "shedule": "{every: 1d}"}, "did you mean `schedule`"),
    ({"schedule": None, "cron": "'0 0 * * *'"}, "belongs under `schedule`"),
    ({"schedule": "{evry: 1d}"}, "did you mean `every`"),
    ({"schedule": "{every: 5x}"}, "duration"),
    ({"schedule": "{cron: ['61 * * * *', '0 0 24 12 *'], end: 2026-12-30}"}, "minute"),
    ({"schedule": "{every: 90d, start: bad, end: 2026-12-01}"}, "2026-12-31T23:59"),
    ({"schedule": "{at: 2026-12-01T18:00, timezone: Mars}"}, "time zone"),
]


@pytest.mark.parametrize(("keys", "word"), ALONE)
def test_nothing_follows_from_a_wrong_key_of_a_campaign(keys: dict[str, str | None], word: str, tmp_path: Path) -> None:
    assert_told(found(campaign(RIGHT, **keys), tmp_path), [word])


def test_a_wrong_value_is_at_a_key_that_may_be_wrong_too(tmp_path: Path) -> None:
    both = campaign(RIGHT, giphy="12", price="-5", schedule="{every: 5x, cron: '0 0 * * *'}")
    assert_told(found(both, tmp_path), ["quote", "does not offer", "decimals", "`media`", "duration", "one too many"])


def test_items_beside_a_wrong_one_are_told_at_their_own_places(tmp_path: Path) -> None:
    keys = {"creator": None, "creators": "[Bad, luna, lunna]", "media": "['a b', ./clip.mp4]"}
    findings = found(campaign(RIGHT, **keys) + "groups: {g: [Bad, nobody]}\n", tmp_path)
    lines = (tmp_path / "campaigns.yaml").read_text().splitlines()
    told = [lines[finding.line - 1][finding.column - 1 :] for finding in findings]
    starts = ["Bad, luna", "lunna]", "'a b',", "./clip.mp4", "Bad, nobody", "nobody]"]
    assert len(told) == len(starts), findings
    assert all(rest.startswith(start) for rest, start in zip(told, starts, strict=True)), told


def creator(line: str, more: str = "") -> str:
    own = campaign(RIGHT, creator="zoe")
    return own.replace("campaigns:\n", f"  zoe: {{{line}}}\n{more}campaigns:\n")


OF_CREATORS = [
    ("platform: frontrow, credentials: 'env:K', account: a, limit: x", ["takes no `account`", "COUNT/DURATION"]),
    ("platform: frontrow, credentials: 'env:K', account: 'a b'", ["takes no `account`", "no spaces"]),
    ("platform: frontrow, credentials: 'env:K', nmae: Zoe, limit: 11/1h", ["`name`", "more than frontrow allows"]),
    ("platform: ofauth, limit: x", ["COUNT/DURATION", "`account` is missing", "`credentials` is missing"]),
    ("platform: ofauth, credentials: 'env:K', acount: a", ["did you mean `account`"]),
    ("platform: ofauth, credentials: secret, account: conn_1", ["never written here", "same account"]),
    ("platfrom: frontrow, credentials: 'env:K'", ["did you mean `platform`"]),
    ("platform: frontrow, credentials: secret", ["never written here"]),
    ("platform: frontrow, credentails: 'env:K'", ["did you mean `credentials`"]),
    ("platform: frontrow, credentials: 'env:K', timezone: Mars, quiet_hours: '23:00-08:00'", ["time zone"]),
    ("platform: fanvue, credentials: 'env:LUNA_KEY', account: 'a b'", ["no spaces"]),
]


@pytest.mark.parametrize(("line", "words"), OF_CREATORS)
def test_a_wrong_key_of_a_creator_hides_no_rule_and_brings_none(line: str, words: list[str], tmp_path: Path) -> None:
    text = (
        creator(line)
        .replace("include: [subscribers]", "include: ['1']")
        .replace("defaults: {timezone: E", "x-d: {z: E")
    )
    zoned = text.replace("schedule: {", "schedule: {timezone: UTC, ")
    assert_told(found(zoned, tmp_path), words)


def test_a_wrong_creator_hides_nothing_in_campaigns(tmp_path: Path) -> None:
    text = campaign(FIVE).replace('"env:LUNA_KEY"', "secret, limit: x, vars: {a: 18:30}")
    assert_told(found(text, tmp_path), ["never written", "COUNT/DURATION", "quote", *WORDS.values()])
    variable = campaign(RIGHT, text="'{{ creator.vars.a }}'").replace('"env:LUNA_KEY"', "'env:K', vars: {a: 18:30}")
    assert_told(found(variable, tmp_path), ["quote"])


def test_wrong_defaults_hide_nothing_in_campaigns(tmp_path: Path) -> None:
    for wrong, word in (("{timezone: Mars}", "time zone"), ("{timzone: UTC}", "did you mean"), ("5", "keys and")):
        text = campaign(FIVE).replace("{timezone: Europe/Berlin}", wrong)
        told = WORDS.values() if wrong != "5" else [word for key, word in WORDS.items() if key != "price"]
        assert_told(found(text, tmp_path), [word, *told])


def test_in_a_disabled_campaign_all_are_warnings_and_nothing_of_it_is_in_force(tmp_path: Path) -> None:
    text = campaign(FIVE, enabled="false", creator="laura", expires_after="5x", shedule="1")
    findings = found(text, tmp_path)
    assert {finding.severity for finding in findings} == {"warning"}
    told = ["no creator `laura`", "duration", "did you mean `schedule`", *WORDS.values()]
    assert_told(findings, [word for word in told if word != "does not offer"])
    for defaults in ("{timezone: Europe/Berlin}", "{creator: luna, timezone: UTC}"):
        (tmp_path / "campaigns.yaml").write_text(text.replace("{timezone: Europe/Berlin}", defaults))
        catalogue = load(tmp_path / "campaigns.yaml", now=NOW).catalogue
        assert catalogue is not None
        assert [(each.name, each.enabled) for each in catalogue.campaigns.values()] == [("x", False)]
        assert list(catalogue.entries()) == []


def test_one_wrong_key_takes_a_disabled_campaign_out_of_force(tmp_path: Path) -> None:
    assert_told(found(campaign(RIGHT, enabled="false", expires_after="5x"), tmp_path), ["duration"])
    catalogue = load(tmp_path / "campaigns.yaml", now=NOW).catalogue
    assert catalogue is not None
    assert list(catalogue.entries()) == []
    (tmp_path / "campaigns.yaml").rename(tmp_path / "gone")
    (tmp_path / "other.yaml").write_text("campaigns: {}\n")
    assert ["is gone" in each.message for each in reload(tmp_path, catalogue, now=NOW).findings] == [True]


def test_where_a_value_is_wrong_the_one_below_it_does_not_count(tmp_path: Path) -> None:
    text = campaign(RIGHT, price="-5", media="[m]").replace("{timezone", "{price: 1.00, timezone")
    assert_told(found(text, tmp_path), ["decimals"])
    own = campaign(RIGHT).replace('"env:LUNA_KEY"', "'env:LUNA_KEY', limit: x")
    assert_told(found(own + "platforms: {frontrow: {limit: 11/1h}}\n", tmp_path), ["COUNT/DURATION"])


def test_a_wrong_file_keeps_its_last_good_campaigns_whatever_is_left_of_it(tmp_path: Path) -> None:
    assert found(campaign(RIGHT), tmp_path) == []
    good = load(tmp_path / "campaigns.yaml", now=NOW).catalogue
    assert good is not None
    (tmp_path / "campaigns.yaml").write_text(campaign(RIGHT, text="Other", expires_after="5x"))
    after = reload(tmp_path / "campaigns.yaml", good, now=NOW)
    assert [finding.severity for finding in after.findings] == ["error"]
    assert after.catalogue is not None
    assert after.catalogue.digest == good.digest


FOR = [
    ({"for": "{mia: {text: Hi}}"}, ["`mia` is not among the campaign's creators"]),
    ({"for": "{ofauth: {text: Hi}}"}, ["none of the campaign's creators is on ofauth"]),
    ({"for": "{luna: {text: Hi}, frontrow: {text: Ho}}"}, []),
    ({"creator": None, "creators": "all", "except_creators": "[mia]", "for": "{mia: {text: Hi}}"}, ["not among"]),
    ({"creator": None, "creators": "[luna, maya]", "for": "{mia: {text: Hi}}"}, ["no creator `maya`"]),
    ({"creator": None, "creators": "[luna, Mia]", "for": "{mia: {text: Hi}}"}, ["a name is"]),
    ({"creator": None, "creators": "[luna, group:g]", "for": "{mia: {text: Hi}}"}, ["there is no creator `maya`"]),
    ({"creator": None, "creators": "[luna, zoe]", "for": "{fanvue: {text: Hi}}"}, ["did you mean fanvue"]),
]


@pytest.mark.parametrize(("keys", "words"), FOR)
def test_values_for_a_creator_whom_the_campaign_does_not_reach_are_a_warning(
    keys: dict[str, str | None], words: list[str], tmp_path: Path
) -> None:
    zoe = "  zoe: {platform: fanvu, credentials: 'env:K'}\ncampaigns:"
    text = campaign(RIGHT, **keys)
    text = text.replace("campaigns:", zoe) if "zoe" in text else text
    text += "groups: {g: [maya]}\n" if "group:g" in text else ""
    findings = found(text, tmp_path)
    assert_told(findings, words)
    if words and words[0].endswith(("ofauth", "creators")):
        line = text.splitlines()[findings[0].line - 1]
        assert findings[0].severity == "warning"
        assert line[findings[0].column - 1 :].startswith(("mia:", "ofauth:"))


def test_defaults_may_hold_values_for_any_creator(tmp_path: Path) -> None:
    text = campaign(RIGHT).replace("{timezone", "{for: {mia: {text: Hi}}, timezone")
    assert found(text, tmp_path) == []


@pytest.mark.parametrize("section", ["creators", "groups", "audiences"])
def test_nothing_follows_from_a_mistyped_section(section: str, tmp_path: Path) -> None:
    more = "groups: {g: [luna]}\naudiences: {pay: {luna: {include: [subscribers]}}}\n"
    text = campaign(RIGHT, creator=None, creators="[group:g]", lists="pay") + more
    assert found(text, tmp_path) == []
    assert_told(found(text.replace(f"{section}:", f"{section}x:", 1), tmp_path), [f"did you mean `{section}`"])
