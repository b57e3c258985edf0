"""`carillon show ID`: one broadcast whole."""

import json
from typing import Any

from carillon.ledger.histories import Whole, whole
from carillon.platforms.contract import Content
from carillon.settings import Settings
from console import wording
from console.decide import number_of
from console.failures import CommandError
from console.opening import ledger_to_read
from console.printing import as_json, dollars, line
from console.requests import request_shown

_ATTEMPT = "attempt {number}: {started_at} to {finished_at}, HTTP {status}, {verdict}: {words} ({owner})"
_LOOK_UP = "look-up for attempt {attempt}: {at}: {words}"
_SEEN = "  message {id} {agrees}: of {created_at}, {media_count} media, {price_cents} cents, to {recipient_count}"
_AGREES = {
    "whole": "agrees with it",
    "part": "agrees in part",
    "awaited": "agrees with it and with another one that is under way",
    "no": "is another one",
}
_SLOT = "slot of attempt {attempt}: taken {taken_at}, frees {frees_at}"
_COUNTS = ("recipients", "views", "purchases")
_EVENT = "{at} {from} -> {to}: {why} ({who})"


def show(settings: Settings, word: str, *, as_data: bool) -> int:
    ledger = ledger_to_read(settings)
    found = whole(ledger, number_of(word)) if ledger else None
    if found is None:
        raise CommandError(f"there is no broadcast {word}")
    if as_data:
        as_json(_shown(settings, found))
    else:
        _print(_shown(settings, found))
    return 0


def _shown(settings: Settings, found: Whole) -> dict[str, Any]:
    content = Content.model_validate_json(found.row.content)
    return {
        **found.broadcast,
        "kind": found.row.kind,
        "priority": found.row.priority,
        "wish": found.row.wish,
        "why": wording.why(found.broadcast),
        "content": json.loads(found.row.content),
        "request": request_shown(settings, found.row.platform, found.creator.account_id, content),
        "attempts": found.attempts,
        "lookups": found.lookups,
        "slots": found.slots,
        "events": found.events,
        "results": found.results,
    }


def _print(shown: dict[str, Any]) -> None:
    line(f"broadcast {shown['id']} of {shown['campaign']} for {shown['creator']} on {shown['platform']}")
    for key in ("state", "why", "reason", "occurrence", "due_at", "expires_at", "sent_at"):
        _print_pair(key, shown[key])
    for key in ("platform_message_id", "recipient_count", "delivery", "priority"):
        _print_pair(key, shown[key])
    _print_pair("wish", shown["wish"])
    _print_pair("content", json.dumps(shown["content"], ensure_ascii=False))
    request = shown["request"]
    _print_pair("request", f"{request['method']} {request['url']}")
    for name, value in request["headers"].items():
        line(f"  {name}: {value}")
    line(f"  {json.dumps(request['body'], ensure_ascii=False)}")
    _print_each(_ATTEMPT, shown["attempts"])
    for look_up in shown["lookups"]:
        _print_each(_LOOK_UP, [look_up])
        _print_seen(look_up["seen"])
    _print_each(_SLOT, shown["slots"])
    _print_each(_EVENT, shown["events"])
    _print_results(shown["results"])


def _print_results(results: dict[str, Any]) -> None:
    if results["until"] is None and not results["sources"] and not results["sales"]:
        return
    line(f"results: {_figures(results)}")
    for said in results["sources"]:
        line(f"  {said['source']} at {said['at']}: {_figures(said)}")
    for sold in results["sales"]:
        cents = "unknown" if sold["amount_cents"] is None else dollars(sold["amount_cents"])
        line(f"  {sold['count']} told one by one ({sold['kind']}, {sold['source']}): {cents}")
    if results["next_at"]:
        line(f"  asked again {results['next_at']}, until {results['until']}")
    if results["words"]:
        line(f"  could not be asked: {results['words']}")


def _figures(told: dict[str, Any]) -> str:
    counts = [f"{name} {'unknown' if told[name] is None else told[name]}" for name in _COUNTS]
    cents = told["revenue_cents"]
    revenue = "unknown" if cents is None else dollars(cents) + (" (estimated)" if told["estimated"] else "")
    return ", ".join([*counts, f"revenue {revenue}"])


def _print_seen(messages: list[dict[str, Any]]) -> None:
    for message in messages:
        differs = f", other {' and '.join(message['differs'])}" if message["differs"] else ""
        _print_each(_SEEN, [{**message, "agrees": _AGREES[message["agrees"]] + differs}])
        if message["text"]:
            line(f"    {message['text']}")


def _print_each(form: str, items: list[dict[str, Any]]) -> None:
    for item in items:
        line(form.format(**{name: "-" if value is None else value for name, value in item.items()}))


def _print_pair(key: str, value: object) -> None:
    if value is not None:
        line(f"{key.replace('_', ' ')}: {value}")
