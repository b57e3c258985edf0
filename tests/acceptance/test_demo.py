"""The real `carillon demo`, from its first line to its last, and what is left when it is ended early."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import pytest
from sqlalchemy import create_engine, insert, select

from carillon import clock
from carillon.campaigns.load import load
from carillon.ledger.tables import broadcasts
from carillon.platforms.contract import Content
from console.demo.child import environment
from console.demo.tally import tally
from console.sandbox import Delivery
from running import until

ROOT = Path(__file__).parents[2]
PLATFORMS = {"fanvue", "frontrow", "ofauth", "onlyfansapi"}
# Whoever obeyed one of these would reach nothing, or something real.
HOSTILE = {
    "CARILLON_DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:9/none",
    "CARILLON_REDIS_URL": "redis://127.0.0.1:9/0",
    "CARILLON_FANVUE_URL": "http://127.0.0.1:9",
    "CARILLON_HOME": "/nowhere",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
    "DEMO_FANVUE_KEY": "a-real-key",
}


class Demo:
    """A running demo. Its lines are kept with the seconds after its start at which they came."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in HOSTILE.items()))
        self.errors = folder / "errors"
        self.lines: list[tuple[float, str]] = []
        self.begun = time.monotonic()
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "console.cli", "demo", *words],
                cwd=folder,
                env={**os.environ, **HOSTILE, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.temporary)},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()

    def read(self) -> Iterator[str]:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append((time.monotonic() - self.begun, line.rstrip("\n")))
            yield self.lines[-1][1]

    def read_until(self, words: str) -> None:
        assert any(words in line for line in self.read()), f"never said {words!r}\n{self}"

    def read_to_the_end(self) -> int:
        for _ in self.read():
            pass
        return self.process.wait(30)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def deeds(self, what: str) -> list[tuple[float, str]]:
        """The lines that tell of this, with when they came."""
        return [(at, line) for at, line in self.lines if re.match(rf"\d\d:\d\d:\d\d\.\d  {what} ", line)]

    def __str__(self) -> str:
        return "\n".join(f"{at:5.1f} {line}" for at, line in self.lines) + "\n" + self.errors.read_text()


def test_the_whole_demo(tmp_path: Path) -> None:
    with Demo(tmp_path) as demo:
        assert demo.read_to_the_end() == 0, str(demo)
    assert demo.errors.read_text() == ""
    assert "Nothing real is reached" in demo.lines[0][1]
    assert 50 < demo.lines[-1][0] < 90
    first = {
        platform: min(at for at, line in demo.deeds("sent") if f" on {platform}, " in line) for platform in PLATFORMS
    }
    assert max(first.values()) < 15, first
    _assert_told(demo)
    _assert_compared(demo)
    assert list(demo.temporary.iterdir()) == []


def _assert_told(demo: Demo) -> None:
    """Each thing that the demo promises to show."""
    assert len(demo.deeds("killed")) == len(demo.deeds("restarted")) == 1
    assert any("cools down until" in line for _, line in demo.deeds("429"))
    assert any("the cool-down is over" in line for _, line in demo.deeds("let go"))
    assert any("zoe" in line and "for a free slot until" in line for _, line in demo.deeds("waits"))
    assert any("zoe" in line and "a slot is free" in line for _, line in demo.deeds("let go"))
    assert any("mia" in line and "the price went out as 999" in line for _, line in demo.deeds("sent"))
    assert any("zoe" in line and "the price went out as 9.99" in line for _, line in demo.deeds("sent"))
    killed, doubted = demo.deeds("killed")[0], demo.deeds("in doubt")[0]
    assert killed[0] < doubted[0]
    [found] = [at for at, line in demo.deeds("sent") if "mia" in line and "found by asking the platform" in line]
    assert doubted[0] < found < demo.deeds("held")[0][0]
    assert ["luna" in line for _, line in demo.deeds("held")] == [True]


def _assert_compared(demo: Demo) -> None:
    closing = r"fans received (\d+) broadcasts, the ledger says (\d+) sent and (\d+) in doubt: doubles 0, lost 0"
    found = re.fullmatch(closing, demo.lines[-1][1])
    assert found, str(demo)
    received, sent, in_doubt = map(int, found.groups())
    assert sent == len(demo.deeds("sent")) > 20
    assert in_doubt == len(demo.deeds("held")) >= 1
    assert received == sent + in_doubt
    assert any("carillon resolve" in line and "unknown_outcome" in line for _, line in demo.lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_early_it_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with Demo(tmp_path, "--forever") as demo:
        demo.read_until(" sent ")
        children = demo.children()
        assert children
        demo.process.send_signal(number)
        assert demo.read_to_the_end() == 0, str(demo)
    assert demo.lines[-1][1].endswith("doubles 0, lost 0")
    _wait_for_the_end_of(children)
    assert list(demo.temporary.iterdir()) == []


def test_a_killed_demo_takes_its_child_along(tmp_path: Path) -> None:
    with Demo(tmp_path, "--forever") as demo:
        demo.read_until("planned")
        children = demo.children()
        assert children
    _wait_for_the_end_of(children)


def _wait_for_the_end_of(processes: list[psutil.Process]) -> None:
    """A forecast that is still being made when it is not wanted any more ends by itself."""
    until(lambda: not any(process.is_running() for process in processes), 60)


def test_wrong_campaigns_end_it_with_their_errors(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("version: 1\ncreators: {}\ncampaigns: {drop: {creator: nobody}}\n")
    code = f"import sys, pathlib; from console.demo import demo; sys.exit(demo(campaigns=pathlib.Path({str(wrong)!r})))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert f"{wrong}:3:" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_childs_environment_is_made_from_scratch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    made = environment(tmp_path, tmp_path / "c.yaml", {"fanvue": "http://127.0.0.1:1"}, {"fanvue": "made-up"})
    assert made["CARILLON_FANVUE_URL"] == "http://127.0.0.1:1"
    assert made["CARILLON_HOME"] == str(tmp_path)
    assert made["DEMO_FANVUE_KEY"] == "made-up"
    assert not set(HOSTILE.values()) & set(made.values())
    assert not {name for name in made if name.endswith("_PROXY")}


def test_the_sample_is_right_as_it_stands() -> None:
    loaded = load(ROOT / "campaigns.yaml")
    assert loaded.findings == []
    assert loaded.catalogue
    creators = loaded.catalogue.creators.values()
    assert {creator.platform for creator in creators} == PLATFORMS
    assert len({creator.zone for creator in creators}) == 2
    assert {creator.credentials for creator in creators} == {f"env:DEMO_{name.upper()}_KEY" for name in PLATFORMS}


def _delivery(message_id: str, text: str) -> Delivery:
    return Delivery("fanvue", "account", message_id, ("fan",), {"text": text}, 0)


def _row(state: str, text: str, message_id: str | None = None, attempts: int = 1) -> dict[str, Any]:
    return {
        "state": state,
        "content": Content(text=text).frozen(),
        "platform_message_id": message_id,
        "attempts": attempts,
    }


@pytest.mark.parametrize(
    ("deliveries", "rows", "doubles", "lost"),
    [
        ([("m1", "a")], [("sent", "a", "m1")], 0, 0),
        ([("m1", "a")], [("held", "a")], 0, 0),
        ([], [("held", "a")], 0, 0),
        ([("m1", "a")], [("unknown", "a")], 0, 0),
        ([("m1", "a"), ("m2", "a")], [("sent", "a", "m1")], 1, 0),
        ([("m1", "a"), ("m2", "a")], [("held", "a")], 1, 0),
        ([("m1", "a"), ("m2", "a")], [("held", "a"), ("sent", "a", "m2")], 0, 0),
        ([("m1", "a")], [("held", "b")], 1, 0),
        ([("m1", "a")], [("planned", "a", None, 0)], 1, 0),
        ([("m1", "a")], [("planned", "a", None, 1)], 1, 0),
        ([], [("sent", "a", "m1")], 0, 1),
    ],
)
def test_fans_and_ledger_are_compared(
    deliveries: list[tuple[str, str]], rows: list[tuple[Any, ...]], doubles: int, lost: int
) -> None:
    found = tally([_delivery(*one) for one in deliveries], _in_a_table([_row(*row) for row in rows]), {1: "account"})
    assert (found.doubles, found.lost) == (doubles, lost)
    assert found.clean == (not doubles and not lost)


def _in_a_table(rows: list[dict[str, Any]]) -> Any:
    now = clock.now()
    same = {
        "campaign": "c", "creator": "mia", "creator_id": 1, "platform": "fanvue", "kind": "every", "day": now.date(),
        "revision": "r", "due_at": now, "expires_at": now, "expires_after": 1, "content_digest": "", "state_since": now,
    }  # fmt: skip
    engine = create_engine("sqlite://")
    broadcasts.metadata.create_all(engine)
    with engine.begin() as connection:
        for number, row in enumerate(rows):
            connection.execute(insert(broadcasts).values(**same, **row, occurrence=str(number), version=1))
        found = connection.execute(select(broadcasts).order_by(broadcasts.c.id)).all()
    engine.dispose()
    return found
