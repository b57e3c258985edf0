"""Catalogues: resolved by creator, platform, campaign and defaults; kept as JSON; reloaded file by file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carillon.campaigns.catalogue import Catalogue, Entry
from carillon.campaigns.kept import CatalogueError
from carillon.campaigns.load import Loaded, load, reload
from carillon.platforms.contract import Content, ListRef, TagUsers
from carillon.platforms.limits import Rate

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

CREATORS = """\
defaults: {timezone: Europe/Berlin}
platforms:
  ofauth: {credentials: env:OFAUTH_KEY, limit: 5/1h, timezone: UTC}
creators:
  luna: {name: Luna B., platform: frontrow, credentials: "file:keys/luna", timezone: America/New_York, vars: {e: x}}
  mia: {platform: ofauth, account: conn_1, limit: 3/8s}
  eva: {platform: ofauth, account: conn_2, enabled: false, quiet_hours: "23:00-08:00"}
"""
CAMPAIGN = "  {name}: {{creator: luna, lists: {{include: [subscribers]}}, text: {text}, schedule: {{every: 6h}}}}\n"


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def loaded(text: str, folder: Path) -> Catalogue:
    file = written(folder, campaigns=text) / "campaigns.yaml"
    catalogue = load(file, now=NOW).catalogue
    assert catalogue is not None, load(file, now=NOW).findings
    return catalogue


def entry(catalogue: Catalogue, campaign: str, creator: str) -> Entry:
    found = catalogue.entry(campaign, creator)
    assert found is not None
    return found


def said(found: Entry) -> Content:
    return found.content(next(found.occurrences(NOW, NOW + timedelta(days=60))), 1)


def test_creators_take_what_their_platform_gives(tmp_path: Path) -> None:
    creators = loaded(CREATORS, tmp_path).creators
    assert list(creators) == ["luna", "mia", "eva"]
    luna, mia, eva = creators.values()
    assert (luna.name, luna.account_id, luna.limit) == ("Luna B.", None, Rate(10, 3600))
    assert luna.credentials == luna.account == f"file:{tmp_path}/keys/luna"
    assert (mia.name, mia.account, mia.account_id, mia.limit) == ("mia", "conn_1", "conn_1", Rate(3, 8))
    assert (mia.credentials, mia.timezone, mia.zone) == ("env:OFAUTH_KEY", "UTC", "UTC")
    assert (eva.limit, eva.enabled, str(eva.quiet_hours)) == (Rate(5, 3600), False, "23:00-08:00")
    assert (luna.file, luna.line) == (str(tmp_path / "campaigns.yaml"), 5)


LAYERED = (
    CREATORS
    + """\
  zoe: {platform: fanvue, credentials: env:ZOE, account: 7f0c9a52-0b53-4a53-a1b5-3f1f0e1f2a11}
audiences:
  paying: {frontrow: {include: [subscribers]}, ofauth: {include: [1]}, eva: {include: ["name:VIP"], exclude: [2]}}
campaigns:
  x:
    creators: all
    except_creators: [zoe]
    lists: paying
    text: "{{ creator.name }} {{ creator.vars.e | d('-') }} {{ campaign.name }} {{ occurrence.number }}"
    schedule: {cron: "0 20 * * *"}
    priority: 3
    labels: [a]
    for:
      eva: {schedule: {every: 1d, timezone: Asia/Tokyo}, text: Hi Eva}
      ofauth: {text: Hi you, users: [9], subscribed_after: 30d, tag_users: {guests: [4]}, markdown: false}
"""
)


def test_creator_goes_before_platform_before_campaign_before_defaults(tmp_path: Path) -> None:
    catalogue = loaded(LAYERED, tmp_path)
    entries = {found.creator.key: found for found in catalogue.entries()}
    assert list(entries) == ["luna", "mia", "eva"]
    assert [found.schedule.zone.key for found in entries.values()] == ["America/New_York", "UTC", "Asia/Tokyo"]
    assert [found.enabled for found in entries.values()] == [True, True, False]
    assert {found.priority for found in entries.values()} == {3}
    luna, mia, eva = map(said, entries.values())
    assert luna == Content(include=(ListRef(kind="smart", value="subscribers"),), text="Luna B. x x 1")
    assert mia.text == "Hi you"
    assert mia.users == ("9",)
    assert mia.markdown is False
    assert mia.tag_users == TagUsers(guests=("4",))
    assert mia.subscribed_after == datetime(2026, 11, 21, 20, tzinfo=UTC) - timedelta(days=30)
    assert eva.text == "Hi Eva"
    assert (eva.include[0].kind, eva.exclude[0].value) == ("name", "2")
    assert catalogue.entry("x", "zoe") is None
    assert catalogue.entry("y", "luna") is None
    assert catalogue.campaigns["x"].creators == ("luna", "mia", "eva")


def test_defaults_of_entries(tmp_path: Path) -> None:
    found = entry(loaded(CREATORS + "campaigns:\n" + CAMPAIGN.format(name="x", text="Hi"), tmp_path), "x", "luna")
    assert (found.catch_up, found.expires_after, found.overlap) == ("latest", timedelta(hours=2), "queue")
    assert (found.priority, found.enabled, found.labels, found.on_unknown) == (0, True, (), "hold")


@pytest.mark.parametrize("text", [LAYERED, CREATORS, "campaigns: {}\n"])
def test_a_catalogue_comes_back_from_its_json(text: str, tmp_path: Path) -> None:
    before = loaded(text, tmp_path)
    after = Catalogue.restore(before.content)
    assert (after.content, after.digest) == (before.content, before.digest)
    assert after.creators == before.creators
    assert after.campaigns == before.campaigns
    assert list(after.entries()) == list(before.entries())
    assert [found.draft for found in after.entries()] == [found.draft for found in before.entries()]


@given(
    text=st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1),
    cents=st.integers(200, 10**6),
)
@settings(max_examples=50)
def test_texts_and_prices_come_through_and_back(
    text: str, cents: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    quoted = text.replace("'", "''").replace("{", "(")
    if not text.strip():
        return
    line = "  x: {creator: luna, lists: {include: [subscribers]}, schedule: {every: 6h}, media: [m], "
    line += f"text: '{quoted}', price: {cents // 100}.{cents % 100:02}}}\n"
    catalogue = loaded(CREATORS + "campaigns:\n" + line, tmp_path_factory.mktemp("text"))
    for found in (catalogue, Catalogue.restore(catalogue.content)):
        content = said(entry(found, "x", "luna"))
        assert content.text == text.replace("{", "(")
        assert content.price_cents == cents


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"form":99,"files":[]}', '{"form":1,"files":[{}]}', "null"])
def test_an_unreadable_catalogue_is_said_to_be_so(content: str) -> None:
    with pytest.raises(CatalogueError):
        Catalogue.restore(content)


def test_the_digest_tells_contents_apart(tmp_path: Path) -> None:
    one, same = loaded(LAYERED, tmp_path), loaded(LAYERED, tmp_path)
    assert one.digest == same.digest
    assert loaded(LAYERED.replace("Hi you", "Hi all"), tmp_path).digest != one.digest


@pytest.mark.parametrize(
    ("reference", "same"),
    [("env:LUNA_KEY", True), ("file:/run/keys/luna", True), ("file:keys/luna", False)],
    ids=["a variable", "a place of its own", "a place beside the file"],
)
def test_the_digest_is_the_same_wherever_the_files_lie(tmp_path: Path, reference: str, same: bool) -> None:
    text = LAYERED.replace('"file:keys/luna"', f'"{reference}"')
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    of_file, of_folder = loaded(text, here), load(written(there, campaigns=text), now=NOW).catalogue
    assert of_folder is not None
    assert (of_file.digest == of_folder.digest) == same


def test_a_disabled_campaign_that_is_wrong_keeps_its_name(tmp_path: Path) -> None:
    wrong = "campaigns:\n  x: {enabled: false, creator: nobody, shedule: 1}\n  y: {enabled: false, creator: luna}\n"
    catalogue = loaded(CREATORS + wrong, tmp_path)
    assert {name: found.enabled for name, found in catalogue.campaigns.items()} == {"x": False, "y": False}
    assert list(Catalogue.restore(catalogue.content).entries()) == []


def test_a_disabled_campaign_that_is_right_keeps_its_entries(tmp_path: Path) -> None:
    text = CREATORS + "campaigns:\n" + CAMPAIGN.format(name="x", text="Hi, enabled: false")
    assert [found.enabled for found in loaded(text, tmp_path).entries()] == [False]


A = CREATORS + "campaigns:\n" + CAMPAIGN.format(name="one", text="first")
B = "defaults: {timezone: UTC}\ncampaigns:\n" + CAMPAIGN.format(name="two", text="second")


class Reloads:
    """A folder of two files in force, and what an edit brings."""

    def __init__(self, folder: Path) -> None:
        self.folder = written(folder, a=A, b=B)
        catalogue = load(folder, now=NOW).catalogue
        assert catalogue is not None
        self.in_force = catalogue

    def after(self, **files: str | None) -> Loaded:
        for name, text in files.items():
            if text is None:
                (self.folder / f"{name}.yaml").unlink()
            else:
                (self.folder / f"{name}.yaml").write_text(text)
        return reload(self.folder, Catalogue.restore(self.in_force.content), now=NOW)


def texts(loaded: Loaded) -> dict[str, str | None]:
    assert loaded.catalogue is not None
    return {found.campaign: said(found).text for found in loaded.catalogue.entries()}


def errors(loaded: Loaded) -> list[str]:
    return [Path(finding.file).name for finding in loaded.findings if finding.severity == "error"]


@pytest.fixture
def reloads(tmp_path: Path) -> Reloads:
    return Reloads(tmp_path)


def test_without_a_catalogue_in_force_a_reload_is_a_load(tmp_path: Path) -> None:
    assert reload(written(tmp_path, a="nonsense"), None, now=NOW).catalogue is None
    assert texts(reload(written(tmp_path, a=A), None, now=NOW)) == {"one": "first"}


def test_unchanged_files_reload_to_the_same_digest(reloads: Reloads) -> None:
    after = reloads.after()
    assert after.catalogue is not None
    assert after.catalogue.digest == reloads.in_force.digest
    assert after.findings == []


@pytest.mark.parametrize(
    "broken",
    [
        "campaigns: [",
        "",
        "# all gone\n",
        "version: 1\n",
        B.replace("second", "{{ nobody }}"),
        B.replace("second", "third").replace("creator: luna", "creator: nobody"),
        B.replace("two:", "Two:"),
        B.replace("every: 6h", "every: 6 hours"),
        B + CAMPAIGN.format(name="one", text="again"),
        B.replace("defaults: {timezone: UTC}", "defaults: {timezone: Mars}"),
        "\x00",
    ],
)
def test_a_wrong_file_keeps_its_last_good_campaigns_and_the_others_reload(reloads: Reloads, broken: str) -> None:
    after = reloads.after(a=A.replace("first", "edited"), b=broken)
    assert texts(after) == {"one": "edited", "two": "second"}
    assert set(errors(after)) == {"b.yaml"}


def test_a_file_that_is_gone_stays_in_force_with_an_error(reloads: Reloads) -> None:
    after = reloads.after(b=None, a=A.replace("first", "edited"))
    assert texts(after) == {"one": "edited", "two": "second"}
    assert errors(after) == ["b.yaml"]


def test_a_folder_that_is_gone_stays_in_force(reloads: Reloads) -> None:
    after = reloads.after(a=None, b=None)
    assert texts(after) == {"one": "first", "two": "second"}
    reloads.folder.rmdir()
    assert texts(reloads.after()) == {"one": "first", "two": "second"}


def test_what_moved_to_another_file_is_no_error(reloads: Reloads) -> None:
    after = reloads.after(b=None, c=B.replace("second", "moved"))
    assert texts(after) == {"one": "first", "two": "moved"}
    assert errors(after) == []


def test_what_moved_from_a_wrong_file_goes_along(reloads: Reloads) -> None:
    after = reloads.after(b="campaigns: [", c=B.replace("second", "moved"))
    assert texts(after) == {"one": "first", "two": "moved"}
    assert errors(after) == ["b.yaml"]


def test_campaigns_are_removed_by_an_explicit_nothing(reloads: Reloads) -> None:
    after = reloads.after(b="campaigns: {}\n")
    assert texts(after) == {"one": "first"}
    assert errors(after) == []


def test_a_new_wrong_file_changes_nothing(reloads: Reloads) -> None:
    after = reloads.after(c="campaigns: [")
    assert texts(after) == {"one": "first", "two": "second"}
    assert errors(after) == ["c.yaml"]


def test_a_combination_that_stays_wrong_changes_nothing(reloads: Reloads) -> None:
    after = reloads.after(a=A.replace("luna", "laura"))
    assert after.catalogue is None
    assert set(errors(after)) == {"b.yaml"}


def test_the_bytes_that_were_checked_are_loaded(reloads: Reloads) -> None:
    before = reloads.after()
    (reloads.folder / "a.yaml").write_text("nonsense")
    assert texts(before) == {"one": "first", "two": "second"}


def test_one_file_alone_is_kept_too(tmp_path: Path) -> None:
    in_force = loaded(A, tmp_path)
    (tmp_path / "campaigns.yaml").write_text("")
    after = reload(tmp_path / "campaigns.yaml", in_force, now=NOW)
    assert texts(after) == {"one": "first"}
    assert errors(after) == ["campaigns.yaml"]
    assert after.catalogue is not None
    assert after.catalogue.digest == in_force.digest
    (tmp_path / "campaigns.yaml").unlink()
    assert texts(reload(tmp_path / "campaigns.yaml", in_force, now=NOW)) == {"one": "first"}
