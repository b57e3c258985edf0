"""One event is one line, whoever logs it, and an error tells where it was, not what variables or rows held."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

LOGGED = r"""
import logging, sys, threading, warnings
import structlog
from carillon import logs

logs.set_up(sys.argv[1])
log = structlog.get_logger()


def fail():
    key = "-".join(("held", "in", "a", "variable"))
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise ValueError("outer\nDETAIL: Failing row contains " + key) from error


log.info("hostile\n2026-01-01T00:00:00Z [error    ] made up\x1b[2J", value="a\nb\x1b", other="\u202ed", many=["c\nd"])
try:
    fail()
except ValueError:
    log.exception("failed", broadcast=7)
logging.getLogger("library").error("told by %s", "a library\nin two lines")
logging.getLogger("library").warning("%d", "not a number")
logging.getLogger("library").info("chatter")
logging.getLogger("apprise").error("https://hooks.example/secret-path")
warnings.warn("some\nwarning")
thread = threading.Thread(target=fail)
thread.start()
thread.join()
fail()
"""


def logged(form: str, tmp_path: Path) -> list[str]:
    script = tmp_path / "logged.py"
    script.write_text(LOGGED)
    done = subprocess.run(
        [sys.executable, script, form], capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "\x1b" not in done.stderr
    for hidden in ("held-in-a-variable", "secret-path", "chatter", "not a number"):
        assert hidden not in done.stderr.replace(str(script), "")
    return done.stderr.splitlines()


def test_json_is_json_throughout(tmp_path: Path) -> None:
    events = [json.loads(line) for line in logged("json", tmp_path)]
    told = [event["event"] for event in events]
    assert told[0] == "hostile\n2026-01-01T00:00:00Z [error    ] made up\x1b[2J"
    assert told[1:3] == ["failed", "told by a library\nin two lines"]
    assert "some\nwarning" in told[3]
    assert told[4:] == ["ended in an unforeseen way"] * 2
    assert [event["level"] for event in events] == ["info", "error", "error", "warning", "critical", "critical"]
    assert all(event["timestamp"].endswith("Z") for event in events)
    for event in (events[1], events[4], events[5]):
        assert "KeyError: 'inner'" in event["exception"]
        assert event["exception"].endswith("ValueError: outer")
    assert events[1]["broadcast"] == 7


def test_on_the_console_nothing_from_outside_begins_a_line(tmp_path: Path) -> None:
    lines = logged("console", tmp_path)
    own = [line for line in lines if not line.startswith("    ")]
    assert len(own) == 6
    assert all(line[:2] == "20" and line[27:30] == " [" + line[29] for line in own)
    assert r"hostile\n2026-01-01T00:00:00Z [error    ] made up\x1b[2J" in own[0]
    assert "    ValueError: outer" in lines


@pytest.mark.parametrize("library", ["httpx", "httpcore", "urllib3", "dramatiq", "apscheduler"])
def test_chatty_libraries_tell_errors_alone(library: str, tmp_path: Path) -> None:
    code = (
        f"import logging; from carillon import logs; logs.set_up('json'); logging.getLogger({library!r}).warning('w')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
@pytest.mark.parametrize("form", ["console", "json"])
def test_lines_that_nobody_takes_stop_nothing(form: str, tmp_path: Path) -> None:
    """A verdict that is being written down says so, again and again: a full disk must not end that."""
    code = (
        "import structlog, sys; from carillon import logs; logs.set_up(sys.argv[1]); "
        "[structlog.get_logger().error('lost', n=n) for n in range(3)]; print('went on')"
    )
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", code, form]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, text=True, check=False, cwd=tmp_path)
    assert done.stdout == "went on\n"
