"""What can go wrong with a platform, cut by the question that costs money: did it reach the fans?

PlatformError
├── NotSent            no byte of the request left; may be tried again
│   └── LeaseOver      the attempt woke up too late and sent nothing
├── TurnedAway         the platform answered, and surely did not accept
│   ├── Throttled      429
│   ├── Unauthorized   401
│   ├── Forbidden      403
│   ├── Redirected     3xx, never followed
│   └── Refused        any other documented no, for good
├── MaybeSent          anything else: it may have been taken, no one can tell yet
│   └── GivenUp        no answer in time: it may still arrive
└── ReadFailed         a look at the platform (never a send) that failed
    ├── Unreachable    time-out, 5xx, no connection: look again later
    └── Unreadable     an answer that says nothing: 403, 404, another shape

`tests/conformance` sends every status and every cut through each adapter and sees that nothing falls outside.
"""


class PlatformError(Exception):
    """Something went wrong with a platform; `status` is its HTTP status if there was one."""

    def __init__(self, words: str, status: int | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.status = status


class NotSent(PlatformError):
    """No byte of the request left this machine."""


class LeaseOver(NotSent):
    """The attempt's lease was over before its first byte."""


class TurnedAway(PlatformError):
    """The platform answered that it does not accept this."""


class Throttled(TurnedAway):
    """429. `retry_after` is in seconds from the answer's arrival, None if the platform did not say."""

    def __init__(self, words: str, retry_after: float | None, status: int = 429) -> None:
        super().__init__(words, status)
        self.retry_after = retry_after


class Unauthorized(TurnedAway):
    """401: the credential is wrong, expired or revoked."""


class Forbidden(TurnedAway):
    """403: the credential lacks a right."""


class Redirected(TurnedAway):
    """3xx: a configuration error; following it could carry the key to another host."""


class Refused(TurnedAway):
    """The request was read and refused for good, with the platform's words."""


class MaybeSent(PlatformError):
    """The request, or part of it, went out and nothing tells whether it was taken."""


class GivenUp(MaybeSent):
    """The attempt's time was over before an answer came."""


class ReadFailed(PlatformError):
    """A read failed; nothing was sent."""


class Unreachable(ReadFailed):
    """The platform could not be asked now."""


class Unreadable(ReadFailed):
    """The platform answered, but its answer says nothing about what was asked."""
