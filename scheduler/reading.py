"""Reads campaign files; a folder of many megabytes in a process of its own, which gives back the memory it took.

Run as `python -m scheduler.reading`: what to read comes as JSON on stdin, what was found goes as JSON to stdout.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import structlog

from carillon.campaigns.catalogue import Catalogue
from carillon.campaigns.findings import Finding
from carillon.campaigns.load import Loaded, reload

log = structlog.get_logger()

LARGE = 2 * 2**20
"""Bytes of YAML, of which Python makes about fifty times as many while it reads them."""


def read(
    path: Path, size: int, overridden: frozenset[str], in_force: Catalogue | None, kept: Callable[[], str | None]
) -> Loaded:
    """As `reload`, of so many bytes. `kept` gives the text of `in_force`, None if there is none."""
    if size < LARGE:
        return reload(path, in_force, overridden)
    asked = json.dumps({"path": str(path), "overridden": sorted(overridden), "in_force": kept()})
    command = [sys.executable, "-m", "scheduler.reading"]
    done = subprocess.run(command, input=asked, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        log.warning("campaign files could not be read in a process of their own", code=done.returncode)
        return reload(path, in_force, overridden)
    found = json.loads(done.stdout)
    content = found["content"]
    catalogue = Catalogue.restore(content, found["digest"]) if content is not None else None
    return Loaded(catalogue, [Finding(*finding) for finding in found["findings"]])


def main() -> None:
    asked = json.load(sys.stdin)
    in_force = Catalogue.restore(asked["in_force"]) if asked["in_force"] is not None else None
    loaded = reload(Path(asked["path"]), in_force, frozenset(asked["overridden"]))
    catalogue = loaded.catalogue
    found = {
        "content": catalogue.content if catalogue else None,
        "digest": catalogue.digest if catalogue else None,
        "findings": [astuple(finding) for finding in loaded.findings],
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
