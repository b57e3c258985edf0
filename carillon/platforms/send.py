"""One POST for one broadcast, the same for every platform: request, answer, verdict, receipt."""

from dataclasses import replace

from carillon.platforms import answers
from carillon.platforms.attempt import Guard
from carillon.platforms.client import Client
from carillon.platforms.contract import Account, Content, Platform, Receipt


def send(platform: Platform, client: Client, account: Account, content: Content, guard: Guard) -> Receipt:
    """Raises the sending errors of `errors.py`, cut by: did it reach the fans."""
    answer = client.post(platform.request(account, content), guard)
    receipt = platform.receipt(answers.accepted(answer, account.secret))
    return replace(receipt, status=answer.status)
