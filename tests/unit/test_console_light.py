"""An idle daemon holds in memory what it needs, and no more."""

import subprocess
import sys

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from carillon.ledger import schema

NOT_NEEDED = {
    "alembic",
    "matplotlib",
    "mako",
    "apprise",
    "requests",
    "authlib",
    "limits",
    "jsonschema",
    "console.sandbox",
    "console.demo",
}


@pytest.mark.parametrize("modules", ["console.scheduler", "console.worker, worker.service, console.supervisor"])
def test_what_a_daemon_does_not_import(modules: str) -> None:
    ask = f"import sys, {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert NOT_NEEDED & set(done.stdout.split()) == set()


def test_the_newest_migration_is_known_without_alembic() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema._MIGRATIONS))
    assert schema.newest() == ScriptDirectory.from_config(config).get_current_head()
