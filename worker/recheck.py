"""A stopped creator goes on by itself once its credential reads differently from the one that was turned away."""

from sqlalchemy import select

from carillon.ledger import accounts
from carillon.ledger.tables import creators
from carillon.platforms import credentials
from worker.account import account_of
from worker.means import Means


def recheck(means: Means, creator_id: int) -> None:
    with means.ledger.read() as session:
        creator = session.execute(select(creators).where(creators.c.id == creator_id)).one_or_none()
    if creator is None or creator.stopped_at is None:
        return
    if means.tokens:
        means.tokens.forget(creator_id)
    try:
        mended = credentials.digest(account_of(means, creator).secret) != creator.stopped_credential
    except credentials.CredentialError:
        return
    if mended:
        with accounts.held(means.ledger, [creator_id]) as (connection, now):
            accounts.lift_stop(connection, creator_id, now, means.who)
        means.nudge()
