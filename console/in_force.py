"""The campaigns that a command is about: those in force, or those that the files declare."""

from collections.abc import Collection
from difflib import get_close_matches

from carillon.campaigns.catalogue import Catalogue
from carillon.campaigns.load import load
from carillon.ledger.connect import Ledger
from carillon.ledger.questions import catalogue_content
from carillon.settings import Settings
from console.failures import CommandError, WrongFilesError


def catalogue(settings: Settings, ledger: Ledger | None) -> Catalogue:
    """What is in force; before anything was, what the files say. Raises WrongFilesError."""
    content = None
    if ledger:
        with ledger.read() as session:
            content = catalogue_content(session.connection())
    return Catalogue.restore(content) if content is not None else files(settings)


def files(settings: Settings) -> Catalogue:
    """What the campaign files say now. Raises WrongFilesError."""
    loaded = load(settings.campaigns, frozenset(settings.platform_urls))
    if loaded.catalogue is None:
        errors = [finding for finding in loaded.findings if finding.severity == "error"]
        raise WrongFilesError("\n".join(map(str, errors)))
    return loaded.catalogue


def require_known(kind: str, word: str, known: Collection[str]) -> None:
    """Raises CommandError, with the nearest name that is known."""
    if word not in known:
        near = get_close_matches(word, known, 1)
        raise CommandError(f"there is no {kind} {word}" + (f"; did you mean {near[0]}?" if near else ""))
