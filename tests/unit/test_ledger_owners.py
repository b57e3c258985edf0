import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from carillon.ledger import owners
from carillon.ledger.owners import Owner, proven_dead, this_process

TELL = """
import dataclasses, json, sys
from carillon.ledger.owners import this_process
print(json.dumps(dataclasses.asdict(this_process())), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def process() -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", TELL]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


@pytest.fixture
def other(process: "subprocess.Popen[str]") -> Owner:
    assert process.stdout is not None
    return Owner(**json.loads(process.stdout.readline()))


def test_this_process_lives() -> None:
    me = this_process()
    assert me.pid == os.getpid()
    assert str(me) == f"{socket.gethostname()}:{me.pid}"
    assert not proven_dead(me)


def test_another_process_is_dead_from_its_end_on(process: "subprocess.Popen[str]", other: Owner) -> None:
    assert other.pid == process.pid
    assert not proven_dead(other)
    process.kill()
    process.wait()
    assert proven_dead(other)


def test_one_that_nobody_buried_is_dead_too(process: "subprocess.Popen[str]", other: Owner) -> None:
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
    assert proven_dead(other)


def test_a_stopped_process_may_still_go_on(process: "subprocess.Popen[str]", other: Owner) -> None:
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    assert not proven_dead(other)


@pytest.mark.parametrize(
    ("changes", "dead"),
    [
        ({}, True),
        ({"host": "elsewhere"}, False),
        ({"birth": "unknown"}, False),
        ({"pid": os.getpid()}, True),
    ],
    ids=["gone", "of another host", "never known", "its number was given to another"],
)
def test_what_proves_death(
    process: "subprocess.Popen[str]", other: Owner, changes: dict[str, str | int], dead: bool
) -> None:
    process.kill()
    process.wait()
    gone = Owner(**{**asdict(other), **changes})
    assert proven_dead(gone) == dead


def test_a_forked_child_is_another_owner() -> None:
    me = this_process()
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writes, json.dumps(asdict(this_process())).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writes)
    with os.fdopen(reads) as told:
        forked = Owner(**json.load(told))
    assert forked.pid == child
    assert forked.birth != me.birth
    assert proven_dead(forked)


def boot_into(monkeypatch: pytest.MonkeyPatch, boot: str) -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("no /proc here")
    monkeypatch.setattr(owners, "_boot", lambda: boot)
    monkeypatch.setattr(owners, "_host", owners._host.__wrapped__)


def test_of_another_machine_with_the_same_name_nothing_is_proven(
    monkeypatch: pytest.MonkeyPatch, process: "subprocess.Popen[str]", other: Owner
) -> None:
    process.kill()
    process.wait()
    boot_into(monkeypatch, "another boot")
    assert not proven_dead(other)


def test_where_the_boot_is_hidden_nothing_is_proven(
    monkeypatch: pytest.MonkeyPatch, process: "subprocess.Popen[str]", other: Owner
) -> None:
    process.kill()
    process.wait()
    boot_into(monkeypatch, "")
    assert not proven_dead(other)
    assert owners._birth(os.getpid()) == "unknown"


def test_without_proc_the_birth_is_read_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    me = this_process()  # it is read once for all tests
    monkeypatch.setattr(Path, "exists", lambda _: False)
    born = owners._birth(os.getpid())
    assert born == str(psutil.Process().create_time())
    assert not proven_dead(replace(me, birth=born))
    assert proven_dead(replace(me, birth="0.0"))
