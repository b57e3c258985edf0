"""`carillon doctor` on creators that logged in: their tokens open here and can be renewed, and no key is asked for."""

from datetime import timedelta

import pytest

from carillon.campaigns.catalogue import Catalogue
from carillon.ledger import tokens
from carillon.ledger.connect import Ledger
from carillon.platforms.oauth import Granted
from carillon.platforms.sealing import Keyring
from carillon.settings import Settings
from console.doctor import keys, logins
from console.doctor.patient import Account, Patient
from ledger_rows import add_creator
from worker.renewal import sealed

KEY = "correct horse battery"
PAIR = Granted("access-token", "refresh-token", 3600)


@pytest.fixture
def luna(ledger: Ledger) -> int:
    id_ = add_creator(ledger, platform="fanvue", credentials="env:NOT_SET")
    tokens.log_in(ledger, id_, sealed(Keyring(KEY), PAIR), timedelta(hours=1), "test")
    return id_


def patient(ledger: Ledger, **settings: str) -> Patient:
    account = Account("luna", "fanvue", None, "env:NOT_SET", "UTC", None)
    in_force = Catalogue.__new__(Catalogue)  # that something is, is all that counts
    return Patient(Settings(**settings), ledger, in_force, accounts=[account])  # type: ignore[arg-type]


APPLICATION = {"fanvue_client_id": "us", "fanvue_client_secret": "secret-of-ours"}


def test_who_logged_in_needs_no_other_key(ledger: Ledger, luna: int) -> None:
    found = patient(ledger, secret_key=KEY, **APPLICATION)
    assert [(one.status, one.message) for one in logins.check(found)] == [("ok", "1 creator logged in")]
    assert list(keys.check(found)) == []


@pytest.mark.parametrize(
    ("settings", "said", "mend"),
    [
        (APPLICATION, "luna: CARILLON_SECRET_KEY is not set", "openssl"),
        ({**APPLICATION, "secret_key": "another key of ours"}, "does not open the stored tokens", "log in again"),
        ({"secret_key": KEY}, "CARILLON_FANVUE_CLIENT_ID", "application"),
    ],
)
def test_what_keeps_tokens_from_use(ledger: Ledger, luna: int, settings: dict[str, str], said: str, mend: str) -> None:
    [wrong] = [one for one in logins.check(patient(ledger, **settings)) if one.wrong]
    assert said in wrong.message
    assert mend in (wrong.mend or "")


def test_a_lost_login_is_an_error(ledger: Ledger, luna: int) -> None:
    tokens.lose(ledger, luna, 1, "spent", "test")
    [wrong] = [one for one in logins.check(patient(ledger, secret_key=KEY, **APPLICATION)) if one.wrong]
    assert (wrong.status, wrong.mend) == ("error", "carillon login luna")


def test_without_logins_nothing_is_told(ledger: Ledger) -> None:
    assert list(logins.check(patient(ledger))) == []
