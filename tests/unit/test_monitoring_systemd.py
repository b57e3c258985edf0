"""A word to systemd, heard on a socket of the test's own."""

import os
import socket
import sys
import uuid
from pathlib import Path

import pytest

from carillon.monitoring import systemd

ABSTRACT = pytest.param("@", marks=pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's"))


@pytest.mark.parametrize("kind", ["/", ABSTRACT])
def test_what_is_said_arrives_in_one_piece(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = str(tmp_path / "notify") if kind == "/" else f"@{uuid.uuid4().hex}"
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(10)
        listening.bind(address.replace("@", "\0"))
        systemd.notify(systemd.READY, "STATUS=sends")
        assert listening.recv(1024) == b"READY=1\nSTATUS=sends"


@pytest.mark.parametrize("address", [None, "", "/nobody/listens/here", "@nobody-listens-here", "vsock:2:1234"])
def test_where_nobody_listens_nothing_happens(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    systemd.notify(systemd.WELL)


@pytest.mark.parametrize(
    ("microseconds", "watched", "seconds"),
    [
        ("30000000", None, 15.0),
        ("1500000", "this one", 0.75),
        ("30000000", "1", None),
        (None, None, None),
        ("0", None, None),
        ("soon", None, None),
    ],
)
def test_who_is_watched_speaks_twice_in_the_time(
    microseconds: str | None, watched: str | None, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("WATCHDOG_USEC", microseconds),
        ("WATCHDOG_PID", str(os.getpid()) if watched == "this one" else watched),
    ):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert systemd.watchdog_seconds() == seconds
