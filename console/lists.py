"""`carillon lists` and `list-create`: an account's lists, as its platform shows them now, and new ones."""

from contextlib import suppress

from carillon import logs
from carillon.campaigns.references import parse_reference
from carillon.platforms import errors
from carillon.platforms.contract import AudienceList, ListRef
from carillon.platforms.writing import written
from carillon.settings import Settings
from console.accounts import Contact, contact
from console.failures import CommandError
from console.options import WrongCommandError
from console.printing import line
from console.progress import Progress
from console.streaming import stream

_HEADS = ("kind", "id", "name", "count")


def show_lists(settings: Settings, name: str, *, json: bool, csv: str | None) -> int:
    """Raises CredentialError and PlatformError."""
    logs.set_up(settings.log)
    shares = csv in {None, "-"}
    with Progress("reading lists", shares_terminal=shares) as progress, contact(settings, name, progress) as account:
        rows = ((one.kind, one.id, one.name, one.count) for one in all_lists(account))
        stream(_HEADS, rows, as_json=json, csv_path=csv)
    return 0


def create_list(settings: Settings, name: str, title: str) -> int:
    """Print the id of the new list. Raises as `show_lists`, and CommandError for a name that is taken."""
    if not title.strip():
        raise WrongCommandError("a list needs a name")
    logs.set_up(settings.log)
    with Progress("making the list") as progress, contact(settings, name, progress) as account:
        line(_create(account, title).id)
    return 0


def all_lists(account: Contact) -> list[AudienceList]:
    return list(account.platform.lists(account.caller, account.account))


def reference(text: str) -> ListRef:
    """A list as the command line names it. Raises WrongCommandError."""
    try:
        return parse_reference(text)
    except ValueError as error:
        raise WrongCommandError(f"{text}: {error}") from None


def found(account: Contact, ref: ListRef) -> ListRef:
    """The same by its id. Raises CommandError if no list, or more than one, has that name."""
    if ref.kind != "name":
        return ref
    named = _named(account, ref.value)
    if len(named) != 1:
        count = f"{len(named)} lists are" if named else "no list is"
        raise CommandError(f"{count} named {ref.value!r}; see `carillon lists {account.creator.key}`, and use an id")
    return ListRef(kind=named[0].kind, value=named[0].id)


def _named(account: Contact, name: str) -> list[AudienceList]:
    return [one for one in all_lists(account) if one.name == name]


def _create(account: Contact, title: str) -> AudienceList:
    request = account.platform.audience.create(account.account, title)
    if request is None:
        raise CommandError(f"{_who(account)} cannot make lists through its API; make it on the platform's page")
    taken = _named(account, title)
    if taken:
        raise CommandError(f"{account.creator.key} has a list named {title!r} already: {taken[0].id}")
    try:
        answer = account.once.write(request)  # twice might make two
        if answer.status == 409:
            raise CommandError(f"{account.platform.name} says that the name {title!r} is taken")
        return account.platform.audience.created(written(answer, account.account.secret))
    except (errors.Unreachable, errors.Unreadable):  # it may have been made all the same
        with suppress(errors.PlatformError):
            made = _named(account, title)
            if len(made) == 1:
                return made[0]
        raise


def _who(account: Contact) -> str:
    by_agency = account.platform.name == "fanvue" and account.account.id is not None
    return "an agency on fanvue" if by_agency else account.platform.name
