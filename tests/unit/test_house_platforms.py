"""A platform is named in four places that do not know of each other; they name the same ones."""

from carillon.handoff.orders import QUEUES
from carillon.platforms.roster import PLATFORMS
from carillon.settings import load
from console.sandbox import Sandbox


def test_each_platform_has_a_queue() -> None:
    assert set(QUEUES) == set(PLATFORMS)


def test_each_platform_has_an_address_that_can_be_set() -> None:
    given = {name: f"http://{name}.test" for name in PLATFORMS}
    assert load(**{f"{name}_url": url for name, url in given.items()}).platform_urls == given


def test_each_platform_is_imitated() -> None:
    with Sandbox() as sandbox:
        assert set(sandbox.urls) == set(PLATFORMS)
