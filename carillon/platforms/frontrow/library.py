"""FrontRow's media: ids alone. Its tutorial speaks of media endpoints, but no page shows one."""

from collections.abc import Iterator

from carillon.platforms.contract import Account, Caller
from carillon.platforms.errors import Unreadable
from carillon.platforms.parts import Medium, Progress, Reference, Source

_BY_HAND = "upload it on FrontRow's own page and name its id (med_...)"


class FrontRowLibrary:
    """Nothing can be listed or uploaded."""

    most_bytes: int | None = None

    def media(self, client: Caller, account: Account) -> Iterator[Medium]:  # noqa: ARG002
        raise Unreadable("FrontRow does not show which media there are; their ids (med_...) stand on its own page")

    def upload(self, client: Caller, account: Account, source: Source, progress: Progress) -> Reference:  # noqa: ARG002
        raise Unreadable(f"FrontRow takes no uploads of {source.name} from outside; {_BY_HAND}")

    def upload_url(self, client: Caller, account: Account, url: str, progress: Progress) -> Reference | None:  # noqa: ARG002
        return None

    def uploaded(self, client: Caller, account: Account, reference: Reference, progress: Progress) -> Reference:  # noqa: ARG002
        return reference
