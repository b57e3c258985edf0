"""Keys, passwords, addresses with secrets and message texts are planted and echoed: none of them is found again."""

import json
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import select
from sqlalchemy.engine import make_url

from carillon.ledger.connect import Ledger
from carillon.ledger.tables import alarms, attempts, creators, events
from running import COMMAND, Carillon, until
from servers import fresh_database
from standins import Reply, Seen, StandIn

ENDS = {
    "taken": "sent",
    "refused": "failed",
    "unauthorized": "planned",
    "forbidden": "planned",
    "throttled": "planned",
    "broken": "held",
    "cut": "held",
    "redirected": "failed",
}
"""What becomes of the broadcast of each creator, whose platform answers as the name says."""

KEYS = {name: f"sk-{number}-Qv7!x/{number}+9Zt&=" for number, name in enumerate(ENDS)}
TEXTS = {name: f"{number} velvet whispers, at midnight <b>& beyond</b> 🌙 {number}" for number, name in enumerate(ENDS)}
PASSWORD = "p4ssw0rd-of-the-database"
HIDDEN_PATH = "hidden-path-of-a-hook"
HOOK_SECRET = "hook-secret-5up3r"
PIECE = 12


def echoing(seen: Seen) -> Reply:
    """An answer with everything in it that came, in several encodings."""
    name = next((name for name, key in KEYS.items() if key in seen.headers.get("authorization", "")), "")
    if seen.method == "GET":
        return Reply(403, {"error": f"no lists for {KEYS.get(name)}"})
    key, text = KEYS[name], TEXTS[name]
    said = {
        "error": f"the key {key} may not say {text!r}",
        "message": f"{quote(key, safe='')} {b64encode(key.encode()).decode()}\r\n[error    ] made up",
        "code": seen.headers["authorization"],
        "errors": {"text": [text, text[3:40]], key: ["as a field"]},
    }
    match name:
        case "taken":
            return Reply(201, {"id": "mm_1", "text": text, "key": key, "recipientCount": 3})
        case "refused":
            return Reply(400, said)
        case "unauthorized":
            return Reply(401, said)
        case "forbidden":
            return Reply(403, said)
        case "throttled":
            return Reply(429, said, {"Retry-After": "3600"})
        case "broken":
            return Reply(500, said)
        case "redirected":
            return Reply(302, said, {"Location": f"https://elsewhere.example/?key={key}"})
    raise ConnectionAbortedError  # a cut


@pytest.fixture(params=["console", "json"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Carillon]:
    """Embedded with a log for people, on PostgreSQL with one for programs."""
    hooks = (
        f"json://user:{HOOK_SECRET}@127.0.0.1:9/{HIDDEN_PATH}",
        f"signed://{HOOK_SECRET}@127.0.0.1:9/{HIDDEN_PATH}",
    )
    variables = {
        "CARILLON_LOG": request.param,
        "CARILLON_ALARM_URLS": " ".join(hooks),
        "CARILLON_PING_URL": f"http://127.0.0.1:9/{HIDDEN_PATH}",
        **{f"{name.upper()}_KEY": key for name, key in KEYS.items() if name != "taken"},
    }
    (tmp_path / "taken.key").write_text(KEYS["taken"])
    (tmp_path / "taken.key").chmod(0o600)
    with StandIn(echoing) as platform:
        if request.param == "console":
            yield Carillon(tmp_path, {"frontrow": platform.url}, **variables)
            return
        with fresh_database(request.getfixturevalue("postgresql")) as url:
            with_password = make_url(url).set(password=PASSWORD).render_as_string(hide_password=False)
            yield Carillon(tmp_path, {"frontrow": platform.url}, **variables, CARILLON_DATABASE_URL=with_password)


def declare(carillon: Carillon) -> None:
    at = (datetime.now(UTC) + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    keys = {name: f"env:{name.upper()}_KEY" for name in ENDS} | {"taken": "file:taken.key"}
    file = {
        "version": 1,
        "creators": {
            name: {"platform": "frontrow", "credentials": keys[name], "timezone": "Europe/Berlin"} for name in ENDS
        },
        "campaigns": {
            f"to-be-{name}": {
                "creator": name,
                "text": TEXTS[name],
                "lists": {"include": ["subscribers"]},
                "schedule": {"at": at},
                "catch_up": "latest",
            }
            for name in ENDS
        },
    }
    carillon.declare(json.dumps(file, ensure_ascii=False))


def start(carillon: Carillon) -> None:
    with (carillon.folder / "up.log").open("wb") as log:
        command = [*COMMAND, "up", "--no-dashboard"]
        carillon.process = subprocess.Popen(
            command, cwd=carillon.folder, env=carillon.environment, stdout=log, stderr=log
        )
    until(lambda: '"event": "up"' in carillon.log or "[info     ] up " in carillon.log or ended(carillon), 30)


def ended(carillon: Carillon) -> bool:
    assert carillon.process
    assert carillon.process.poll() is None, carillon.log
    return False


def ledger_words(carillon: Carillon) -> list[str]:
    """All that the ledger says of what happened."""
    url = carillon.environment.get("CARILLON_DATABASE_URL", f"sqlite:///{carillon.folder / 'home' / 'carillon.db'}")
    kept = (alarms.c.message, attempts.c.words, events.c.why, creators.c.stopped_reason)
    with closing(Ledger(url)) as ledger, ledger.read() as session:
        return [str(words) for column in kept for words in session.scalars(select(column))]


def found_again(said: str, *, but_texts: bool = False) -> list[str]:
    keys = [*KEYS.values(), PASSWORD, HIDDEN_PATH, HOOK_SECRET]
    forms = [form for key in keys for form in (key, quote(key, safe=""), b64encode(key.encode()).decode().rstrip("="))]
    pieces = [text[at : at + PIECE] for text in TEXTS.values() for at in range(len(text) - PIECE + 1)]
    return [planted for planted in (*forms, *([] if but_texts else pieces)) if planted in said]


def test_nothing_that_is_secret_stands_in_logs_or_answers(installation: Carillon) -> None:
    with installation as carillon:
        declare(carillon)
        start(carillon)
        states = {f"to-be-{name}": state for name, state in ENDS.items()}
        until(lambda: {row["campaign"]: row["state"] for row in carillon.broadcasts() if row["attempts"]} == states, 60)
        until(lambda: "alarms do not reach" in carillon.log, 60)
        until(lambda: carillon.log.count("alarm") > 4, 60)
        rows = {row["campaign"].removeprefix("to-be-"): row for row in carillon.broadcasts()}
        asked = [carillon.run(*words) for words in (("broadcasts", "--json"), ("creators", "--json"))]
        asked.append(examined := carillon.run("doctor", "--json", code=1))
        shown = [carillon.run("show", rows[name]["id"]) for name in ("refused", "broken")]
        assert carillon.stop() == 0
    for said in (carillon.log, *asked, *ledger_words(carillon)):
        assert found_again(said) == []
    for said in shown:
        assert found_again(said, but_texts=True) == []
    assert rows["refused"]["reason"].startswith("refused: HTTP 400: the key *** may not say '[text]'")
    assert f"broadcast {rows['broken']['id']} of to-be-broken" in examined
    one_event_a_line(carillon)


def one_event_a_line(carillon: Carillon) -> None:
    lines = carillon.log.splitlines()
    if carillon.environment["CARILLON_LOG"] == "json":
        assert all(isinstance(json.loads(line), dict) for line in lines)
        return
    year = str(datetime.now(UTC).year)
    assert [line for line in lines if not line.startswith((year, "    "))] == []
