"""One upload from order to reference: a file out of the store, or a URL, brought to the platform.

It is safe to begin again: what was reached is in the ledger before it goes on, so a killed worker's upload is taken up
where it was. Nothing here is a send: an error puts the upload off, and what waits for it waits on.
"""

import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, select

from carillon.ledger import accounts, alarms, uploading
from carillon.ledger.tables import creators
from carillon.platforms import credentials, errors
from carillon.platforms.contract import Account, Caller, Platform
from carillon.platforms.fetch import FetchError
from carillon.platforms.kinds import HEAD_BYTES, kind_of
from carillon.platforms.parts import Reference, Source
from carillon.platforms.roster import PLATFORMS
from carillon.platforms.sources import is_url, stored_hash
from carillon.platforms.store import Store
from worker.account import account_of
from worker.holding import Holding, LetGoError
from worker.means import Means
from worker.verdict import backoff

log = structlog.get_logger()

_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = (2.0, 60.0)
_SOON = timedelta(minutes=15)
_PAUSE_WHEN_SOON = 20.0
_TRIES_BEFORE_ALARM = 4
_NOT_WANTED_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Failed:
    """It can never be uploaded."""

    words: str


@dataclass(frozen=True)
class PutOff:
    """Not now; `seconds` where the platform names them."""

    words: str
    seconds: float | None = None


def begin_upload(means: Means, upload_id: int) -> None:
    """In a thread beside those that send; an order that was let pass is given again."""
    means.uploading.give(upload_id, lambda: upload(means, upload_id))


def upload(means: Means, upload_id: int) -> None:
    """Bring it as far as it goes now, unless somebody else is at it."""
    if means.stopping.is_set():
        return
    with Holding.of(means.ledger, upload_id, means.stopping) as holding:
        if holding is None:
            return
        try:
            outcome = _carry_out(means, holding)
        except LetGoError:
            return
        _write_down(means, holding, outcome)
        means.nudge()


def _carry_out(means: Means, holding: Holding) -> Reference | Failed | PutOff:
    try:
        platform, account = _account(means, holding)
        return _brought(means, holding, platform, account)
    except (errors.Refused, errors.Redirected) as error:
        return Failed(f"the platform refuses it: {error.words}")
    except errors.Throttled as error:
        return PutOff(error.words, error.retry_after)
    except errors.PlatformError as error:
        holding.check()  # what was let go of in the middle of a request looks like a cut
        return PutOff(error.words)
    except FetchError as error:
        return Failed(error.words) if error.final else PutOff(error.words)
    except credentials.CredentialError as error:
        return PutOff(f"credentials: {error}")
    except FileNotFoundError:
        return PutOff("its file is not in CARILLON_HOME/uploads here; schedulers and workers must share that folder")
    except OSError as error:
        return PutOff(f"{error.strerror}: {error.filename}" if error.filename else str(error))


def _account(means: Means, holding: Holding) -> tuple[Platform, Account]:
    with means.ledger.read() as session:
        creator = session.execute(select(creators).where(creators.c.id == holding.row.creator_id)).one()
    platform = PLATFORMS[creator.platform]
    return platform, means.fresh(platform, account_of(means, creator))


def _brought(means: Means, holding: Holding, platform: Platform, account: Account) -> Reference | Failed:
    row, caller = holding.row, means.caller(platform, account, _PATIENCE_SECONDS)
    if row.state == "processing":
        known = Reference(row.reference, "processing", row.single_use)
        return platform.library.uploaded(caller, account, known, holding)
    sha256 = stored_hash(row.source) or row.stored
    if sha256 is None:
        there = platform.library.upload_url(caller, account, row.source, holding)
        if there is not None:
            return there
        sha256 = _fetched(means, holding)
    with means.ledger.read() as session:
        same = uploading.same_content(session.connection(), row.creator_id, sha256)
    return Reference(same, "ready") if same else _file_brought(means, holding, platform, account, caller, sha256)


def _fetched(means: Means, holding: Holding) -> str:
    assert means.store is not None
    sha256 = means.store.add(holding.watched(means.fetch.pieces(holding.row.source)))
    holding.note(stored=sha256)
    return sha256


def _file_brought(
    means: Means, holding: Holding, platform: Platform, account: Account, caller: Caller, sha256: str
) -> Reference | Failed:
    assert means.store is not None
    means.store.still_wanted(sha256)
    source = _source(means.store, sha256, holding)
    most = platform.library.most_bytes
    if most is not None and source.size > most:
        return Failed(f"it has {source.size / 1e6:.1f} MB, and {platform.name} takes {most / 1e6:.1f} MB at most")
    holding.note(size=source.size)
    log.info("uploading", upload=holding.row.id, creator=holding.key, medium=holding.row.name, bytes=source.size)
    return platform.library.upload(caller, account, source, holding)


def _source(store: Store, sha256: str, holding: Holding) -> Source:
    read = store.reader(sha256)
    mime = kind_of(b"".join(read(0, HEAD_BYTES))) or "application/octet-stream"
    name = holding.row.name
    if is_url(holding.row.source) and "." not in name:
        name += mimetypes.guess_extension(mime) or ""

    def watched(offset: int, length: int) -> Iterator[bytes]:
        return holding.watched(read(offset, length))

    return Source(name, store.size(sha256), mime, watched)


def _write_down(means: Means, holding: Holding, outcome: Reference | Failed | PutOff) -> None:
    with accounts.held(means.ledger, [holding.row.creator_id]) as (connection, now):
        match outcome:
            case Reference(state="broken"):
                _fail(connection, holding, "the platform could not process it", now)
            case Reference(state="processing"):
                _wait_for_platform(connection, holding, outcome, now)
            case Reference():
                _ready(connection, holding, outcome, now)
            case Failed(words):
                _fail(connection, holding, words, now)
            case PutOff():
                _put_off(connection, holding, outcome, now)


def _ready(connection: Connection, holding: Holding, reference: Reference, now: datetime) -> None:
    said = {"reference": reference.id, "single_use": reference.single_use, "uploaded_at": now}
    uploading.end(connection, holding.row, holding.owner, now, state="ready", words=None, **said)
    log.info("uploaded", upload=holding.row.id, creator=holding.key, medium=holding.row.name, reference=reference.id)


def _wait_for_platform(connection: Connection, holding: Holding, reference: Reference, now: datetime) -> None:
    begun = holding.row.uploaded_at or now
    least, most = _POLL_SECONDS
    until = now + timedelta(seconds=min(most, max(least, (now - begun).total_seconds() / 5)))
    said = {"reference": reference.id, "single_use": reference.single_use, "uploaded_at": begun}
    uploading.put_off(connection, holding.owner, until, state="processing", tries=0, words=None, **said)


def _fail(connection: Connection, holding: Holding, words: str, now: datetime) -> None:
    row = holding.row
    ended = uploading.end(connection, row, holding.owner, now, state="failed", words=words, progress="{}")
    if ended:
        message = f"{row.name} cannot be uploaded for {holding.key}: {words}"
        alarms.sound(connection, f"not_uploaded:{row.id}", message, now, creator_id=row.creator_id)
        alarms.clear(connection, f"not_uploaded:{row.id}", now)  # told once; nothing mends this very upload
        log.error("not uploaded", upload=row.id, creator=holding.key, medium=row.name, words=words)


def _put_off(connection: Connection, holding: Holding, why: PutOff, now: datetime) -> None:
    row = holding.row
    if now > row.needed_until - uploading.NEEDED_AFTER + _NOT_WANTED_AFTER:
        _fail(connection, holding, f"nobody waits for it any more: {why.words}", now)
        return
    pause = backoff(row.tries) if why.seconds is None else max(1.0, why.seconds)
    if why.seconds is None and row.wanted_by - now < _SOON:
        pause = min(pause, _PAUSE_WHEN_SOON)
    tries = row.tries + 1
    uploading.put_off(connection, holding.owner, now + timedelta(seconds=pause), tries=tries, words=why.words)
    if tries >= _TRIES_BEFORE_ALARM:
        message = f"{row.name} is not uploaded yet for {holding.key}; it is tried again: {why.words}"
        alarms.sound(connection, uploading.alarm_cause(row.id), message, now, creator_id=row.creator_id)
