"""`carillon media CREATOR`: the media that an account can send."""

from carillon import logs
from carillon.settings import Settings
from console.accounts import contact
from console.members import counted
from console.progress import Progress
from console.streaming import stream

_HEADS = ("id", "kind", "name", "state", "created_at")


def show_media(settings: Settings, name: str, *, json: bool, csv: str | None) -> int:
    """Raises CredentialError and PlatformError."""
    logs.set_up(settings.log)
    shares = csv in {None, "-"}
    with Progress("reading media", shares_terminal=shares) as progress, contact(settings, name, progress) as account:
        media = counted(account.platform.library.media(account.caller, account.account), progress)
        rows = ((one.id, one.kind, one.name, one.state, one.created_at) for one in media)
        stream(_HEADS, rows, as_json=json, csv_path=csv)
    return 0
