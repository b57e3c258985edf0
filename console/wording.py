"""The sentences that say why a broadcast waits."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from carillon import clock

_CAUSES = {
    "time": "its due time",
    "limit": "a free slot: its account has sent as many as its limit allows",
    "cool_down": "the end of the cool-down that the platform asked for",
    "quiet_hours": "the end of its creator's quiet hours",
    "pause": "a person's `carillon resume`",
    "creator": "its creator, who is stopped: mend the cause, or `carillon resume --creator {creator}`",
    "retry": "the next try",
    "overlap": "the previous broadcast of its campaign",
    "media": "its media, which are uploaded or processed",
    "approval": "a person's approval",
    "canary": "its canary",
}


def why(broadcast: Mapping[str, Any]) -> str | None:
    """What a broadcast waits for and until when; None if it is not planned."""
    cause = broadcast["waiting_for"]
    if cause is None:
        return None
    if cause == "time" and datetime.fromisoformat(broadcast["due_at"]) <= clock.now():
        return "is due, and waits for a running Carillon to take it up"
    until = broadcast["due_at"] if cause == "time" else broadcast["not_before"]
    words = f"waits for {_CAUSES[cause].format(creator=broadcast['creator'])}"
    return f"{words}; until {until}" if until else words


def state(broadcast: Mapping[str, Any]) -> str:
    """The state with what stands behind it, in a few words."""
    if broadcast["waiting_for"]:
        until = f" until {broadcast['not_before']}" if broadcast["not_before"] else ""
        return f"{broadcast['state']}: {broadcast['waiting_for']}{until}"
    return f"{broadcast['state']}: {broadcast['reason']}" if broadcast["reason"] else str(broadcast["state"])
