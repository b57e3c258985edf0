"""What a command can fail with, and what is said of any error that ends one: one line for each thing that is wrong."""

import sys

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from carillon.ledger.connect import LedgerError
from carillon.ledger.decisions import DecisionError
from carillon.platforms.credentials import CredentialError
from carillon.platforms.errors import PlatformError
from carillon.settings import SettingsError


class CommandError(Exception):
    """What was asked for failed, or is about something that does not exist."""


class WrongFilesError(Exception):
    """The campaign files are wrong, and what was asked for needs them; a line for each error, with its place."""


_SAID_WHOLE = (CommandError, WrongFilesError, DecisionError, LedgerError, CredentialError, PlatformError, SettingsError)
_OF_CAMPAIGNS = ("CatalogueError", "TextError", "NothingInForceError")
"""By name, since asking for the class would load all of the campaigns' room for every error."""


def nothing_in_force(error: Exception) -> int:
    """The campaign files' errors as `check` prints them; returns the exit code."""
    print(error)
    print("carillon: the campaign files are wrong, and none was ever in force", file=sys.stderr)
    return 1


def sentences(error: Exception) -> list[str]:
    """What to say of it; nothing of an error that no person can have caused."""
    if isinstance(error, _SAID_WHOLE) or type(error).__name__ in _OF_CAMPAIGNS:
        return str(error).splitlines()
    if isinstance(error, DBAPIError):
        words = (str(error.orig).splitlines() or [""])[0] or type(error).__name__
        return [f"the database cannot be used: {words}; see CARILLON_DATABASE_URL and CARILLON_HOME"]
    if isinstance(error, SQLAlchemyError):
        return [f"the database cannot be used: {type(error).__name__}; see CARILLON_DATABASE_URL"]
    if isinstance(error, OSError):
        return [f"{error.filename}: {error.strerror}" if error.filename else str(error)]
    return []
