"""Whether a medium on Fanvue can be sent now.

Source: API reference, "Create multipart upload session". Its prose calls what is ready FINALISED, its schema ready.
"""

from collections.abc import Mapping

from carillon.platforms import answers
from carillon.platforms.contract import Account, Caller, MediaState
from carillon.platforms.fanvue import wire
from carillon.platforms.forms import part

_STATES: Mapping[str, MediaState] = {
    "ready": "ready",
    "finalised": "ready",
    "finalized": "ready",
    "created": "processing",
    "processing": "processing",
    "error": "broken",
}


def media_state(client: Caller, account: Account, media_id: str) -> MediaState:
    return state_of(media_status(client, account, media_id))


def media_status(client: Caller, account: Account, media_id: str) -> object:
    """In Fanvue's own word. Raises the reading errors."""
    body = answers.read(client.get(wire.getting(account, f"/media/{part(media_id)}")), account.secret)
    return body.get("status") if isinstance(body, Mapping) else None


def state_of(status: object) -> MediaState:
    return _STATES.get(status.lower(), "unknown") if isinstance(status, str) else "unknown"
