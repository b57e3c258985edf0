"""The platforms by the name that campaign files use. A new one is one file and one line here."""

from collections.abc import Mapping
from types import MappingProxyType

from carillon.platforms.contract import Platform
from carillon.platforms.fanvue.adapter import Fanvue
from carillon.platforms.frontrow.adapter import FrontRow
from carillon.platforms.ofauth.adapter import OFAuth
from carillon.platforms.onlyfansapi.adapter import OnlyFansAPI

_ALL: tuple[Platform, ...] = (
    Fanvue(),
    FrontRow(),
    OFAuth(),
    OnlyFansAPI(),
)

PLATFORMS: Mapping[str, Platform] = MappingProxyType({platform.name: platform for platform in _ALL})
