"""What the demo does to the platforms and to its own worker, and when."""

from collections.abc import Callable
from time import monotonic, sleep

from carillon.ledger.states import State
from console.demo.child import WEBHOOK_SECRET, Child
from console.demo.reading import Reading
from console.demo.story import Story
from console.sandbox import Delivery, Fault, Sandbox

_THROTTLED = "onlyfansapi"
_RETRY_AFTER = 5
_CUT_OFF = "fanvue"
_HIDDEN = 4  # seconds until it shows what it took and did not answer
_NOT_ASKED = "frontrow"  # shows nothing of what it has taken
_SETTLING = 2.0  # seconds for the answers that others still wait for


class Script:
    """Each step is done once, when its time has come; `step` is called again and again."""

    def __init__(self, child: Child, sandbox: Sandbox, reading: Reading, story: Story, quiet_seconds: float) -> None:
        self._child, self._sandbox, self._reading, self._story = child, sandbox, reading, story
        self._begun = monotonic()
        self._quiet_seconds = quiet_seconds
        self._steps: list[Callable[[], bool]] = [self._set_up, self._throttle, self._hold, self._kill, self._drop]

    def step(self) -> None:
        if self._steps and self._steps[0]():
            del self._steps[0]

    def _set_up(self) -> bool:
        """The platforms take what the file says, and not one more; and they tell of sales where it has a secret."""
        creators = self._reading.creators().values()
        for creator in creators:
            self._sandbox.limit(creator.platform, creator.limit_count, creator.limit_seconds)
            if creator.webhook_secret:
                account = creator.account_id or self._sandbox.accounts[creator.platform]
                url = f"{self._child.dashboard}/webhooks/{creator.platform}/{creator.key}"
                self._sandbox.hooks.subscribe(creator.platform, account, url, WEBHOOK_SECRET)
        return bool(creators)

    def _throttle(self) -> bool:
        platforms = {creator.platform for creator in self._reading.creators().values()}
        if not platforms <= self._story.platforms_sent:
            return False
        seconds = monotonic() - self._begun
        self._story.tell("demo", f"all {len(platforms)} platforms have sent, {seconds:.1f} s after the start")
        self._sandbox.faults.add(_THROTTLED, Fault.throttled(retry_after=_RETRY_AFTER))
        self._story.tell("demo", f"{_THROTTLED} will refuse its next broadcast with 429, Retry-After: {_RETRY_AFTER}")
        return True

    def _hold(self) -> bool:
        if monotonic() - self._begun < self._quiet_seconds:
            return False
        self._sandbox.faults.add(_CUT_OFF, Fault.hold(hidden=_HIDDEN))
        self._story.tell("demo", f"{_CUT_OFF} will take its next broadcast and not answer; then the worker is killed")
        return True

    def _kill(self) -> bool:
        delivery = self._sandbox.wait_for_held(0)
        if delivery is None:
            return False
        self._wait_for_the_others()
        self._child.kill()
        self._story.follow()
        self._tell_of_kill(delivery)
        self._child.start()
        self._story.tell("restarted", "scheduler and worker, on the same ledger")
        return True

    def _drop(self) -> bool:
        """Once the outcome of the kill is known."""
        if self._reading.in_state(State.SENDING) or self._reading.in_state(State.UNKNOWN):
            return False
        self._sandbox.faults.add(_NOT_ASKED, Fault.accept_and_drop())
        words = f"{_NOT_ASKED} will take its next broadcast and not answer; it has no list to ask, so a person decides"
        self._story.tell("demo", words)
        return True

    def _wait_for_the_others(self) -> None:
        """Killed at once, it would leave all in doubt that are due in the same second."""
        end = monotonic() + _SETTLING
        while len(self._reading.in_state(State.SENDING)) > 1 and monotonic() < end:
            sleep(0.02)

    def _tell_of_kill(self, delivery: Delivery) -> None:
        cut_off = [row for row in self._reading.in_state(State.SENDING) if row.platform == delivery.platform]
        who, campaign = (cut_off[0].creator, cut_off[0].campaign) if cut_off else ("", "")
        fans = len(delivery.recipients)
        words = f"scheduler and worker, by SIGKILL, in the middle of a send: {fans} fans have it, no answer came back"
        self._story.tell("killed", words, who, campaign)
