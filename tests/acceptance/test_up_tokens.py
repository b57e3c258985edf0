"""A real `carillon up` for a creator who logged in, while her tokens end amid her broadcasts."""

import re
import socket
import subprocess
from datetime import timedelta
from pathlib import Path

import httpx

from carillon import clock
from console.sandbox import Sandbox
from console.sandbox.oauth import CLIENT_ID, CLIENT_SECRET
from running import COMMAND, Carillon, until

HEAD = """version: 1
defaults: {timezone: UTC}
creators:
  zoe: {platform: fanvue, credentials: env:NOT_SET, limit: 100/1h}
campaigns:
"""


def log_in(carillon: Carillon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    login = subprocess.Popen(
        [*COMMAND, "login", "zoe", "--port", str(port)],
        cwd=carillon.folder,
        env=carillon.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert login.stdout is not None
        shown = re.search(r"http\S+", login.stdout.readline())
        assert shown
        assert httpx.get(shown[0], follow_redirects=True, trust_env=False).status_code == 200
        assert login.wait(30) == 0
    finally:
        login.kill()
        login.communicate()


def campaigns(count: int) -> str:
    """Eight due in each second, from some seconds on."""
    start = clock.now() + timedelta(seconds=8)
    at = [clock.rfc3339_seconds(start + timedelta(seconds=number // 8)) for number in range(count)]
    said = "creator: zoe, lists: {include: [subscribers]}"
    return HEAD + "".join(
        f'  c{number}: {{{said}, text: "Hi {number}", schedule: {{at: "{due}"}}}}\n' for number, due in enumerate(at)
    )


def test_tokens_that_end_amid_forty_broadcasts_are_renewed_once(tmp_path: Path) -> None:
    application = {"CARILLON_FANVUE_CLIENT_ID": CLIENT_ID, "CARILLON_FANVUE_CLIENT_SECRET": CLIENT_SECRET}
    with Sandbox() as sandbox:
        sandbox.limit("fanvue", 1000, 3600)
        carillon = Carillon(
            tmp_path,
            sandbox.urls,
            CARILLON_FANVUE_AUTH_URL=sandbox.auth_url,
            CARILLON_SECRET_KEY="correct horse battery",
            **application,
        )
        with carillon:
            carillon.declare(HEAD + "  x: {creator: zoe, lists: {include: [fans]}, text: x, schedule: {every: 365d}}\n")
            log_in(carillon)
            carillon.declare(campaigns(40))
            carillon.up()
            until(lambda: len(sandbox.deliveries()) >= 12, 40)
            httpx.post(f"{sandbox.control_url}/oauth", json={"expire": True}, trust_env=False)
            carillon.wait_for_states(*["sent"] * 40, seconds=40)
            grants = httpx.get(f"{sandbox.control_url}/oauth", trust_env=False).json()
            assert carillon.stop() == 0
        assert len(sandbox.deliveries()) == 40
    assert len(grants) == 2, grants
    assert "reused" not in str(grants)
    assert "Traceback" not in carillon.log
