"""`carillon login CREATOR`: a person says yes in a browser, and what comes back is kept sealed in the ledger."""

import sys
import webbrowser
from datetime import timedelta

from sqlalchemy.exc import IntegrityError

from carillon import logs
from carillon.campaigns.catalogue import Catalogue
from carillon.campaigns.creators import Creator
from carillon.ledger import tokens
from carillon.ledger.connect import Ledger
from carillon.ledger.states import Note
from carillon.platforms import errors, oauth
from carillon.platforms.oauth import SERVERS, Granted, Issuer
from carillon.platforms.sealing import Keyring, SealError
from carillon.settings import Settings
from console.accounts import ledger_id
from console.callback import Callback, DeclinedError
from console.failures import CommandError
from console.in_force import catalogue, files, require_known
from console.opening import ledger_to_read, ledger_to_write, person
from console.printing import complain, line
from scheduler.edits import put_creator
from worker.renewal import application, sealed

PATIENCE_SECONDS = 300.0


def log_in(settings: Settings, name: str, port: int) -> int:
    """Raises CommandError, and LedgerError."""
    logs.set_up(settings.log)
    creator = _creator(settings, name)
    issuer, keys = _issuer(settings, creator), _keys(settings)
    ledger = ledger_to_write(settings)
    creator_id = _known(ledger, creator)
    granted = _ask(issuer, creator, port)
    lasts = timedelta(seconds=granted.seconds)
    resumed = tokens.log_in(ledger, creator_id, sealed(keys, granted), lasts, person())
    ledger.close()
    _tell(creator, granted, resumed)
    return 0


def _creator(settings: Settings, name: str) -> Creator:
    in_force = _declared(settings, name)
    require_known("creator", name, in_force.creators)
    creator = in_force.creators[name]
    if creator.platform not in SERVERS:
        raise CommandError(
            f"{name} is on {creator.platform}, which has no login: its key is read from {creator.credentials}"
        )
    return creator


def _declared(settings: Settings, name: str) -> Catalogue:
    """What is in force; a creator that was just written into the files counts too."""
    ledger = ledger_to_read(settings)
    in_force = catalogue(settings, ledger)
    if ledger:
        ledger.close()
    return in_force if name in in_force.creators or not settings.campaigns.exists() else files(settings)


def _issuer(settings: Settings, creator: Creator) -> Issuer:
    about = settings.fanvue_auth_url, settings.fanvue_client_id, settings.fanvue_client_secret
    issuer = oauth.issuer(creator.platform, *about)
    if issuer is None:
        raise CommandError(f"set {application(creator.platform)}: they name your OAuth application")
    return issuer


def _keys(settings: Settings) -> Keyring:
    keys = Keyring(settings.secret_key)
    try:
        keys.require()
    except SealError as error:
        raise CommandError(str(error)) from None
    return keys


def _known(ledger: Ledger, creator: Creator) -> int:
    """The ledger's id of the creator, who need not be in force yet."""
    known = ledger_id(ledger, creator)
    if known is None:
        try:
            with ledger.write() as connection:
                return put_creator(connection, creator, Note(ledger.now(connection), person(), "login"))
        except IntegrityError:  # a scheduler put it in force at this moment
            known = ledger_id(ledger, creator)
    assert known is not None
    return known


def _ask(issuer: Issuer, creator: Creator, port: int) -> Granted:
    with Callback(port) as callback:
        asked = issuer.ask(callback.url)
        callback.expect(asked.state)
        line(f"say yes to Carillon for {creator.key} here: {asked.url}")
        if sys.stdout.isatty():
            webbrowser.open(asked.url)
        try:
            code = callback.wait(PATIENCE_SECONDS)
        except TimeoutError:
            raise CommandError(f"nobody said yes within {PATIENCE_SECONDS / 60:.0f} minutes; log in again") from None
        except DeclinedError as error:
            raise CommandError(f"{creator.platform} did not let Carillon in: {error}") from None
    try:
        granted = issuer.exchange(code, asked, callback.url)
    except errors.PlatformError as error:
        hint = f"; see {application(creator.platform)}" if isinstance(error, errors.Forbidden) else ""
        raise CommandError(f"the login did not succeed: {error.words}{hint}; log in again") from None
    if granted.refresh is None:
        raise CommandError("the login gives no refresh token: let the application have offline_access; nothing is kept")
    return granted


def _tell(creator: Creator, granted: Granted, resumed: bool) -> None:
    lacking = sorted(set(SERVERS[creator.platform].scopes) - granted.scopes) if granted.scopes is not None else []
    if lacking:
        complain(f"warning: {creator.platform} did not grant {', '.join(lacking)}")
    line(f"{creator.key} is logged in" + ("; it was stopped, and goes on" if resumed else ""))
