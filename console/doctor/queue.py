"""The queue between scheduler and worker: can it be reached, and will it keep what it is given."""

from collections.abc import Iterator, Mapping
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from console.doctor.findings import Finding
from console.doctor.patient import Patient

_CHECK = "redis"
_SECONDS = 5.0
_NEARLY_ALL = 0.9


def check(patient: Patient) -> Iterator[Finding]:
    url = patient.settings.redis_url
    if url is None:
        return
    try:
        client = Redis.from_url(url, socket_connect_timeout=_SECONDS, socket_timeout=_SECONDS, retry=None)
    except (ValueError, RedisError):  # their words may hold a piece of the password
        mend = "redis://[:PASSWORD@]HOST[:PORT][/NUMBER], special letters of the password as %XX"
        yield Finding(_CHECK, "error", "CARILLON_REDIS_URL is not the address of a Redis", mend)
        return
    with client:
        yield from _asked(client)


def _asked(client: Redis) -> Iterator[Finding]:
    where = _where(client)
    try:
        client.ping()
        info: Mapping[str, Any] = client.info()
    except RedisError as error:
        mend = "start it, or mend CARILLON_REDIS_URL; nothing is lost meanwhile, and nothing is sent"
        yield Finding(_CHECK, "error", f"no answer from {where}: {error or type(error).__name__}", mend)
        return
    kind = "Valkey" if info.get("server_name") == "valkey" else "Redis"
    version = info.get("valkey_version") or info.get("redis_version")
    yield Finding(_CHECK, "ok", f"{kind} {version} at {where}")
    yield from _keeps(info)


def _keeps(info: Mapping[str, Any]) -> Iterator[Finding]:
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        message = f"its maxmemory-policy is {policy}: when memory is short it throws orders away, and sends are late"
        yield Finding(_CHECK, "warning", message, "set maxmemory-policy noeviction")
    limit = int(info.get("maxmemory") or 0)
    if limit and int(info.get("used_memory") or 0) > _NEARLY_ALL * limit:
        yield Finding(_CHECK, "warning", "its memory is nearly used up", "raise maxmemory, or move other data away")
    if info.get("role") == "slave":
        yield Finding(
            _CHECK, "error", "this is a replica, which takes no orders", "name the primary in CARILLON_REDIS_URL"
        )
    if info.get("redis_mode") == "cluster":
        yield Finding(_CHECK, "error", "this is a cluster, which the queue cannot use", "name a Redis that is none")


def _where(client: Redis) -> str:
    how = client.connection_pool.connection_kwargs
    return str(how.get("path") or f"{how.get('host', 'localhost')}:{how.get('port', 6379)}")
