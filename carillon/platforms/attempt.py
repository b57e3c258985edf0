"""The bounds of one request: its lease, its time, and whether its first byte was let go."""

from dataclasses import dataclass

from carillon import clock
from carillon.platforms.errors import LeaseOver


@dataclass(frozen=True)
class Guard:
    """Until when (on `clock.ticks()`) the first byte of a send may leave."""

    lease_until: float


class OutOfTimeError(Exception):
    """The attempt's time was used up between two reads."""


@dataclass
class Attempt:
    """All instants are on `clock.ticks()`, so that a suspended machine wakes up too late."""

    lease_until: float
    connect_by: float
    end_by: float
    begun: bool = False
    streams: bool = False  # its body goes out as it is read, since it may be larger than memory

    def left(self) -> float:
        """Seconds, always above 0. Raises OutOfTimeError."""
        left = (self.end_by if self.begun else self.connect_by) - clock.ticks()
        if left <= 0:
            raise OutOfTimeError
        return left

    def begin(self) -> None:
        """Let the first byte go, once for ever. Raises LeaseOver."""
        assert not self.begun, "a request would have gone out twice"
        if clock.ticks() >= self.lease_until:
            raise LeaseOver("the lease was over before the first byte; nothing was sent")
        self.begun = True
