"""`carillon lists CREATOR`: the lists of an account, as its platform shows them now."""

from carillon import logs
from carillon.platforms.client import Client
from carillon.platforms.roster import PLATFORMS
from carillon.settings import Settings
from console.in_force import catalogue, require_known
from console.opening import ledger_to_read
from console.printing import as_json, table
from console.sizes import account_of


def show_lists(settings: Settings, name: str, *, json: bool) -> int:
    """Raises CredentialError and PlatformError."""
    logs.set_up(settings.log)
    in_force = catalogue(settings, ledger_to_read(settings))
    require_known("creator", name, in_force.creators)
    creator = in_force.creators[name]
    client = Client(settings.http_timeout)
    found = list(PLATFORMS[creator.platform].lists(client, account_of(settings, creator)))
    client.close()
    if json:
        as_json([{"kind": one.kind, "id": one.id, "name": one.name, "count": one.count} for one in found])
    else:
        table(("kind", "id", "name", "count"), ((one.kind, one.id, one.name, one.count) for one in found))
    return 0
