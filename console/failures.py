"""What a command can fail with, and what is said of any error that ends one: one line for each thing that is wrong."""

import sys

from carillon.settings import SettingsError


class CommandError(Exception):
    """What was asked for failed, or is about something that does not exist."""


class WrongFilesError(Exception):
    """The campaign files are wrong, and what was asked for needs them; a line for each error, with its place."""


_SAID_WHOLE = (CommandError, WrongFilesError, SettingsError)
_OF_OTHER_ROOMS = {
    "CatalogueError",
    "CredentialError",
    "DecisionError",
    "LedgerError",
    "NothingInForceError",
    "PlatformError",
    "TextError",
}
"""By name, since asking for the classes would load all rooms for every command."""


def nothing_in_force(error: Exception) -> int:
    """The campaign files' errors as `check` prints them; returns the exit code."""
    print(error)
    print("carillon: the campaign files are wrong, and none was ever in force", file=sys.stderr)
    return 1


def sentences(error: Exception) -> list[str]:
    """What to say of it; nothing of an error that no person can have caused."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, _SAID_WHOLE) or kinds & _OF_OTHER_ROOMS:
        return str(error).splitlines()
    if "DBAPIError" in kinds:
        words = (str(getattr(error, "orig", None)).splitlines() or [""])[0] or type(error).__name__
        return [f"the database cannot be used: {words}; see CARILLON_DATABASE_URL and CARILLON_HOME"]
    if "SQLAlchemyError" in kinds:
        return [f"the database cannot be used: {type(error).__name__}; see CARILLON_DATABASE_URL"]
    if isinstance(error, OSError):
        return [f"{error.filename}: {error.strerror}" if error.filename else str(error)]
    return []
