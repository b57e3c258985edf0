"""A stand-in for a platform that has a scheduler of its own, in Fanvue's shapes; tests turn its clock by hand."""

import json
import re
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from carillon import clock
from standins import Reply, Seen

_ALL = r"/chats/mass-messages(\?.*)?"
_ONE = r"/chats/mass-messages/(m\d+)"


class Calendar:
    """`messages` by id, as the platform has them. `answer` may replace what is said after it was done."""

    def __init__(self) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self.answer: Callable[[Seen, Reply], Reply] = lambda _, reply: reply
        self.refuses: dict[str, Reply] = {}
        self.asked: list[str] = []
        self.most_alive = 0
        self._lock = threading.Lock()

    def __call__(self, seen: Seen) -> Reply:
        with self._lock:
            self.asked.append(seen.method)
            reply = self.refuses.get(seen.method) or self._do(seen)
            self.most_alive = max(self.most_alive, len(self.alive))
            return self.answer(seen, reply)

    @property
    def alive(self) -> list[dict[str, Any]]:
        return [one for one in self.messages.values() if one["status"] != "UNSENT"]

    @property
    def writes(self) -> list[str]:
        return [method for method in self.asked if method != "GET"]

    def remove(self, id_: str) -> None:
        """As somebody does by hand."""
        self.messages[id_]["status"] = "UNSENT"

    def send(self, id_: str, at: datetime, purchases: int = 0) -> None:
        shown = {"status": "SENT", "publishedAt": clock.rfc3339(at), "scheduledAt": None, "purchaseCount": purchases}
        self.messages[id_].update(shown, createdAt=clock.rfc3339(at))

    def _do(self, seen: Seen) -> Reply:
        if seen.method == "GET" and re.fullmatch(_ALL, seen.path):
            found = sorted(self.messages.values(), key=lambda one: one["uuid"], reverse=True)
            return Reply(200, {"data": found, "pagination": {"page": 1, "size": 50, "hasMore": False}})
        if seen.method == "POST" and re.fullmatch(_ALL, seen.path):
            return self._create(json.loads(seen.body))
        if one := re.fullmatch(_ONE, seen.path):
            return self._change(seen, one[1])
        return Reply(404, {"message": "not here"})

    def _create(self, body: dict[str, Any]) -> Reply:
        id_ = f"m{len(self.messages) + 1}"
        at = body.get("scheduledAt")
        self.messages[id_] = {
            "uuid": id_,
            "text": body.get("text"),
            "mediaUuids": body.get("mediaUuids", []),
            "price": body.get("price"),
            "status": "SCHEDULED" if at else "SENT",
            "createdAt": None if at else clock.rfc3339(clock.now()),
            "scheduledAt": at,
            "publishedAt": None,
            "recipientCount": 3,
            "purchaseCount": 0,
        }
        return Reply(201, {"id": id_, "recipientCount": 3, "createdAt": None})

    def _change(self, seen: Seen, id_: str) -> Reply:
        message = self.messages.get(id_)
        if message is None or message["status"] == "UNSENT":
            return Reply(404, {"message": "gone"})
        if seen.method == "DELETE":
            message["status"] = "UNSENT"
            return Reply(204, "")
        message.update({key: value for key, value in json.loads(seen.body).items() if key in message})
        return Reply(204, "")


def lost(seen: Seen, reply: Reply) -> Reply:
    """What was asked for is done, and the answer never arrives as one."""
    return reply if seen.method == "GET" else Reply(500, {"message": "try later"})
