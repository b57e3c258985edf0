"""Where the dashboard may be served without a password."""

from pathlib import Path

import pytest

from carillon.settings import load
from console.dashboard import dashboard, require_safe_address
from console.failures import CommandError
from console.up import up


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_needs_none(host: str) -> None:
    require_safe_address(load(dashboard_host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "carillon.example", "127.0.0.1.example"])
def test_others_could_reach_it(host: str) -> None:
    require_safe_address(load(dashboard_host=host, dashboard_password="long and secret"))
    with pytest.raises(CommandError) as refused:
        require_safe_address(load(dashboard_host=host))
    assert str(refused.value) == (
        f"CARILLON_DASHBOARD_HOST is {host}, which others can reach: "
        "set CARILLON_DASHBOARD_PASSWORD too, or leave it at 127.0.0.1"
    )


def test_nothing_is_begun_where_it_is_refused(tmp_path: Path) -> None:
    settings = load(home=tmp_path / "home", dashboard_host="0.0.0.0")
    with pytest.raises(CommandError):
        dashboard(settings)
    with pytest.raises(CommandError):
        up(settings, with_dashboard=True)
    assert not settings.home.exists()
