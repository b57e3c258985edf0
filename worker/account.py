"""As whom, and where, a worker speaks to a platform."""

from typing import Any

from sqlalchemy import Row

from carillon.ledger.parcels import Parcel
from carillon.platforms import credentials
from carillon.platforms.contract import Account
from carillon.platforms.roster import PLATFORMS
from worker.means import Means


def account_of(means: Means, creator: Row[Any] | Parcel) -> Account:
    """A parcel names its creator's account as well. Who logged in needs no other key. Raises CredentialError."""
    url = means.urls.get(creator.platform, PLATFORMS[creator.platform].url)
    id_ = creator.creator_id if isinstance(creator, Parcel) else creator.id
    pair = means.tokens.pair(creator.platform, id_) if means.tokens else None
    if pair:
        return Account(url, creator.account_id, pair.access, id_, pair.generation)
    return Account(url, creator.account_id, credentials.read(creator.credentials), id_)
