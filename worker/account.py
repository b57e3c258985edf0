"""As whom, and where, a worker speaks to a platform."""

from typing import Any

from sqlalchemy import Row

from carillon.ledger.parcels import Parcel
from carillon.platforms import credentials
from carillon.platforms.contract import Account
from carillon.platforms.roster import PLATFORMS
from worker.means import Means


def account_of(means: Means, creator: Row[Any] | Parcel) -> Account:
    """A parcel names its creator's account as well. Raises CredentialError."""
    url = means.urls.get(creator.platform, PLATFORMS[creator.platform].url)
    return Account(url, creator.account_id, credentials.read(creator.credentials))
