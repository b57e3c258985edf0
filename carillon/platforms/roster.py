"""The platforms by the name that campaign files use. A new one is one file and one line here."""

from collections.abc import Mapping
from types import MappingProxyType

from carillon.platforms.contract import Platform
from carillon.platforms.fanvue import Fanvue
from carillon.platforms.frontrow import FrontRow
from carillon.platforms.ofauth import OFAuth
from carillon.platforms.onlyfansapi import OnlyFansAPI

_ALL: tuple[Platform, ...] = (
    Fanvue(),
    FrontRow(),
    OFAuth(),
    OnlyFansAPI(),
)

PLATFORMS: Mapping[str, Platform] = MappingProxyType({platform.name: platform for platform in _ALL})
