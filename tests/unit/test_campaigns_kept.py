"""The catalogue as the ledger keeps it: readable across releases, small in memory, and quick to compare with files."""

import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest

from carillon.campaigns.catalogue import Catalogue
from carillon.campaigns.changes import changed
from carillon.campaigns.load import load, unchanged

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HEAD = """\
version: 1
defaults: {timezone: Europe/Berlin}
creators:
  luna: {platform: frontrow, credentials: env:LUNA_KEY}
  mia: {platform: ofauth, account: conn_1, credentials: env:MIA_KEY, enabled: false}
audiences:
  paying: {frontrow: {include: [subscribers]}, ofauth: {include: ["1"]}}
"""
CAMPAIGNS = """\
campaigns:
  one: {creators: all, lists: paying, text: "Hi 🌙", schedule: {cron: "0 20 * * *"}}
  two: {creator: luna, lists: {include: [subscribers]}, text: Two, schedule: {every: 6h}}
  idle: {creator: luna, lists: paying, text: Idle, schedule: {every: 6h}, enabled: false}
"""
DIGEST = "7bbff203989e25a5132467f357db517e33fd315956512fd1b7602834c75e0828"
"""As the first release counted it: what it published is not published again."""


def catalogue(folder: Path, text: str = HEAD + CAMPAIGNS, overridden: frozenset[str] = frozenset()) -> Catalogue:
    (folder / "campaigns.yaml").write_text(text)
    found = load(folder / "campaigns.yaml", overridden, NOW)
    assert found.catalogue, found.findings
    return found.catalogue


def as_the_first_release_wrote_it(content: str) -> str:
    kept = json.loads(content)
    files = [{key: file[key] for key in ("shown", "folder", "values", "places")} for file in kept["files"]]
    return json.dumps({"form": kept["form"], "files": files}, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize("indent", [None, 2], ids=["as it is written here", "spelled otherwise"])
def test_what_the_first_release_wrote_is_read(tmp_path: Path, indent: int | None) -> None:
    now = catalogue(tmp_path)
    old = json.dumps(json.loads(as_the_first_release_wrote_it(now.content)), indent=indent)
    restored = Catalogue.restore(old)
    assert restored.digest == now.digest == DIGEST
    assert (restored.live_count, restored.checked) == (2, None)
    assert dict(restored.campaigns) == dict(now.campaigns)
    assert not unchanged(tmp_path / "campaigns.yaml", restored), "nobody knows which bytes it was"


def test_the_first_release_finds_what_it_looks_for(tmp_path: Path) -> None:
    kept = json.loads(catalogue(tmp_path).content)
    [file] = kept["files"]
    assert kept["form"] == 1
    assert file["values"]["campaigns"]["two"]["text"] == "Two"
    assert file["places"]["campaigns"]["one"] == [9, 3]


def test_live_pairs_are_the_enabled_ones(tmp_path: Path) -> None:
    found = catalogue(tmp_path)
    for each in (found, Catalogue.restore(found.content)):
        assert list(each.live()) == [("one", "luna"), ("two", "luna")]
        assert each.live_count == 2


def test_what_is_restored_takes_little_memory(tmp_path: Path) -> None:
    count = 3_000
    one = "  c{}: {{creator: luna, lists: {{include: [subscribers]}}, text: Hi {}, schedule: {{every: 6h}}}}\n"
    content = catalogue(tmp_path, HEAD + "campaigns:\n" + "".join(one.format(n, n) for n in range(count))).content
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    restored = Catalogue.restore(content, "known")
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after - before) / count < 800, "bytes for a campaign"
    assert restored.campaigns["c7"].creators == ("luna",)


def test_the_same_bytes_are_known_again(tmp_path: Path) -> None:
    restored = Catalogue.restore(catalogue(tmp_path).content)
    assert unchanged(tmp_path / "campaigns.yaml", restored)
    assert unchanged(tmp_path, restored), "a folder that holds that file alone says the same"


@pytest.mark.parametrize("what", ["edited", "gone", "one more", "left out", "override", "release", "a key beside it"])
def test_what_might_read_otherwise_is_read(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file, text = tmp_path / "campaigns.yaml", HEAD + CAMPAIGNS
    restored = Catalogue.restore(catalogue(tmp_path, text.replace("env:LUNA", "file:luna.key")).content)
    place, overridden = tmp_path, frozenset[str]()
    assert unchanged(place, restored)
    if what == "edited":
        file.write_text(file.read_text() + "# a word\n")
    elif what == "gone":
        file.unlink()
    elif what in {"one more", "left out"}:
        (tmp_path / ("z.yaml" if what == "one more" else "z.yml")).write_text("campaigns: {}\n")
    elif what == "override":
        overridden = frozenset({"frontrow"})
    elif what == "release":
        monkeypatch.setattr("carillon.campaigns.load.version", lambda _: "99")
    else:
        place = tmp_path / "elsewhere"
        place.mkdir()
        file.rename(place / "campaigns.yaml")
    assert not unchanged(place, restored, overridden)


EDITS = {
    "nothing": ("Hi", "Hi", []),
    "a text": ("text: Two", "text: Too", [("two", "luna")]),
    "a schedule": ('cron: "0 20 * * *"', 'cron: "0 21 * * *"', [("one", "luna")]),
    "only its form": ("two: {creator: luna,", "two: {creators: [luna],", []),
    "a default": ("timezone: Europe/Berlin", "timezone: Europe/Rome", [("one", "luna"), ("two", "luna")]),
    "an audience": ("include: [subscribers]}, ofauth", "include: [all_fans]}, ofauth", [("one", "luna")]),
    "a creator": ("{platform: frontrow,", "{platform: frontrow, limit: 5/1h,", [("one", "luna"), ("two", "luna")]),
    "a creator that is back": (", enabled: false}\naud", "}\naud", [("one", "mia")]),
    "a campaign that is back": (", enabled: false}\n", "}\n", [("one", "mia"), ("idle", "luna")]),
    "a line more above": ("version: 1\n", "version: 1\n# a word\n", []),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("restored", [False, True])
def test_changes(tmp_path: Path, edit: str, restored: bool) -> None:
    old, new, expected = EDITS[edit]
    before = catalogue(tmp_path)
    now = catalogue(tmp_path, (HEAD + CAMPAIGNS).replace(old, new))
    if restored:
        before, now = Catalogue.restore(before.content), Catalogue.restore(now.content)
    assert sorted(changed(now, before, now.live())) == sorted(expected)


def test_a_webhooks_secret_beside_the_file_is_found_from_anywhere(tmp_path: Path) -> None:
    """As a key is; the platform's stands for all its creators who have none of their own."""
    mia = "credentials: env:MIA_KEY, "
    own = HEAD.replace(mia, f"{mia}webhook_secret: file:hook, ")
    text = f"{own}platforms: {{frontrow: {{webhook_secret: 'env:HOOK'}}}}\n{CAMPAIGNS}"
    found = {key: creator.webhook_secret for key, creator in catalogue(tmp_path, text).creators.items()}
    assert found == {"luna": "env:HOOK", "mia": f"file:{tmp_path}/hook"}
    (elsewhere := tmp_path / "elsewhere").mkdir()
    assert catalogue(elsewhere, text).digest != catalogue(tmp_path, text).digest, "it is another file"
