"""A caller for commands that go through much: it waits where the platform asks for it, and tries again."""

from collections.abc import Callable
from time import sleep as rest

from carillon.platforms import answers, errors
from carillon.platforms.answers import Answer
from carillon.platforms.contract import Caller, Request

_TRIES = 3
_LONGEST = 60.0


class Patient:
    """`tell` hears for how long it waits, and why. What never worked is not tried again: it is told at once."""

    def __init__(
        self,
        caller: Caller,
        secret: str,
        tell: Callable[[float, str], None],
    ) -> None:
        self._caller, self._secret, self._tell = caller, secret, tell
        self._worked = False

    def get(self, request: Request) -> Answer:
        """Raises Unreachable."""
        return self._ask(lambda: self._caller.get(request))

    def write(self, request: Request, seconds: float | None = None) -> Answer:
        """Raises Unreachable."""
        return self._ask(lambda: self._caller.write(request, seconds))

    def _ask(self, ask: Callable[[], Answer]) -> Answer:
        throttled = failed = 0
        while True:
            answer, error = self._try(ask)
            if isinstance(error, errors.Throttled):
                asked = error.retry_after
                self._wait(
                    min(_LONGEST, 2.0**throttled) if asked is None else max(1.0, asked), "the platform asks for it"
                )
                throttled += 1
            elif isinstance(error, errors.Unreachable) and self._worked and failed < _TRIES:
                failed += 1
                self._wait(2.0**failed, "the platform cannot be reached")
            elif answer is None and error is not None:
                raise error
            else:
                assert answer is not None
                self._worked = self._worked or error is None
                return answer

    def _try(self, ask: Callable[[], Answer]) -> tuple[Answer | None, errors.PlatformError | None]:
        """The answer, and what it would raise if it were read."""
        answer = None
        try:
            answer = ask()
            answers.read(answer, self._secret)
        except errors.PlatformError as error:
            return answer, error
        return answer, None

    def _wait(self, seconds: float, why: str) -> None:
        self._tell(seconds, why)
        rest(seconds)
