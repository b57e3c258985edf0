"""Another installation on the same Redis that sends for the same accounts: neither knows what the other has sent."""

from collections.abc import Collection
from hashlib import sha256

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

from carillon import clock

_KEY = "carillon-accounts:"
_ALL = "carillon-installations"
_LASTS = 300  # seconds; renewed every minute


def shared(broker: dramatiq.Broker, installation: str, accounts: Collection[str]) -> list[str]:
    """Say which accounts this installation sends for; returns those that another one says too.

    Raises RedisError. What stands in Redis are digests, and it is forgotten some minutes after the last word.
    """
    if not isinstance(broker, RedisBroker) or not accounts:
        return []
    client: redis.Redis = broker.client
    digests = {sha256(account.encode()).hexdigest(): account for account in accounts}
    mine, now = f"{_KEY}{installation}", clock.now().timestamp()
    with client.pipeline(transaction=True) as pipe:
        pipe.zadd(_ALL, {mine: now})
        pipe.zremrangebyscore(_ALL, "-inf", now - _LASTS)
        pipe.delete(mine)
        pipe.sadd(mine, *digests)
        pipe.expire(mine, _LASTS)
        pipe.execute()
    others = [key for key in client.zrange(_ALL, 0, -1) if key != mine.encode()]
    found = {digest for other in others for digest in client.sinter([mine, other])}
    return sorted(account for digest, account in digests.items() if digest.encode() in found)
