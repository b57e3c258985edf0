"""The commands that look before you send, as real processes: their words, and results that go where they should."""

import os
import pty
import subprocess
from pathlib import Path

import pytest

from console.sandbox import Sandbox
from running import COMMAND, Carillon

FILE = """version: 1
defaults: {timezone: UTC}
creators:
  zoe: {platform: fanvue, credentials: env:ZOE_KEY}
campaigns:
  drop: {creator: zoe, lists: {include: [subscribers, "name:VIPs"]}, text: Hi, schedule: {every: 7d}}
"""


def test_looking_before_you_send(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        carillon = Carillon(tmp_path, sandbox.urls, ZOE_KEY=sandbox.keys["fanvue"])
        carillon.declare(FILE)
        line = carillon.run("check", "--online", code=1).splitlines()
        assert line == ["campaigns.yaml:6:55: error: zoe has no list named 'VIPs'; see `carillon lists zoe`"]
        fans = [fan.id for fan in sandbox.account("fanvue").fans[:3]]
        made = carillon.run("list-create", "zoe", "VIPs").strip()
        (tmp_path / "fans.txt").write_text("\n".join(fans))
        assert carillon.run("list-add", "zoe", made, "--file", "fans.txt").startswith("added 3, skipped 0")
        assert carillon.run("members", "zoe", "name:VIPs", "--csv", "-").startswith(f"id,handle,name\n{fans[0]},")
        assert carillon.run("media", "zoe").count("\tready\t") == 2
        assert carillon.run("check", "--online") == ""


@pytest.mark.parametrize("where", ["a pipe", "the terminal"])
def test_results_go_to_stdout_also_beside_a_terminal(tmp_path: Path, where: str) -> None:
    with Sandbox() as sandbox:
        carillon = Carillon(tmp_path, sandbox.urls, ZOE_KEY=sandbox.keys["fanvue"], TERM="xterm")
        carillon.declare(FILE)
        screen, terminal = pty.openpty()
        done = subprocess.Popen(
            [*COMMAND, "members", "zoe", "name:VIP"],
            cwd=tmp_path,
            env=carillon.environment,
            stdout=subprocess.PIPE if where == "a pipe" else terminal,
            stderr=terminal,
        )
        os.close(terminal)
        shown = _all_of(screen)
        out, _ = done.communicate(timeout=30)
        assert done.returncode == 0
        members = sandbox.account("fanvue").audience(["7f0c9a52-0b53-4a53-a1b5-3f1f0e1f2a11"])
    text = out.decode() if where == "a pipe" else shown
    assert [fan.id for fan in members if fan.id not in text] == []
    assert ("reading members" in shown) is (where == "a pipe")


def _all_of(screen: int) -> str:
    shown = b""
    try:
        while chunk := os.read(screen, 65_536):
            shown += chunk
    except OSError:  # nobody writes to it any more
        pass
    os.close(screen)
    return shown.decode(errors="replace")
