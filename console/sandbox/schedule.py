"""The life of a broadcast at a platform: taken, perhaps kept for later, sent, changed before that, withdrawn.

A scheduled one counts in the platform's limit when it goes out, and reaches who is on its lists then.
"""

import json
import time
from collections.abc import Mapping

from console.sandbox.records import Delivery, Excess
from console.sandbox.rules import Call, Order, Refused, Rules, require_json
from console.sandbox.world import Account

# No platform documents it; of the numbers that each lists for its errors.
TOO_LATE = {"fanvue": 400, "ofauth": 400, "onlyfansapi": 409}


def take(rules: Rules, account: Account, call: Call, order: Order, hidden: float) -> Delivery:
    """Raises Refused if it is one too many."""
    records = account.backstage.records
    number = records.number() if order.at else records.admit(account.platform, account.id, call.arrived_at)
    if isinstance(number, Excess):
        raise Refused("Too many broadcasts", 429, headers={"Retry-After": str(number.retry_after)})
    delivery = Delivery(
        platform=account.platform,
        account=account.id,
        message_id=rules.new_id(number),
        recipients=() if order.at else order.who(),
        body=json.loads(call.body),
        arrived_at=call.arrived_at,
        hidden=hidden,
    )
    records.keep(delivery)
    account.taken.append(delivery)
    _settle(account, delivery, order)
    return delivery


def told(call: Call) -> tuple[set[str], dict[str, object]]:
    """The fields that a change names, and those in which there is something: an empty array says that there is nothing.

    Raises Refused.
    """
    require_json(call)
    try:
        body = json.loads(call.body)
    except ValueError:
        raise Refused("The body is no JSON", about="body") from None
    if not isinstance(body, dict):
        raise Refused("The body is no JSON object", about="body")
    filled = {name: _filled(value) for name, value in body.items()}
    return set(body), {name: value for name, value in filled.items() if value not in ([], {})}


def _filled(value: object) -> object:
    return {name: kept for name, kept in value.items() if kept != []} if isinstance(value, dict) else value


def change(account: Account, delivery: Delivery, order: Order, body: Mapping[str, object]) -> None:
    """What waits gets this content, and its time if `order` has one. Nothing goes out as it was before."""
    delivery.body = dict(body)
    _settle(account, delivery, order)


def withdraw(delivery: Delivery) -> None:
    delivery.withdrawn, delivery.withdrawn_at = True, time.time()


def unsend_seconds(account: Account, delivery: Delivery, now: float) -> int:
    """The platform's whole window as long as it is open, then 0: whether they count down is documented nowhere."""
    whole = account.backstage.unsend_seconds
    return int(whole) if delivery.waits or now < delivery.goes_at + whole else 0


def waiting(account: Account, message_id: str) -> Delivery:
    """Raises Refused if there is none, or it is too late for a change."""
    delivery = known(account, message_id)
    if not delivery.waits:
        raise Refused("This message has been sent already", TOO_LATE[account.platform], "too_late")
    return delivery


def known(account: Account, message_id: str) -> Delivery:
    """One that has not been withdrawn. Raises Refused."""
    delivery = account.message(message_id)
    if delivery is None or delivery.withdrawn:
        raise Refused("Message not found", 404)
    return delivery


def require_unsendable(account: Account, delivery: Delivery) -> None:
    if not unsend_seconds(account, delivery, time.time()):
        raise Refused("This message can no longer be unsent", TOO_LATE[account.platform], "too_late")


def _settle(account: Account, delivery: Delivery, order: Order) -> None:
    for upload in order.uploads:
        account.media.pop(upload, None)
    delivery.uploads += tuple(one for one in order.uploads if one not in delivery.uploads)
    if order.at is None and not delivery.waits:
        _sent(account, delivery)
        return
    delivery.waits, delivery.scheduled_at = True, order.at or delivery.goes_at
    body = delivery.body
    account.backstage.clock.at(delivery.scheduled_at, lambda: _go(account, delivery, order, body))


def _go(account: Account, delivery: Delivery, order: Order, body: object) -> None:
    if not delivery.waits or delivery.withdrawn or delivery.body is not body:
        return
    delivery.waits = False
    admitted = account.backstage.records.admit(account.platform, account.id, delivery.goes_at)
    if isinstance(admitted, Excess):
        delivery.failed = True
        return
    delivery.recipients = order.who()
    _sent(account, delivery)


def _sent(account: Account, delivery: Delivery) -> None:
    if delivery.recipients:
        told = account.backstage.react(delivery, account.taken.index(delivery))
        account.backstage.hooks.began(told, account.fan)
